// The same with the system's time, in every way to run a reactor.
import { interval, Reactor, sleep, timeout } from 'tripoll';
import { DriverRig, type DriverKind, driverKinds, namedDriverKinds } from '../reactor/driver-rig.js';
import { runScript } from '../support/child.js';
import { within } from '../support/deadline.js';
import { timedOut } from '../support/errors.js';

const aborted = { name: 'AbortError', code: 'ABORT_ERR' };

describe.each(namedDriverKinds)('promises of %s', (_name, kind: DriverKind) => {
  let rig: DriverRig;

  beforeEach(() => {
    rig = new DriverRig(kind);
  });

  afterEach(() => {
    expect(rig.reactor.inspect().timers).toBe(0);
    rig.close();
  });

  test('sleep: never early, whatever its length', async () => {
    const { reactor } = rig;
    const early: string[] = [];
    const lengths = Array.from({ length: 60 }, (_, i) => (i * 7.31) % 23);
    const all = lengths.map(async (delayMs) => {
      const startMs = performance.now();
      await sleep(delayMs, { reactor });
      const tookMs = performance.now() - startMs;
      if (tookMs < delayMs) early.push(`${tookMs} of ${delayMs}`);
    });
    await within(Promise.all(all), 'sixty sleeps');
    for (const delayMs of [0, 0.3, 1, 2.7]) {
      const startMs = performance.now();
      await within(sleep(delayMs, { reactor }), 'a sleep alone');
      if (performance.now() - startMs < delayMs) early.push(`${delayMs}, alone`);
    }
    expect(early).toEqual([]);
  });

  test('an abort from outside a turn, from within one, and by AbortSignal.timeout', async () => {
    const { reactor } = rig;
    const controller = new AbortController();
    const { signal } = controller;
    const slept = within(sleep(60_000, { reactor, signal }), 'an aborted sleep');
    const ticked = within(interval(60_000, { reactor, signal }).next(), 'an aborted interval');
    setImmediate(() => controller.abort());
    await expect(slept).rejects.toMatchObject(aborted);
    await expect(ticked).rejects.toMatchObject(aborted);
    const inTurn = new AbortController();
    const sleptToo = within(sleep(60_000, { reactor, signal: inTurn.signal }), 'another');
    reactor.post(() => inTurn.abort());
    await expect(sleptToo).rejects.toMatchObject(aborted);
    const late = sleep(60_000, { reactor, signal: AbortSignal.timeout(5) });
    await expect(within(late, 'a third')).rejects.toMatchObject(aborted);
  });

  test('timeout: of what hangs, and of what does not', async () => {
    const { reactor } = rig;
    const startMs = performance.now();
    await expect(within(timeout(new Promise(() => {}), 10, { reactor }), 'a timeout')).rejects.toMatchObject(
      timedOut,
    );
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(10);
    expect(
      await timeout(
        sleep(1, { reactor }).then(() => 'value'),
        60_000,
        { reactor },
      ),
    ).toBe('value');
  });

  test('interval: no tick before its time, and what a busy thread missed is counted once', async () => {
    const { reactor } = rig;
    const startMs = performance.now();
    const early: number[] = [];
    let sum = 0;
    for await (const ticks of interval(3, { reactor })) {
      sum += ticks;
      const tookMs = performance.now() - startMs;
      if (tookMs < 3 * sum) early.push(tookMs - 3 * sum);
      if (sum === 3) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
      if (sum >= 6) break;
    }
    expect(early).toEqual([]);
  });
});

describe.each(
  driverKinds
    .filter(({ driver }) => driver !== 'manual')
    .map(
      (kind) => [`${kind.run === true ? 'run() of ' : ''}${kind.driver} on ${kind.backend}`, kind] as const,
    ),
)('the end of a process with %s', (_name, { driver, backend, run }) => {
  /**
   * What is printed by the time that it has ended by itself; a minute's timer that was forgotten
   * would keep it.
   */
  async function lines(body: string): Promise<string[]> {
    const source = `
      const { Reactor, sleep, timeout, interval } = require('tripoll');
      const reactor = new Reactor(${JSON.stringify({ driver, backend })});
      ${run === true ? 'reactor.run();' : ''}
      (async () => { ${body} })().catch((error) => console.log(error.code));
    `;
    const { stdout, ...result } = await runScript(source);
    expect(result).toEqual({ code: 0, signal: null, timedOut: false, stderr: '' });
    return stdout.split('\n').filter((line) => line !== '');
  }

  test('it waits for what is awaited, and for nothing that was given up', async () => {
    const body = `
      await sleep(5, { reactor });
      console.log('slept');
      console.log(await timeout(Promise.resolve('in time'), 60_000, { reactor }));
      await timeout(new Promise(() => {}), 5, { reactor }).catch((error) => console.log(error.code));
      for await (const ticks of interval(2, { reactor })) break;
      const iterator = interval(60_000, { reactor, signal: AbortSignal.timeout(5) });
      await Promise.all([
        iterator.next().catch((error) => console.log(error.code)),
        sleep(60_000, { reactor, signal: AbortSignal.timeout(5) }).catch((error) => console.log(error.code)),
      ]);
      const timer = reactor.setTimer(60_000, () => {});
      timer.unref();
      reactor.setTimer(60_000, () => {}).unref().ref().cancel();
      console.log('end');
    `;
    expect(await lines(body)).toEqual([
      ...['slept', 'in time', 'ERR_TRIPOLL_TIMEOUT', 'ABORT_ERR', 'ABORT_ERR', 'end'],
    ]);
  });
});

test('without a reactor it is this thread’s own', async () => {
  const before = Reactor.default.inspect().timers;
  const slept = sleep(1);
  await Promise.resolve();
  expect(Reactor.default.inspect().timers).toBe(before + 1);
  await within(slept, 'a sleep');
  expect(await timeout(Promise.resolve(1), 60_000)).toBe(1);
  for await (const ticks of interval(1)) if (ticks > 0) break;
  expect(Reactor.default.inspect()).toMatchObject({ timers: before, refs: 0 });
  Reactor.default.close();
});
