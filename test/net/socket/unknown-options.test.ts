// A slip of the pen in an option's name must not be lost (friction 5).
import {
  connect,
  connectUnix,
  listen,
  listenUnix,
  TcpListener,
  TcpStream,
  UnixListener,
  UnixStream,
} from 'tripoll/net';
import { capabilities, Reactor } from 'tripoll';
import { testIf } from '../../support/applies.js';
import { invalidType, thrownBy } from '../../support/errors.js';
import { rejection } from '../tools.js';

describe('an option that does not exist is a TypeError, and nothing is opened', () => {
  let reactor: Reactor;
  beforeEach(() => {
    reactor = new Reactor({ driver: 'manual' });
  });
  afterEach(() => {
    expect(reactor.inspect().registrations).toBe(0);
    reactor.close();
  });
  const wrong = { reusePrt: true } as object;
  const address = '127.0.0.1:9';
  const place = { host: '127.0.0.1', port: 9 };

  test('TCP', async () => {
    const options = { reactor, ...wrong };
    for (const promise of [
      TcpListener.bind('127.0.0.1:0', options),
      TcpListener.bind('127.0.0.1:0', { reactor, socketOptions: wrong }),
      TcpListener.fromFd(0, options),
      TcpStream.connect(address, options),
      TcpStream.connect(address, { reactor, socketOptions: wrong }),
      TcpStream.fromFd(0, options),
    ]) {
      expect(await rejection(promise as Promise<unknown>)).toEqual(invalidType);
    }
    expect(thrownBy(() => listen({ host: '127.0.0.1', port: 0, ...options }, {}))).toEqual(invalidType);
    // Of the handlers, there.
    const drop = () => undefined;
    const misplaced = { host: '127.0.0.1', port: 0, reactor, drop } as never;
    expect(thrownBy(() => listen(misplaced, {}))).toEqual(invalidType);
    expect(thrownBy(() => connect({ ...place, ...options }, {}))).toEqual(invalidType);
  });

  testIf(capabilities.unixSockets, 'no Unix sockets here')('Unix', async () => {
    const options = { reactor, ...wrong };
    const path = '/nowhere/socket';
    for (const promise of [
      UnixListener.bind(path, options),
      UnixStream.connect(path, options),
      UnixStream.fromFd(0, options),
      UnixStream.fromFd(0, { reactor, type: 'stream' } as object),
    ]) {
      expect(await rejection(promise as Promise<unknown>)).toEqual(invalidType);
    }
    expect(thrownBy(() => UnixStream.pair(options))).toEqual(invalidType);
    expect(thrownBy(() => listenUnix({ path, ...options }, {}))).toEqual(invalidType);
    expect(thrownBy(() => connectUnix({ path, ...options }, {}))).toEqual(invalidType);
  });

  /** As a user's slip. */
  const late = { timeoutMS: 5 } as object;
  const bytes = new Uint8Array(5);
  const of = (stream: TcpStream | UnixStream): Promise<unknown>[] => [
    stream.read(bytes, late),
    stream.readable(late),
    stream.peek(bytes, late),
    stream.write(bytes, late),
    stream.writeAll(bytes, late),
    stream.writev([bytes], late),
    stream.sendfile(0, late),
  ];

  test('of a single call: TCP', async () => {
    const own = new Reactor();
    const listener = await TcpListener.bind('127.0.0.1:0', { reactor: own });
    const accepting = listener.accept();
    const stream = await TcpStream.connect(listener.localAddress!, { reactor: own });
    const accepted = (await accepting).stream;
    const calls = [
      ...of(stream),
      stream.receiveUrgent(late),
      stream.sendUrgent(1, late),
      listener.accept(late),
    ];
    for (const promise of [...calls, listener.shutdown(late)]) {
      expect(await rejection(promise)).toEqual(invalidType);
    }
    // And nothing of it went out.
    await stream.writeAll(Buffer.from('x'), { timeoutMs: 1000, signal: undefined });
    expect(await accepted.read(bytes)).toBe(1);
    own.close();
  });

  testIf(capabilities.unixMessages, 'no pairs of Unix sockets here')('of a single call: Unix', async () => {
    const own = new Reactor();
    const [stream, other] = UnixStream.pair({ reactor: own });
    for (const promise of [...of(stream), stream.receive(bytes, late), stream.send(bytes, [], late)]) {
      expect(await rejection(promise)).toEqual(invalidType);
    }
    await stream.send(Buffer.from('x'), [], { timeoutMs: 1000 });
    expect((await other.receive(bytes, { maxFds: 1, timeoutMs: 1000 })).lengthBytes).toBe(1);
    own.close();
  });
});

describe("listen and connect take 'host:port', and the options behind (friction 10)", () => {
  test('TCP', async () => {
    const reactor = new Reactor();
    const told: string[] = [];
    const listener = listen(
      '127.0.0.1:0',
      { data: (connection, chunk) => connection.end(chunk) },
      { reactor, highWaterMarkBytes: 77, lowWaterMarkBytes: 7 },
    );
    const { port } = listener.localAddress!;
    await new Promise<void>((resolve) => {
      connect(
        `127.0.0.1:${port}`,
        {
          open: (connection) => connection.write(Buffer.from('echo')),
          data: (_, chunk) => told.push(Buffer.from(chunk).toString()),
          close: () => resolve(),
        },
        { reactor, timeoutMs: 5000 },
      );
    });
    expect(told).toEqual(['echo']);
    const anyListen = listen as (...values: unknown[]) => unknown;
    const anyConnect = connect as (...values: unknown[]) => unknown;
    for (const call of [anyListen, anyConnect]) {
      for (const [target, options] of [
        ['127.0.0.1:0', { reactor, port: 5 }],
        ['127.0.0.1:0', { reactor, fd: 0 }],
        ['127.0.0.1:0', { reactor, noDely: true }],
        ['127.0.0.1:0', null],
        [{ host: '127.0.0.1', port: 0, reactor }, {}],
      ]) {
        expect(thrownBy(() => call(target, {}, options))).toEqual(invalidType);
      }
    }
    reactor.close();
  });
});
