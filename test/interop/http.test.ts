// curl against Node's http, https and http2 servers, whose sockets are tripoll's: bodies of 0 B to
// 100 MB, by their hash.
import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { testIf } from '../support/applies.js';
import { bodyOf, hashOfBody } from './body.js';
import { curl, stateOf } from './http-client.js';
import { folderFor, outputOf, startApp, testWithPrograms, type App } from './tools.js';

const withCurl = testWithPrograms('curl');

/** The least, around a packet and around a stream's buffer, and more than any buffer. */
const SIZES_BYTES = [0, 1, 1460, 65_537, 1_000_000, 100_000_000];

const folder = folderFor();
const fileOf = (lengthBytes: number): string => path.join(folder, String(lengthBytes));

beforeAll(async () => {
  for (const size of SIZES_BYTES)
    await pipeline(Readable.from(bodyOf(size)), createWriteStream(fileOf(size)));
});

interface Kind {
  readonly kind: string;
  readonly scheme: string;
  readonly flags: readonly string[];
  readonly httpVersion: string;
}

const KINDS: readonly Kind[] = [
  { kind: 'http', scheme: 'http', flags: ['--http1.1'], httpVersion: '1.1' },
  { kind: 'https', scheme: 'https', flags: ['--http1.1'], httpVersion: '1.1' },
  { kind: 'h2', scheme: 'https', flags: ['--http2'], httpVersion: '2.0' },
  { kind: 'h2c', scheme: 'http', flags: ['--http2-prior-knowledge'], httpVersion: '2.0' },
];

/** By a pipe: the bytes are not for a string. */
async function download(args: readonly string[]): Promise<string> {
  const script = 'curl --silent --show-error --fail --insecure "$@" | sha256sum';
  const text = await outputOf('sh', { args: ['-c', script, 'sh', ...args], deadlineMs: 30_000 });
  return text.slice(0, 64);
}

describe.each(KINDS)('$kind', ({ kind, scheme, flags, httpVersion }) => {
  let app: App;
  let origin: string;
  let requests = 0;
  beforeAll(async () => {
    app = await startApp('http-server', { args: [kind] });
    origin = `${scheme}://127.0.0.1:${app.ready.port}`;
  });

  for (const framing of ['with its length', 'chunked']) {
    const query = framing === 'chunked' ? '?chunked' : '';
    for (const size of SIZES_BYTES) {
      withCurl(
        `a body of ${size} bytes down, ${framing}`,
        async () => {
          requests++;
          expect(await download([...flags, `${origin}/bytes/${size}${query}`])).toBe(hashOfBody(size));
        },
        60_000,
      );

      withCurl(
        `a body of ${size} bytes up, ${framing}`,
        async () => {
          requests++;
          const chunked = framing === 'chunked';
          const headers = ['expect:', ...(chunked ? ['transfer-encoding: chunked'] : [])];
          const args = [...flags, ...headers.flatMap((header) => ['--header', header])];
          // By its standard input: of an empty file curl 7.88 sends no last chunk.
          args.push('--request', 'POST', '--upload-file', chunked ? '-' : fileOf(size), `${origin}/hash`);
          const script = 'exec curl --silent --show-error --fail --insecure "$@" <"$0"';
          const text = await outputOf('sh', {
            args: ['-c', script, fileOf(size), ...args],
            deadlineMs: 30_000,
          });
          const got = JSON.parse(text) as unknown;
          expect(got).toMatchObject({ lengthBytes: size, hash: hashOfBody(size), httpVersion });
          // HTTP/2 has no transfer-encoding.
          const expected = query === '' ? 'length' : httpVersion === '1.1' ? 'chunked' : 'none';
          expect(got).toMatchObject({ framing: expected });
        },
        60_000,
      );
    }
  }

  withCurl('both ways at once', async () => {
    requests++;
    const args = [
      ...flags,
      '--header',
      'expect:',
      '--request',
      'POST',
      '--upload-file',
      fileOf(1_000_000),
      `${origin}/echo`,
    ];
    expect(await download(args)).toBe(hashOfBody(1_000_000));
  });

  // A session of HTTP/2 without TLS is used once by curl 7.88.
  const isReused = kind !== 'h2c';
  const withReuse = isReused ? withCurl : testIf(false, 'curl 7.88 cannot');
  withReuse('fifty requests by one connection', async () => {
    requests += 50;
    const text = await curl([
      ...flags,
      '--fail',
      '--write-out',
      '%{num_connects}',
      '--output',
      '/dev/null',
      `${origin}/bytes/[1-50]`,
    ]);
    expect(text).toBe(`1${'0'.repeat(49)}`);
  });

  withCurl('all of it came by tripoll’s sockets', async () => {
    // All but the fifty have a connection of their own.
    const connections = isReused ? requests - 49 : requests;
    expect(await app.stop()).toMatchObject({ requests, tripoll: { accepted: connections, connected: 0 } });
  });
});

withCurl('by a Unix socket', async () => {
  const socketPath = path.join(folder, 'http.sock');
  const app = await startApp('http-server', { args: ['http', JSON.stringify({ path: socketPath })] });
  const args = ['--unix-socket', socketPath, 'http://tripoll/bytes/1000000'];
  expect(await download(args)).toBe(hashOfBody(1_000_000));
  expect(await app.stop()).toMatchObject({ requests: 1, tripoll: { accepted: 1 } });
});

describe('http', () => {
  let app: App;
  beforeAll(async () => {
    app = await startApp('http-server', { args: ['http'] });
  });
  afterAll(async () => {
    expect((await app.stop()).tripoll.accepted).toBeGreaterThan(0);
  });
  const urlOf = (route: string): string => `http://127.0.0.1:${app.ready.port}${route}`;

  withCurl('Expect: 100-continue: the body goes out when the server says so', async () => {
    const upload = ['--expect100-timeout', '10', '--header', 'expect: 100-continue', '--request', 'POST'];
    const format = ['--include', '--upload-file', fileOf(65_537), urlOf('/hash')];
    const text = await curl([...upload, ...format]);
    expect(text).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK\r\n/);
    expect(text).toContain(hashOfBody(65_537));
    expect(await stateOf(app)).toMatchObject({ continues: 1 });
  });

  withCurl('HTTP/1.0: the connection ends with the answer', async () => {
    expect(await curl(['--http1.0', '--include', urlOf('/bytes/0')])).toMatch(/connection: close/i);
  });

  withCurl('HEAD has the headers alone', async () => {
    expect(await curl(['--head', urlOf('/')])).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  });

  withCurl('headers of more than 16 KiB are 431, and the server goes on', async () => {
    const code = ['--write-out', '%{http_code}', '--output', '/dev/null'];
    const large = Array.from({ length: 20 }, (_value, i) => [
      '--header',
      `x-${i}: ${'x'.repeat(1000)}`,
    ]).flat();
    expect(await curl([...code, ...large, urlOf('/')])).toBe('431');
    expect(await curl([...code, urlOf('/')])).toBe('200');
  });
});
