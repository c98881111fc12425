// Against a server of the test's; `npm run test:interop` has the real one, with its login.
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { expectExit, freePort, runExample } from './example.js';

const int = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer).reverse();

function message(type: string, body: Buffer | string = ''): Buffer {
  const bytes = Buffer.from(body);
  return Buffer.concat([Buffer.from(type), int(bytes.length + 4), bytes]);
}

const LOGGED_IN = Buffer.concat([message('R', int(0)), message('S', 'a\0b\0'), message('Z', 'I')]);
const ROWS = Buffer.concat([
  message('1'),
  message('2'),
  message('T', `\0\x02sum\0${'t'.repeat(18)}nothing\0${'t'.repeat(18)}`),
  message('N', 'SNOTICE\0C00000\0Mby the way\0\0'),
  message('D', Buffer.concat([Buffer.from([0, 2]), int(2), Buffer.from('42'), int(0xffff_ffff)])),
  message('C', 'SELECT 1\0'),
  message('Z', 'I'),
]);
const ERROR = Buffer.concat([message('E', 'SERROR\0C42601\0Mno such thing\0\0'), message('Z', 'I')]);

/** Answers each write of the client's by the next of `answers`, a byte at a time. */
async function serve(answers: readonly Buffer[]): Promise<{ url: string; received: () => string }> {
  let received = '';
  const server = net.createServer({ noDelay: true }, (socket) => {
    const left = [...answers];
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      const answer = left.shift();
      if (answer === undefined) socket.end();
      else for (const byte of answer) socket.write(Uint8Array.of(byte));
    });
  });
  server.listen(0, '127.0.0.1').unref();
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `postgres://me:secret@127.0.0.1:${port}/db`, received: () => received };
}

const query = (url: string) => runExample('postgres-on-tripoll', [url, 'select $1', '40']);

test('it logs in, asks and prints', async () => {
  const { url, received } = await serve([LOGGED_IN, ROWS]);
  const client = query(url);
  await expectExit(client, 0);
  expect(client.output()).toBe('sum\tnothing\n42\tNULL\n');
  expect(client.errors()).toBe('NOTICE: by the way (00000)\n');
  for (const part of ['user\0me\0database\0db\0', 'select $1\0', '40', 'X\0\0\0\x04'])
    expect(received()).toContain(part);
});

test.each([
  ['an error', [LOGGED_IN, ERROR], 'ERROR: no such thing (42601)'],
  ['an error at the login', [message('E', 'SFATAL\0C28000\0Mnot you\0\0')], 'FATAL: not you (28000)'],
  ['a login that it has not', [message('R', int(3))], 'the server wants a login'],
  [
    'a challenge of a stranger',
    [message('R', Buffer.concat([int(11), Buffer.from('r=x,s=,i=1')]))],
    'no honest',
  ],
  ['a message without an end', [Buffer.from('R\xff\xff\xff\xff', 'latin1')], 'a message of'],
  ['a server that hangs up', [], 'ended'],
])('%s is told', async (_, answers, words) => {
  const { url } = await serve(answers);
  await expectExit(query(url), 1, words);
});

test('bad arguments and a closed port are told', async () => {
  for (const args of [[], ['postgres://127.0.0.1/'], ['x', 'select 1']])
    await expectExit(runExample('postgres-on-tripoll', args), 1, 'usage:');
  await expectExit(query(`postgres://127.0.0.1:${await freePort()}/`), 1, 'ECONNREFUSED');
});
