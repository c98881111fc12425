// What needs a process of its own: an uncaught error, an exit.
import { capabilities } from 'tripoll';
import { reportOf, runScript, type ChildResult } from '../../support/child.js';

const prelude = `
  'use strict';
  const net = require('node:net');
  const { Reactor } = require('tripoll');
  const { listen, connect, TcpListener, TcpStream, copyBidirectional } = require('tripoll/net');
  const host = '127.0.0.1';
  const report = (value) => console.log(JSON.stringify(value));
`;

describe.each(capabilities.backends)('in a process of their own, %s', (backend) => {
  const run = (script: string): Promise<ChildResult> =>
    runScript(`${prelude}\n${script}`, { env: { TRIPOLL_BACKEND: backend } });

  test.each([`maxConnections: 0`, `blockList: Object.assign(new net.BlockList(), { check: () => true })`])(
    'a drop handler that throws is uncaught, and does not end the listener (%s)',
    async (option) => {
      const result = await run(`
        const told = [];
        process.on('uncaughtException', (error) => told.push(error.message));
        const listener = listen({ host, port: 0, ${option} }, {
          drop(_, { reason }) {
            told.push(reason);
            if (told.length < 6) throw new Error('thrown');
            listener.close();
          },
        });
        for (let i = 0; i < 4; i++) net.connect(listener.localAddress.port, host).on('error', () => {});
        process.on('exit', () => report(told));
      `);
      const told = reportOf(result) as string[];
      const reason = told[0];
      expect(['max-connections', 'blocked']).toContain(reason);
      expect(told).toEqual([reason, 'thrown', reason, 'thrown', reason, 'thrown', reason]);
    },
  );

  test('a blockList that throws does not end the process unheard', async () => {
    const result = await run(`
      const told = [];
      process.on('uncaughtException', (error) => told.push(error.message));
      const blockList = { check() { throw new Error('asked'); } };
      const listener = listen({ host, port: 0, blockList }, { open() { told.push('open'); } });
      net.connect(listener.localAddress.port, host)
        .on('error', () => {})
        .on('close', () => { listener.close(); report(told); });
    `);
    expect(reportOf(result)).toEqual(['asked']);
  });

  test('a time that is given to an operation ends with it: the process does not wait for it', async () => {
    const result = await run(`
      (async () => {
        const from = performance.now();
        const listener = await TcpListener.bind({ host, port: 0 });
        const accepting = listener.accept({ timeoutMs: 60000 });
        const stream = await TcpStream.connect({ host, port: listener.localAddress.port }, { timeoutMs: 60000 });
        const { stream: other } = await accepting;
        const reading = other.read(new Uint8Array(9), { timeoutMs: 60000 });
        await stream.writeAll(Buffer.from('x'), { timeoutMs: 60000 });
        await reading;
        const copying = copyBidirectional(stream, other, { timeoutMs: 60000 }).catch(() => {});
        stream.close();
        await copying;
        listener.close();
        process.on('exit', () => report(performance.now() - from < 10000));
      })();
    `);
    expect(reportOf(result)).toBe(true);
  });

  test.each(['dispose', 'asyncDispose'])('%s closes in every state, and may come twice', async (name) => {
    const result = await run(`
      const end = (closable) => [closable[Symbol.${name}](), closable[Symbol.${name}]()];
      const told = [];
      const handlers = { error() { told.push('error'); }, close(_, error) { told.push(error); } };
      (async () => {
        const listener = await TcpListener.bind({ host, port: 0 });
        const { port } = listener.localAddress;
        end(connect({ host: 'localhost', port }, handlers));
        end(connect({ host, port }, handlers));
        await new Promise((open) => connect({ host, port }, { ...handlers, open(opened) { end(opened); open(); } }));
        const client = await TcpStream.connect({ host, port });
        const other = await TcpStream.connect({ host, port });
        const codes = [];
        const code = (error) => codes.push(error.code);
        const reading = client.read(new Uint8Array(1)).catch(code);
        const accepting = (async () => { for (;;) await listener.accept(); })().catch(code);
        await Promise.all(end(client));
        await reading;
        if ('${name}' === 'dispose') {
          const { reader, writer } = other.split();
          end(reader);
          codes.push(other.closed);
          end(writer);
        } else {
          codes.push(other.closed);
          end(other);
        }
        codes.push(other.closed);
        await Promise.all(end(listener));
        await accepting;
        process.on('exit', () => report({ told, codes }));
      })();
    `);
    const closed = 'ERR_TRIPOLL_CLOSED';
    expect(reportOf(result)).toEqual({ told: [null, null, null], codes: [closed, false, true, closed] });
  });
});
