// What a watchdog finds of each kind of object that is opened for promises. The collections are in a child
// of their own, where nothing else runs; what is a leak at all is asked without one.
import path from 'node:path';
import { capabilities, Interest } from 'tripoll';
import { sys } from 'tripoll/raw';
import { AsyncFd } from '#lib/net/fd/async-fd';
import { discardHandle } from '#lib/net/moving/attach';
import { LEFTOVERS, type Resource } from '#lib/net/socket/resource';
import { EventFd } from '#lib/net/sources/event-fd';
import { listen, TcpListener } from '#lib/net/tcp/tcp-listener';
import type { TcpConnection } from '#lib/net/tcp/tcp-connection';
import { TcpStream } from '#lib/net/tcp/tcp-stream';
import { bindUdp } from '#lib/net/udp/udp-endpoint';
import { UdpSocket } from '#lib/net/udp/udp-socket';
import { bindUnixDatagram, UnixDatagram } from '#lib/net/unix/unix-datagram';
import { hasLinuxFds, testAnyFd, testIf, testLinuxFds } from '../support/applies.js';
import { runFile } from '../support/child.js';
import { closed } from '../support/errors.js';
import { openFds, openedSince } from '../support/fds.js';
import { temporaryFolder } from '../support/folders.js';
import { openPipe, openSocketPair } from '../support/pairs.js';
import { isWindows } from '../support/platform.js';

const CHILD_MS = 60_000;
const TEST_MS = 70_000;
const isNode = capabilities.runtime === 'node';
const NO_COLLECTIONS = 'Node alone collects garbage on demand';
const NO_MESSAGES = 'Unix sockets of messages do not exist here';
const testMessages = testIf(capabilities.unixMessages, NO_MESSAGES);
const HOST = '127.0.0.1';

describe('by a collection', () => {
  const find = (applies: boolean, kind: string, name: string, openedBy = /^forgets$/) =>
    testIf(isNode && applies, applies ? NO_COLLECTIONS : 'it does not exist here')(
      `T120 ${kind}: the forgotten one is told and closed; one that is held, waits or was closed is not`,
      async () => {
        const result = await runFile('observe/watchdog-leak-kinds-child', {
          args: [kind],
          deadlineMs: CHILD_MS,
        });
        expect(result).toMatchObject({ code: 0, stderr: '' });
        expect(JSON.parse(result.stdout)).toEqual({
          first: 0,
          found: [{ name, openedBy: expect.stringMatching(openedBy) as unknown }],
          registrations: -1,
          isClosed: true,
        });
      },
      TEST_MS,
    );

  find(true, 'UdpSocket', 'UdpSocket');
  find(true, 'UdpSocket of an object', 'UdpSocket');
  find(true, 'connected UdpSocket', 'UdpSocket');
  find(true, 'accepted TcpStream', 'TcpStream', /^(forgets|main)$/);
  find(!isWindows, 'AsyncFd', 'AsyncFd');
  find(!isWindows, 'AsyncFd of a lent fd', 'AsyncFd');
  find(hasLinuxFds, 'EventFd', 'eventfd');
  find(true, 'TcpListener', 'TcpListener');
  find(true, 'TcpListener with a connection', 'TcpListener');
  find(capabilities.unixSockets, 'UnixListener', 'UnixListener');
  find(capabilities.unixMessages, 'UnixDatagram', 'socket');
  find(capabilities.unixMessages, 'UnixStream with fds', 'UnixStream');
});

describe('by what it does', () => {
  const isLeak = (object: Resource): boolean => object[LEFTOVERS]() !== null;
  /** As a watchdog does, when the object is gone: it must not be closed by itself after that. */
  const closeLeft = (object: Resource): void => object[LEFTOVERS]()?.();
  let open: { close(): void }[] = [];
  let folder = '';
  function kept<T extends { close(): void }>(object: T): T {
    open.push(object);
    return object;
  }
  function openEnds(): number[] {
    const fds: number[] = [];
    expect(openPipe(fds, sys.constants.O_NONBLOCK)).toBe(0);
    return fds;
  }
  function pairEnd(): number {
    const fds: number[] = [];
    expect(openSocketPair(fds, sys.constants.SOCK_NONBLOCK)).toBe(0);
    const [one = -1, other = -1] = fds;
    kept({ close: () => sys.close(other) });
    return one;
  }
  beforeAll(() => {
    folder = temporaryFolder();
  });
  afterEach(() => {
    for (const each of open.splice(0)) each.close();
    open = [];
  });

  /** While `waiting` waits the object is none, and so it is again when it has been aborted. */
  async function isNoneWhile(object: Resource, begin: (signal: AbortSignal) => Promise<unknown>) {
    expect(isLeak(object)).toBe(true);
    const aborter = new AbortController();
    const waiting = begin(aborter.signal);
    expect(isLeak(object)).toBe(false);
    aborter.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'ABORT_ERR' });
    expect(isLeak(object)).toBe(true);
    object.close();
    expect(isLeak(object)).toBe(false);
  }

  test('a UDP socket that receives is none, nor one that sends, waits for errors, or has an idle timeout', async () => {
    const buffer = new Uint8Array(9);
    const bind = async (options = {}) => kept(await UdpSocket.bind(`${HOST}:0`, options));
    const receiving = await bind();
    await isNoneWhile(receiving, (signal) => receiving.receive(buffer, { signal }));
    const sending = await bind();
    await isNoneWhile(sending, (signal) => {
      // As in a turn that has done much: what is sent now waits for the next.
      sending.reactor.registry.budget = 0;
      return sending.send(buffer, `${HOST}:9`, { signal });
    });
    const failing = await bind();
    await isNoneWhile(failing, (signal) => failing.receiveError({ signal }));
    expect(isLeak(await bind({ idleTimeoutMs: 60_000 }))).toBe(false);
  });

  test('a UDP endpoint has handlers, also while it is paused', () => {
    const endpoint = kept(bindUdp(`${HOST}:0`, { datagrams() {} }));
    expect(isLeak(endpoint)).toBe(false);
    endpoint.pause();
    expect(isLeak(endpoint)).toBe(false);
    expect(isLeak(kept(bindUdp(`${HOST}:0`, {})))).toBe(false);
  });

  test('a listener that accepts is none, and one with handlers never is', async () => {
    const listener = kept(await TcpListener.bind(`${HOST}:0`));
    await isNoneWhile(listener, (signal) => listener.accept({ signal }));
    expect(isLeak(kept(listen(`${HOST}:0`, {})))).toBe(false);
  });

  test('a stream that reads is none, nor one with an idle timeout', async () => {
    const listener = kept(listen(`${HOST}:0`, {}));
    const connect = async (options = {}) =>
      kept(await TcpStream.connect(listener.localAddress ?? '', options));
    const stream = await connect();
    await isNoneWhile(stream, (signal) => stream.read(new Uint8Array(9), { signal }));
    expect(isLeak(await connect({ idleTimeoutMs: 60_000 }))).toBe(false);
  });

  test('a stream that has something to write is none, nor one whose signal may be heard', async () => {
    // Nothing is read.
    const handlers = { open: (connection: TcpConnection) => void kept(connection.pause()) };
    const listener = kept(listen(`${HOST}:0`, handlers));
    const writer = kept(await TcpStream.connect(listener.localAddress ?? ''));
    const writing = writer.writeAll(new Uint8Array(32 << 20));
    expect(isLeak(writer)).toBe(false);
    writer.close();
    await expect(writing).rejects.toMatchObject(closed);
    const heard = kept(await TcpStream.connect(listener.localAddress ?? ''));
    expect(isLeak(heard)).toBe(true);
    expect(heard.peerSignal.aborted).toBe(false);
    expect(isLeak(heard)).toBe(false);
  });

  testAnyFd('an AsyncFd that waits is none, nor one with handlers', async () => {
    const waiting = kept(new AsyncFd(pairEnd(), { own: true }));
    await isNoneWhile(waiting, (signal) => waiting.readable({ signal }));
    const watched = kept(new AsyncFd(pairEnd(), { own: true }));
    watched.watch(Interest.READABLE, () => {});
    expect(isLeak(watched)).toBe(false);
    watched.unwatch();
    expect(isLeak(watched)).toBe(true);
  });

  testLinuxFds('a source that gives its values to handlers is none', () => {
    const source = kept(new EventFd());
    expect(isLeak(source.io)).toBe(true);
    source.subscribe({ value() {} });
    expect(isLeak(source.io)).toBe(false);
  });

  testMessages('a Unix datagram socket that receives is none, nor one with handlers', async () => {
    const socket = kept(await UnixDatagram.bind(path.join(folder, 'receives')));
    const buffer = new Uint8Array(9);
    await isNoneWhile(socket.io, (signal) => socket.receive(buffer, { signal }));
    const bound = kept(bindUnixDatagram(path.join(folder, 'handlers'), { message() {} }));
    expect(isLeak(bound.io)).toBe(false);
  });

  test('what is closed for a listener is all of its fds', async () => {
    kept(await TcpListener.bind(`${HOST}:0`));
    const before = openFds();
    const listener = await TcpListener.bind(`${HOST}:0`);
    closeLeft(listener);
    expect(openedSince(before)).toEqual([]);
  });

  test('what is closed for a stream is counted by its listener', async () => {
    const listener = kept(await TcpListener.bind(`${HOST}:0`));
    kept(await TcpStream.connect(listener.localAddress ?? ''));
    closeLeft((await listener.accept()).stream);
    expect(listener.connections).toBe(0);
  });

  testMessages('what is closed for a Unix datagram socket is what it has received too', async () => {
    const file = path.join(folder, 'received');
    const receiver = await UnixDatagram.bind(file);
    const sender = kept(UnixDatagram.unbound());
    const [reader = -1, writer = -1]: number[] = openEnds();
    await sender.sendFds(new Uint8Array(1), [writer], file);
    sys.close(writer);
    await receiver.receive(new Uint8Array(9), { maxFds: 1 });
    expect(sys.read(reader, new Uint8Array(1))).toBeLessThan(0);
    closeLeft(receiver.io);
    expect(sys.read(reader, new Uint8Array(1))).toBe(0);
    sys.close(reader);
  });

  test('what was detached is none: it is whoever attaches it to close', async () => {
    const listener = await TcpListener.bind(`${HOST}:0`);
    const handle = await listener.detach();
    expect(isLeak(listener)).toBe(false);
    discardHandle(handle);
  });
});
