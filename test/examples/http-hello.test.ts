import { once } from 'node:events';
import net from 'node:net';
import { within } from '../support/deadline.js';
import { describeWithTools } from '../support/tools.js';
import { expectExit, runExample, runTool, startServer, type Example } from './example.js';

const HELLO = 'Hello, world!\n';

function start(args: readonly string[] = []): Promise<{ running: Example; port: number }> {
  return startServer('http-hello', ['0', ...args], /^http:\/\/127\.0\.0\.1:(\d+)\/$/m);
}

interface Answer {
  status: number;
  headers: Map<string, string>;
  body: string;
}

/** All answers in `text`, which must be nothing but answers; `bodiless` says which have no body. */
function answersIn(text: string, bodiless: (index: number) => boolean = () => false): Answer[] {
  const answers: Answer[] = [];
  let rest = text;
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n');
    const [statusLine = '', ...lines] = rest.slice(0, end).split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]);
    if (end < 0 || Number.isNaN(status)) throw new Error(`no answer: ${rest.slice(0, 200)}`);
    const headers = new Map(lines.map((line) => line.toLowerCase().split(': ') as [string, string]));
    const length = bodiless(answers.length) ? 0 : Number(headers.get('content-length'));
    const body = rest.slice(end + 4, end + 4 + length);
    if (body.length !== length) throw new Error(`half a body: ${rest}`);
    answers.push({ status, headers, body });
    rest = rest.slice(end + 4 + length);
  }
  return answers;
}

/** Sends `pieces`, one after the other, then waits for the server's end. */
async function talk(port: number, pieces: readonly string[], endFirst = false): Promise<string> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  let text = '';
  socket.setEncoding('latin1').on('data', (more: string) => (text += more));
  const ended = once(socket, 'end');
  for (const piece of pieces) {
    await new Promise((resolve) => {
      socket.write(piece, 'latin1', resolve);
    });
  }
  if (endFirst) socket.end();
  await within(ended, 'the end of the answers');
  socket.destroy();
  return text;
}

const get = (more = '', target = '/'): string => `GET ${target} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
const last = get('Connection: close\r\n');

describe.each([[[]], [['--run']]])('by hand, %j', (args: string[]) => {
  test('keep-alive: one connection, many answers, until it is closed', async () => {
    const { running, port } = await start(args);
    const answers = answersIn(await talk(port, [get(), get(), last]));
    expect(answers.map(({ status, body }) => [status, body])).toEqual(Array(3).fill([200, HELLO]));
    expect(answers.map(({ headers }) => headers.get('connection'))).toEqual([
      'keep-alive',
      'keep-alive',
      'close',
    ]);
    running.interrupt();
    await expectExit(running, 0, '');
  });

  test('5000 pipelined: as many answers, in their order', async () => {
    const { port } = await start(args);
    // A HEAD at every seventh place: its answer has no body, so that the order shows.
    const isHead = (index: number): boolean => index % 7 === 3;
    const requests = Array.from({ length: 5000 }, (_, i) =>
      isHead(i) ? get().replace('GET', 'HEAD') : get(),
    );
    const answers = answersIn(await talk(port, [requests.join('') + last]), isHead);
    expect(answers.length).toBe(5001);
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(answers.at(-1)?.headers.get('connection')).toBe('close');
  });

  test('cut at every place', async () => {
    const { port } = await start(args);
    const request = `POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345${last}`;
    expect(answersIn(await talk(port, request.split(/(?=[^])/))).map(({ status }) => status)).toEqual([
      200, 200,
    ]);
    const both = Array.from({ length: request.length - 1 }, async (_, i) =>
      answersIn(await talk(port, [request.slice(0, i + 1), request.slice(i + 1)])),
    );
    for (const answers of await Promise.all(both)) expect(answers.length).toBe(2);
  });
});

describe('by hand', () => {
  test('a client that sends and does not read is not read from, and then gets all its answers', async () => {
    const { port } = await start();
    const socket = net.connect({ port, host: '127.0.0.1' });
    const many = get().repeat(20_000);
    socket.pause();
    socket.write(many.repeat(5) + last);
    await within(once(socket, 'connect'), 'connect');
    let length = 0;
    socket.on('data', (chunk: Buffer) => (length += chunk.length)).resume();
    await within(once(socket, 'end'), 'the end', 15_000);
    const one = (await talk(port, [get(), last])).length;
    const closing = (await talk(port, [last])).length;
    const answers = (length - closing) / (one - closing);
    expect(answers).toBe(100_000);
  });

  test('bodies are skipped, also those that look like requests', async () => {
    const { port } = await start();
    const post = (body: string): string =>
      `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const text = await talk(port, [post(get()) + post(''), post('x'.repeat(300_000)), last]);
    expect(answersIn(text).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  });

  test('HTTP/1.0 closes, unless it asks not to', async () => {
    const { port } = await start();
    const old = 'GET / HTTP/1.0\r\n\r\n';
    expect(answersIn(await talk(port, [old + old])).length).toBe(1);
    const kept = 'GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n';
    expect(answersIn(await talk(port, [kept + kept + old])).length).toBe(3);
  });

  test('close among other options of Connection', async () => {
    const { port } = await start();
    expect(answersIn(await talk(port, [get('Connection: TE, Close\r\n') + get()])).length).toBe(1);
  });

  const refused: [string, number, string][] = [
    ['no request', 400, 'hello\r\n\r\n'],
    ['a method in small letters', 400, 'get / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a method that is none', 501, 'BREW / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['HTTP/2', 400, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['no Host', 400, 'GET / HTTP/1.1\r\n\r\n'],
    ['two Hosts', 400, get('Host: y\r\n')],
    ['two lengths', 400, get('Content-Length: 1\r\nContent-Length: 1\r\n')],
    ['a length below nothing', 400, get('Content-Length: -1\r\n')],
    ['a length in hex', 400, get('Content-Length: 0x10\r\n')],
    ['a length list', 400, get('Content-Length: 1, 1\r\n')],
    ['white space before the colon', 400, get('Content-Length : 5\r\n')],
    ['a folded header', 400, get('X: a\r\n b\r\n')],
    ['a header without a colon', 400, get('nonsense\r\n')],
    ['a bare line feed', 400, get('X: a\nContent-Length: 5\r\n')],
    ['a bare carriage return', 400, get('X: a\rb\r\n')],
    ['a zero', 400, get('X: a\0b\r\n')],
    ['chunks', 501, get('Transfer-Encoding: chunked\r\n') + '0\r\n\r\n'],
    ['chunks and a length', 501, get('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n')],
    ['a body of 2 MB', 413, get('Content-Length: 2000000\r\n')],
    ['a head of 17 KB', 431, get(`X: ${'x'.repeat(17 * 1024)}\r\n`)],
    ['a head that does not end', 431, `GET / HTTP/1.1\r\nX: ${'x'.repeat(17 * 1024)}`],
  ];

  test.each(refused)('%s: %d, and the end of the connection', async (_, status, request) => {
    const { port } = await start();
    const answers = answersIn(await talk(port, [get() + request + get()]));
    expect(answers.map((answer) => answer.status)).toEqual([200, status]);
    expect(answers[1]?.headers.get('connection')).toBe('close');
    // And nobody else's.
    expect(answersIn(await talk(port, [last])).length).toBe(1);
  });

  test('a client that ends in mid-request gets an end', async () => {
    const { running, port } = await start();
    expect(await talk(port, ['GET / HT'], true)).toBe('');
    expect(await talk(port, [get(), 'GET / HT'], true)).toContain(HELLO);
    expect(running.errors()).toBe('');
  });

  test.each([[['--help']], [['0', '1']], [['x']], [['0', '--fast']]])('%j: usage', async (args) => {
    await expectExit(runExample('http-hello', args), 2, 'usage:');
  });
});

const withCurl = describeWithTools('curl');
for (const args of [[], ['--run']])
  withCurl(`curl, ${JSON.stringify(args)}`, () => {
    // The status, how many connections were new for it, and the method, after each body.
    const report = ['-sS', '--noproxy', '*', '-w', '%{http_code} %{num_connects} %{method}\n'];

    test('several URLs over one connection', async () => {
      const { port } = await start(args);
      const urls = ['', 'a', 'b?c=d'].map((path) => `http://127.0.0.1:${port}/${path}`);
      expect(await runTool('curl', [...report, ...urls])).toBe(
        `${HELLO}200 1 GET\n${HELLO}200 0 GET\n${HELLO}200 0 GET\n`,
      );
    });

    test('HEAD', async () => {
      const { port } = await start(args);
      const url = `http://127.0.0.1:${port}/`;
      const text = await runTool('curl', [...report, '-I', url, url]);
      expect(text.match(/Content-Length: 14\r\n/g)?.length).toBe(2);
      expect(text).not.toContain(HELLO);
      expect(text).toMatch(/200 1 HEAD\n[^]*200 0 HEAD\n$/);
    });

    test('POST and PUT of a body, then a GET on the same connection', async () => {
      const { port } = await start(args);
      const url = `http://127.0.0.1:${port}/`;
      const body = 'x'.repeat(100_000);
      const text = await runTool('curl', [
        ...[...report, '-d', body, url, '--next'],
        ...[...report, '-X', 'PUT', '-d', body, url, '--next'],
        ...[...report, url],
      ]);
      expect(text).toBe(`${HELLO}200 1 POST\n${HELLO}200 0 PUT\n${HELLO}200 0 GET\n`);
    });

    test('chunks are refused, HTTP/1.0 is answered, Connection: close is heeded', async () => {
      const { port } = await start(args);
      const url = `http://127.0.0.1:${port}/`;
      const chunked = ['-H', 'Transfer-Encoding: chunked', '-d', 'abc'];
      expect(await runTool('curl', [...report, ...chunked, url])).toContain('501 1 POST');
      expect(await runTool('curl', [...report, '--http1.0', url, url])).toBe(
        `${HELLO}200 1 GET\n${HELLO}200 1 GET\n`,
      );
      expect(await runTool('curl', [...report, '-H', 'Connection: close', url, url])).toBe(
        `${HELLO}200 1 GET\n${HELLO}200 1 GET\n`,
      );
    });
  });

const withWrk = describeWithTools('wrk');
for (const args of [[], ['--run']])
  withWrk(`wrk, ${JSON.stringify(args)}`, () => {
    test('64 connections for a second: answers, and no error', async () => {
      const { running, port } = await start(args);
      const text = await runTool('wrk', ['-t1', '-c64', '-d1s', `http://127.0.0.1:${port}/`]);
      expect(text).toMatch(/[1-9]\d* requests in/);
      expect(text).not.toMatch(/Socket errors|Non-2xx/);
      // It tells nothing of an answer too many: the server has to be well after it.
      expect(answersIn(await talk(port, [last])).length).toBe(1);
      running.interrupt();
      await expectExit(running, 0, '');
    });
  });
