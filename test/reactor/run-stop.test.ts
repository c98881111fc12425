// Who may end run(), from where, and what comes after.
import { Interest, Mode, Reactor } from 'tripoll';
import { until, within } from '../support/deadline.js';
import { state, thrownBy } from '../support/errors.js';
import { Calls, DriverRig, type DriverKind, driverKinds, writeByte } from './driver-rig.js';
import { drain } from '../support/pairs.js';

const { READABLE } = Interest;
const kinds = driverKinds.filter(({ driver, run }) => driver !== 'manual' && run !== true);
const named = kinds.map((kind) => [`${kind.driver} on ${kind.backend}`, kind] as const);

describe.each(named)('the end of run() of %s', (_name, kind: DriverKind) => {
  let rig: DriverRig;

  beforeEach(() => {
    rig = new DriverRig(kind);
  });

  afterEach(() => rig.close());

  const underRun = (): boolean => rig.reactor.inspect().driver !== kind.driver;

  /** Events and timers come by the reactor's own driver again. */
  async function expectOwnDriver(): Promise<void> {
    await until(() => !underRun(), 'the end of run()');
    await rig.settle();
    await within(
      new Promise<void>((resolve) => {
        rig.reactor.setTimer(2, resolve);
      }),
      'a timer',
    );
    expect(underRun()).toBe(false);
  }

  const ways: Record<string, (stop: () => void) => void> = {
    'a handler': (stop) => {
      const { read, write } = rig.pipe();
      rig.reactor.register(read, READABLE, {
        onReady() {
          drain(read);
          stop();
        },
      });
      writeByte(write);
    },
    'a timer': (stop) => void rig.reactor.setTimer(2, stop),
    'a repeating timer, again and again': (stop) =>
      void rig.reactor.setTimer(1, stop, { repeatMs: 1 }).unref(),
    post: (stop) => rig.reactor.post(stop),
    onWake: (stop) => rig.reactor.waker(stop).wake(),
    'a microtask of a handler': (stop) => rig.reactor.post(() => void Promise.resolve().then(stop)),
    "Node's timer": (stop) => void setTimeout(stop, 2),
    "Node's immediate": (stop) => void setImmediate(stop),
    nextTick: (stop) => process.nextTick(stop),
  };

  test.each(Object.entries(ways))('stop() from %s', async (_way, arrange) => {
    const ended = rig.reactor.run();
    arrange(() => rig.reactor.stop());
    await within(ended, 'run()');
    await expectOwnDriver();
  });

  test.each(Object.entries(ways))('an abort from %s', async (_way, arrange) => {
    const controller = new AbortController();
    const ended = rig.reactor.run({ signal: controller.signal });
    arrange(() => controller.abort());
    await within(ended, 'run()');
    await expectOwnDriver();
  });

  test('an AbortSignal.timeout, while nothing else goes on', async () => {
    await within(rig.reactor.run({ signal: AbortSignal.timeout(5) }), 'run()');
    await expectOwnDriver();
  });

  test('a signal that has been aborted: it does not begin', async () => {
    const ended = rig.reactor.run({ signal: AbortSignal.abort() });
    expect(underRun()).toBe(false);
    await within(ended, 'run()');
    await expectOwnDriver();
  });

  test('a signal of a run() that has ended does not end the next', async () => {
    const controller = new AbortController();
    const first = rig.reactor.run({ signal: controller.signal });
    rig.reactor.stop();
    await within(first, 'the first run()');
    const second = rig.reactor.run();
    controller.abort();
    await rig.settle();
    expect(underRun()).toBe(true);
    rig.reactor.stop();
    await within(second, 'the second run()');
    await expectOwnDriver();
  });

  test('stop() does not cut the batch short, nor lose what comes meanwhile', async () => {
    const pipes = [rig.pipe(), rig.pipe(), rig.pipe()];
    const calls = new Calls(({ fd }) => {
      drain(fd);
      rig.reactor.stop();
      if (calls.seen.length === 0) writeByte(pipes[0]!.write);
    });
    for (const { read } of pipes) rig.reactor.register(read, READABLE, calls);
    const ended = rig.reactor.run();
    await rig.settle();
    await rig.inTurn(() => pipes.forEach(({ write }) => writeByte(write)));
    await within(ended, 'run()');
    await calls.reach(4);
    await expectOwnDriver();
    expect(calls.seen).toHaveLength(4);
  });

  test('the driver that takes over does not write into the batch that is being read', async () => {
    const mode = kind.edge ? Mode.EDGE : Mode.ONESHOT;
    const batch = [rig.pipe(), rig.pipe(), rig.pipe()];
    const later = [rig.pipe(), rig.pipe(), rig.pipe()];
    const heard: number[] = [];
    const calls = new Calls(({ fd }) => {
      heard.push(fd);
      drain(fd);
      if (fd !== batch[0]!.read) return;
      later.forEach(({ write }) => writeByte(write));
      rig.reactor.stop();
      // A thread that had begun to wait would have its own events in the batch by now; those of
      // before come once only.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    });
    for (const { read } of [...batch, ...later]) rig.reactor.register(read, READABLE, calls, { mode });
    const ended = rig.reactor.run();
    await rig.settle();
    await rig.inTurn(() => batch.forEach(({ write }) => writeByte(write)));
    await within(ended, 'run()');
    await calls.reach(6);
    await expectOwnDriver();
    expect(heard).toEqual([...batch, ...later].map(({ read }) => read));
  });

  test('run() a second time is ERR_TRIPOLL_STATE, from anywhere, and the first goes on', async () => {
    const ended = rig.reactor.run();
    expect(thrownBy(() => void rig.reactor.run())).toEqual(state);
    let inHandler: unknown;
    await rig.inTurn(() => (inHandler = thrownBy(() => void rig.reactor.run())));
    expect(inHandler).toEqual(state);
    expect(underRun()).toBe(true);
    rig.reactor.stop();
    await within(ended, 'run()');
  });

  test('stopped and begun again within a handler, and the other way round', async () => {
    const ends: Promise<void>[] = [rig.reactor.run()];
    await rig.inTurn(() => {
      rig.reactor.stop();
      ends.push(rig.reactor.run());
      rig.reactor.stop();
      ends.push(rig.reactor.run());
    });
    await within(Promise.all(ends.slice(0, 2)), 'two that were stopped');
    await rig.settle();
    expect(underRun()).toBe(true);
    await rig.inTurn(() => {
      rig.reactor.stop();
      ends.push(rig.reactor.run());
      rig.reactor.stop();
    });
    await within(Promise.all(ends), 'all of them');
    await expectOwnDriver();
  });

  test('a thread is given to one reactor at a time, and to the next when that has stopped or closed', async () => {
    const other = new Reactor({ driver: kind.driver, backend: kind.backend });
    const first = rig.reactor.run();
    expect(thrownBy(() => other.run())).toMatchObject(state);
    expect(thrownBy(() => rig.reactor.run())).toMatchObject(state);
    rig.reactor.stop();
    const second = other.run();
    expect(thrownBy(() => rig.reactor.run())).toMatchObject(state);
    other.close();
    const third = rig.reactor.run();
    rig.reactor.stop();
    await within(Promise.all([first, second, third]), 'all of them');
    await expectOwnDriver();
  });
});
