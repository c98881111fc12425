// Clients that are slow, rude or in a hurry, against Node's http server on tripoll's sockets.
import { once } from 'node:events';
import { promisify } from 'node:util';
import { bodyOf, hashOfBody, newHash } from './body.js';
import { connectRaw, curl, stateOf, untilState } from './http-client.js';
import { runProgram, startApp, startProgram, testWithPrograms, type App } from './tools.js';

/** Of headers, and of a whole request: what is left of it is told at each look. */
const TIMEOUTS = { headersTimeout: 300, requestTimeout: 600, connectionsCheckingInterval: 50 };

const withCurl = testWithPrograms('curl');

let app: App;
beforeAll(async () => {
  app = await startApp('http-server', { args: ['http'] });
});

const urlOf = (route: string): string => `http://127.0.0.1:${app.ready.port}${route}`;
const bodyIn = (answer: Buffer): Buffer => answer.subarray(answer.indexOf('\r\n\r\n') + 4);
const hashOf = (bytes: Buffer): string => newHash().update(bytes).digest('hex');

withCurl('a hundred requests in one segment are answered in their order', async () => {
  const client = await connectRaw(app);
  const sizes = Array.from({ length: 100 }, (_value, i) => (i * 37) % 1000);
  const requests = sizes.map((size) => `GET /bytes/${size} HTTP/1.1\r\nhost: x\r\n\r\n`);
  client.socket.write(
    `${requests.slice(0, -1).join('')}${requests.at(-1)!.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n')}`,
  );
  let rest = await client.untilEnd();
  for (const size of sizes) {
    const body = bodyIn(rest);
    expect(rest.toString('latin1', 0, 200)).toMatch(
      new RegExp(`^HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n`),
    );
    expect(hashOf(body.subarray(0, size))).toBe(hashOfBody(size));
    rest = body.subarray(size);
  }
  expect(rest).toHaveLength(0);
});

withCurl('a request that comes byte by byte', async () => {
  const client = await connectRaw(app);
  client.socket.setNoDelay(true);
  const text =
    'POST /hash HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n';
  const write = promisify(
    client.socket.write.bind(client.socket) as (text: string, done: () => void) => void,
  );
  for (const letter of text) await write(letter);
  const answer = await client.untilEnd();
  expect(bodyIn(answer).toString()).toContain(hashOf(Buffer.from('abc')));
});

withCurl('an upgrade: what came with it, and what comes after', async () => {
  const client = await connectRaw(app);
  const head = 'GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n';
  const body = Buffer.concat([...bodyOf(1_000_000)]);
  client.socket.write(Buffer.concat([Buffer.from(head), body.subarray(0, 1000)]));
  await client.until((received) => bodyIn(received).length === 1000, 'what came with the upgrade');
  client.socket.end(body.subarray(1000));
  const answer = await client.untilEnd();
  expect(answer.toString('latin1', 0, 40)).toMatch(/^HTTP\/1.1 101 Switching Protocols\r\n/);
  expect(hashOf(bodyIn(answer))).toBe(hashOfBody(1_000_000));
});

withCurl('a client that does not read holds up nobody, and gets all once it does', async () => {
  const slow = await connectRaw(app);
  slow.socket.pause();
  slow.socket.write('GET /bytes/50000000 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  for (let i = 0; i < 5; i++) expect(await curl([urlOf('/')])).toBe('hello\n');
  slow.socket.resume();
  expect(hashOf(bodyIn(await slow.untilEnd()))).toBe(hashOfBody(50_000_000));
});

withCurl('curl at 2 MB a second, down', async () => {
  const args = ['--limit-rate', '2M', '--write-out', '%{size_download}', '--output', '/dev/null'];
  expect(await curl([...args, urlOf('/bytes/3000000')])).toBe('3000000');
});

withCurl('clients that go in the middle of a body down: no connection and no fd stays', async () => {
  const before = await stateOf(app);
  for (let i = 0; i < 10; i++) {
    // `head` has enough, and curl has nobody to write to: 23.
    const script = `curl --silent --noproxy '*' ${urlOf('/bytes/100000000')} | head -c 100000 | wc -c`;
    const { stdout } = await runProgram('sh', { args: ['-c', script] });
    expect(stdout.trim()).toBe('100000');
  }
  const after = await untilState(
    app,
    ({ aborted, open }) => aborted === before.aborted + 10 && open === 1,
    'ten aborted',
  );
  expect(after.fds).toBe(before.fds);
});

withCurl('clients that are killed in the middle of a body up: likewise', async () => {
  const before = await stateOf(app);
  for (let i = 1; i <= 10; i++) {
    const script = `(head -c 1000000 /dev/zero; exec sleep 60) | curl --silent --noproxy '*' --request POST --header expect: --upload-file - ${urlOf('/hash')}`;
    const isUnderWay = async (): Promise<boolean> => (await stateOf(app)).uploads === before.uploads + i;
    const program = await startProgram('sh', isUnderWay, { args: ['-c', script] });
    await program.stop('SIGKILL');
    await untilState(app, ({ aborted, open }) => aborted === before.aborted + i && open === 1, 'one aborted');
  }
  expect((await stateOf(app)).fds).toBe(before.fds);
});

withCurl('clients that reset their connection: likewise', async () => {
  const before = await stateOf(app);
  for (let i = 0; i < 20; i++) {
    const client = await connectRaw(app);
    client.socket.write('GET /bytes/100000000 HTTP/1.1\r\nhost: x\r\n\r\n');
    await client.until((received) => received.length > 0, 'the answer’s first bytes');
    client.socket.resetAndDestroy();
    await once(client.socket, 'close').catch(() => undefined);
  }
  const after = await untilState(
    app,
    ({ aborted, open }) => aborted === before.aborted + 20 && open === 1,
    'twenty aborted',
  );
  expect(after.fds).toBe(before.fds);
});

withCurl('headers that do not end are 408 after headersTimeout', async () => {
  const server = await startApp('http-server', { args: ['http', JSON.stringify(TIMEOUTS)] });
  const client = await connectRaw(server);
  client.socket.write('GET / HTTP/1.1\r\nhost: x\r\nx-more: ');
  expect((await client.untilEnd()).toString()).toMatch(/^HTTP\/1.1 408 Request Timeout\r\n/);
  expect(await curl([`http://127.0.0.1:${server.ready.port}/`])).toBe('hello\n');
  await server.stop();
});

withCurl('a body that does not end is 408 after requestTimeout', async () => {
  const server = await startApp('http-server', { args: ['http', JSON.stringify(TIMEOUTS)] });
  const client = await connectRaw(server);
  client.socket.write('POST /hash HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc');
  expect((await client.untilEnd()).toString()).toMatch(/^HTTP\/1.1 408 Request Timeout\r\n/);
  expect(await curl([`http://127.0.0.1:${server.ready.port}/`])).toBe('hello\n');
  await server.stop();
});

withCurl('what is no HTTP is 400, and the connection ends', async () => {
  const client = await connectRaw(app);
  client.socket.write('\x16\x03\x01 no http\r\n\r\n');
  expect((await client.untilEnd()).toString()).toMatch(/^HTTP\/1.1 400 Bad Request\r\n/);
  await untilState(app, ({ open }) => open === 1, 'no connection is left');
});

withCurl('the server’s end waits for the answer under way, and closes idle connections', async () => {
  const server = await startApp('http-server', { args: ['http'] });
  const idle = await connectRaw(server);
  idle.socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  await idle.until((received) => received.includes('hello'), 'an answer');
  const busy = await connectRaw(server);
  busy.socket.pause();
  busy.socket.write('GET /bytes/20000000 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  await untilState(server, ({ requests }) => requests >= 3, 'the request is under way');
  const stopped = server.stop();
  await idle.untilEnd();
  busy.socket.resume();
  expect(hashOf(bodyIn(await busy.untilEnd()))).toBe(hashOfBody(20_000_000));
  expect((await stopped).tripoll.accepted).toBeGreaterThanOrEqual(3);
});

withCurl('all of it came by tripoll’s sockets', async () => {
  const { tripoll, connections } = await app.stop();
  expect(tripoll).toEqual({ accepted: connections, connected: 0 });
});
