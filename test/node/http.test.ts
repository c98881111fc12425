// One suite for Node's http, https and http2 servers by their own listen, and by serveHttp.
import { once } from 'node:events';
import http, { type IncomingMessage, type RequestListener } from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { capabilities } from '#lib/index';
import { listen, TcpListener } from '#lib/net/tcp/tcp-listener';
import { listenUnix, UnixListener } from '#lib/net/unix/unix-listener';
import { serveHttp, Socket } from '#lib/node/index';
import { describeIf } from '../support/applies.js';
import { within } from '../support/deadline.js';
import { temporaryFolder } from '../support/folders.js';
import { slowness } from '../support/platform.js';
import { secrets } from '../support/secrets.js';

type Place = { host: string; port: number } | { path: string };
/** Has a server listen, at a free place. */
type Listen = (server: net.Server) => unknown;

const closed = (server: net.Server) =>
  within(
    new Promise((resolve) => {
      server.close(resolve);
    }),
    'the end of the server',
  );

const placeOf = (server: net.Server): Place => {
  const address = server.address();
  if (typeof address === 'string') return { path: address };
  return { host: '127.0.0.1', port: (address as net.AddressInfo).port };
};

const freePath = (): string => path.join(temporaryFolder(), 'http.sock');
const local = { host: '127.0.0.1', port: 0 };

const WAYS: Readonly<Record<string, Listen>> = {
  'own listen': (server) => server.listen(local),
  'own listen, Unix': (server) => server.listen(freePath()),
  'serveHttp, handlers': (server) => serveHttp(listen(local, {}), server),
  'serveHttp, promises': async (server) => serveHttp(await TcpListener.bind(local), server),
  'serveHttp, Unix handlers': (server) => serveHttp(listenUnix(freePath(), {}), server),
  'serveHttp, Unix promises': async (server) => serveHttp(await UnixListener.bind(freePath()), server),
};

// Of a test's own: how soon a server looks for what is late, which has been sent by then.
const LATE = {
  headersTimeout: 40 * slowness,
  requestTimeout: 80 * slowness,
  connectionsCheckingInterval: 10,
};

const textOf = async (stream: AsyncIterable<unknown>): Promise<string> => {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
};

for (const [name, listenBy] of Object.entries(WAYS))
  for (const scheme of ['http', 'https'] as const) behaves(`${scheme}, ${name}`, scheme, listenBy);

function behaves(name: string, scheme: 'http' | 'https', listenBy: Listen): void {
  const isTcp = !name.includes('Unix');
  const module = (scheme === 'http' ? http : https) as typeof https;
  describeIf(capabilities.runtime === 'node', 'it is about Node’s own servers')(name, () => {
    const servers = new Set<http.Server>();
    afterEach(async () => {
      for (const server of servers) {
        server.closeAllConnections();
        if (server.listening) await closed(server);
      }
      servers.clear();
    });

    async function serve(listener: RequestListener, options: http.ServerOptions = {}): Promise<http.Server> {
      const server = module.createServer({ ...secrets, ...options }, listener);
      servers.add(server);
      const listening = once(server, 'listening');
      await listenBy(server);
      await within(listening, 'listening');
      return server;
    }

    async function request(
      server: http.Server,
      options: http.RequestOptions = {},
      body = '',
    ): Promise<IncomingMessage> {
      const all = { ...placeOf(server), agent: false, rejectUnauthorized: false, ...options };
      const sent = module.request({
        ...all,
        method: 'POST',
        socketPath: (all as { path?: string }).path,
        path: '/',
      });
      // The connection's end may break a write, on paths: the answer is what counts.
      sent.on('error', () => {});
      sent.end(body);
      const [response] = (await within(once(sent, 'response'), 'response')) as [IncomingMessage];
      return response;
    }

    /** A connection that speaks as it likes. */
    async function dial(server: http.Server): Promise<net.Socket> {
      const place = placeOf(server) as net.NetConnectOpts;
      const socket =
        scheme === 'http' ? net.connect(place) : tls.connect({ ...place, rejectUnauthorized: false });
      socket.on('error', () => {});
      await within(once(socket, scheme === 'http' ? 'connect' : 'secureConnect'), 'connect');
      return socket;
    }

    test('a body there and back, names, and the end', async () => {
      const remotes: unknown[] = [];
      const server = await serve((incoming, response) => {
        remotes.push(incoming.socket.remoteAddress, typeof incoming.socket.remotePort);
        incoming.pipe(response);
      });
      expect(server.listening).toBe(true);
      const body = 'body'.repeat(250_000);
      expect(await textOf(await request(server, {}, body))).toBe(body);
      expect(remotes).toEqual(isTcp ? ['127.0.0.1', 'number'] : [undefined, 'undefined']);
      expect(await closed(server)).toBeUndefined();
      expect(server.listening).toBe(false);
      // Of a path Node's servers keep the name.
      if (isTcp) expect(server.address()).toBe(null);
      expect(await closed(server)).toMatchObject({ code: 'ERR_SERVER_NOT_RUNNING' });
    });

    test('keep-alive, pipelined: the answers in order, over one connection', async () => {
      let connections = 0;
      const server = await serve((incoming, response) => response.end(`(${incoming.url})`));
      server.on(scheme === 'http' ? 'connection' : 'secureConnection', () => connections++);
      const socket = await dial(server);
      const get = (url: string, more = '') => `GET ${url} HTTP/1.1\r\nhost: x\r\n${more}\r\n`;
      socket.write(get('/1') + get('/2') + get('/3', 'connection: close\r\n'));
      expect((await textOf(socket)).match(/\(.*?\)/g)).toEqual(['(/1)', '(/2)', '(/3)']);
      expect(connections).toBe(1);
    });

    test('headersTimeout: a head that does not end is answered 408', async () => {
      const server = await serve((_, response) => response.end(), LATE);
      const socket = await dial(server);
      socket.write('GET / HTTP/1.1\r\nhost: ');
      expect(await within(textOf(socket), 'the end')).toMatch(/^HTTP\/1\.1 408 /);
    });

    test('requestTimeout: a body that does not end is answered 408', async () => {
      const server = await serve((incoming) => incoming.on('error', () => {}), LATE);
      const socket = await dial(server);
      socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nbo');
      expect(await within(textOf(socket), 'the end')).toMatch(/^HTTP\/1\.1 408 /);
    });

    test('closeIdleConnections and closeAllConnections', async () => {
      const server = await serve((incoming, response) => {
        response.write('begun');
        if (incoming.url === '/idle') response.end();
      });
      const [idle, busy] = [await dial(server), await dial(server)];
      idle.write('GET /idle HTTP/1.1\r\nhost: x\r\n\r\n');
      busy.write('GET /busy HTTP/1.1\r\nhost: x\r\n\r\n');
      let heard = '';
      while (!heard.endsWith('0\r\n\r\n')) heard += String((await once(idle, 'data'))[0]);
      await once(busy, 'data');
      const ends = [once(idle, 'close'), once(busy, 'close')];
      server.closeIdleConnections();
      await within(ends[0]!, 'the end of the idle one');
      expect(busy.destroyed).toBe(false);
      server.closeAllConnections();
      await within(ends[1]!, 'the end of the busy one');
    });

    test('close ends idle connections, waits for a busy one, then tells close', async () => {
      const held: http.ServerResponse[] = [];
      const server = await serve((_, response) => void held.push(response));
      const answer = request(server);
      await within(once(server, 'request'), 'request');
      const seen: string[] = [];
      const end = closed(server).then(() => seen.push('closed'));
      server.on('close', () => seen.push('close'));
      expect(server.listening).toBe(false);
      const [count] = await new Promise<unknown[]>((resolve) => {
        server.getConnections((_, connections) => resolve([connections]));
      });
      expect([count, seen]).toEqual([1, []]);
      held[0]!.end('late');
      expect(await textOf(await answer)).toBe('late');
      await end;
      expect(seen).toEqual(['close', 'closed']);
    });

    test('an upgrade: the bytes behind it, both ways', async () => {
      const server = await serve(() => {});
      server.on('upgrade', (_, socket, head) => {
        socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n');
        socket.write(head);
        socket.pipe(socket);
      });
      const socket = await dial(server);
      socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nhead,');
      socket.end('tail');
      expect(await within(textOf(socket), 'the end')).toMatch(/\r\n\r\nhead,tail$/);
    });

    test('an error of a handler’s connection does not end the server', async () => {
      const server = await serve((incoming, response) => {
        incoming.on('error', () => {});
        response.write('begun');
      });
      const socket = await dial(server);
      const closing = new Promise((resolve) => {
        server.once('request', (incoming: IncomingMessage) => incoming.socket.once('close', resolve));
      });
      socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nbo');
      await once(socket, 'data');
      socket.destroy();
      await within(closing, 'the end of the connection');
      expect(server.listening).toBe(true);
    });
  });
}

describeIf(capabilities.runtime === 'node', 'it is about Node’s own servers')('serveHttp', () => {
  const noop = (): void => {};

  test.each([
    ['http', () => http.createServer()],
    ['https', () => https.createServer(secrets)],
  ])('%s: setNoDelay and setKeepAlive reach the connection', async (scheme, create) => {
    const listener = listen({ ...local, noDelay: false }, {});
    const server = serveHttp(listener, create());
    const seen: unknown[] = [];
    server.on('request', (incoming: IncomingMessage, response: http.ServerResponse) => {
      const [connection] = listener.openConnections();
      const options = () => (['tcpNoDelay', 'keepAlive'] as const).map((name) => connection?.getOption(name));
      seen.push(options());
      expect(incoming.socket.setNoDelay(false)).toBe(incoming.socket);
      incoming.socket.setKeepAlive(true, 5000);
      seen.push(options());
      response.end();
    });
    const get = (scheme === 'http' ? http : https).get;
    const options = { ...placeOf(server), agent: false, rejectUnauthorized: false };
    const [response] = (await within(once(get(options), 'response'), 'response')) as [IncomingMessage];
    await textOf(response);
    await closed(server);
    expect(seen).toEqual([
      [true, false],
      [false, true],
    ]);
  });

  test.each([['h2c'], ['h2']])('%s: requests, names, and the end', async (scheme) => {
    const server = scheme === 'h2' ? http2.createSecureServer(secrets) : http2.createServer();
    serveHttp(listen(local, {}), server);
    const seen: unknown[] = [];
    server.on('request', (incoming, response) => {
      seen.push(incoming.socket.remoteAddress);
      incoming.pipe(response);
    });
    const { port } = placeOf(server) as { port: number };
    const url = `${scheme === 'h2' ? 'https' : 'http'}://127.0.0.1:${port}`;
    const session = http2.connect(url, { rejectUnauthorized: false });
    const sent = session.request({ ':method': 'POST' });
    sent.end('body');
    expect(await within(textOf(sent), 'the answer')).toBe('body');
    session.close();
    await closed(server);
    expect(seen).toEqual(['127.0.0.1']);
  });

  test('http2: both sides end when a session is closed during an answer', async () => {
    const server = serveHttp(listen(local, {}), http2.createServer());
    server.on('stream', (stream) => {
      server.close();
      stream.session?.close();
      stream.on('wantTrailers', () => stream.sendTrailers({ last: 'yes' }));
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.end('data');
    });
    const ended = once(server, 'close');
    const session = http2.connect(`http://127.0.0.1:${(placeOf(server) as { port: number }).port}`, {
      createConnection: ({ port }) => new Socket().connect(Number(port), '127.0.0.1'),
    });
    const sessionEnd = once(session, 'close');
    const sent = session.request({ ':method': 'POST' });
    sent.end();
    const trailers = once(sent, 'trailers');
    expect(await within(textOf(sent), 'the data')).toBe('data');
    expect((await within(trailers, 'the trailers'))[0]).toMatchObject({ last: 'yes' });
    await within(ended, 'the end');
    await within(sessionEnd, 'the end of the session');
  });

  test('T110 http2: an upload that is refused in the middle ends on both sides', async () => {
    const server = serveHttp(listen(local, {}), http2.createServer());
    server.on('stream', (stream) => {
      setImmediate(() => {
        stream.respond({ ':status': 400 });
        stream.end();
      });
    });
    const { port } = placeOf(server) as { port: number };
    const session = http2.connect(`http://127.0.0.1:${port}`, {
      createConnection: () => new Socket().connect(port, '127.0.0.1'),
    });
    for (let i = 0; i < 10; i++) {
      const sent = session.request({ ':method': 'POST' });
      const ended = once(sent, 'close');
      // More than the window of a stream: the rest is never sent.
      sent.write(Buffer.alloc(65_536));
      sent.write(Buffer.alloc(65_536));
      sent.resume();
      await within(ended, `the end of request ${i}`);
      expect(sent.rstCode).toBe(0);
    }
    session.close();
    await closed(server);
  });

  test('the handlers of the listener are not called, and its drop is', async () => {
    const opened = jest.fn();
    const drop = jest.fn();
    const server = serveHttp(
      listen({ ...local, maxConnections: 1 }, { open: opened, drop }),
      http.createServer(),
    );
    const first = net.connect(placeOf(server) as net.NetConnectOpts);
    await within(once(server, 'connection'), 'the first');
    const second = net.connect(placeOf(server) as net.NetConnectOpts).on('error', noop);
    await within(once(second.resume(), 'close'), 'the end of the second');
    first.destroy();
    await closed(server);
    expect(opened).not.toHaveBeenCalled();
    expect(drop).toHaveBeenCalledTimes(1);
  });

  test('its own maxConnections, with drop', async () => {
    const server = serveHttp(listen(local, {}), http.createServer());
    server.maxConnections = 0.5;
    const dropped = once(server, 'drop');
    const first = net.connect(placeOf(server) as net.NetConnectOpts).on('error', noop);
    await within(once(server, 'connection'), 'the first');
    net.connect(placeOf(server) as net.NetConnectOpts).on('error', noop);
    expect((await within(dropped, 'drop'))[0]).toMatchObject({ remoteAddress: '127.0.0.1' });
    first.destroy();
    await closed(server);
  });

  test('what it refuses', async () => {
    const listener = await TcpListener.bind(local);
    const server = http.createServer();
    const code = (text: string) => expect.objectContaining({ code: text }) as Error;
    expect(() => serveHttp({} as never, server)).toThrow(code('ERR_INVALID_ARG_TYPE'));
    expect(() => serveHttp(listener, {} as never)).toThrow(code('ERR_INVALID_ARG_TYPE'));
    const waiting = listener.accept({ signal: AbortSignal.abort() });
    await expect(waiting).rejects.toThrow(code('ABORT_ERR'));
    const accepting = listener.accept();
    expect(() => serveHttp(listener, server)).toThrow(code('ERR_TRIPOLL_STATE'));
    const client = net.connect(
      placeOf({ address: () => listener.localAddress } as never) as net.NetConnectOpts,
    );
    (await within(accepting, 'accept')).stream.close();
    client.destroy();
    expect(serveHttp(listener, server)).toBe(server);
    const other = http.createServer();
    expect(() => serveHttp(listener, other)).toThrow(code('ERR_TRIPOLL_STATE'));
    await expect(listener.accept()).rejects.toThrow(code('ERR_TRIPOLL_STATE'));
    await expect(listener[Symbol.asyncIterator]().next()).rejects.toThrow(code('ERR_TRIPOLL_STATE'));
    const second = listen(local, {});
    expect(() => serveHttp(second, server)).toThrow(code('ERR_SERVER_ALREADY_LISTEN'));
    second.close();
    expect(() => serveHttp(second, other)).toThrow(code('ERR_TRIPOLL_CLOSED'));
    await closed(server);
    expect(listener.closed).toBe(true);
  });

  test('a loop over the listener ends with its error when a server takes over', async () => {
    const listener = await TcpListener.bind(local);
    const server = http.createServer((_, response) => response.end('served'));
    const streams: unknown[] = [];
    const place = placeOf({ address: () => listener.localAddress } as never) as net.NetConnectOpts;
    net.connect(place).on('error', noop);
    await expect(
      (async () => {
        for await (const stream of listener) {
          streams.push(stream);
          serveHttp(listener, server);
          stream.close();
        }
      })(),
    ).rejects.toMatchObject({ code: 'ERR_TRIPOLL_STATE' });
    expect(streams.length).toBe(1);
    const [response] = (await within(once(http.get({ ...place, agent: false }), 'response'), 'response')) as [
      IncomingMessage,
    ];
    expect(await textOf(response)).toBe('served');
    await closed(server);
  });

  test('unref: before and after', async () => {
    const server = http.createServer();
    server.unref();
    serveHttp(listen(local, {}), server);
    expect(server.ref()).toBe(server);
    await closed(server);
  });
});
