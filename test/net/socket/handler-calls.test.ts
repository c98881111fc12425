// Who is told of what a user's handler throws: the same of every kind of socket that has handlers.
import { reportOf, runScript } from '../../support/child.js';
import { testIf } from '../../support/applies.js';
import { isWindows } from '../../support/platform.js';
import { legsHere } from '../tools.js';

/**
 * Each opens a socket with `came`, `error` and `close` as its handlers, and has something come for
 * it.
 */
const KINDS = {
  TCP: `(handlers) => {
    const listener = net.listen({ host: '127.0.0.1', port: 0, reactor }, {
      data: handlers.came, error: handlers.error,
      close(socket, error) { listener.close(); return handlers.close(socket, error); },
    });
    net.TcpStream.connect({ host: '127.0.0.1', port: listener.localAddress.port }, { reactor })
      .then(async (stream) => { await stream.writeAll(Buffer.from('x')); await stream.read(new Uint8Array(1)); stream.close(); })
      .catch(() => {});
  }`,
  'Unix stream': `(handlers) => {
    const listener = net.listenUnix({ path: newPath(), reactor }, {
      data: handlers.came, error: handlers.error,
      close(socket, error) { listener.close(); return handlers.close(socket, error); },
    });
    net.UnixStream.connect(listener.localAddress, { reactor })
      .then(async (stream) => { await stream.writeAll(Buffer.from('x')); await stream.read(new Uint8Array(1)); stream.close(); })
      .catch(() => {});
  }`,
  UDP: `(handlers) => {
    const socket = net.bindUdp({ host: '127.0.0.1', port: 0, reactor }, {
      datagrams: handlers.came, error: handlers.error, close: handlers.close,
    });
    net.UdpSocket.connect({ host: '127.0.0.1', port: socket.localAddress.port }, { reactor })
      .then(async (sender) => { await sender.send(Buffer.from('x')); sender.close(); });
  }`,
  'Unix datagram': `(handlers) => {
    const path = newPath();
    net.bindUnixDatagram({ path, reactor }, { message: handlers.came, error: handlers.error, close: handlers.close });
    const sender = net.UnixDatagram.unbound({ reactor });
    sender.send(Buffer.from('x'), path).then(() => sender.close());
  }`,
};

const CASES = `{
  'throws': { came() { throw new Error('mine'); }, error: true },
  'rejects': { async came() { throw new Error('mine'); }, error: true },
  'throws a string': { came() { throw 'mine'; }, error: true },
  'throws an object without a prototype': { came() { throw Object.create(null); }, error: true },
  'throws, nobody is told': { came() { throw new Error('mine'); } },
  'rejects, nobody is told': { async came() { throw new Error('mine'); } },
  'error throws': { came() { throw new Error('mine'); }, error() { throw new Error('second'); } },
  'error rejects': { came() { throw new Error('mine'); }, async error() { throw new Error('second'); } },
  'rejects after the close': { async came(socket) { socket.close(); await closed(); throw new Error('late'); }, error: true },
  'finds it closed': { async came(socket) { socket.close(); await closed(); await (socket.write ?? socket.send).call(socket, Buffer.from('x')); }, error: true },
  'close throws': { came(socket) { socket.close(); }, close() { throw new Error('mine'); }, error: true },
  'close rejects': { came(socket) { socket.close(); }, async close() { throw new Error('mine'); }, error: true },
}`;

const script = ({ driver, backend }: (typeof legsHere)[number], kind: string): string => `
  'use strict';
  const { AsyncLocalStorage } = require('node:async_hooks');
  const fs = require('node:fs'), os = require('node:os'), path = require('node:path');
  const { Reactor } = require('tripoll');
  const net = require('tripoll/net');
  const reactor = new Reactor({ driver: '${driver}', backend: '${backend}' });
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tripoll-handlers-'));
  let names = 0;
  const newPath = () => path.join(folder, 'socket-' + ++names);
  const storage = new AsyncLocalStorage();
  let told = [], current = null;
  const note = (what, error) => told.push(what + ' ' + (error?.code ?? error?.message) + (storage.getStore() ? '' : ' of nobody'));
  process.on('uncaughtException', (error) => { told.push('uncaught ' + error.message); current.close(); });
  process.on('unhandledRejection', (error) => told.push('unhandled ' + error.message));
  const closed = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  const start = ${kind};
  const cases = ${CASES};
  (async () => {
    const report = {};
    for (const [name, { came, error, close }] of Object.entries(cases)) {
      told = [];
      const over = new Promise((resolve) => {
        const handlers = {
          came(socket) { current = socket; return came(socket); },
          close(socket) { note('close'); closed().then(closed).then(resolve); return close?.(socket); },
        };
        if (error !== undefined)
          handlers.error = (socket, error_) => { note('error', error_); socket.close(); return typeof error === 'function' ? error() : undefined; };
        storage.run({}, () => start(handlers));
      });
      await over;
      report[name] = told;
    }
    fs.rmSync(folder, { recursive: true });
    console.log(JSON.stringify(report));
  })();
`;

const expected = {
  throws: ['error mine', 'close undefined'],
  rejects: ['error mine', 'close undefined'],
  'throws a string': ['error ERR_TRIPOLL_STATE', 'close undefined'],
  'throws an object without a prototype': ['error ERR_TRIPOLL_STATE', 'close undefined'],
  'throws, nobody is told': ['uncaught mine', 'close undefined'],
  'rejects, nobody is told': ['uncaught mine', 'close undefined'],
  'error throws': ['error mine', 'uncaught second', 'close undefined'],
  'error rejects': ['error mine', 'close undefined', 'uncaught second'],
  'rejects after the close': ['close undefined', 'uncaught late'],
  'finds it closed': ['close undefined'],
  'close throws': ['close undefined', 'uncaught mine'],
  'close rejects': ['close undefined', 'uncaught mine'],
};

describe.each(legsHere)('handlers, $driver $backend', (leg) => {
  for (const [name, kind] of Object.entries(KINDS)) {
    testIf(!isWindows || name === 'TCP' || name === 'UDP', 'Windows has no Unix sockets')(
      `what handlers of a socket throw: ${name}`,
      async () => {
        expect(reportOf(await runScript(script(leg, kind)))).toEqual(expected);
      },
    );
  }
});
