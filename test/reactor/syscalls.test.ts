// What reactor.metrics() tells of system calls and bytes: counted in native code, for each thread.
import { closeSync, openSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { capabilities, Reactor, type ReactorMetrics } from 'tripoll';
import { copyBidirectional, listen, TcpStream, UdpSocket, UnixStream } from 'tripoll/net';
import { sys } from 'tripoll/raw';
import { native } from '#lib/binding/native';
import { testIf } from '../support/applies.js';
import { systemBackend } from '../support/backends.js';
import { until, within } from '../support/deadline.js';
import { openSocketPair } from '../support/pairs.js';
import { isWindows } from '../support/platform.js';
import { DriverRig } from './driver-rig.js';

const { SOCK_NONBLOCK, MSG_PEEK } = sys.constants;

/** What a poller's wait is called. */
const WAITS: Readonly<Record<string, string>> = {
  epoll: 'epoll_wait',
  kqueue: 'kevent',
  iocp: 'GetQueuedCompletionStatusEx',
  poll: 'poll',
};

let reactor: Reactor;
beforeEach(() => (reactor = new Reactor({ driver: 'manual' })));
afterEach(() => reactor.close());

interface Done {
  readonly calls: Readonly<Record<string, number>>;
  readonly read: number;
  readonly written: number;
}

const difference = (before: ReactorMetrics, after: ReactorMetrics): Done => ({
  calls: Object.fromEntries(
    Object.entries(after.syscalls)
      .map(([name, count]) => [name, count - (before.syscalls[name] ?? 0)] as const)
      .filter(([, count]) => count > 0),
  ),
  read: after.bytesRead - before.bytesRead,
  written: after.bytesWritten - before.bytesWritten,
});

/** What this thread has done meanwhile. */
async function during(work: () => unknown): Promise<Done> {
  const before = reactor.metrics();
  await work();
  return difference(before, reactor.metrics());
}

describe('each call is counted under its name', () => {
  const fds: number[] = [];
  beforeEach(() => openSocketPair(fds, SOCK_NONBLOCK));
  afterEach(() => fds.splice(0).forEach((fd) => sys.close(fd)));

  test('with the bytes that it has moved', async () => {
    const [one, other] = fds as [number, number];
    const buffer = new Uint8Array(100);
    expect(await during(() => sys.send(one, new Uint8Array(7)))).toEqual({
      ...{ calls: { send: 1 }, read: 0, written: 7 },
    });
    expect(await during(() => sys.recv(other, buffer))).toEqual({ calls: { recv: 1 }, read: 7, written: 0 });
    expect(await during(() => sys.shutdown(one, sys.constants.SHUT_WR))).toEqual({
      ...{ calls: { shutdown: 1 }, read: 0, written: 0 },
    });
  });

  test('one that fails is a call without bytes, and a look reads none', async () => {
    const [one, other] = fds as [number, number];
    const buffer = new Uint8Array(100);
    expect(await during(() => expect(sys.recv(other, buffer)).toBeLessThan(0))).toEqual({
      ...{ calls: { recv: 1 }, read: 0, written: 0 },
    });
    sys.send(one, new Uint8Array(7));
    expect(await during(() => expect(sys.recv(other, buffer, 0, 100, MSG_PEEK)).toBe(7))).toEqual({
      ...{ calls: { recv: 1 }, read: 0, written: 0 },
    });
    sys.shutdown(one, sys.constants.SHUT_WR);
    expect(await during(() => expect(sys.send(one, buffer)).toBeLessThan(0))).toEqual({
      ...{ calls: { send: 1 }, read: 0, written: 0 },
    });
  });

  test('by whichever way it is called', async () => {
    const [one, other] = fds as [number, number];
    native.arenaCreate();
    const sent = { calls: { send: 1 }, read: 0, written: 4 };
    const received = { calls: { recv: 1 }, read: 4, written: 0 };
    expect(await during(() => native.sendFrom(one, new Uint8Array(4)))).toEqual(sent);
    expect(await during(() => native.recvInto(other, new Uint8Array(9)))).toEqual(received);
    expect(await during(() => native.sendArena(one, 4))).toEqual(sent);
    expect(await during(() => native.recvArena(other))).toEqual(received);
    expect(await during(() => native.sendv(one, [new Uint8Array(3), new Uint8Array(3)], 2, 2))).toEqual({
      ...{ calls: { sendmsg: 1 }, read: 0, written: 4 },
    });
  });

  testIf(!isWindows, 'a socket is no file there')('so are reading, writing and closing', async () => {
    const [one, other] = fds as [number, number];
    expect(
      await during(() => {
        sys.write(one, new Uint8Array(5));
        sys.read(other, new Uint8Array(3));
        sys.writev(one, [new Uint8Array(6)]);
        sys.close(fds.pop()!);
      }),
    ).toEqual({ calls: { write: 1, writev: 1, read: 1, close: 1 }, read: 3, written: 5 + 6 });
  });
});

test('they are filled into what can be filled', () => {
  for (const wrong of [undefined, null]) expect(() => native.syscallCounts(wrong as never)).toThrow(/object/);
});

test('a wait is a call, and a wake writes none of the bytes', async () => {
  const { calls, ...bytes } = await during(() => {
    for (let i = 0; i < 10; i++) reactor.turn(0);
  });
  expect(calls).toEqual({ [WAITS[systemBackend]!]: 10 });
  expect(bytes).toEqual({ read: 0, written: 0 });
  const woken = await during(() => {
    const waker = reactor.waker();
    waker.wake();
    reactor.turn(-1);
    waker.close();
  });
  expect(woken).toMatchObject({ read: 0, written: 0 });
});

describe('the thread of the watcher', () => {
  const wait = WAITS[systemBackend]!;

  async function wakeOnWatcher(times: number): Promise<DriverRig> {
    const rig = new DriverRig({ driver: 'watcher', backend: systemBackend, edge: false });
    let told = (): void => {};
    const waker = rig.reactor.waker(() => told());
    for (let i = 0; i < times; i++) {
      const woken = new Promise<void>((resolve) => {
        told = resolve;
      });
      waker.wake();
      await within(woken, 'the wake');
    }
    return rig;
  }

  test('waits for its reactor’s', async () => {
    // Wakes alone: after events this thread looks once more itself.
    const done = await during(async () => (await wakeOnWatcher(5)).close());
    expect(done.calls[wait]).toBeGreaterThanOrEqual(5);
  });

  test('also when no event comes any more', async () => {
    await until(async () => {
      const rig = await wakeOnWatcher(1);
      // Now or a little later it waits again: then that wait ends with the reactor.
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      const ended = await during(() => rig.close());
      return (ended.calls[wait] ?? 0) >= 1;
    }, 'the end of a wait that has begun');
  });
});

test('a connection: both ends, in one thread', async () => {
  const done = await during(async () => {
    const listener = listen(
      { host: '127.0.0.1', port: 0, reactor: Reactor.default },
      { data: (conn, chunk) => void conn.write(chunk) },
    );
    const stream = await TcpStream.connect({ host: '127.0.0.1', port: listener.localAddress!.port });
    await stream.writeAll(new Uint8Array(1000));
    for (let left = 1000; left > 0;) left -= await stream.read(new Uint8Array(left), { timeoutMs: 10_000 });
    stream.close();
    listener.close();
  });
  expect(done.calls).toMatchObject({ bind: 1, listen: 1, connect: 1 });
  expect(done).toMatchObject({ read: 2000, written: 2000 });
});

test('datagrams count by their payload', async () => {
  const [one, other] = [await UdpSocket.bind('127.0.0.1:0'), await UdpSocket.bind('127.0.0.1:0')];
  const done = await during(async () => {
    for (const bytes of [10, 20, 30]) await one.send(new Uint8Array(bytes), other.localAddress);
    for (let i = 0; i < 3; i++) await other.receive(new Uint8Array(100), { timeoutMs: 10_000 });
  });
  expect(done).toMatchObject({ read: 60, written: 60 });
  // More segments than any kernel takes at once: they go one by one.
  const cut = await during(() => one.send(new Uint8Array(300), other.localAddress, { segmentBytes: 2 }));
  expect(cut).toMatchObject({ written: 300 });
  one.close();
  other.close();
});

testIf(systemBackend === 'epoll', 'needs an error queue')(
  'what comes back as an error was written, and is not read',
  async () => {
    const closed = await UdpSocket.bind('127.0.0.1:0');
    const { port } = closed.localAddress!;
    closed.close();
    const socket = await UdpSocket.bind('127.0.0.1:0', { socketOptions: { receiveErrors: true } });
    const done = await during(async () => {
      await socket.send(new Uint8Array(40), { host: '127.0.0.1', port });
      await socket.receiveError({ timeoutMs: 10_000 });
    });
    expect(done).toMatchObject({ read: 0, written: 40 });
    socket.close();
  },
);

testIf(!isWindows, 'Windows passes no fds')('messages with fds count too', async () => {
  const [one, other] = UnixStream.pair();
  const fd = openSync(process.execPath, 'r');
  const done = await during(async () => {
    await one.send(new Uint8Array(9), [fd]);
    const { fds } = await other.receive(new Uint8Array(100), { timeoutMs: 10_000 });
    fds.close();
  });
  expect(done).toMatchObject({ read: 9, written: 9, calls: { sendmsg: 1, recvmsg: 1 } });
  closeSync(fd);
  one.close();
  other.close();
});

testIf(capabilities.sendfile && !isWindows, 'needs sendfile and Unix sockets')(
  'so does a file that is sent',
  async () => {
    const [one, other] = UnixStream.pair();
    const fd = openSync(process.execPath, 'r');
    const done = await during(() => one.sendfile(fd, { lengthBytes: 100 }));
    expect(done).toMatchObject({ written: 100, calls: { sendfile: 1 } });
    closeSync(fd);
    one.close();
    other.close();
  },
);

testIf(capabilities.splice, 'needs splice')('and what is spliced, as read and as written', async () => {
  const [[client, from], [to, server]] = [UnixStream.pair(), UnixStream.pair()];
  const done = await during(async () => {
    const copied = copyBidirectional(from, to, { splice: true });
    await client.writeAll(new Uint8Array(50));
    client.end();
    server.end();
    await within(copied, 'the copy');
  });
  expect(done).toMatchObject({ read: 50, written: 50 + 50 });
  expect(done.calls.splice).toBeGreaterThanOrEqual(2);
  for (const stream of [client, from, to, server]) stream.close();
});

test('a thread counts its own', async () => {
  const source = `
    const { Reactor } = require('tripoll');
    const { parentPort } = require('node:worker_threads');
    const reactor = new Reactor({ driver: 'manual' });
    const before = reactor.metrics().syscalls['${WAITS[systemBackend]}'] ?? 0;
    for (let i = 0; i < 1000; i++) reactor.turn(0);
    parentPort.postMessage(reactor.metrics().syscalls['${WAITS[systemBackend]}'] - before);
    reactor.close();`;
  let counted = 0;
  const done = await during(async () => {
    const worker = new Worker(source, { eval: true });
    worker.once('message', (count: number) => (counted = count));
    const ended = new Promise((resolve) => {
      worker.once('exit', resolve);
    });
    await within(ended, 'the end of the worker');
  });
  expect(counted).toBe(1000);
  expect(done.calls[WAITS[systemBackend]!] ?? 0).toBeLessThan(1000);
});
