import { Interest, Mode, Reactor } from 'tripoll';
import { native } from '#lib/binding/native';
import { canNest, systemBackend } from '../support/backends.js';
import { until, within } from '../support/deadline.js';
import { closed, invalidType, state, thrownBy } from '../support/errors.js';
import { Calls, DriverRig, type DriverKind, namedDriverKinds, writeByte } from './driver-rig.js';
import { fakeRig } from './fake-reactor.js';
import { drain } from '../support/pairs.js';

const { READABLE } = Interest;
const own = namedDriverKinds.filter(([, { run }]) => run !== true);

describe.each(own)('run() of %s', (_name, kind: DriverKind) => {
  let rig: DriverRig;
  const underRun = canNest && kind.backend === systemBackend ? 'inverted' : 'immediate';

  beforeEach(() => {
    rig = new DriverRig(kind);
  });

  afterEach(() => rig.close());

  // The rig turns a manual reactor by hand, which run() forbids.
  const testAutomatic = kind.driver === 'manual' ? (): void => {} : test;

  testAutomatic('takes over until stop(), and resolves', async () => {
    const { reactor } = rig;
    const { read, write } = rig.pipe();
    const calls = new Calls(({ fd }) => drain(fd));
    reactor.register(read, READABLE, calls);
    for (let round = 0; round < 3; round++) {
      const ended = reactor.run();
      expect(reactor.inspect().driver).toBe(underRun);
      writeByte(write);
      await calls.reach(round * 2 + 1);
      reactor.stop();
      reactor.stop();
      await within(ended, 'the end of run()');
      expect(reactor.inspect().driver).toBe(kind.driver);
      writeByte(write);
      await calls.reach(round * 2 + 2);
    }
  });

  testAutomatic('guard 6: the driver that brings the batches is really another one', async () => {
    const { reactor } = rig;
    // By what native code is told: inspect() says what should be so.
    const told: string[] = [];
    const start = jest.spyOn(native, 'driverStart');
    const close = jest.spyOn(native, 'driverClose');
    try {
      const ended = reactor.run();
      told.push(...start.mock.calls.map(([, name]) => name), `${close.mock.calls.length} closed`);
      reactor.stop();
      await within(ended, 'the end of run()');
      told.push(...start.mock.calls.map(([, name]) => name), `${close.mock.calls.length} closed`);
    } finally {
      start.mockRestore();
      close.mockRestore();
    }
    const inverted = underRun === 'inverted' ? ['inverted'] : [];
    const closed = 1 + inverted.length;
    expect(told).toEqual([...inverted, '1 closed', ...inverted, kind.driver, `${closed} closed`]);
  });

  testAutomatic('started and stopped from within a turn', async () => {
    const { reactor } = rig;
    let ended: Promise<void> | undefined;
    await rig.inTurn(() => {
      ended = reactor.run();
    });
    await rig.settle();
    expect(reactor.inspect().driver).toBe(underRun);
    await rig.inTurn(() => reactor.stop());
    await within(ended ?? Promise.reject(new Error('not started')), 'the end of run()');
    await rig.settle();
    expect(reactor.inspect().driver).toBe(kind.driver);
  });

  testAutomatic('a timer goes over to the other driver, and back', async () => {
    const { reactor } = rig;
    const fired: string[] = [];
    reactor.setTimer(10, () => fired.push('set before'));
    void reactor.run();
    await until(() => fired.length === 1, 'a timer that was set before');
    reactor.setTimer(10, () => fired.push('set under'));
    reactor.stop();
    await until(() => fired.length === 2, 'a timer that was set under run()');
  });

  testAutomatic('what was on its way when it began is not lost', async () => {
    const { reactor } = rig;
    const modes = kind.edge ? [Mode.EDGE, Mode.ONESHOT] : [Mode.ONESHOT];
    for (const mode of modes) {
      const { read, write } = rig.pipe();
      const calls = new Calls();
      reactor.register(read, READABLE, calls, { mode });
      await rig.settle();
      writeByte(write);
      // A watcher has by now taken the batch, and cannot deliver it: this thread does not let go.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
      void reactor.run();
      await calls.reach(1);
      reactor.stop();
    }
  });

  testAutomatic('an aborted signal means stop()', async () => {
    const controller = new AbortController();
    const ended = rig.reactor.run({ signal: controller.signal });
    controller.abort();
    await within(ended, 'the end of run()');
    expect(rig.reactor.inspect().driver).toBe(kind.driver);
    await within(
      rig.reactor.run({ signal: controller.signal }),
      'run() with a signal that was aborted before',
    );
    await rig.settle();
  });

  test('close() ends it', async () => {
    const ended = rig.reactor.run();
    expect(thrownBy(() => rig.reactor.turn())).toEqual(state);
    rig.reactor.close();
    await within(ended, 'the end of run()');
    rig.reactor.stop();
  });

  test('a second run(), and wrong arguments', () => {
    const { reactor } = rig;
    const wrong: unknown = 1;
    expect(thrownBy(() => void reactor.run(wrong as object))).toEqual(invalidType);
    expect(thrownBy(() => void reactor.run({ signal: wrong as AbortSignal }))).toEqual(invalidType);
    void reactor.run();
    expect(thrownBy(() => void reactor.run())).toEqual(state);
    reactor.close();
    expect(thrownBy(() => void reactor.run())).toEqual(closed);
  });
});

test("run() turns a manual reactor, and one with a poller of one's own", async () => {
  const manual = new Reactor({ driver: 'manual' });
  let fired = false;
  void manual.run();
  manual.setTimer(1, () => (fired = true));
  await until(() => fired, 'a timer');
  manual.close();
  const { poller, reactor, watch } = fakeRig();
  const { registration, seen } = watch(5);
  poller.emit(registration, READABLE);
  void reactor.run();
  await until(() => seen.length === 1, 'an event');
  expect(reactor.inspect().driver).toBe('immediate');
  reactor.close();
});
