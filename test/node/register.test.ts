// `node --require tripoll/register`: whole programs on tripoll, unchanged.
import * as nodeDgram from 'node:dgram';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { capabilities } from 'tripoll';
import { testIf } from '../support/applies.js';
import { packageRoot, runScript } from '../support/child.js';
import { temporaryFolder } from '../support/folders.js';
import { secrets } from '../support/secrets.js';

const register = path.join(packageRoot, 'dist/node/register.js');
const SECRETS = `const secrets = ${JSON.stringify(secrets)};`;

async function runHooked(source: string, nodeOptions: readonly string[] = []): Promise<unknown> {
  const { stdout, stderr } = await runScript(source, {
    nodeOptions: ['--require', register, ...nodeOptions],
  });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

const runs = testIf(capabilities.runtime === 'node', 'it leads Node’s own modules to ours');

runs('http: a server and a client, whose sockets are tripoll’s', async () => {
  const source = `
    const http = require('http'), net = require('net');
    const seen = [];
    const isOurs = (socket) => socket.constructor === net.Socket && socket._handle === null;
    const server = http.createServer((request, response) => {
      seen.push(isOurs(request.socket), request.socket.remoteAddress);
      request.pipe(response);
    });
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      const request = http.request({ port, host: '127.0.0.1', method: 'POST' }, (response) => {
        seen.push(isOurs(response.socket));
        response.setEncoding('utf8').on('data', (text) => seen.push(text));
        response.on('end', () => server.close(() => console.log(JSON.stringify(seen))));
      });
      request.end('body');
    });`;
  expect(await runHooked(source)).toEqual([true, '127.0.0.1', true, 'body']);
});

runs('fetch connects by tripoll', async () => {
  const source = `
    const http = require('http');
    const seen = [];
    require('diagnostics_channel').subscribe('tripoll.net.client.socket', () => seen.push('ours'));
    const server = http.createServer((request, response) => response.end('fetched'));
    server.listen(0, '127.0.0.1', async () => {
      const url = 'http://127.0.0.1:' + server.address().port;
      seen.push(await (await fetch(url, { headers: { connection: 'close' } })).text());
      server.close(() => console.log(JSON.stringify(seen)));
    });`;
  expect(await runHooked(source)).toEqual(['ours', 'fetched']);
});

runs('https, tls and http2: handshakes, names, ends', async () => {
  const source = `${SECRETS}
    const https = require('https'), http2 = require('http2'), tls = require('tls'), net = require('net');
    const { once } = require('events');
    const isOurs = (socket) => socket._handle._parentWrap?.stream?.constructor === net.Socket;
    const insecure = { rejectUnauthorized: false, host: '127.0.0.1', agent: false };
    (async () => {
      const seen = [];
      const web = https.createServer(secrets, (request, response) => {
        seen.push(isOurs(request.socket), request.socket.remoteAddress);
        response.end('https');
      }).listen(0, '127.0.0.1');
      await once(web, 'listening');
      const [response] = await once(https.get({ ...insecure, port: web.address().port }), 'response');
      seen.push(isOurs(response.socket), response.socket.remotePort === web.address().port);
      seen.push((await response.setEncoding('utf8').toArray()).join(''));
      await new Promise((resolve) => web.close(resolve));

      const raw = tls.createServer(secrets, (socket) => socket.end('tls')).listen(0, '127.0.0.1');
      await once(raw, 'listening');
      const socket = tls.connect({ ...insecure, port: raw.address().port });
      const events = [];
      for (const name of ['connect', 'secureConnect', 'end', 'close']) socket.on(name, () => events.push(name));
      socket.setEncoding('utf8').on('data', (text) => seen.push(text));
      await once(socket, 'close');
      seen.push(...events, socket instanceof net.Socket);
      await new Promise((resolve) => raw.close(resolve));

      const two = http2.createSecureServer(secrets);
      two.on('stream', (stream) => stream.respond({ ':status': 200 }) ?? stream.end('http2'));
      two.listen(0, '127.0.0.1');
      await once(two, 'listening');
      const session = http2.connect('https://127.0.0.1:' + two.address().port, { rejectUnauthorized: false });
      seen.push((await session.request({ ':path': '/' }).setEncoding('utf8').toArray()).join(''));
      session.close();
      await new Promise((resolve) => two.close(resolve));
      console.log(JSON.stringify(seen));
    })();`;
  expect(await runHooked(source)).toEqual([
    ...[true, '127.0.0.1', true, true, 'https'],
    ...['tls', 'connect', 'secureConnect', 'end', 'close', true],
    'http2',
  ]);
});

runs('http2: a session that connects says so, and has names', async () => {
  const source = `
    const http2 = require('http2'), net = require('net');
    const server = http2.createServer((request, response) => request.pipe(response));
    server.listen(0, '127.0.0.1', async () => {
      const seen = [];
      const session = http2.connect('http://127.0.0.1:' + server.address().port);
      seen.push(session.connecting, session.alpnProtocol === undefined);
      session.on('connect', () => seen.push(session.connecting, session.alpnProtocol,
        session.socket.remotePort === server.address().port, session.socket.remoteAddress));
      const request = session.request({ ':method': 'POST' });
      request.end('body');
      seen.push((await request.setEncoding('utf8').toArray()).join(''));
      session.close();
      server.close();
      const refused = http2.connect('http://127.0.0.1:1');
      refused.destroy();
      refused.on('close', () => {
        seen.push(refused.destroyed);
        http2.connect('http://127.0.0.1:1').on('error', ({ code }) => {
          seen.push(code);
          console.log(JSON.stringify(seen));
        });
      });
    });`;
  expect(await runHooked(source)).toEqual([
    ...[true, true, false, 'h2c', true, '127.0.0.1', 'body'],
    ...[true, 'ECONNREFUSED'],
  ]);
});

runs('import, require and getBuiltinModule give the same, and Node’s own streams stay', async () => {
  const source = `
    import net, { Socket, createServer } from 'node:net';
    import { createRequire } from 'node:module';
    const required = createRequire(import.meta.url)('net');
    const builtin = process.getBuiltinModule?.('node:net') ?? required;
    const { spawn } = await import('node:child_process');
    const child = spawn(process.execPath, ['-p', '1'], { env: {} });
    const text = (await child.stdout.setEncoding('utf8').toArray()).join('').trim();
    const server = createServer((socket) => socket.end('x')).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const socket = new Socket().connect(server.address().port, '127.0.0.1');
    const got = (await socket.setEncoding('utf8').toArray()).join('');
    server.close();
    console.log(JSON.stringify([net.Socket === Socket, required.Socket === Socket, builtin.Socket === Socket,
      socket._handle, text, got]));`;
  expect(await runHooked(source, ['--input-type=module'])).toEqual([true, true, true, null, '1', 'x']);
});

runs('a cluster: its workers serve, by Node’s own handles', async () => {
  const file = path.join(temporaryFolder(), 'worker.cjs');
  writeFileSync(
    file,
    `const net = require('net');
    const server = net.createServer((socket) => socket.end('served'));
    server.listen(0, '127.0.0.1', () => {
      const socket = net.connect(server.address().port, '127.0.0.1');
      socket.setEncoding('utf8').on('data', (text) => process.send(text, () => process.disconnect()));
      socket.on('close', () => server.close());
    });`,
  );
  const source = `
    const cluster = require('cluster');
    cluster.setupPrimary({ exec: process.argv[1], execArgv: ['--require', ${JSON.stringify(register)}] });
    cluster.fork().on('message', (text) => console.log(JSON.stringify(text)));`;
  const { stdout } = await runScript(source, { args: [file], nodeOptions: ['--require', register] });
  expect(JSON.parse(stdout)).toBe('served');
});

runs(
  'dgram: require, import and getBuiltinModule give tripoll’s, which keeps a process alive while bound',
  async () => {
    const source = `
    const dgram = require('dgram');
    let count = 0;
    require('diagnostics_channel').subscribe('tripoll.udp.socket', () => count++);
    import('node:dgram').then(({ default: imported, createSocket, Socket }) => {
      const same = [imported === dgram, createSocket === dgram.createSocket, Socket === dgram.Socket];
      same.push((process.getBuiltinModule?.('dgram') ?? dgram) === dgram);
      const seen = [...same, ...Object.keys(dgram).sort()];
      const server = createSocket('udp4', (message) => {
        process.once('uncaughtException', (error) => seen.push(error.message));
        if (seen.push(String(message)) && String(message) === 'one') throw new Error('of a listener');
        server.close(() => console.log(JSON.stringify([...seen, count])));
      });
      const idle = createSocket('udp4').bind(0).unref();
      server.bind(0, '127.0.0.1', () => {
        const client = createSocket('udp4').unref();
        for (const text of ['one', 'two']) client.send(text, server.address().port, '127.0.0.1');
      });
    });`;
    const { stdout, stderr } = await runScript(source, { nodeOptions: ['--require', register] });
    expect(stderr).toBe('');
    const names = Object.keys(nodeDgram).filter((name) => name !== 'default');
    expect(JSON.parse(stdout)).toEqual([
      true,
      true,
      true,
      true,
      ...names.sort(),
      'one',
      'of a listener',
      'two',
      3,
    ]);
  },
);

runs(
  'dgram in a cluster: its workers share a port by Node’s own handles, and have their own too',
  async () => {
    const file = path.join(temporaryFolder(), 'worker.cjs');
    writeFileSync(
      file,
      `const dgram = require('dgram');
    const shared = dgram.createSocket('udp4');
    const own = dgram.createSocket('udp4', (message) => {
      process.send([shared instanceof dgram.Socket, shared.address().address, String(message)], () => process.disconnect());
      shared.close(() => own.close());
    });
    shared.on('message', (message, { port, address }) => shared.send(message, port, address));
    shared.bind(0, '127.0.0.1', () => own.send('shared', shared.address().port, '127.0.0.1'));`,
    );
    const source = `
    const cluster = require('cluster');
    cluster.setupPrimary({ exec: process.argv[1], execArgv: ['--require', ${JSON.stringify(register)}] });
    cluster.fork().on('message', (seen) => console.log(JSON.stringify(seen)));`;
    const { stdout } = await runScript(source, { args: [file], nodeOptions: ['--require', register] });
    expect(JSON.parse(stdout)).toEqual([true, '127.0.0.1', 'shared']);
  },
);

/** A program that runs itself as its child, without the hook and with it. */
const FORK = `
  const net = require('net'), dgram = require('dgram');
  const { fork, spawn } = require('child_process');
  const { once } = require('events');
  const textOf = async (socket) => (await socket.setEncoding('utf8').toArray()).join('');
  const listen = async (server) => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return server.address().port;
  };
  const kinds = {
    socket: (socket) => socket.end('from the child, a Socket: ' + (socket instanceof net.Socket)),
    kept: (socket) => socket.write('child', () => process.send('written', () => socket.destroy())),
    server: (server) => {
      server.on('connection', (socket) => socket.end('served by the child'));
      process.once('message', () => server.close());
      process.send('serving');
    },
    udp: (socket) => {
      socket.on('message', (message, { port, address }) => {
        socket.send('echo ' + message, port, address, () => socket.close());
      });
      process.send('bound');
    },
    back: async (port) => {
      const socket = net.connect(port, '127.0.0.1');
      await once(socket, 'connect');
      process.send('socket', socket, () => process.disconnect());
    },
  };`;

for (const isHooked of [false, true]) {
  const side = isHooked ? 'ours' : 'Node’s own';
  runs(`a child process is given sockets and servers, and gives one back: ${side}`, async () => {
    const file = path.join(temporaryFolder(), 'fork.cjs');
    const source = `${FORK}
    if (process.argv[2] === 'child') process.on('message', ({ kind, port }, handle) => kinds[kind]?.(handle ?? port));
    else (async () => {
      const seen = [];
      const child = fork(__filename, ['child']);
      const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const connectOnce = async () => {
        const client = net.connect(server.address().port, '127.0.0.1');
        return [client, (await once(server, 'connection'))[0]];
      };
      const [first, given] = await connectOnce();
      child.send({ kind: 'socket' }, given, (error) => seen.push(error));
      seen.push(await textOf(first));
      const [second, kept] = await connectOnce();
      child.send({ kind: 'kept' }, kept, { keepOpen: true });
      await once(child, 'message');
      kept.resume().end(' and parent');
      seen.push(await textOf(second));
      const third = net.createServer(() => seen.push('not here'));
      const port = await listen(third);
      child.send({ kind: 'server' }, third);
      await once(child, 'message');
      third.close();
      seen.push(await textOf(net.connect(port, '127.0.0.1')));
      child.send({});
      const udp = dgram.createSocket('udp4').bind(0, '127.0.0.1');
      await once(udp, 'listening');
      const { port: udpPort } = udp.address();
      child.send({ kind: 'udp' }, udp);
      await once(child, 'message');
      udp.close();
      const client = dgram.createSocket('udp4');
      client.send('datagram', udpPort, '127.0.0.1');
      seen.push(String((await once(client, 'message'))[0]));
      client.close();
      const accepted = once(server, 'connection');
      child.send({ kind: 'back', port: server.address().port });
      const [, back] = await once(child, 'message');
      seen.push(back instanceof net.Socket);
      back.end('through the parent');
      seen.push(await textOf((await accepted)[0]));
      server.close(() => console.log(JSON.stringify(seen)));
    })();`;
    writeFileSync(file, source);
    const nodeOptions = isHooked ? ['--require', register] : [];
    const { stdout, stderr } = await runScript('require(process.argv[1])', { args: [file], nodeOptions });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual([
      ...[null, 'from the child, a Socket: true', 'child and parent', 'served by the child'],
      ...['echo datagram', true, 'through the parent'],
    ]);
  });

  runs(`connections that a child process has keep their server open: ${side}`, async () => {
    const file = path.join(temporaryFolder(), 'count.cjs');
    const source = `${FORK}
    if (process.argv[2] === 'child') process.once('message', (kind, socket) => {
      process.once('message', () => socket.end('done', () => process.disconnect()));
      process.send('taken');
    });
    else (async () => {
      const seen = [];
      const child = fork(__filename, ['child']);
      const server = net.createServer((socket) => child.send('socket', socket));
      const client = net.connect(await listen(server), '127.0.0.1');
      await once(child, 'message');
      seen.push(await new Promise((resolve) => server.getConnections((error, count) => resolve(error ?? count))));
      const isClosed = new Promise((resolve) => server.close(resolve)).then(() => seen.push('close'));
      for (let i = 0; i < 20; i++) await new Promise(setImmediate);
      seen.push('asked');
      child.send('end');
      seen.push(await textOf(client));
      await isClosed;
      console.log(JSON.stringify(seen.slice(0, 2)), seen.length);
    })();`;
    writeFileSync(file, source);
    const nodeOptions = isHooked ? ['--require', register] : [];
    const { stdout, stderr } = await runScript('require(process.argv[1])', { args: [file], nodeOptions });
    expect([stdout, stderr]).toEqual(['[1,"asked"] 4\n', '']);
  });

  runs(`a child process has a socket as its standard output: ${side}`, async () => {
    const source = `
      const net = require('net'), { spawn } = require('child_process');
      const server = net.createServer((socket) => {
        const child = spawn(process.execPath, ['-p', '"by a child"'], { stdio: ['ignore', socket, 'inherit'], env: {} });
        child.on('close', () => server.close(socket.end('and its parent')));
      }).listen(0, '127.0.0.1', async () => {
        const client = net.connect(server.address().port, '127.0.0.1').setEncoding('utf8');
        console.log(JSON.stringify((await client.toArray()).join('')));
      });`;
    const { stdout, stderr } = await runScript(source, {
      nodeOptions: isHooked ? ['--require', register] : [],
    });
    expect([JSON.parse(stdout), stderr]).toEqual(['by a child\nand its parent', '']);
  });
}

runs('an error’s stack begins with its class and its code, as Node’s', async () => {
  const source = `
    const net = require('net'), dgram = require('dgram');
    const first = (call) => { try { call(); } catch (error) { return error.stack.split(':', 1)[0]; } };
    const socket = new net.Socket(), udp = dgram.createSocket('udp4');
    console.log(JSON.stringify([
      first(() => socket.connect({ port: 65536 })),
      first(() => udp.disconnect()),
      first(() => udp.getRecvBufferSize()),
    ]));`;
  expect(await runHooked(source)).toEqual([
    'RangeError [ERR_SOCKET_BAD_PORT]',
    'Error [ERR_SOCKET_DGRAM_NOT_CONNECTED]',
    'SystemError [ERR_SOCKET_BUFFER_SIZE]',
  ]);
});

runs('without the hook node:net and node:dgram stay Node’s, whatever of tripoll is loaded', async () => {
  const source = `
    const net = require('net'), dgram = require('dgram');
    const { connect } = net;
    for (const name of ['net', 'dgram', 'index']) require(process.argv[1] + '/' + name + '.js');
    console.log(JSON.stringify([require('net') === net, net.connect === connect, require('dgram') === dgram]));`;
  const { stdout, stderr } = await runScript(source, { args: [path.dirname(register)] });
  expect([stdout, stderr]).toEqual(['[true,true,true]\n', '']);
});
