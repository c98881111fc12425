import net from 'node:net';
import { once } from 'node:events';
import { within } from '../support/deadline.js';
import { digest, pattern } from '../net/tools.js';
import { expectExit, runExample, startServer, type Example } from './example.js';

function start(): Promise<{ running: Example; port: number }> {
  return startServer('tcp-echo', ['127.0.0.1:0'], /^echo on 127\.0\.0\.1:(\d+)$/m);
}

async function echoed(port: number, sent: Buffer): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const socket = net.connect(port, '127.0.0.1');
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.end(sent);
  await once(socket, 'end');
  return Buffer.concat(chunks);
}

test('it echoes, to several at once, and ends on SIGINT', async () => {
  const { running, port } = await start();
  const sent = [1, 2, 3, 4, 5].map((seed) => pattern(seed * 300_000, seed));
  const received = await within(Promise.all(sent.map((bytes) => echoed(port, bytes))), 'echoes');
  expect(received.map(digest)).toEqual(sent.map(digest));

  const idle = net.connect(port, '127.0.0.1');
  idle.write('x');
  await within(once(idle, 'data'), 'the echo of the last');
  running.interrupt();
  await expectExit(running, 0, '');
  idle.destroy();
});

test('a client that resets is not the end of the others', async () => {
  const { running, port } = await start();
  const rude = net.connect(port, '127.0.0.1');
  rude.write('x');
  await within(once(rude, 'data'), 'an echo');
  rude.resetAndDestroy();
  expect((await within(echoed(port, Buffer.from('hello')), 'an echo')).toString()).toBe('hello');
  running.interrupt();
  await expectExit(running, 0);
});

test.each([[['--help']], [['127.0.0.1:0', 'more']]])('%j: usage', async (args) => {
  await expectExit(runExample('tcp-echo', args), 2, 'usage:');
});

test('a name is no address to listen on', async () => {
  await expectExit(runExample('tcp-echo', ['localhost:0']), 1, 'localhost');
});
