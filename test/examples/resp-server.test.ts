import { once } from 'node:events';
import net from 'node:net';
import { within } from '../support/deadline.js';
import { expectExit, runExample, startServer, type Example } from './example.js';

function start(args: readonly string[]): Promise<{ running: Example; port: number }> {
  return startServer('resp-server', ['0', ...args], /^redis:\/\/127\.0\.0\.1:(\d+)$/m);
}

/** A command as clients send it. */
const command = (...words: readonly string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word, 'latin1')}\r\n${word}\r\n`).join('')}`;
const QUIT = command('QUIT');

/** Sends the pieces, one after the other; resolves with all that came until the server's end. */
async function talk(port: number, pieces: readonly string[]): Promise<string> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  let text = '';
  socket.setEncoding('latin1').on('data', (more: string) => (text += more));
  const ended = once(socket, 'end');
  for (const piece of pieces) {
    await new Promise((resolve) => {
      socket.write(piece, 'latin1', resolve);
    });
  }
  await within(ended, 'the end of the replies', 15_000);
  socket.destroy();
  return text;
}

/** Commands, and what Redis answers to them. */
const SCRIPT: readonly [string, string][] = [
  ['PING\r\n', '+PONG\r\n'],
  ['ping "two words"\n', '$9\r\ntwo words\r\n'],
  ['\r\n', ''],
  ['*0\r\n', ''],
  [command('PING'), '+PONG\r\n'],
  [command('ECHO', 'a\r\nb\0é'), '$6\r\na\r\nb\0é\r\n'],
  [command('SELECT', '0'), '+OK\r\n'],
  [command('SELECT', '1'), '-ERR DB index is out of range\r\n'],
  [command('FLUSHDB'), '+OK\r\n'],
  [command('SET', 'a', '1'), '+OK\r\n'],
  [command('GET', 'a'), '$1\r\n1\r\n'],
  [command('get', 'none'), '$-1\r\n'],
  [command('SET', 'a', '2', 'NX'), '$-1\r\n'],
  [command('SET', 'b', '2', 'XX'), '$-1\r\n'],
  [command('SET', 'a', '41', 'xx', 'EX', '100'), '+OK\r\n'],
  [command('TTL', 'a'), ':100\r\n'],
  [command('INCR', 'a'), ':42\r\n'],
  [command('TTL', 'a'), ':100\r\n'],
  [command('SET', 'a', '3', 'KEEPTTL'), '+OK\r\n'],
  [command('TTL', 'a'), ':100\r\n'],
  [command('SET', 'a', '4'), '+OK\r\n'],
  [command('TTL', 'a'), ':-1\r\n'],
  [command('TTL', 'none'), ':-2\r\n'],
  [command('SET', 'a', '4', 'EX', '0'), "-ERR invalid expire time in 'set' command\r\n"],
  [command('SET', 'a', '4', 'EX'), '-ERR syntax error\r\n'],
  [command('SET', 'a', '4', 'NX', 'XX'), '-ERR syntax error\r\n'],
  [command('SET', 'a', '4', 'EX', 'x'), '-ERR value is not an integer or out of range\r\n'],
  [command('PEXPIRE', 'a', '-1'), ':1\r\n'],
  [command('GET', 'a'), '$-1\r\n'],
  [command('SET', 'text', 'x'), '+OK\r\n'],
  [command('INCR', 'text'), '-ERR value is not an integer or out of range\r\n'],
  [command('MSET', 'a', '1', 'b', '2'), '+OK\r\n'],
  [command('MSET', 'a', '1', 'b'), "-ERR wrong number of arguments for 'mset' command\r\n"],
  [command('MGET', 'a', 'none', 'b'), '*3\r\n$1\r\n1\r\n$-1\r\n$1\r\n2\r\n'],
  [command('EXISTS', 'a', 'a', 'none'), ':2\r\n'],
  [command('LPUSH', 'list', '1', '2', '3'), ':3\r\n'],
  [command('LRANGE', 'list', '0', '-1'), '*3\r\n$1\r\n3\r\n$1\r\n2\r\n$1\r\n1\r\n'],
  [command('LRANGE', 'list', '1', '1'), '*1\r\n$1\r\n2\r\n'],
  [command('LRANGE', 'list', '-2', '100'), '*2\r\n$1\r\n2\r\n$1\r\n1\r\n'],
  [command('LRANGE', 'list', '3', '2'), '*0\r\n'],
  [command('LRANGE', 'none', '0', '-1'), '*0\r\n'],
  [command('GET', 'list'), '-WRONGTYPE Operation against a key holding the wrong kind of value\r\n'],
  [command('LPUSH', 'a', 'x'), '-WRONGTYPE Operation against a key holding the wrong kind of value\r\n'],
  [command('RPOP', 'list'), '$1\r\n1\r\n'],
  [command('LPOP', 'list'), '$1\r\n3\r\n'],
  [command('LLEN', 'list'), ':1\r\n'],
  [command('LPOP', 'list'), '$1\r\n2\r\n'],
  [command('EXISTS', 'list'), ':0\r\n'],
  [command('DEL', 'a', 'b', 'none', 'text'), ':3\r\n'],
  [command('DBSIZE'), ':0\r\n'],
  [command('GET'), "-ERR wrong number of arguments for 'get' command\r\n"],
  [command('NO\r\nPE', 'x'), "-ERR unknown command 'NO  PE', with args beginning with: 'x' \r\n"],
  [command('constructor'), "-ERR unknown command 'constructor', with args beginning with: \r\n"],
  [command('CONFIG', 'GET', 'save'), '*2\r\n$4\r\nsave\r\n$0\r\n\r\n'],
  [command('CONFIG', 'GET', 'toString'), '*0\r\n'],
  [command('COMMAND', 'DOCS'), '*0\r\n'],
  [command('CLIENT', 'SETINFO', 'LIB-NAME', 'x'), '+OK\r\n'],
  [command('HELLO', '3'), '-NOPROTO unsupported protocol version\r\n'],
  [QUIT, '+OK\r\n'],
];
const ASKED = SCRIPT.map(([asked]) => asked).join('');
const REPLIES = SCRIPT.map(([, reply]) => reply).join('');

describe.each([[[]], [['--run']], [['--node']]])('resp-server %j', (args: string[]) => {
  test('what Redis answers: at once, byte by byte, and cut at every place', async () => {
    const { running, port } = await start(args);
    expect(await talk(port, [ASKED])).toBe(REPLIES);
    expect(await talk(port, ASKED.split(/(?=[^])/))).toBe(REPLIES);
    for (let i = 1; i < ASKED.length; i += 7)
      expect(await talk(port, [ASKED.slice(0, i), ASKED.slice(i)])).toBe(REPLIES);
    running.interrupt();
    await expectExit(running, 0, '');
  });

  test('commands that come together are answered together', async () => {
    const { port } = await start(args);
    const socket = net.connect({ port, host: '127.0.0.1' });
    const chunks: number[] = [];
    socket.on('data', ({ length }: Buffer) => chunks.push(length));
    socket.write('PING\r\n'.repeat(100));
    await within(once(socket, 'data'), 'replies');
    expect(chunks).toEqual([700]);
    socket.destroy();
  });

  test('a large value in pieces, and a client that does not read gets all its replies later', async () => {
    const { running, port } = await start(args);
    const value = 'é'.repeat(1_000_000);
    const asked = command('SET', 'large', value) + command('GET', 'large').repeat(200) + QUIT;
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.pause();
    socket.write(asked, 'latin1');
    await within(once(socket, 'connect'), 'connect');
    // Somebody else is answered meanwhile.
    expect(await talk(port, [QUIT])).toBe('+OK\r\n');
    let length = 0;
    socket.on('data', (chunk: Buffer) => (length += chunk.length)).resume();
    await within(once(socket, 'end'), 'the end', 15_000);
    expect(length).toBe(2 * '+OK\r\n'.length + 200 * '$1000000\r\n\r\n'.length + 200 * value.length);
    running.interrupt();
    await expectExit(running, 0, '');
  });

  const refused: [string, string, string][] = [
    ['a negative length', '*1\r\n$-2\r\n', 'invalid bulk length'],
    ['a length that is no number', '*1\r\n$x\r\n', 'invalid bulk length'],
    ['a length of 1 GB', '*1\r\n$1000000000\r\n', 'invalid bulk length'],
    ['no length', '*1\r\nPING\r\n', "expected '$', got 'P'"],
    ['a count that is no number', '*x\r\n', 'invalid multibulk length'],
    ['two million arguments', '*2000000\r\n', 'invalid multibulk length'],
    ['a quote that is not closed', 'ECHO "x\r\n', 'unbalanced quotes in request'],
    ['a line of 70 KB', 'x'.repeat(70_000), 'too big inline request'],
    ['a count of 70 KB', `*${'1'.repeat(70_000)}`, 'too big mbulk count string'],
    ['a length of 70 KB', `*1\r\n$${'1'.repeat(70_000)}`, 'too big bulk count string'],
  ];

  test.each(refused)('%s: an error, and the end of the connection', async (_, asked, message) => {
    const { running, port } = await start(args);
    expect(await talk(port, [command('PING') + asked])).toBe(`+PONG\r\n-ERR Protocol error: ${message}\r\n`);
    expect(await talk(port, [QUIT])).toBe('+OK\r\n');
    expect(running.errors()).toBe('');
  });
});

test.each([[['--help']], [['0', '1']], [['x']], [['0', '--run', '--node']]])('%j: usage', async (args) => {
  await expectExit(runExample('resp-server', args), 2, 'usage:');
});
