// Promises of connections with handlers whose rejection nobody looks at: a peer must not be able to
// end the process by going away, and a mistake of the program must not be hidden.
import { testReset } from '../../support/applies.js';
import { expectCleanExit, runScript } from '../../support/child.js';

const prelude = `
  'use strict';
  const { listen } = require('tripoll/net');
  const net = require('node:net');
  const told = [];
  const serve = (handlers) => {
    const listener = listen({ host: '127.0.0.1', port: 0 }, {
      ...handlers,
      close(connection, error) {
        told.push(error?.code ?? 'closed');
        listener.close();
      },
    });
    const peer = net.connect(listener.localAddress.port, '127.0.0.1');
    return new Promise((resolve) => peer.once('connect', () => resolve(peer)));
  };
  process.on('exit', () => console.log(told.join()));
`;

function told(script: string): Promise<string> {
  return runScript(`${prelude}\n${script}`).then((result) => {
    expectCleanExit(result);
    return result.stdout.trim();
  });
}

testReset('what ended the connection is told by close, and by nothing else', async () => {
  const script = `
    serve({ open: (connection) => void connection.peek(new Uint8Array(1)) })
      .then((peer) => setImmediate(() => peer.resetAndDestroy()));
  `;
  expect(await told(script)).toBe('ECONNRESET');
});

testReset('nor when a handler waits for it, which without an error handler would be uncaught', async () => {
  const script = `
    serve({ async open(connection) {
      told.push('open');
      await connection.peek(new Uint8Array(1));
    } }).then((peer) => setImmediate(() => peer.resetAndDestroy()));
  `;
  expect(await told(script)).toBe('open,ECONNRESET');
});

test('a wrong argument that nobody looks at is an unhandled rejection', async () => {
  const result = await runScript(`${prelude}
    serve({ open: (connection) => void connection.peek('text') });
  `);
  expect(result.code).toBe(1);
  // Deno shows no code.
  expect(result.stderr).toContain('buffer must be a Uint8Array');
});
