// Node's modules take a Socket of ours through a wrapper of theirs, which has phases of its own.
import path from 'node:path';
import { capabilities } from 'tripoll';
import { testIf } from '../support/applies.js';
import { packageRoot, reportOf, runScript } from '../support/child.js';
import { secrets } from '../support/secrets.js';

const register = path.join(packageRoot, 'dist/node/register.js');
const runs = testIf(capabilities.runtime === 'node', 'it leads Node’s own modules to ours');

runs('T107 http2: a client that ends its side with its request', async () => {
  // Each is answered a phase of the loop later than the one before.
  const source = `
    const http2 = require('http2'), net = require('net');
    const { once } = require('events');
    const later = (phases, call) => phases === 0 ? call() : setImmediate(() => later(phases - 1, call));
    let count = 0;
    const server = http2.createServer((request, response) => {
      later(count++, () => response.stream.destroyed || response.end('answer'));
    });
    const frame = (hex, ...rest) => Buffer.concat([Buffer.from(hex, 'hex'), ...rest]);
    const opening = Buffer.concat([
      Buffer.from('PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n'),
      frame('000000040000000000'), // SETTINGS
      frame('00000e01050000000182868441', Buffer.from('\\t127.0.0.1')), // GET /
    ]);
    server.listen(0, '127.0.0.1', async () => {
      const answered = [];
      for (let i = 0; i < 40; i++) {
        const socket = net.connect(server.address().port, '127.0.0.1');
        const chunks = [];
        socket.on('data', (chunk) => chunks.push(chunk)).on('error', () => {});
        socket.end(opening);
        await once(socket, 'close');
        answered.push(Buffer.concat(chunks).includes('answer'));
      }
      server.close(() => console.log(JSON.stringify({ count, first: answered[0] })));
    });`;
  expect(reportOf(await runScript(source, { nodeOptions: ['--require', register] }))).toEqual({
    count: 40,
    first: true,
  });
});

runs('T108 http2 without TLS: names and options are those of the Socket below', async () => {
  const source = `
    const http2 = require('http2'), net = require('net');
    const { setNoDelay } = net.Socket.prototype;
    let noDelay = 0;
    net.Socket.prototype.setNoDelay = function (...args) {
      noDelay++;
      return setNoDelay.apply(this, args);
    };
    const server = http2.createServer(({ socket }, response) => {
      const { remoteAddress, localAddress, localPort } = socket;
      response.end(JSON.stringify({ remoteAddress, localAddress, isPort: localPort === server.address().port }));
    });
    server.listen(0, '127.0.0.1', async () => {
      const session = http2.connect('http://127.0.0.1:' + server.address().port);
      const seen = JSON.parse((await session.request().setEncoding('utf8').toArray()).join(''));
      session.close();
      server.close(() => console.log(JSON.stringify({ ...seen, noDelay })));
    });`;
  expect(reportOf(await runScript(source, { nodeOptions: ['--require', register] }))).toEqual({
    remoteAddress: '127.0.0.1',
    localAddress: '127.0.0.1',
    isPort: true,
    noDelay: 2,
  });
});

/** The wrapper that TLS has over a Socket, and what Node is told of its writes. */
const WRAPPER = `
  const net = require('net'), tls = require('tls');
  const { once } = require('events');
  const told = [];
  const wrapperTo = async (accept) => {
    const server = net.createServer(accept).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = net.connect(server.address().port, '127.0.0.1').on('error', () => {});
    await once(socket, 'connect');
    server.close();
    const wrap = new tls.TLSSocket(socket).on('error', () => {})._handle._parentWrap;
    // Node's own would look for its requests, which these are not.
    wrap._handle.finishWrite = (request, status) => told.push([request, Math.sign(status)]);
    return wrap;
  };
  const parts = (letter) => [Buffer.alloc(8 << 20, letter), Buffer.from(letter), Buffer.from('\\n')];
  const report = (value) => {
    console.log(JSON.stringify(value));
    process.exit();
  };`;

describe.each(capabilities.backends)('writes through the wrapper on %s', (backend) => {
  const run = async (source: string): Promise<unknown> => {
    const options = { nodeOptions: ['--require', register], env: { TRIPOLL_BACKEND: backend } };
    return reportOf(await runScript(`${WRAPPER}\n(async () => {${source}})();`, options));
  };

  runs('T107 one that comes during another follows it, and is told after it', async () => {
    const source = `
      let peer;
      const wrap = await wrapperTo((socket) => (peer = socket.pause()));
      const taken = ['a', 'b', 'c'].map((letter) => wrap.doWrite(letter, parts(letter)));
      const waiting = told.length === 0;
      wrap.doShutdown('end');
      wrap._handle.finishShutdown = (request, status) => told.push([request, status]);
      while (peer === undefined) await new Promise(setImmediate);
      let lines = '', bytes = 0;
      for await (const chunk of peer) {
        bytes += chunk.length;
        lines += chunk.toString().replace(/(.)\\1*/g, '$1');
      }
      while (told.length < 4) await new Promise(setImmediate);
      report({ taken, waiting, told, bytes, lines: lines.replace(/(\\w)\\1*/g, '$1') });`;
    const bytes = 3 * ((8 << 20) + 2);
    const told = ['a', 'b', 'c', 'end'].map((name) => [name, 0]);
    expect(await run(source)).toEqual({ taken: [0, 0, 0], waiting: true, told, bytes, lines: 'a\nb\nc\n' });
  });

  runs('T107 those under way are told once each, in their order, when the Socket closes', async () => {
    const source = `
      const wrap = await wrapperTo((socket) => socket.pause().on('error', () => {}));
      const taken = ['a', 'b'].map((letter) => wrap.doWrite(letter, parts(letter)));
      wrap.stream.destroy();
      await once(wrap.stream, 'close');
      while (told.length < 2) await new Promise(setImmediate);
      for (let i = 0; i < 5; i++) await new Promise(setImmediate);
      report({ taken, told });`;
    // Of the one under way node:net says no error either.
    const told = [
      ['a', 0],
      ['b', -1],
    ];
    expect(await run(source)).toEqual({ taken: [0, 0], told });
  });

  runs('T107 one that comes when the wrapper is closing is cancelled, a second is refused', async () => {
    const source = `
      const wrap = await wrapperTo((socket) => socket.pause().on('error', () => {}));
      wrap.destroy();
      const taken = ['a', 'b'].map((letter) => Math.sign(wrap.doWrite(letter, parts(letter))));
      while (told.length < 1) await new Promise(setImmediate);
      for (let i = 0; i < 5; i++) await new Promise(setImmediate);
      report({ taken, told });`;
    expect(await run(source)).toEqual({ taken: [0, -1], told: [['a', -1]] });
  });
});

runs('T111 tls: listeners of close may ask and listen', async () => {
  const source = `
    const tls = require('tls');
    const events = [];
    const lookup = (name, options, done) => done(Object.assign(new Error('none'), { code: 'ENOTFOUND' }));
    const socket = tls.connect({ host: 'nowhere.test', port: 1, lookup });
    socket.on('error', ({ code }) => events.push(code));
    socket.on('close', () => {
      events.push('close', socket.getProtocol(), socket.getPeerCertificate());
      socket.on('keylog', () => {}).on('session', () => {});
      socket.getSession();
      console.log(JSON.stringify(events));
    });`;
  expect(reportOf(await runScript(source, { nodeOptions: ['--require', register] }))).toEqual([
    'ENOTFOUND',
    'close',
    null,
    null,
  ]);
});

/** A peer of HTTP/2 that sends the frames it is told to, and `eventsOf` a stream, up to `close`. */
const FRAMES = `
  const http2 = require('http2'), net = require('net'), tls = require('tls');
  const { once } = require('events');
  const secrets = ${JSON.stringify(secrets)};
  const frame = (type, flags, id, payload = '') => {
    const bytes = Buffer.from(payload, 'hex');
    const head = Buffer.alloc(9);
    head.writeUIntBE(bytes.length, 0, 3);
    head[3] = type;
    head[4] = flags;
    head.writeUInt32BE(id, 5);
    return Buffer.concat([head, bytes]);
  };
  const SETTINGS = frame(4, 0, 0), ACK = frame(4, 1, 0), RESET = frame(3, 0, 1, '00000000');
  const WIDE = Buffer.concat([frame(4, 0, 0, '00047fffffff'), frame(8, 0, 0, '70000000')]); // all windows
  const REFUSAL = frame(1, 5, 1, '8c'); // :status 400, END_STREAM
  /** Has all of a window: answers. */
  const whenFull = (socket, call) => {
    let bytes = 0;
    socket.on('error', () => {}).on('data', ({ length }) => {
      if (bytes < 65_535 && (bytes += length) >= 65_535) call();
    });
  };
  const listening = async (server) => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return server.address().port;
  };
  const eventsOf = async (stream) => {
    const events = [];
    for (const event of ['response', 'aborted', 'end', 'error']) stream.on(event, () => events.push(event));
    await once(stream, 'close');
    return [...events.sort(), stream.rstCode];
  };
  const report = (events) => {
    console.log(JSON.stringify(events));
    process.exit();
  };`;

/** What must have happened to a stream that was refused in the middle, in this order or that. */
const REFUSED = ['aborted', 'end', 'response', 0];

describe.each(capabilities.backends)('T110 http2 on %s', (backend) => {
  const eventsIn = async (source: string): Promise<unknown> => {
    const options = { nodeOptions: ['--require', register], env: { TRIPOLL_BACKEND: backend } };
    return reportOf(await runScript(`${FRAMES}\n(async () => {${source}})();`, options));
  };

  for (const scheme of ['http', 'https'])
    runs(`${scheme}: an answer and a reset that come together end an upload`, async () => {
      const source = `
        const isTls = ${scheme === 'https'};
        const open = (socket) => {
          socket.write(Buffer.concat([SETTINGS, ACK]));
          whenFull(socket, () => socket.write(Buffer.concat([REFUSAL, RESET])));
        };
        const server = isTls
          ? tls.createServer({ ...secrets, ALPNProtocols: ['h2'] }, open)
          : net.createServer(open);
        const url = '${scheme}://127.0.0.1:' + (await listening(server));
        const session = http2.connect(url, { rejectUnauthorized: false });
        const sent = session.request({ ':method': 'POST' });
        // More than the window of a stream: the rest is never sent.
        sent.write(Buffer.alloc(65_536));
        sent.write(Buffer.alloc(65_536));
        report(await eventsOf(sent.resume()));`;
      expect(await eventsIn(source)).toEqual(REFUSED);
    });

  runs('an answer that is read long after its reset ends an upload', async () => {
    const source = `
      const server = net.createServer((socket) => {
        socket.write(Buffer.concat([SETTINGS, ACK]));
        const answer = [frame(1, 4, 1, '8c'), frame(0, 1, 1, '62'), RESET];
        whenFull(socket, () => socket.write(Buffer.concat(answer)));
      });
      const session = http2.connect('http://127.0.0.1:' + (await listening(server)));
      const sent = session.request({ ':method': 'POST' });
      sent.write(Buffer.alloc(65_536));
      sent.once('aborted', () => setImmediate(() => sent.resume()));
      report(await eventsOf(sent));`;
    expect(await eventsIn(source)).toEqual(REFUSED);
  });

  runs('an answer that comes while a write waits for the socket ends it when that is done', async () => {
    const source = `
      const seen = [];
      let sent, isDone = false;
      const server = net.createServer((socket) => {
        socket.write(Buffer.concat([WIDE, ACK]));
        whenFull(socket, () => {
          socket.pause().write(Buffer.concat([REFUSAL, RESET]), () => {
            seen.push(!isDone && !sent.closed);
            socket.resume();
          });
        });
      });
      const session = http2.connect('http://127.0.0.1:' + (await listening(server)));
      await once(session, 'remoteSettings');
      sent = session.request({ ':method': 'POST' });
      // More than loopback has room for, less than the memory of a session.
      sent.write(Buffer.alloc(9 << 20), () => (isDone = true));
      const events = await eventsOf(sent.resume());
      report([...seen, ...events]);`;
    expect(await eventsIn(source)).toEqual([true, ...REFUSED]);
  });

  runs('a client that resets what waits for its window ends the response', async () => {
    const source = `
      const server = http2.createServer();
      server.on('stream', async (stream) => {
        stream.respond({ ':status': 200 });
        stream.write(Buffer.alloc(65_536));
        stream.write(Buffer.alloc(65_536));
        report(await eventsOf(stream));
      });
      const socket = net.connect(await listening(server), '127.0.0.1');
      const request = frame(1, 5, 1, '828684410131'); // GET / of "1"
      socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n'), SETTINGS, request]));
      whenFull(socket, () => socket.write(RESET));`;
    expect(await eventsIn(source)).toEqual(['aborted', 'end', 0]);
  });
});
