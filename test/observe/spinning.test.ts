import { capabilities } from 'tripoll';
import { sys } from 'tripoll/raw';
import { connect, listen, type TcpConnection } from 'tripoll/net';
import { Interest, Mode } from '#lib/poller/flags';
import { Reactor } from '#lib/reactor/reactor';
import { testAnyFd, testIf } from '../support/applies.js';
import { within } from '../support/deadline.js';
import { openSocketPair } from '../support/pairs.js';
import { watched, type Watched } from './watchdog-rig.js';

const { READABLE, WRITABLE } = Interest;
const { O_NONBLOCK, SOCK_NONBLOCK, AF_UNIX, SOCK_DGRAM } = sys.constants;
const TURNS = 100;
const testEpoll = testIf(capabilities.backends.includes('epoll'), '/proc/self/fdinfo tells of epoll alone');
const isLinux = capabilities.platform === 'linux';

let open: { close(): void }[] = [];
function watch(): Watched {
  const rig = watched({ spinTurns: TURNS });
  open.push(rig);
  return rig;
}
function opened(make: (fds: number[]) => number): [number, number] {
  const fds: number[] = [];
  expect(make(fds)).toBe(0);
  open.push({ close: () => fds.forEach((fd) => sys.close(fd)) });
  return fds as [number, number];
}
const pipe = () => opened((fds) => sys.pipe2(fds, O_NONBLOCK));
const pair = () => opened((fds) => openSocketPair(fds, SOCK_NONBLOCK));
afterEach(() => {
  for (const each of open.splice(0)) each.close();
  open = [];
});

function turns(rig: Watched, count: number): void {
  for (let i = 0; i < count; i++) rig.reactor.turn(0);
}

describe('T49 an fd that makes its reactor spin', () => {
  testAnyFd('one whose handler takes nothing is told once, with its bits and its kind', () => {
    const rig = watch();
    const [read, write] = pipe();
    rig.reactor.register(read, READABLE, { onReady: () => {} }, { name: 'lazy' });
    sys.write(write, new Uint8Array(10));
    turns(rig, TURNS - 1);
    expect(rig.reports).toEqual([]);
    turns(rig, 1000);
    expect(rig.reports).toMatchObject([
      {
        kind: 'spinning-fd',
        name: 'lazy',
        fd: read,
        fdKind: (isLinux ? expect.stringMatching(/^pipe:\[\d+\]$/) : null) as unknown,
        bits: 'READABLE',
        registered: true,
        duplicates: [],
        openedAt: expect.stringContaining('spinning.test') as unknown,
      },
    ]);
  });

  testAnyFd('the end of a pipe that nobody reads', () => {
    const rig = watch();
    const fds: number[] = [];
    sys.pipe2(fds, O_NONBLOCK);
    const [read = -1, write = -1] = fds;
    rig.reactor.register(read, READABLE, { onReady: () => {} });
    sys.close(write);
    turns(rig, 1000);
    sys.close(read);
    expect(rig.reports).toMatchObject([
      { kind: 'spinning-fd', bits: expect.stringContaining('READ_CLOSED') as unknown },
    ]);
  });

  testAnyFd('one that can be written, and to which nothing is', () => {
    const rig = watch();
    const [left] = pair();
    rig.reactor.register(left, WRITABLE, { onReady: () => {} });
    turns(rig, 1000);
    expect(rig.reports).toMatchObject([{ kind: 'spinning-fd', fd: left, bits: 'WRITABLE' }]);
  });

  testAnyFd('no handler that takes what it was told of, however often it runs', () => {
    const rig = watch();
    const [read, write] = pipe();
    const [left, right] = pair();
    const one = new Uint8Array(1);
    rig.reactor.register(read, READABLE, { onReady: () => void sys.read(read, one) }, { mode: Mode.LEVEL });
    rig.reactor.register(left, READABLE | WRITABLE, {
      onReady: () => {
        sys.read(left, one);
        sys.write(left, one);
      },
    });
    for (let i = 0; i < 2000; i++) {
      sys.write(write, one);
      sys.read(right, one);
      turns(rig, 1);
    }
    expect(rig.reports).toEqual([]);
  });

  for (const counter of ['bytesRead', 'bytesWritten'] as const) {
    testAnyFd(`no stream whose ${counter} grows, though as much waits as before`, () => {
      const rig = watch();
      const [read, write] = pipe();
      const counters = { bytesRead: 0, bytesWritten: 0 };
      const grow = (): void => {
        counters[counter]++;
      };
      const stream = Object.assign(counters, { onReady: grow });
      rig.reactor.register(read, READABLE, stream);
      sys.write(write, new Uint8Array(10));
      turns(rig, 1000);
      expect(rig.reports).toEqual([]);
      // The same as before, but that it takes nothing.
      stream.onReady = () => undefined;
      turns(rig, 1000);
      expect(rig.reports).toMatchObject([{ kind: 'spinning-fd', fd: read }]);
    });
  }

  testAnyFd('no socket of messages, of which the system does not say how many wait', () => {
    const rig = watch();
    const [left, right] = opened((fds) => sys.socketpair(fds, AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK));
    rig.reactor.register(left, READABLE, { onReady: () => {} });
    sys.write(right, new Uint8Array(10));
    turns(rig, 2000);
    expect(rig.reports).toEqual([]);
  });

  test('no connection that echoes', async () => {
    const reactor = new Reactor();
    const rig = watched({ spinTurns: 10 }, reactor);
    open.push(rig);
    const listener = listen('127.0.0.1:0', { data: (conn, chunk) => void conn.write(chunk) }, { reactor });
    const port = listener.localAddress?.port ?? 0;
    let rounds = 0;
    const done = new Promise<TcpConnection>((resolve) => {
      connect(
        { host: '127.0.0.1', port, reactor },
        {
          open: (conn) => void conn.write(new Uint8Array(64)),
          data: (conn, chunk) => (++rounds < 1000 ? void conn.write(chunk) : resolve(conn)),
        },
      );
    });
    await within(done, '1000 rounds', 30_000);
    expect(rig.reports).toEqual([]);
  });

  testEpoll('one that was closed before it was deregistered, with what keeps it open', () => {
    const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    // Whose fd has the same slot and generation, and is found first.
    const other = new Reactor({ driver: 'manual', backend: 'epoll' });
    const others: number[] = [];
    openSocketPair(others, SOCK_NONBLOCK);
    other.register(others[0]!, READABLE, { onReady: () => {} });
    const reactor = new Reactor({ driver: 'manual', backend: 'epoll' });
    const rig = watched({ spinTurns: TURNS }, reactor);
    open.push(rig);
    const fds: number[] = [];
    openSocketPair(fds, SOCK_NONBLOCK);
    const [read = -1, write = -1] = fds;
    const registration = reactor.register(read, READABLE, { onReady: () => {} });
    const duplicate = sys.fcntl(read, sys.constants.F_DUPFD_CLOEXEC, 0);
    sys.write(write, new Uint8Array(1));
    sys.close(read);
    // epoll goes by the open file, and the number does not lead to it any more.
    registration.deregister();
    turns(rig, 1000);
    other.close();
    for (const fd of [write, duplicate, ...others]) sys.close(fd);
    emitWarning.mockRestore();
    expect(rig.reports).toMatchObject([
      {
        kind: 'spinning-fd',
        fd: read,
        fdKind: null,
        bits: 'READABLE',
        registered: false,
        duplicates: [duplicate],
        message: expect.stringContaining(`while its file is kept open by fd ${duplicate}`) as unknown,
      },
    ]);
  });

  testAnyFd('one that is paused, and whose peer has left', () => {
    const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const rig = watch();
    const fds: number[] = [];
    sys.pipe2(fds, O_NONBLOCK);
    const [read = -1, write = -1] = fds;
    const registration = rig.reactor.register(read, READABLE, { onReady: () => {} }, { name: 'paused' });
    registration.setInterest(0);
    sys.close(write);
    turns(rig, 1000);
    sys.close(read);
    emitWarning.mockRestore();
    const spins = rig.reports.filter(({ kind }) => kind === 'spinning-fd');
    // Whether the system tells of it at all differs; what it tells turn after turn is reported.
    for (const report of spins) expect(report).toMatchObject({ name: 'paused', registered: true });
    expect(spins.length).toBeLessThanOrEqual(1);
  });
});
