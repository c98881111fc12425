import { execFile } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { promisify } from 'node:util';
import { within } from '../support/deadline.js';
import { testWithTools } from '../support/tools.js';
import { digest, pattern } from '../net/tools.js';
import { expectExit, freePort, runExample, type Example } from './example.js';

const run = promisify(execFile);
const body = pattern(2_000_003);

let example: Example;
let proxy: string;
let server: http.Server;

beforeEach(async () => {
  example = runExample('socks5-proxy', ['127.0.0.1:0']);
  proxy = (await example.printed(/SOCKS5 proxy on (\S+)/))[1]!;
  server = http.createServer((request, response) => {
    if (request.method === 'POST') {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => response.end(digest(Buffer.concat(chunks))));
    } else response.end(body);
  });
  await once(server.listen(0, '::'), 'listening');
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const portOf = (): number => (server.address() as net.AddressInfo).port;

/** The real client. */
async function curl(...args: string[]): Promise<Buffer> {
  const options = {
    encoding: 'buffer' as const,
    maxBuffer: 10_000_000,
    env: { ...process.env, http_proxy: '', no_proxy: '' },
  };
  const { stdout } = await within(run('curl', ['-sS', '--max-time', '10', ...args], options), 'curl');
  return stdout;
}

const testCurl = testWithTools('curl');

for (const [kind, option, host] of [
  ['a name, resolved by the proxy', '--socks5-hostname', 'localhost'],
  ['an IPv4 address', '--socks5', '127.0.0.1'],
  ['an IPv6 address', '--socks5', '[::1]'],
] as const)
  testCurl(`curl downloads through it: ${kind}`, async () => {
    const received = await curl(option, proxy, `http://${host}:${portOf()}/`);
    expect(digest(received)).toBe(digest(body));
  });

testCurl('curl uploads through it', async () => {
  const child = curl('--socks5-hostname', proxy, '-d', 'x'.repeat(100_000), `http://localhost:${portOf()}/`);
  expect((await child).toString()).toBe(digest(Buffer.from('x'.repeat(100_000))));
});

testCurl('what is refused is told as SOCKS tells it', async () => {
  const port = await freePort();
  // curl: 97 is "proxy handshake error"; its message has SOCKS' own reply, 5 is "connection
  // refused".
  const refused = curl('--socks5-hostname', proxy, `http://127.0.0.1:${port}/`);
  await expect(refused).rejects.toMatchObject({ code: 97, stderr: expect.anything() as unknown });
  await refused.catch((error: unknown) =>
    expect((error as { stderr: Buffer }).stderr.toString()).toMatch(/\(5\)/),
  );
});

test('nonsense is hung up on, and SIGINT ends it', async () => {
  const [host, port] = proxy.split(':');
  for (const bytes of [
    [4, 1],
    [5, 1, 2],
    [5, 1, 0, 5, 1, 0, 9],
  ]) {
    const socket = net.connect(Number(port), host);
    socket.write(Uint8Array.from(bytes));
    // A reset is a hang-up too; `once` would reject with its error.
    const closed = new Promise((resolve) => {
      socket.once('close', resolve);
    });
    socket.on('error', () => {}).resume();
    await within(closed, 'close');
  }
  // Whether the proxy's end reaches it as an end or as a reset is the system's choice.
  const idle = net.connect(Number(port), host).on('error', () => {});
  await once(idle, 'connect');
  example.interrupt();
  await expectExit(example, 0);
  idle.destroy();
});
