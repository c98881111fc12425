import { once } from 'node:events';
import { setImmediate as immediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Interest, Mode, Readiness } from 'tripoll';
import { sys } from 'tripoll/raw';
import { runFile } from '../support/child.js';
import { until, within } from '../support/deadline.js';
import { closed, thrownBy } from '../support/errors.js';
import { Calls, DriverRig, type DriverKind, namedDriverKinds, writeByte } from './driver-rig.js';
import { isWindows } from '../support/platform.js';
import { drain } from '../support/pairs.js';

const { READABLE, WRITABLE } = Interest;

const WAKER_WORKER = `
  const { workerData } = require('node:worker_threads');
  const { Waker } = require('tripoll');
  const waker = Waker.from(workerData.shared);
  const { go, done, wakes } = workerData;
  Atomics.wait(go, 0, 0);
  for (let i = 0; i < wakes; i++) waker.wake();
  Atomics.store(done, 0, 1);
  Atomics.notify(done, 0);
`;

/** What a backend lacks is not skipped but absent: `supports` is tested elsewhere. */
function noTest(): void {}

describe.each(namedDriverKinds)('%s', (_name, kind: DriverKind) => {
  let rig: DriverRig;

  beforeEach(() => {
    rig = new DriverRig(kind);
  });

  afterEach(() => rig.close());

  test('readable: as long as there is something, and not after', async () => {
    const { read, write } = rig.pipe();
    const calls = new Calls(({ fd }) => calls.seen.length === 2 && drain(fd));
    rig.reactor.register(read, READABLE, calls);
    await rig.settle();
    expect(calls.seen).toEqual([]);
    writeByte(write);
    await calls.reach(3);
    await rig.settle();
    expect(calls.seen).toEqual([READABLE, READABLE, READABLE]);
  });

  test('writable, both, and paused', async () => {
    const { read, write } = rig.socketPair();
    const calls = new Calls((registration) => calls.seen.length === 0 && registration.setInterest(0));
    const registration = rig.reactor.register(read, WRITABLE, calls);
    await calls.reach(1);
    writeByte(write);
    await rig.settle();
    expect(calls.seen).toEqual([WRITABLE]);
    registration.setInterest(READABLE | WRITABLE);
    // kqueue knows each direction by itself, and who waits meanwhile may get the first alone.
    const told = (): number => calls.seen.slice(1).reduce((all, one) => all | one, 0);
    await until(() => told() === (READABLE | WRITABLE), 'both');
    registration.setInterest(0);
  });

  test('the end of a stream is READ_CLOSED', async () => {
    const { read, write } = rig.socketPair();
    const calls = new Calls((registration) => registration.deregister());
    rig.reactor.register(read, READABLE, calls);
    rig.disown(write);
    sys.close(write);
    await calls.reach(1);
    expect((calls.seen[0] ?? 0) & (READABLE | Readiness.READ_CLOSED)).toBe(READABLE | Readiness.READ_CLOSED);
  });

  test('oneshot: once, and again after rearm or setInterest', async () => {
    const { read, write } = rig.pipe();
    const calls = new Calls();
    const registration = rig.reactor.register(read, READABLE, calls, { mode: Mode.ONESHOT });
    writeByte(write);
    await calls.reach(1);
    await rig.settle();
    expect(calls.seen).toHaveLength(1);
    registration.rearm();
    await calls.reach(2);
    await rig.settle();
    registration.setInterest(READABLE);
    await calls.reach(3);
    await rig.settle();
    expect(calls.seen).toHaveLength(3);
  });

  const testEdge = kind.edge ? test : noTest;
  testEdge('edge: each time that more comes', async () => {
    const { read, write } = rig.pipe();
    const calls = new Calls();
    rig.reactor.register(read, READABLE, calls, { mode: Mode.EDGE });
    writeByte(write);
    await calls.reach(1);
    await rig.settle();
    expect(calls.seen).toHaveLength(1);
    writeByte(write);
    await calls.reach(2);
  });

  test('T58 again(): carried on without a new event from the system', async () => {
    const { read, write } = rig.pipe();
    const turns: number[] = [];
    const calls = new Calls((registration) => {
      drain(registration.fd);
      turns.push(rig.reactor.inspect().turns);
      if (calls.seen.length < 2) registration.again();
    });
    const registration = rig.reactor.register(read, READABLE, calls, {
      mode: kind.edge ? Mode.EDGE : Mode.LEVEL,
    });
    writeByte(write);
    await calls.reach(3);
    expect(new Set(turns).size).toBe(3);
    await rig.settle();
    expect(calls.seen).toHaveLength(3);
    // And from outside a turn.
    registration.again();
    await calls.reach(4);
  });

  test('T57 a timer earlier than the present wait ends it', async () => {
    const { reactor } = rig;
    reactor.register(rig.pipe().read, READABLE, new Calls());
    reactor.setTimer(60_000, () => {});
    await rig.settle();
    const early: number[] = [];
    for (let i = 0; i < 5; i++) {
      const setMs = performance.now();
      await within(
        new Promise<void>((resolve) => {
          // From outside a turn, while the poller waits for a minute.
          setTimeout(() => {
            const startMs = performance.now();
            reactor.setTimer(4.5, () => {
              if (performance.now() < startMs + 4.5) early.push(performance.now() - startMs);
              resolve();
            });
          }, 1);
        }),
        'a timer of 4.5 ms',
        5000,
      );
      expect(performance.now() - setMs).toBeGreaterThan(4.5);
    }
    expect(early).toEqual([]);
    expect(reactor.inspect().timers).toBe(1);
  });

  test('T57 a timer that replaces a later one, is replaced, and repeats', async () => {
    const { reactor } = rig;
    const timer = reactor.setTimer(60_000, () => {});
    await rig.settle();
    timer.reschedule(50_000);
    timer.cancel();
    let ticks = 0;
    await within(
      new Promise<void>((resolve) => {
        reactor.setTimer(2, () => ++ticks === 5 && resolve(), { repeatMs: 2 });
      }),
      'five ticks',
    );
  });

  test('a waker from this thread: many wakes are one', async () => {
    let woken = 0;
    const waker = rig.reactor.waker(() => woken++);
    for (let i = 0; i < 100; i++) waker.wake();
    await until(() => woken > 0, 'onWake');
    await rig.settle();
    expect(woken).toBe(1);
    waker.wake();
    await until(() => woken > 1, 'a second onWake');
  });

  test('F35 an onWake that makes and wakes another waker has one turn for each', async () => {
    const most = 20;
    const turns: number[] = [];
    const chain = (): void => {
      turns.push(rig.reactor.inspect().turns);
      if (turns.length < most) rig.reactor.waker(chain).wake();
    };
    rig.reactor.waker(chain).wake();
    await until(() => turns.length === most, 'the last of them');
    expect(new Set(turns).size).toBe(most);
  });

  test('a waker from another thread: many wakes before a turn are one', async () => {
    let woken = 0;
    const waker = rig.reactor.waker(() => woken++);
    const wakeOften = async (block: boolean): Promise<void> => {
      const [go, done] = [new Int32Array(new SharedArrayBuffer(4)), new Int32Array(new SharedArrayBuffer(4))];
      const workerData = { shared: waker.share(), wakes: 1000, go, done };
      const worker = new Worker(WAKER_WORKER, { eval: true, workerData });
      const exited = once(worker, 'exit');
      Atomics.store(go, 0, 1);
      Atomics.notify(go, 0);
      // This thread stands still until all of them are there.
      if (block && Atomics.wait(done, 0, 0, 10_000) === 'timed-out')
        throw new Error('the worker did not wake');
      await within(exited, 'the end of the worker');
    };
    await wakeOften(true);
    await until(() => woken > 0, 'onWake');
    await rig.settle();
    expect(woken).toBe(1);
    await wakeOften(false);
    await until(() => woken > 1, 'a later onWake');
    expect(woken).toBeLessThanOrEqual(1001);
  });

  test('T56 a waker of a reactor that has closed finds nothing', () => {
    const shared = rig.reactor.waker().share();
    const other = rig.reactor.waker();
    rig.reactor.close();
    expect(thrownBy(() => other.wake())).toEqual(closed);
    const [go, done] = [new Int32Array(new SharedArrayBuffer(4)), new Int32Array(new SharedArrayBuffer(4))];
    go[0] = 1;
    const worker = new Worker(WAKER_WORKER, { eval: true, workerData: { shared, wakes: 3, go, done } });
    return within(
      new Promise<void>((resolve, reject) => {
        worker.once('error', reject);
        worker.once('exit', () => resolve());
      }),
      'the end of the worker',
    );
  });

  test('post: from outside a turn, in order, and by one another', async () => {
    const order: number[] = [];
    rig.reactor.post(() => {
      order.push(1);
      rig.reactor.post(() => order.push(3));
    });
    rig.reactor.post(() => order.push(2));
    await until(() => order.length === 3, 'three posted functions');
    expect(order).toEqual([1, 2, 3]);
  });

  test('nextTicks and microtasks run once, after the last handler of the batch', async () => {
    const order: string[] = [];
    const calls = new Calls((registration) => {
      drain(registration.fd);
      order.push('handler');
      process.nextTick(() => order.push('tick'));
      void Promise.resolve().then(() => order.push('microtask'));
    });
    const pipes = [rig.pipe(), rig.pipe(), rig.pipe()];
    for (const { read } of pipes) rig.reactor.register(read, READABLE, calls);
    await rig.settle();
    await rig.inTurn(() => {
      for (const { write } of pipes) writeByte(write);
    });
    await until(() => order.length === 9, 'three handlers and what they queued');
    expect(order).toEqual([
      ...['handler', 'handler', 'handler'],
      ...['tick', 'tick', 'tick'],
      ...['microtask', 'microtask', 'microtask'],
    ]);
  });

  test("Node's own timers and immediates go on beside a reactor that is never idle", async () => {
    const { read, write } = rig.pipe();
    const calls = new Calls((registration) => registration.again());
    rig.reactor.register(read, READABLE, calls); // never drained
    const post = (): void => {
      if (!rig.reactor.closed) rig.reactor.post(post);
    };
    post();
    writeByte(write);
    await calls.reach(10);
    let timeouts = 0;
    let immediates = 0;
    const interval = setInterval(() => timeouts++, 2);
    const next = (): void => {
      if (++immediates < 20) setImmediate(next);
    };
    next();
    await until(() => timeouts >= 5 && immediates >= 20, 'timeouts and immediates');
    clearInterval(interval);
    expect(calls.seen.length).toBeGreaterThan(10);
  });

  test('T02 an fd closed behind the library: told once, not added again, no spin', async () => {
    const { read, write } = rig.pipe();
    const calls = new Calls();
    const registration = rig.reactor.register(read, READABLE, calls);
    await rig.settle();
    rig.disown(read);
    sys.close(read);
    registration.setInterest(READABLE | WRITABLE);
    await calls.reach(1);
    expect(calls.errors).toMatchObject([{ name: 'Error', fd: read }]);
    expect(['EBADF', 'ENOENT']).toContain((calls.errors[0] as { code: string }).code);
    expect(registration.active).toBe(false);
    // The number is a stranger's now: it hears of itself alone.
    const stranger = rig.pipeAt(read);
    // On Windows an event or a file may have been quicker: all handles share their numbers.
    if (!isWindows) expect(stranger.read).toBe(read);
    const strangers = new Calls(({ fd }) => drain(fd));
    rig.reactor.register(stranger.read, READABLE, strangers);
    registration.deregister();
    writeByte(stranger.write);
    await strangers.reach(1);
    expect(calls.count).toBe(1);
    const { turns } = rig.reactor.inspect();
    expect(turns).toBeLessThan(5000);
    drain(write);
  });

  test('T02 the stranger who has the number is not deleted by who had it', async () => {
    const { read } = rig.pipe();
    const calls = new Calls();
    const registration = rig.reactor.register(read, READABLE, calls);
    registration.deregister();
    rig.disown(read);
    sys.close(read);
    const stranger = rig.pipeAt(read);
    expect(stranger.read).toBe(read);
    const strangers = new Calls(({ fd }) => drain(fd));
    rig.reactor.register(stranger.read, READABLE, strangers);
    registration.deregister();
    writeByte(stranger.write);
    await strangers.reach(1);
    expect(calls.count).toBe(0);
  });

  test('T05 T30 a socket moves to another reactor and back', async () => {
    const { read, write } = rig.socketPair();
    // Only one reactor of a thread is under run().
    const other = new DriverRig({ ...kind, run: false });
    try {
      for (const owner of [rig, other, rig]) {
        const calls = new Calls((registration) => drain(registration.fd));
        const registration = owner.reactor.register(read, READABLE, calls);
        writeByte(write);
        await calls.reach(1);
        registration.deregister();
        writeByte(write);
        await owner.settle();
        expect(calls.seen).toHaveLength(1);
        drain(read);
      }
    } finally {
      other.close();
    }
  });

  test('T52 a handler ends itself and the others of its batch', async () => {
    const pipes = [rig.pipe(), rig.pipe(), rig.pipe()];
    const calls = new Calls(() => {
      for (const registration of registrations) registration.deregister();
    });
    const registrations = pipes.map(({ read }) => rig.reactor.register(read, READABLE, calls));
    await rig.inTurn(() => {
      for (const { write } of pipes) writeByte(write);
    });
    await calls.reach(1);
    await rig.settle();
    expect(calls.seen).toHaveLength(1);
    expect(rig.reactor.inspect().registrations).toBe(0);
  });

  test('T52 a handler closes the reactor', async () => {
    const pipes = [rig.pipe(), rig.pipe()];
    const calls = new Calls(() => rig.reactor.close());
    for (const { read } of pipes) rig.reactor.register(read, READABLE, calls);
    await rig.inTurn(() => {
      for (const { write } of pipes) writeByte(write);
    });
    await calls.reach(1);
    for (let i = 0; i < 5; i++) await immediate();
    expect(calls.seen).toHaveLength(1);
    expect(rig.reactor.inspect()).toMatchObject({ closed: true, registrations: 0, refs: 0 });
  });

  test('T53 turn inside a turn', async () => {
    let thrown: unknown;
    await rig.inTurn(() => (thrown = thrownBy(() => rig.reactor.turn())));
    expect(thrown).toEqual({ name: 'Error', code: 'ERR_TRIPOLL_STATE' });
    await rig.settle();
  });

  test('T55 what nobody catches is uncaught, and later batches still run', async () => {
    const args = [kind.driver, kind.backend, ...(kind.run === true ? ['run'] : [])];
    const { code, stdout, stderr } = await runFile('reactor/uncaught-child', { args });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const log = JSON.parse(stdout) as string[];
    expect(log.filter((line) => line.startsWith('uncaught')).sort()).toEqual([
      'uncaught handler 1',
      'uncaught handler 2',
      'uncaught handler 3',
      'uncaught posted',
      'uncaught second',
      'uncaught timer',
      'uncaught waker',
    ]);
    expect(log.filter((line) => line === 'ready good')).toHaveLength(3);
    expect(log.indexOf('after posted')).toBe(log.indexOf('uncaught posted') + 1);
    expect(log.at(-1)).toBe('end');
  });
});
