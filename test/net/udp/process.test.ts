// What needs a process of its own.
import { expectCleanExit, runScript } from '../../support/child.js';

test('T51 an unref’d socket does not keep the process, a ref’d one does', async () => {
  const unrefed = await runScript(`
    const { bindUdp, UdpSocket } = require('tripoll/net');
    bindUdp({ host: '127.0.0.1', port: 0 }, { datagrams() {} }).unref();
    UdpSocket.bind('127.0.0.1:0').then((socket) => { socket.unref().receive(new Uint8Array(1)); });
  `);
  expectCleanExit(unrefed);
  const refed = await runScript(
    `require('tripoll/net').bindUdp({ host: '127.0.0.1', port: 0 }, { datagrams() {} });`,
    { deadlineMs: 1000 },
  );
  expect(refed.timedOut).toBe(true);
});

test('under TRIPOLL_DEBUG a lent batch is overwritten when its handler has returned', async () => {
  const result = await runScript(
    `
    const { bindUdp, UdpSocket } = require('tripoll/net');
    const endpoint = bindUdp({ host: '127.0.0.1', port: 0 }, {
      datagrams(self, batch) {
        const kept = batch.payload(0);
        console.log(kept[0]);
        setImmediate(() => { console.log(kept[0]); self.close(); });
      },
    });
    UdpSocket.connect({ host: '127.0.0.1', port: endpoint.localAddress.port }).then(async (socket) => {
      await socket.send(new Uint8Array([7]));
      socket.close();
    });
  `,
    { env: { TRIPOLL_DEBUG: '1' } },
  );
  expectCleanExit(result);
  expect(result.stdout).toBe('7\n219\n');
});

test('what a handler throws without an error handler is an uncaughtException', async () => {
  const result = await runScript(`
    const { bindUdp, UdpSocket } = require('tripoll/net');
    process.on('uncaughtException', (error) => { console.log(error.message, endpoint.closed); endpoint.close(); });
    const endpoint = bindUdp({ host: '127.0.0.1', port: 0 }, { datagrams() { throw new Error('mine'); } });
    UdpSocket.connect({ host: '127.0.0.1', port: endpoint.localAddress.port }).then(async (socket) => {
      await socket.send(new Uint8Array([7]));
      socket.close();
    });
  `);
  expectCleanExit(result);
  expect(result.stdout).toBe('mine false\n');
});
