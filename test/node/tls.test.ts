// TLS and HTTP/2 of Node over tripoll's Sockets: each program runs without the hook and with it,
// and sees the same.
import path from 'node:path';
import { capabilities } from 'tripoll';
import { describeIf, testIf } from '../support/applies.js';
import { packageRoot, reportOf, runScript } from '../support/child.js';
import { secrets } from '../support/secrets.js';

const register = path.join(packageRoot, 'dist/node/register.js');

const PRELUDE = `
  const net = require('net'), tls = require('tls'), http2 = require('http2');
  const { once } = require('events');
  const secrets = ${JSON.stringify(secrets)};
  const insecure = { host: '127.0.0.1', rejectUnauthorized: false };
  const seen = [];
  const thrown = (call) => { try { call(); } catch (error) { return error.code ?? error.message; } };
  const listen = async (server) => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return server.address().port;
  };
  const phases = async (count) => {
    for (let i = 0; i < count; i++) await new Promise(setImmediate);
  };
  const report = () => console.log(JSON.stringify(seen));`;

const sides: readonly (readonly [string, readonly string[]])[] = [
  ['node:net', []],
  ['tripoll, by the hook', ['--require', register]],
];

for (const [side, nodeOptions] of sides) {
  const suite = describeIf(capabilities.runtime === 'node', 'it leads Node’s own modules to ours');
  suite(`TLS and HTTP/2 over ${side}`, () => {
    async function run(source: string): Promise<unknown> {
      return reportOf(await runScript(`${PRELUDE}\n(async () => {${source}})();`, { nodeOptions }));
    }

    test('what is wrong with the options of TLS is told first, then of the place', async () => {
      const source = `
        seen.push(thrown(() => tls.connect({ minDHSize: 0 })), thrown(() => tls.connect({})));
        seen.push(thrown(() => tls.connect({ port: 65536 })));
        report();`;
      const [ofTls, ...ofPlace] = (await run(source)) as string[];
      // The newest Nodes say the second.
      expect(['ERR_INTERNAL_ASSERTION', 'ERR_OUT_OF_RANGE']).toContain(ofTls);
      expect(ofPlace).toEqual(['ERR_MISSING_ARGS', 'ERR_SOCKET_BAD_PORT']);
    });

    test('the options timeout, onread and signal', async () => {
      const source = `
        const server = tls.createServer(secrets, (socket) => socket.end('abcdefghij'));
        const port = await listen(server);
        const buffer = Buffer.alloc(4);
        const callback = (bytes, into) => void seen.push(into === buffer, into.toString('latin1', 0, bytes));
        const socket = tls.connect({ ...insecure, port, timeout: 60000, onread: { buffer, callback } });
        seen.push(socket.timeout);
        await once(socket, 'end');
        const fresh = () => Buffer.alloc(8);
        const second = tls.connect({ ...insecure, port, onread: { buffer: fresh, callback: (n) => void seen.push(n) } });
        await once(second, 'end');
        for (const when of ['before', 'at once', 'later']) {
          const controller = new AbortController();
          if (when === 'before') controller.abort();
          const aborted = tls.connect({ ...insecure, port, signal: controller.signal });
          if (when === 'at once') controller.abort();
          if (when === 'later') setImmediate(() => controller.abort());
          seen.push(await once(aborted, 'close').catch(({ name }) => name));
        }
        server.close(report);`;
      const parts = ['abcd', 'efgh', 'ij'].flatMap((part) => [true, part]);
      const ends = ['AbortError', 'AbortError', 'AbortError'];
      expect(await run(source)).toEqual([60_000, ...parts, 8, 2, ...ends]);
    });

    test('T116 a TLS socket that cannot connect is destroyed when it tells so', async () => {
      const source = `
        const server = net.createServer();
        const port = await listen(server);
        await new Promise((resolve) => server.close(resolve));
        const socket = tls.connect({ ...insecure, port });
        seen.push(socket.connecting);
        socket.on('error', ({ code }) => seen.push(code, socket.destroyed, socket.errored.code, socket.connecting));
        socket.on('close', (hadError) => {
          socket.on('keylog', () => {});
          seen.push('close', hadError);
          report();
        });`;
      const error = ['ECONNREFUSED', true, 'ECONNREFUSED', false];
      expect(await run(source)).toEqual([true, ...error, 'close', true]);
    });

    test('T116 a TLS socket begins once it is connected: the server hears of its failure', async () => {
      const source = `
        const server = tls.createServer(secrets);
        const port = await listen(server);
        const told = once(server, 'tlsClientError');
        tls.DEFAULT_MIN_VERSION = 'TLSv1.3';
        const socket = tls.connect({ ...insecure, port, secureProtocol: 'SSLv23_method' }); // at most 1.2
        socket.on('connect', () => seen.push('connect', socket.connecting));
        socket.on('error', ({ code }) => seen.push(code));
        await told;
        socket.destroy();
        server.close(report);`;
      expect(await run(source)).toEqual(['connect', false, 'ERR_SSL_NO_PROTOCOLS_AVAILABLE']);
    });

    const endsFirst = testIf(
      capabilities.platform !== 'win32',
      'under Wine a server of Node’s own sees no close',
    );
    endsFirst('T116 a TLS socket ends before who waits for the socket below it is told', async () => {
      const source = `
        let raw, secured;
        const secure = tls.createServer(secrets, (socket) => (secured = socket).write('x'));
        const server = net.createServer((socket) => {
          raw = socket;
          secure.emit('connection', socket);
          socket.on('close', () => seen.push(secured.destroyed));
        });
        const client = tls.connect({ ...insecure, port: await listen(server) }).on('error', () => {});
        await once(client, 'data');
        raw.destroy();
        await once(client, 'close');
        server.close(report);`;
      expect(await run(source)).toEqual([true]);
    });

    test('new tls.TLSSocket on a socket: the peer’s end is no error', async () => {
      const source = `
        const server = net.createServer((socket) => {
          const secured = new tls.TLSSocket(socket, { ...secrets, isServer: true });
          secured.setEncoding('utf8').on('data', (text) => seen.push(text));
          for (const event of ['end', 'error', 'close']) secured.on(event, () => seen.push(event));
          secured.on('close', () => server.close(report));
        });
        const client = tls.connect({ ...insecure, port: await listen(server) });
        client.end('question');`;
      expect(await run(source)).toEqual(['question', 'end', 'close']);
    });

    test('TLS over TLS, and over a socket of Node’s own, ends as any', async () => {
      const source = `
        const inner = tls.createServer(secrets, (socket) => socket.end('inner'));
        const outer = tls.createServer(secrets, (socket) => inner.emit('connection', socket));
        const port = await listen(outer);
        const innerPort = await listen(inner);
        const NodesSocket = Object.getPrototypeOf(tls.TLSSocket); // whatever net.Socket is
        const below = tls.connect({ ...insecure, port });
        await once(below, 'secureConnect');
        const own = new NodesSocket().connect(innerPort, '127.0.0.1');
        for (const socket of [below, own]) {
          const above = tls.connect({ socket, rejectUnauthorized: false }).setEncoding('utf8');
          above.on('data', (text) => seen.push(text));
          await once(above, 'close');
        }
        inner.close();
        outer.close(report);`;
      expect(await run(source)).toEqual(['inner', 'inner']);
    });

    test('http2: a peer that ends with its answer is no error', async () => {
      const source = `
        const frame = (hex) => Buffer.from(hex, 'hex');
        // SETTINGS, and HEADERS that end stream 1: ':status: 200'.
        const answer = Buffer.concat([frame('000000040000000000'), frame('00000101050000000188')]);
        const server = net.createServer((socket) => {
          socket.once('data', () => socket.end(answer)).on('error', () => {});
        });
        const port = await listen(server);
        for (let i = 0; i < 20; i++) {
          const session = http2.connect('http://127.0.0.1:' + port);
          session.on('error', ({ code }) => seen.push(code));
          const request = session.request().resume().on('error', ({ code }) => seen.push(code));
          const [{ ':status': status }] = await once(request, 'response');
          if (status !== 200) seen.push(status);
          if (!request.closed) await once(request, 'close');
          session.close();
        }
        server.close(report);`;
      expect(await run(source)).toEqual([]);
    });

    test('http2: a request knows its server, and net.connect is asked by its present name', async () => {
      const source = `
        const server = http2.createServer(({ socket }, response) => {
          seen.push(socket.server === server);
          response.end('answer');
        });
        const port = await listen(server);
        const { connect } = net;
        net.connect = (...args) => (seen.push('asked'), connect(...args));
        const session = http2.connect('http://127.0.0.1:' + port);
        seen.push((await session.request().setEncoding('utf8').toArray()).join(''));
        session.close();
        server.close(report);`;
      expect(await run(source)).toEqual(['asked', true, 'answer']);
    });
  });
}
