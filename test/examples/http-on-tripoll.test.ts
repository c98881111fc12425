import http from 'node:http';
import { capabilities } from 'tripoll';
import { testIf } from '../support/applies.js';
import { expectExit, freePort, runExample, startServer } from './example.js';

const onNode = testIf(capabilities.runtime === 'node', 'Node’s own http is on our sockets');

const start = () => startServer('http-on-tripoll', ['serve', '0'], /^http:\/\/127\.0\.0\.1:(\d+)\//m);

onNode('notes are put, read and deleted, and SIGINT ends it', async () => {
  const { running, port } = await start();
  const url = `http://127.0.0.1:${port}/notes/a`;
  await expectExit(runExample('http-on-tripoll', ['put', url, 'some words']), 0, '');
  const reader = runExample('http-on-tripoll', ['get', url]);
  await expectExit(reader, 0, '');
  expect(reader.output()).toBe('some words');
  expect((await fetch(url, { method: 'DELETE' })).status).toBe(204);
  await expectExit(runExample('http-on-tripoll', ['get', url]), 1, '404 Not Found');
  running.interrupt();
  await expectExit(running, 0, '');
});

onNode('what is too long, elsewhere, or no method of its own is refused', async () => {
  const { port } = await start();
  const url = `http://127.0.0.1:${port}/notes/a`;
  const statusOf = async (place: string, init: RequestInit): Promise<number> =>
    (await fetch(place, init)).status;
  expect(await statusOf(url, { method: 'PUT', body: 'x'.repeat(64 * 1024) })).toBe(204);
  expect(await statusOf(url, { method: 'POST', body: 'x' })).toBe(405);
  expect(await statusOf(`${url}/b`, {})).toBe(404);
  const tooLong = await new Promise<http.IncomingMessage>((resolve) => {
    const request = http.request(url, { method: 'PUT' }, resolve);
    request.on('error', () => {}); // it is hung up on before it has sent all
    request.write(Buffer.alloc(65 * 1024));
  });
  expect(tooLong.statusCode).toBe(413);
  tooLong.destroy();
});

test('bad arguments and a closed port are told', async () => {
  for (const args of [[], ['serve', 'x'], ['get', 'x'], ['put', 'http://127.0.0.1/']])
    await expectExit(runExample('http-on-tripoll', args), 1, 'usage:');
  const url = `http://127.0.0.1:${await freePort()}/`;
  await expectExit(runExample('http-on-tripoll', ['get', url]), 1, 'ECONNREFUSED');
});
