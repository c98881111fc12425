// Node's modules take a Socket of ours through a wrapper of theirs, which has phases of its own.
import path from 'node:path';
import { capabilities } from 'tripoll';
import { testIf } from '../support/applies.js';
import { packageRoot, reportOf, runScript } from '../support/child.js';

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
