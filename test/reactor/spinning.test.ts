// run({ spinUs }): what a wait does before it sleeps, told by what native code has counted.
import { stat } from 'node:fs/promises';
import { Interest, Reactor, type RunOptions } from 'tripoll';
import { native } from '#lib/binding/native';
import { testIf } from '../support/applies.js';
import { hasBackend } from '../support/backends.js';
import { within } from '../support/deadline.js';
import { invalidType, outOfRange, thrownBy, unsupported } from '../support/errors.js';
import { Calls, type DriverKind, DriverRig, namedDriverKinds, writeByte } from './driver-rig.js';
import { fakeRig } from './fake-reactor.js';
import { drain } from '../support/pairs.js';

const LONG_US = 1_000_000;
const kinds = namedDriverKinds.filter(([, { run, driver }]) => run !== true && driver !== 'manual');

const indexOf = (reactor: Reactor): number =>
  (reactor as unknown as { poller: { index: number } }).poller.index;

function countsOf(reactor: Reactor): { looks: number; sleeps: number } {
  const { spinLooks: looks, spinSleeps: sleeps } = reactor.metrics();
  return { looks, sleeps };
}

/** A timer of the reactor's. */
function fired(reactor: Reactor, delayMs: number): Promise<void> {
  const done = new Promise<void>((resolve) => {
    reactor.setTimer(delayMs, resolve);
  });
  return within(done, 'a timer of the reactor');
}

/** More than one timer, since this thread may get no core while it would look. */
async function untilCounted(reactor: Reactor, what: 'looks' | 'sleeps'): Promise<void> {
  for (let i = 0; i < 200 && countsOf(reactor)[what] === 0; i++) await fired(reactor, 5);
  expect(countsOf(reactor)[what]).toBeGreaterThan(0);
}

/** Node's loop and ours: whatever each may wait for. */
async function workOfBoth(reactor: Reactor): Promise<void> {
  await fired(reactor, 2);
  const timeout = new Promise((resolve) => {
    setTimeout(resolve, 2);
  });
  await within(timeout, "a timer of Node's");
  await within(stat('.'), "a thread of Node's");
  await within(
    new Promise((resolve) => {
      const waker = reactor.waker(() => {
        waker.close();
        resolve(undefined);
      });
      setTimeout(() => waker.wake(), 2);
    }),
    'a waker',
  );
}

describe.each(kinds)('spinning under run() of %s', (_name, kind: DriverKind) => {
  let rig: DriverRig;
  let reactor: Reactor;

  beforeEach(() => {
    rig = new DriverRig(kind);
    ({ reactor } = rig);
  });

  afterEach(() => rig.close());

  test('a wait looks before it sleeps, and events come', async () => {
    const { read, write } = rig.pipe();
    const calls = new Calls(({ fd }) => drain(fd));
    reactor.register(read, Interest.READABLE, calls);
    void reactor.run({ spinUs: LONG_US });
    for (let i = 1; i <= 5; i++) {
      writeByte(write);
      await calls.reach(i);
    }
    await untilCounted(reactor, 'looks');
  });

  test('it sleeps when nothing has come', async () => {
    void reactor.run({ spinUs: 1 });
    await untilCounted(reactor, 'sleeps');
  });

  test("T121 timers, wake-ups and Node's own loop are not later for it", async () => {
    void reactor.run({ spinUs: LONG_US });
    // One that is told after all, by its deadline, has cost a whole second and then a sleep. A thread
    // that gets no core for so long sleeps too: not five times.
    let sleeps = 1;
    for (let i = 0; i < 5 && sleeps > 0; i++) {
      const before = countsOf(reactor).sleeps;
      await workOfBoth(reactor);
      sleeps = countsOf(reactor).sleeps - before;
    }
    expect(sleeps).toBe(0);
  });

  test('it ends with stop(), and a run() without spinUs does not look', async () => {
    const ended = reactor.run({ spinUs: LONG_US });
    await untilCounted(reactor, 'looks');
    reactor.stop();
    await within(ended, 'the end of run()');
    const { looks } = countsOf(reactor);
    await fired(reactor, 5);
    for (const options of [{}, { spinUs: 0 }, { spinUs: undefined }] as RunOptions[]) {
      const again = reactor.run(options);
      await fired(reactor, 5);
      reactor.stop();
      await within(again, 'the end of run()');
    }
    expect(countsOf(reactor).looks).toBe(looks);
    reactor.close();
    expect(countsOf(reactor).looks).toBe(looks);
  });

  test('wrong arguments start nothing', async () => {
    const wrongs: [unknown, object][] = [
      [{ spinUs: -1 }, outOfRange],
      [{ spinUs: 0.5 }, outOfRange],
      [{ spinUs: 1_000_001 }, outOfRange],
      [{ spinUs: '5' }, invalidType],
      [{ spinUS: 5 }, invalidType],
      [{ busyPollUs: -1 }, outOfRange],
      [{ busyPollUs: 1, busyPollBudget: 0 }, outOfRange],
      [{ busyPollUs: 1, preferBusyPoll: 1 }, invalidType],
    ];
    for (const [options, error] of wrongs)
      expect(thrownBy(() => void reactor.run(options as RunOptions))).toEqual(error);
    if (kind.backend !== 'epoll')
      expect(thrownBy(() => void reactor.run({ busyPollUs: 1 }))).toEqual(unsupported);
    const ended = reactor.run();
    await fired(reactor, 1);
    expect(countsOf(reactor).looks).toBe(0);
    reactor.stop();
    await within(ended, 'the end of run()');
  });
});

test("a poller of one's own cannot spin", () => {
  const { reactor } = fakeRig();
  expect(thrownBy(() => void reactor.run({ spinUs: 1 }))).toEqual(unsupported);
  reactor.close();
});

const testEpoll = testIf(hasBackend('epoll'), 'this system has no epoll');

testEpoll('what the kernel is told is taken back by stop(), and by nobody who told it nothing', async () => {
  const reactor = new Reactor({ backend: 'epoll' });
  const setParams = jest.spyOn(native as Required<typeof native>, 'epollSetParams').mockReturnValue(0);
  const runs = async (options: RunOptions): Promise<unknown[][]> => {
    setParams.mockClear();
    const ended = reactor.run(options);
    reactor.stop();
    await within(ended, 'the end of run()');
    return setParams.mock.calls;
  };
  try {
    const fd = native.pollerFd(indexOf(reactor));
    expect(await runs({ busyPollUs: 50, preferBusyPoll: true })).toEqual([
      [fd, 50, 8, 1],
      [fd, 0, 0, 0],
    ]);
    expect(await runs({ spinUs: 1 })).toEqual([]);
  } finally {
    setParams.mockRestore();
    reactor.close();
  }
});

testEpoll('the kernel is told how to poll the device, where it can, until stop()', async () => {
  const reactor = new Reactor({ backend: 'epoll' });
  const params = (): number[] => {
    const out: number[] = [];
    native.epollGetParams!(native.pollerFd(indexOf(reactor)), out);
    return out;
  };
  try {
    const ended = reactor.run({ busyPollUs: 50, preferBusyPoll: true });
    expect(params()).toEqual([50, 8, 1]);
    reactor.stop();
    await within(ended, 'the end of run()');
    expect(params()).toEqual([0, 0, 0]);
  } catch (error) {
    // Before Linux 6.9, or built without CONFIG_NET_RX_BUSY_POLL.
    expect(['ENOTTY', 'EINVAL', 'EOPNOTSUPP', 'ENOTSUP']).toContain((error as { code?: string }).code);
  } finally {
    reactor.close();
  }
});
