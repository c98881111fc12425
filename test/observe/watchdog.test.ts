import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { existsSync } from 'node:fs';
import { capabilities } from 'tripoll';
import { sys } from 'tripoll/raw';
import { Watchdog, type WatchdogOptions } from '#lib/observe/index';
import { Interest } from '#lib/poller/flags';
import { Reactor } from '#lib/reactor/reactor';
import { testIf } from '../support/applies.js';
import { runFile } from '../support/child.js';
import { until } from '../support/deadline.js';
import { closed, invalidType, outOfRange, thrownBy, unsupported } from '../support/errors.js';
import { openPipe } from '../support/pairs.js';
import { isWindows } from '../support/platform.js';
import { keepsThread, OFF, turnOnce, watched, type Watched } from './watchdog-rig.js';

const isNode = capabilities.runtime === 'node';
/** Node twice, and threads of it, on a machine that does much else. */
const CHILD_MS = 60_000;
const TEST_MS = 70_000;
const NO_STACK = 'this runtime lets no thread look into another';
const testLeaks = testIf(isNode, 'Node alone collects garbage on demand');

let open: { close(): void }[] = [];
function watch(options: WatchdogOptions, reactor?: Reactor): Watched {
  const rig = watched(options, reactor);
  open.push(rig);
  return rig;
}
function pipe(): [number, number] {
  const fds: number[] = [];
  expect(openPipe(fds, sys.constants.O_NONBLOCK)).toBe(0);
  open.push({ close: () => fds.forEach((fd) => sys.close(fd)) });
  return fds as [number, number];
}
afterEach(() => {
  for (const each of open.splice(0)) each.close();
  open = [];
  jest.restoreAllMocks();
});

describe('a slow handler', () => {
  /** A handler that keeps the thread until it is found, and its report. */
  async function slowHandler(rig: Watched) {
    const [reader, writer] = pipe();
    const registration = rig.reactor.register(
      reader,
      Interest.READABLE,
      { onReady: () => keepsThread(rig.spinUntilTold) },
      { name: 'slow one' },
    );
    sys.write(writer, new Uint8Array(1));
    turnOnce(rig.reactor);
    registration.deregister();
    await until(() => rig.reports.length > 0, 'a report');
    return { report: rig.reports[0], reader };
  }

  test('is told with its name, its fd, and where it was registered', async () => {
    const rig = watch({ slowHandlerMs: 20 });
    const { report, reader } = await slowHandler(rig);
    expect(rig.reports).toMatchObject([
      {
        kind: 'slow-handler',
        name: 'slow one',
        fd: reader,
        reactor: rig.reactor,
        durationMs: expect.any(Number) as unknown,
        openedAt: expect.stringContaining('watchdog.test') as unknown,
        message: expect.stringMatching(/^slow one \(fd \d+\) ran for \d+ ms/) as unknown,
      },
    ]);
    expect(report?.kind === 'slow-handler' && report.durationMs).toBeGreaterThanOrEqual(20);
  });

  testIf(isNode, NO_STACK)('is told with the stack that its thread had', async () => {
    const rig = watch({ slowHandlerMs: 20 });
    let stack: string[] = [];
    // On a machine that is overloaded a sample may come too late: the next one is as good.
    for (let i = 0; i < 20 && stack.length === 0; i++) {
      rig.reports.length = 0;
      const { report } = await slowHandler(rig);
      if (report?.kind === 'slow-handler') stack = report.stack?.split('\n') ?? [];
    }
    const at = stack.findIndex((line) => /^ {4}at keepsThread \(.*watchdog-rig\.js:\d+:\d+\)$/.test(line));
    expect(at).toBeGreaterThan(0);
    expect(stack[at + 1]).toMatch(/at onReady \(.*watchdog\.test\.js:\d+:\d+\)$/);
  });

  test('a timer is told too', async () => {
    const rig = watch({ slowHandlerMs: 20 });
    rig.reactor.setTimer(0, function lateTimer() {
      rig.spinUntilTold();
    });
    turnOnce(rig.reactor);
    await until(() => rig.reports.length > 0, 'a report');
    expect(rig.reports).toMatchObject([
      { kind: 'slow-handler', name: 'timer lateTimer', fd: -1, openedAt: null },
    ]);
  });

  test('one that has closed itself is told as what it was', async () => {
    const rig = watch({ slowHandlerMs: 20 });
    const [reader, writer] = pipe();
    rig.reactor.register(reader, Interest.READABLE, {
      onReady: (_readiness, registration) => {
        registration.deregister();
        rig.spinUntilTold();
      },
    });
    sys.write(writer, new Uint8Array(1));
    turnOnce(rig.reactor);
    await until(() => rig.reports.length > 0, 'a report');
    expect(rig.reports).toMatchObject([
      { name: 'a handler', fd: reader, openedAt: expect.stringContaining('watchdog.test') as unknown },
    ]);
  });

  test(
    'one that was accepted is told with where its listener was opened',
    async () => {
      const result = await runFile('observe/watchdog-accepted-child', { deadlineMs: CHILD_MS });
      expect(result).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^slow-handler TcpConnection .*opensListener/s) as unknown,
      });
    },
    TEST_MS,
  );

  testIf(isNode, NO_STACK)(
    'one of a worker’s thread is told with its stack too',
    async () => {
      const result = await runFile('observe/watchdog-worker-child', { deadlineMs: CHILD_MS });
      expect(result.code).toBe(0);
      expect(result.stdout).toMatch(/at keepsWorker \(.*watchdog-worker-child\.js:\d+:\d+\)/);
    },
    TEST_MS,
  );

  test(
    'one that never returns is written of by the thread itself',
    async () => {
      // It ends when it is killed: its parent does so when it has written, at the latest by the deadline.
      const result = await runFile('observe/watchdog-endless-child', { deadlineMs: CHILD_MS });
      expect(result.timedOut).toBe(false);
      expect(result.stdout).toMatch(/the endless one \(fd \d+\) has been running for \d+ ms, and goes on/);
      expect(result.stdout).toMatch(
        isNode ? /it is in\n.*at neverReturns \(.*watchdog-endless-child/s : /no stack: /,
      );
      expect(result.stdout).toMatch(/registered\n.*watchdog-endless-child/s);
      // What has called it is ours, and left out.
      expect(result.stdout).not.toMatch(/dist.bundle/);
    },
    TEST_MS,
  );
});

describe('a stalled reactor', () => {
  test('whose thread is kept by something else is told with what that is', async () => {
    const rig = watch({ stalledMs: 40 });
    rig.reactor.turn();
    keepsThread(rig.spinUntilTold);
    await until(() => rig.reports.length > 0, 'a report');
    const [report] = rig.reports;
    expect(report).toMatchObject({ kind: 'stalled', reactor: rig.reactor });
    expect(report?.kind === 'stalled' && report.stalledMs).toBeGreaterThanOrEqual(40);
    // It is null where a sample came too late.
    const stack = report?.kind === 'stalled' ? report.stack : null;
    if (stack !== null) expect(stack).toContain('at keepsThread (');
  });

  test('that nobody turns is told, once, and again when it stalls again', async () => {
    const rig = watch({ stalledMs: 40 });
    const told = async (count: number) =>
      until(
        () => rig.reports.filter(({ kind }) => kind === 'stalled').length === count,
        `report ${count}`,
        30_000,
      );
    await told(1);
    rig.reactor.turn();
    await told(2);
  });
});

describe('what it tells by', () => {
  test('a warning once for the same, the channel and the callback each time', async () => {
    const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const published: unknown[] = [];
    const hear = (report: unknown): void => void published.push(report);
    subscribe('tripoll:watchdog', hear);
    const rig = watch({ slowHandlerMs: 20, warn: true });
    for (let i = 1; i <= 2; i++) {
      rig.reactor.setTimer(0, function sameTimer() {
        rig.spinUntilTold();
      });
      turnOnce(rig.reactor);
      await until(() => rig.reports.length === i, 'a report');
    }
    unsubscribe('tripoll:watchdog', hear);
    expect(published).toEqual(rig.reports);
    expect(emitWarning.mock.calls).toHaveLength(1);
    expect(emitWarning).toHaveBeenCalledWith(
      expect.stringMatching(/^timer sameTimer ran for \d+ ms/),
      expect.objectContaining({ type: 'TripollWarning', code: 'ERR_TRIPOLL_SLOW_HANDLER' }),
    );
  });

  test('wrong options are refused', () => {
    const reactor = new Reactor({ driver: 'manual' });
    const make = (options: object) => thrownBy(() => new Watchdog(reactor, options));
    expect(make({ slowHandlerMs: '1' })).toEqual(invalidType);
    expect(make({ slow: 1 })).toEqual(invalidType);
    expect(make({ onReport: 1 })).toEqual(invalidType);
    expect(make({ warn: 1 })).toEqual(invalidType);
    for (const name of ['slowHandlerMs', 'stalledMs', 'spinTurns', 'unreadMs', 'leakCheckMs'])
      expect(make({ [name]: -1 })).toEqual(outOfRange);
    const none: unknown = {};
    expect(thrownBy(() => new Watchdog(none as Reactor))).toEqual(invalidType);
    if (!isNode) expect(make({ leakCheckMs: 1 })).toEqual(unsupported);
    reactor.close();
    expect(make({})).toEqual(closed);
    expect(reactor.registry.probe).toBeNull();
  });
});

describe('its end', () => {
  test('close() takes all back, and so does the end of the reactor', () => {
    const rig = watch({ slowHandlerMs: 100, stalledMs: 1000, spinTurns: 512, unreadMs: 1000 });
    expect(rig.reactor.inspect()).toMatchObject({ timers: 2, refs: 0 });
    rig.dog.close();
    rig.dog.close();
    expect(rig.dog.closed).toBe(true);
    expect(rig.reactor.inspect()).toMatchObject({ timers: 0, refs: 0 });
    expect(rig.reactor.registry.probe).toBeNull();
    const second = new Watchdog(rig.reactor, OFF);
    rig.reactor.close();
    expect(second.closed).toBe(true);
  });

  // Under Wine there is such a folder, which does not tell of threads of Windows.
  testIf(isNode && !isWindows && existsSync('/proc/self/task'), 'this system lists no threads')(
    'its thread ends with it',
    async () => {
      const result = await runFile('observe/watchdog-threads-child', { deadlineMs: CHILD_MS });
      expect(result).toMatchObject({ code: 0, stdout: 'begun\nended\n', stderr: '' });
    },
    TEST_MS,
  );

  test(
    'its thread keeps no process alive',
    async () => {
      const result = await runFile('observe/watchdog-idle-child', { deadlineMs: CHILD_MS });
      expect(result).toMatchObject({ code: 0, timedOut: false, stdout: 'started\n', stderr: '' });
    },
    TEST_MS,
  );
});

describe('leaked streams', () => {
  async function findsTheLeak(args: string[]): Promise<void> {
    const result = await runFile('observe/watchdog-leak-child', { args, deadlineMs: CHILD_MS });
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(result.stdout)).toEqual({
      first: [],
      found: [{ kind: 'leaked', hasOrigin: true }],
      ended: ['forgotten'],
      registrations: 'one less',
      read: 'the held one',
      waited: 'the awaited one',
    });
  }

  testLeaks(
    'T120 a stream that nobody knows is told and closed; one that is known, or waited for, is not',
    () => findsTheLeak([]),
    TEST_MS,
  );

  testLeaks(
    'the same by a watchdog that looks for nothing else: the stack of its registration does not hold it',
    () => findsTheLeak(['off']),
    TEST_MS,
  );
});
