import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { testServing } from '../support/applies.js';
import { within } from '../support/deadline.js';
import { expectExit, runExample, startServer } from './example.js';

const LISTENING = /listening on (\d+)/;

async function connected(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await within(once(socket, 'connect'), 'a connection');
  return socket;
}

async function echoed(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [chunk] = (await within(once(socket, 'data'), 'an echo')) as [Buffer];
  return chunk.toString();
}

testServing('it echoes on all workers, reloads, and drains', async () => {
  const { running, port } = await startServer('cluster-echo', ['0', '2'], LISTENING);
  const sockets = await Promise.all(Array.from({ length: 8 }, () => connected(port)));
  for (const socket of sockets) expect(await echoed(socket, 'hello')).toBe('hello');
  const ends = sockets.map((socket) => once(socket, 'close'));
  process.kill(running.pid!, 'SIGHUP');
  // Old threads tell their connections, which end; others come meanwhile.
  await running.printed(/reloaded/);
  await within(Promise.all(ends), 'the end of old connections');
  const later = await connected(port);
  expect(await echoed(later, 'again')).toBe('again');
  const end = once(later, 'close');
  process.kill(running.pid!, 'SIGTERM');
  await expectExit(running, 0, '');
  await end;
  expect(running.output()).toMatch(/worker 0: \d open, \d accepted; worker 1: /);
  expect(running.output()).toContain('1 connections finished, 0 closed');
});

test.each([[['x']], [['70000']], [['0', '0']], [['1', '2', '3']]])('%j: usage', async (args) => {
  await expectExit(runExample('cluster-echo', args), 2, 'usage:');
});
