// Async context, on node:net and on ours: the same assertions. Then our diagnostics channels.
import { AsyncLocalStorage } from 'node:async_hooks';
import diagnostics from 'node:diagnostics_channel';
import { once } from 'node:events';
import nodeNet, { type AddressInfo } from 'node:net';
import { capabilities } from 'tripoll';
import { handOver, toDuplex } from 'tripoll/node';
import { TcpListener, TcpStream } from 'tripoll/net';
import * as tripollNet from '#lib/node/net';
import { describeIf } from '../support/applies.js';
import { within } from '../support/deadline.js';
import { isWindows } from '../support/platform.js';

type Net = typeof nodeNet;
const storage = new AsyncLocalStorage<string>();
const noted = (): string => storage.getStore() ?? 'none';

/** What each of the events of a socket finds, as `event: store`, each once. */
function note(socket: nodeNet.Socket, events: readonly string[], into: Set<string>): void {
  for (const event of events) socket.on(event, () => into.add(`${event}: ${noted()}`));
}

async function listening(server: nodeNet.Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await within(once(server, 'listening'), 'listening');
  return (server.address() as AddressInfo).port;
}

function keepsContext(name: string, net: Net): void {
  describeIf(capabilities.runtime === 'node', 'it compares with Node’s own net')(name, () => {
    test('a client: each event and callback has the context of connect', async () => {
      const server = net.createServer((socket) => socket.pipe(socket));
      const port = await listening(server);
      const seen = new Set<string>();
      await storage.run('client', async () => {
        const socket = net.connect(port, '127.0.0.1', () => seen.add(`callback: ${noted()}`));
        note(socket, ['connect', 'ready', 'data', 'end', 'finish', 'close', 'timeout'], seen);
        socket.setTimeout(5, () => socket.end('x'.repeat(200_000), () => seen.add(`ended: ${noted()}`)));
        socket.write('y', () => seen.add(`written: ${noted()}`));
        await within(once(socket, 'close'), 'close');
      });
      server.close();
      const expected = ['connect', 'ready', 'data', 'end', 'finish', 'close', 'timeout', 'callback'];
      expect([...seen].sort()).toEqual(
        [...expected, 'ended', 'written'].map((event) => `${event}: client`).sort(),
      );
    });

    test('a write that waits has its own context in its callback, and in drain', async () => {
      const server = net.createServer((socket) => socket.resume());
      const port = await listening(server);
      const seen: string[] = [];
      const socket = storage.run('client', () => net.connect(port, '127.0.0.1'));
      await within(once(socket, 'connect'), 'connect');
      const written = storage.run(
        'writer',
        () =>
          new Promise<void>((resolve) => {
            socket.once('drain', () => {
              seen.push(`drain: ${noted()}`);
              resolve();
            });
            socket.write(Buffer.alloc(8 << 20), () => seen.push(noted()));
          }),
      );
      await within(written, 'written');
      socket.destroy();
      server.close();
      expect(seen).toEqual(['drain: writer', 'writer']);
    });

    test('a server: connections do not have the context of whoever connects', async () => {
      const seen = new Set<string>();
      const server = storage.run('server', () => net.createServer());
      server.on('connection', (socket) => {
        seen.add(`connection: ${noted()}`);
        note(socket, ['data', 'end', 'close'], seen);
        storage.run('request', () => socket.once('data', () => storage.run('answer', () => socket.end('y'))));
      });
      const port = await storage.run('listen', () => listening(server));
      await storage.run('client', async () => {
        const socket = net.connect(port, '127.0.0.1').resume();
        socket.end('x');
        await within(once(socket, 'close'), 'close');
      });
      const closed = once(server, 'close');
      server.close();
      await within(closed, 'close');
      expect(seen).toContain('connection: listen');
      expect([...seen].every((line) => !line.endsWith('client'))).toBe(true);
    });
  });
}
keepsContext('node:net', nodeNet);
keepsContext('tripoll/node/net', tripollNet as unknown as Net);

describeIf(capabilities.runtime === 'node', 'Node’s own net is one side')('adapters', () => {
  /** Two connected streams. */
  async function pair(): Promise<[TcpStream, TcpStream]> {
    const listener = await TcpListener.bind('127.0.0.1:0');
    const { port } = listener.localAddress!;
    const [one, { stream }] = await Promise.all([
      TcpStream.connect({ host: '127.0.0.1', port }),
      listener.accept(),
    ]);
    listener.close();
    return [one, stream];
  }

  const shapes = [
    ['toDuplex', toDuplex],
    ...(isWindows ? [] : [['handOver', handOver] as const]),
    ['toDuplex of a source', (stream: TcpStream) => toDuplex(withoutFd(stream))],
  ] as const;

  /** As what has no socket that could be taken. */
  function withoutFd(stream: TcpStream): object {
    return {
      read: stream.read.bind(stream),
      writeAll: stream.writeAll.bind(stream),
      end: stream.end.bind(stream),
      close: stream.close.bind(stream),
    };
  }

  test.each(shapes)('%s has the context that it was called in', async (_name, adapt) => {
    const [one, other] = await pair();
    const seen = new Set<string>();
    await storage.run('adapted', async () => {
      const duplex = adapt(one) as nodeNet.Socket;
      note(duplex, ['data', 'end', 'finish', 'close'], seen);
      const closed = once(duplex, 'close');
      duplex.write('x', () => seen.add(`written: ${noted()}`));
      await storage.exit(async () => {
        await other.writeAll(Buffer.from('y'));
        other.end();
      });
      await within(closed, 'close');
    });
    other.close();
    expect([...seen].sort()).toEqual(
      ['close', 'data', 'end', 'finish', 'written'].map((event) => `${event}: adapted`),
    );
  });
});

describeIf(capabilities.runtime === 'node', 'it is about Node’s diagnostics')('diagnostics channels', () => {
  test('tell of a client’s socket, a server’s, and a listen that begins, succeeds, or fails', async () => {
    const seen: string[] = [];
    const heard: { socket?: unknown; server?: unknown; error?: NodeJS.ErrnoException }[] = [];
    const names = ['client.socket', 'server.socket'].map((name) => `tripoll.net.${name}`);
    const phases = ['asyncStart', 'asyncEnd', 'error'];
    names.push(...phases.map((phase) => `tracing:tripoll.net.server.listen:${phase}`));
    const listeners = names.map((name) => {
      const listener = (message: unknown): void => {
        seen.push(name);
        heard.push(message as object);
      };
      diagnostics.subscribe(name, listener);
      return () => diagnostics.unsubscribe(name, listener);
    });
    const server = tripollNet.createServer();
    const accepted = once(server, 'connection') as Promise<[tripollNet.Socket]>;
    const port = await listening(server as unknown as nodeNet.Server);
    const socket = tripollNet.connect(port, '127.0.0.1');
    const [other] = await within(accepted, 'accepted');
    const second = tripollNet.createServer().listen(port, '127.0.0.1');
    await within(once(second, 'error'), 'error');
    for (const stop of listeners) stop();
    for (const duplex of [socket, other]) duplex.destroy();
    server.close();
    const [clientSocket, serverSocket, start, end, failed] = names;
    expect(seen).toEqual([start, end, clientSocket, serverSocket, start, failed]);
    expect(heard.map(({ socket: its, server: theirs }) => its ?? theirs)).toEqual(
      [server, server, socket, other, second, second].map((it) => it as unknown),
    );
    expect(heard.at(-1)?.error?.code).toBe('EADDRINUSE');
  });
});
