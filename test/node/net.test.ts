// One suite for node:net and for tripoll's: what both do is written once. What differs stands in
// docs/node.md.
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import nodeNet from 'node:net';
import path from 'node:path';
import { capabilities } from 'tripoll';
import { sys } from 'tripoll/raw';
import * as tripollNet from '#lib/node/net';
import { describeIf, testIf, testReset } from '../support/applies.js';
import { until, within } from '../support/deadline.js';
import { thrownBy } from '../support/errors.js';
import { temporaryFolder } from '../support/folders.js';
import { testSeqpacket } from '../support/kernel.js';
import { isWine, slowness } from '../support/platform.js';

const { AF_UNIX, SOCK_STREAM, SOCK_SEQPACKET, SOCK_NONBLOCK, SOCK_CLOEXEC } = sys.constants;

type Net = typeof nodeNet;

/** Resolves to what `close` calls back with. */
const closed = (server: nodeNet.Server) =>
  new Promise((resolve) => {
    server.close(resolve);
  });

const nextImmediate = () =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

const nextTick = () =>
  new Promise<void>((resolve) => {
    process.nextTick(resolve);
  });

const coded = (code: string): Error => expect.objectContaining({ code }) as Error;

function behaves(name: string, net: Net): void {
  const isOurs = net !== nodeNet;
  describeIf(isOurs || capabilities.runtime === 'node', 'it is about Node’s own net')(name, () => {
    const servers = new Set<nodeNet.Server>();
    const sockets = new Set<nodeNet.Socket>();

    afterEach(async () => {
      for (const socket of sockets) socket.destroy();
      for (const server of servers) if (server.listening) await closed(server);
      sockets.clear();
      servers.clear();
    });

    /** Listens on a free port of 127.0.0.1. */
    async function serve(
      onConnection: (socket: nodeNet.Socket) => void,
      options: nodeNet.ServerOpts = {},
    ): Promise<{ server: nodeNet.Server; port: number }> {
      const server = net.createServer(options, (socket) => {
        sockets.add(socket);
        socket.on('error', () => {});
        onConnection(socket);
      });
      servers.add(server);
      server.listen(0, '127.0.0.1');
      await within(once(server, 'listening'), 'listening');
      return { server, port: (server.address() as nodeNet.AddressInfo).port };
    }

    function connect(options: nodeNet.NetConnectOpts): nodeNet.Socket {
      const socket = net.connect(options);
      sockets.add(socket);
      return socket;
    }

    const toPort = (port: number, options: object = {}) => connect({ port, host: '127.0.0.1', ...options });

    const ended = (socket: nodeNet.Socket) => within(once(socket, 'close'), 'close');

    async function readAll(socket: nodeNet.Socket): Promise<string> {
      let text = '';
      socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
      await within(once(socket, 'end'), 'end');
      return text;
    }

    test('an echo, its events in their order, names and counts', async () => {
      const { server, port } = await serve((socket) => socket.pipe(socket));
      const socket = toPort(port);
      const events: string[] = [];
      for (const event of ['connect', 'ready', 'data', 'end', 'finish', 'close'])
        socket.on(event, () => events.push(event));
      expect([socket.connecting, socket.pending, socket.readyState]).toEqual([true, true, 'opening']);
      socket.write('hel');
      socket.end('lo');
      await within(once(socket, 'connect'), 'connect');
      expect([socket.connecting, socket.pending]).toEqual([false, false]);
      expect(socket).toMatchObject({ remoteAddress: '127.0.0.1', remotePort: port, remoteFamily: 'IPv4' });
      expect(socket.address()).toMatchObject({
        address: '127.0.0.1',
        family: 'IPv4',
        port: socket.localPort,
      });
      const [hadError] = (await ended(socket)) as [boolean];
      expect(hadError).toBe(false);
      expect(socket).toMatchObject({ bytesWritten: 5, bytesRead: 5, destroyed: true, readyState: 'closed' });
      expect(events.filter((event) => event !== 'data' && event !== 'finish')).toEqual([
        'connect',
        'ready',
        'end',
        'close',
      ]);
      expect(events).toContain('finish');
      expect(server.address()).toEqual({ address: '127.0.0.1', family: 'IPv4', port });
    });

    const testBulk = testIf(
      !isWine || !isOurs,
      'Wine drops what it has queued of a send when the socket closes',
    );
    testBulk(
      '20 MB both ways, with pauses, byte for byte',
      async () => {
        const block = Buffer.alloc(1 << 20, 0);
        for (let i = 0; i < block.length; i++) block[i] = (i * 7 + (i >> 8)) & 0xff;
        const { port } = await serve((socket) => socket.pipe(socket));
        const socket = toPort(port);
        let received = 0;
        let wrong = 0;
        socket.on('data', (chunk: Buffer) => {
          for (const byte of chunk) wrong += byte === block[received++ % block.length] ? 0 : 1;
          socket.pause();
          setImmediate(() => socket.resume());
        });
        for (let i = 0; i < 20; i++) if (!socket.write(block)) await within(once(socket, 'drain'), 'drain');
        socket.end();
        await within(once(socket, 'end'), 'end', 60_000);
        expect([received, wrong]).toEqual([20 * block.length, 0]);
      },
      90_000,
    );

    test('a peer that does not read holds the writer back', async () => {
      const { port } = await serve((socket) => socket.pause());
      const socket = toPort(port);
      await within(once(socket, 'connect'), 'connect');
      let taken = 0;
      while (taken < 512 && socket.write(Buffer.alloc(1 << 16))) taken++;
      expect(taken).toBeLessThan(512);
      expect(socket.writableNeedDrain).toBe(true);
      expect(socket.bytesWritten).toBe((taken + 1) * (1 << 16));
    });

    test('an answer that the last bytes set off goes out, although the peer’s end came with them', async () => {
      const { port } = await serve((socket) => {
        socket.on('data', () => process.nextTick(() => process.nextTick(() => socket.write('answer'))));
      });
      const socket = toPort(port);
      socket.end('question');
      expect(await readAll(socket)).toBe('answer');
    });

    test('the end waits until somebody reads, and a paused connection keeps its bytes', async () => {
      let accepted: nodeNet.Socket | undefined;
      const { port } = await serve((socket) => (accepted = socket), { pauseOnConnect: true });
      const socket = toPort(port);
      socket.end('late');
      await within(once(socket, 'finish'), 'finish');
      for (let i = 0; i < 3; i++) await nextImmediate();
      expect(accepted?.readableEnded).toBe(false);
      const text = readAll(accepted as nodeNet.Socket);
      accepted?.resume();
      expect(await text).toBe('late');
    });

    test('half open: it writes after the peer’s end, with the option', async () => {
      const { port } = await serve((socket) => socket.resume().on('end', () => socket.end('after')), {
        allowHalfOpen: true,
      });
      const socket = toPort(port);
      socket.end();
      expect(await readAll(socket)).toBe('after');
    });

    test('a write after the peer’s end, without the option, is EPIPE', async () => {
      const { port } = await serve((socket) => socket.end());
      const socket = toPort(port).resume();
      await within(once(socket, 'end'), 'end');
      await nextTick();
      const told = once(socket, 'error');
      expect(socket.write('x')).toBe(false);
      expect((await within(told, 'error'))[0]).toMatchObject({
        code: 'EPIPE',
        message: 'This socket has been ended by the other party',
      });
    });

    test('a reset after the end that was read is told by a write alone', async () => {
      let accepted: nodeNet.Socket | undefined;
      const { port } = await serve((socket) => (accepted = socket.end('x')), { allowHalfOpen: true });
      const socket = toPort(port, { allowHalfOpen: true }).resume();
      const errors: unknown[] = [];
      socket.on('error', (error: NodeJS.ErrnoException) => errors.push(error.syscall));
      await within(once(socket, 'end'), 'end');
      const gone = once(accepted as nodeNet.Socket, 'close');
      accepted?.resetAndDestroy();
      await within(gone, 'close');
      for (let i = 0; i < 20; i++) await nextImmediate();
      expect(errors).toEqual([]);
      const over = new Promise((resolve) => {
        socket.once('close', resolve);
      });
      socket.write('y');
      socket.write('z');
      await within(over, 'close');
      expect(errors).toEqual(['write']);
    });

    test('errors have node:net’s codes, words and properties', async () => {
      const { server, port } = await serve(() => {});
      const failed = async (socket: nodeNet.Socket | nodeNet.Server) =>
        (await within(once(socket, 'error'), 'error'))[0] as Error;
      const second = net.createServer().listen(port, '127.0.0.1');
      expect(await failed(second)).toMatchObject({
        message: `listen EADDRINUSE: address already in use 127.0.0.1:${port}`,
        code: 'EADDRINUSE',
        syscall: 'listen',
        address: '127.0.0.1',
        port,
      });
      expect(() => server.listen(0)).toThrow(coded('ERR_SERVER_ALREADY_LISTEN'));
      await closed(server);
      expect(await failed(toPort(port))).toMatchObject({
        message: `connect ECONNREFUSED 127.0.0.1:${port}`,
        code: 'ECONNREFUSED',
        syscall: 'connect',
        address: '127.0.0.1',
        port,
      });
      const notRunning = await closed(server);
      expect(notRunning).toMatchObject({ code: 'ERR_SERVER_NOT_RUNNING', message: 'Server is not running.' });
      const destroyed = new net.Socket().destroy();
      const refused = new Promise((resolve) => {
        destroyed.write('x', resolve);
      });
      expect(await refused).toMatchObject({
        code: 'ERR_STREAM_DESTROYED',
      });
    });

    test('destroy tells writes in their order, after the call and before close', async () => {
      const { port } = await serve((socket) => socket.pause());
      const socket = toPort(port).on('error', () => {});
      await within(once(socket, 'connect'), 'connect');
      const events: string[] = [];
      socket.on('close', () => events.push('close'));
      socket.write('first', () => events.push('first'));
      socket.write(Buffer.alloc(32 << 20), () => events.push('waiting'));
      socket.destroy();
      expect(events).toEqual([]);
      await until(() => events.includes('close'), 'close');
      expect(events).toEqual(['first', 'waiting', 'close']);
    });

    test.each([
      ['ERR_MISSING_ARGS', () => net.connect({} as nodeNet.NetConnectOpts)],
      ['ERR_SOCKET_BAD_PORT', () => net.connect(65536)],
      ['ERR_SOCKET_BAD_PORT', () => net.createServer().listen(-1)],
      ['ERR_INVALID_ARG_TYPE', () => net.connect({ port: true } as unknown as nodeNet.NetConnectOpts)],
      ['ERR_INVALID_IP_ADDRESS', () => net.connect({ port: 1, localAddress: 'x' })],
      ['ERR_INVALID_ARG_TYPE', () => new net.Socket().setTimeout('1' as unknown as number)],
      ['ERR_OUT_OF_RANGE', () => new net.Socket().setTimeout(-1)],
      ['ERR_INVALID_ARG_VALUE', () => new net.Socket({ objectMode: true } as object)],
      ['ERR_INVALID_ARG_VALUE', () => net.createServer().listen({} as nodeNet.ListenOptions)],
      ['ERR_INVALID_ARG_TYPE', () => net.createServer('x' as unknown as object)],
    ])('refuses what node:net refuses, as %s', (code, call) => {
      expect(call).toThrow(coded(code));
    });

    testReset('resetAndDestroy resets', async () => {
      let accepted: nodeNet.Socket | undefined;
      const { port } = await serve((socket) => (accepted = socket.resume()));
      const socket = toPort(port);
      await within(once(socket, 'connect'), 'connect');
      socket.write('x');
      await within(once(accepted ?? (await nextAccepted()), 'data'), 'data');
      socket.resetAndDestroy();
      expect((await within(once(accepted as nodeNet.Socket, 'error'), 'error'))[0]).toMatchObject({
        message: 'read ECONNRESET',
        code: 'ECONNRESET',
      });

      async function nextAccepted(): Promise<nodeNet.Socket> {
        while (accepted === undefined) await nextImmediate();
        return accepted;
      }
    });

    test('timeout is told when it is idle, and again after what comes next', async () => {
      const { port } = await serve((socket) => socket.resume());
      const socket = toPort(port);
      socket.setTimeout(30);
      await within(once(socket, 'timeout'), 'timeout');
      expect(socket.timeout).toBe(30);
      expect(socket.destroyed).toBe(false);
      socket.write('x');
      await within(once(socket, 'timeout'), 'timeout again');
    });

    test('activity of either side puts timeout off, by all its length', async () => {
      const { port } = await serve((socket) => socket.pipe(socket));
      const socket = toPort(port);
      await within(once(socket, 'connect'), 'connect');
      const quietMs = 150 * slowness;
      socket.setTimeout(quietMs);
      let activeMs = 0;
      setTimeout(() => {
        activeMs = performance.now();
        socket.write('x');
      }, quietMs / 2);
      socket.resume();
      await within(once(socket, 'timeout'), 'timeout');
      // Both count whole milliseconds.
      expect(performance.now() - activeMs).toBeGreaterThan(quietMs - 3);
      expect(activeMs).toBeGreaterThan(0);
    });

    test('onread fills one buffer, and false stops it', async () => {
      const { port } = await serve((socket) => socket.end('abcdefghij'));
      const buffer = Buffer.alloc(4);
      const seen: string[] = [];
      let stops = 0;
      const socket = toPort(port, {
        onread: {
          buffer,
          callback: (bytes: number, into: Buffer) => {
            seen.push(into.toString('latin1', 0, bytes));
            if (seen.length !== 2) return true;
            stops++;
            setImmediate(() => socket.resume());
            return false;
          },
        },
      });
      await within(once(socket, 'end'), 'end');
      expect([seen.join(''), stops]).toEqual(['abcdefghij', 1]);
      expect(seen.every((part) => part.length <= 4)).toBe(true);
    });

    test('onread: a buffer without room is an error, and no byte lost in silence', async () => {
      const { port } = await serve((socket) => socket.write('abc'));
      const socket = toPort(port, { onread: { buffer: Buffer.alloc(0), callback: () => true } });
      expect((await within(once(socket, 'error'), 'error'))[0]).toMatchObject({
        code: 'ENOBUFS',
        message: 'read ENOBUFS',
      });
    });

    test('of several addresses one that fails is passed over', async () => {
      const { port } = await serve((socket) => socket.end('here'));
      const attempts: unknown[] = [];
      const socket = connect({
        port,
        host: 'several.test',
        autoSelectFamily: true,
        lookup: (_host: string, _options: object, done: (...args: unknown[]) => void) => {
          process.nextTick(done, null, [
            { address: '127.0.0.1', family: 4 },
            { address: '::1', family: 6 },
          ]);
        },
      } as unknown as nodeNet.NetConnectOpts);
      socket.on('connectionAttempt', (address: string) => attempts.push(address));
      expect(await readAll(socket)).toBe('here');
      expect(attempts).toEqual(['127.0.0.1']);
      expect(socket.autoSelectFamilyAttemptedAddresses).toEqual([`127.0.0.1:${port}`]);
    });

    test('a look-up that fails is the error, after the event', async () => {
      const error = Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
      const socket = connect({
        port: 1,
        host: 'none.test',
        lookup: (_host, _options, done) => process.nextTick(done, error, '', 4),
      });
      const lookedUp = once(socket, 'lookup');
      expect((await within(once(socket, 'error'), 'error'))[0]).toBe(error);
      expect((await lookedUp)[0]).toBe(error);
    });

    test('a string that is written as a buffer is refused', async () => {
      const { port } = await serve((socket) => socket.resume());
      const socket = toPort(port);
      await within(once(socket, 'connect'), 'connect');
      // By the stream itself in newer Nodes, before the socket sees it.
      const code: unknown = expect.stringMatching(/^ERR_(INVALID_ARG_TYPE|UNKNOWN_ENCODING)$/);
      expect(thrownBy(() => socket.write('text', 'buffer' as never))).toEqual({ name: 'TypeError', code });
    });

    test('a signal destroys it', async () => {
      const { port } = await serve(() => {});
      const controller = new AbortController();
      const socket = toPort(port, { signal: controller.signal });
      setImmediate(() => controller.abort());
      expect((await within(once(socket, 'error'), 'error'))[0]).toMatchObject({ name: 'AbortError' });
    });

    test('more connections than maxConnections are dropped, and told', async () => {
      const { server, port } = await serve((socket) => socket.resume());
      server.maxConnections = 1;
      const first = toPort(port);
      await within(once(first, 'connect'), 'connect');
      const dropped = once(server, 'drop');
      toPort(port).on('error', () => {});
      expect((await within(dropped, 'drop'))[0]).toMatchObject({
        localPort: port,
        remoteAddress: '127.0.0.1',
      });
      const count = await new Promise((resolve) => {
        server.getConnections((_error, n) => {
          resolve(n);
        });
      });
      expect(count).toBe(1);
    });

    test('close waits for connections; then it listens again, and connects again', async () => {
      const { server, port } = await serve((socket) => socket.resume());
      const socket = toPort(port);
      await within(once(socket, 'connect'), 'connect');
      let isClosed = false;
      const isOver = closed(server).then(() => (isClosed = true));
      expect([server.listening, server.address(), isClosed]).toEqual([false, null, false]);
      socket.end();
      await within(isOver, 'close of the server');
      if (!socket.destroyed) await ended(socket);
      server.listen(0, '127.0.0.1');
      await within(once(server, 'listening'), 'listening');
      socket.connect((server.address() as nodeNet.AddressInfo).port, '127.0.0.1');
      await within(once(socket, 'connect'), 'second connect');
    });

    test('old-style heirs, calls without new, and classes', async () => {
      const { port } = await serve((socket) => socket.end('x'));
      type Old = nodeNet.Socket & { tag: string };
      const OldSocket = function (this: Old) {
        (net.Socket as unknown as (this: Old) => void).call(this);
        this.tag = 'old';
      } as unknown as new () => Old;
      Object.setPrototypeOf(OldSocket.prototype, net.Socket.prototype);
      class NewSocket extends net.Socket {
        tag = 'new';
      }
      const plain = (net.Socket as unknown as () => nodeNet.Socket)();
      for (const socket of [new OldSocket(), new NewSocket(), plain]) {
        expect(socket).toBeInstanceOf(net.Socket);
        sockets.add(socket);
        socket.connect(port, '127.0.0.1');
        expect(await readAll(socket)).toBe('x');
      }
      expect((net.Server as unknown as () => nodeNet.Server)()).toBeInstanceOf(net.Server);
    });

    test('the async context of connect is kept', async () => {
      const storage = new AsyncLocalStorage<string>();
      const { port } = await serve((socket) => socket.end('x'));
      const seen: unknown[] = [];
      await storage.run('mine', async () => {
        const socket = toPort(port);
        socket.on('data', () => seen.push(storage.getStore()));
        await ended(socket);
      });
      expect(seen).toEqual(['mine']);
    });

    if (capabilities.unixMessages) {
      const pairOf = (type: number): [number, number] => {
        const pair: number[] = [];
        const flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
        expect(sys.socketpair(pair, AF_UNIX, type | flags)).toBe(0);
        return pair as [number, number];
      };

      test('fds of connected sockets become Sockets', async () => {
        const [one, other] = pairOf(SOCK_STREAM).map((fd) => new net.Socket({ fd }));
        sockets.add(one!).add(other!);
        one!.end('by fd');
        expect(await readAll(other!)).toBe('by fd');
      });

      testSeqpacket('fds of sockets of messages are refused, by Socket and by listen', async () => {
        const messages = pairOf(SOCK_SEQPACKET);
        const refused = coded('ERR_INVALID_FD_TYPE');
        for (const fd of messages) expect(() => new net.Socket({ fd })).toThrow(refused);
        const server = net.createServer().listen({ fd: messages[0] });
        expect((await within(once(server, 'error'), 'error'))[0]).toMatchObject({
          message: 'listen EINVAL: invalid argument',
        });
        for (const fd of messages) sys.close(fd);
      });
    }

    if (capabilities.unixSockets) {
      test('paths: an echo, no names of ports, and errors', async () => {
        const file = path.join(temporaryFolder(), 's');
        const server = net.createServer((socket) => socket.pipe(socket));
        servers.add(server);
        server.listen(file);
        await within(once(server, 'listening'), 'listening');
        expect(server.address()).toBe(file);
        const socket = connect({ path: file });
        socket.end('by path');
        expect(await readAll(socket)).toBe('by path');
        expect(socket.remoteAddress).toBeUndefined();
        const missing = path.join(path.dirname(file), 'missing');
        expect((await within(once(connect({ path: missing }), 'error'), 'error'))[0]).toMatchObject({
          message: `connect ENOENT ${missing}`,
          code: 'ENOENT',
          address: missing,
        });
      });
    }
  });
}

describeIf(capabilities.runtime === 'node', 'it leads to Node’s own net')('tripoll/node/net alone', () => {
  test.each([
    () => new tripollNet.Server({ blockList: {} as never }),
    () => new tripollNet.Socket({ blockList: {} as never }),
  ])('a block list that is none is refused at once', (make) => {
    expect(make).toThrow(coded('ERR_INVALID_ARG_TYPE'));
  });

  const testPairs = testIf(capabilities.unixMessages, 'Windows has no socketpair');
  testPairs('a Socket by fd is ours, where it is a stream socket', async () => {
    const pair: number[] = [];
    sys.socketpair(pair, AF_UNIX, SOCK_STREAM);
    const [one, other] = pair.map((fd) => new tripollNet.Socket({ fd }));
    expect([one!._handle, other!._handle]).toEqual([null, null]);
    for (const socket of [one!, other!]) await within(once(socket.destroy(), 'close'), 'close');
  });
});

test('the channel of client sockets tells each that connects, also one made before', async () => {
  const server = nodeNet.createServer((socket) => socket.end()).listen(0, '127.0.0.1');
  await within(once(server, 'listening'), 'listening');
  const { port } = server.address() as nodeNet.AddressInfo;
  const told: unknown[] = [];
  const onSocket = (message: unknown): unknown => told.push((message as { socket: unknown }).socket);
  subscribe('tripoll.net.client.socket', onSocket);
  const made = new tripollNet.Socket();
  expect(told).toEqual([]);
  const sockets = [made.connect(port, '127.0.0.1'), tripollNet.connect(port, '127.0.0.1')];
  expect(told.map((socket) => sockets.indexOf(socket as never))).toEqual([0, 1]);
  unsubscribe('tripoll.net.client.socket', onSocket);
  await within(Promise.all(sockets.map((socket) => once(socket.resume(), 'close'))), 'close');
  await closed(server);
});

behaves('node:net', nodeNet);
behaves('tripoll/node/net', tripollNet as unknown as Net);
