// HTTP/1.1 on the fast path: keep-alive, pipelining, bodies that are skipped, and limits. It shows
// what a protocol over borrowed chunks looks like; it is no web server.
//
//   node out/examples/http-hello.js [port] [--run]        then: curl -i http://127.0.0.1:<port>/
import { Reactor } from 'tripoll';
import { listen, type TcpConnection } from 'tripoll/net';

const MAX_HEAD_BYTES = 16 * 1024;
const MAX_BODY_BYTES = 1024 * 1024;
const IDLE_TIMEOUT_MS = 30_000;
const END_OF_HEAD = Buffer.from('\r\n\r\n');
const NOTHING = Buffer.alloc(0);
const ONLY_ONCE = new Set(['content-length', 'host']);
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']);

interface Request {
  readonly method: string;
  readonly keepAlive: boolean;
  readonly bodyBytes: number;
}

interface Parser {
  /** What has come of a head that is not complete. */
  rest: Buffer;
  /** Bytes of the body that are still to be skipped. */
  skipBytes: number;
}

function response(status: string, body: string, keepAlive: boolean, withBody: boolean): Buffer {
  const head =
    `HTTP/1.1 ${status}\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\n` +
    `Connection: ${keepAlive ? 'keep-alive' : 'close'}\r\n\r\n`;
  return Buffer.from(withBody ? head + body : head);
}

const HELLO = response('200 OK', 'Hello, world!\n', true, true);

/** A request from its head, or the status that refuses it (RFC 9112). */
function parseHead(head: string): Request | string {
  const [requestLine = '', ...lines] = head.split('\r\n');
  const match = /^([A-Z]+) \S+ HTTP\/1\.([01])$/.exec(requestLine);
  if (match === null) return '400 Bad Request';
  const [, method = '', minor] = match;
  if (!METHODS.has(method)) return '501 Not Implemented';
  const headers = new Map<string, string>();
  // A line feed or a carriage return by itself, white space before the colon, and a length or a
  // host given twice, are how requests are smuggled.
  if (/[\r\n\0]/.test(lines.join(''))) return '400 Bad Request';
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    if (colon < 1 || /\s/.test(name) || (ONLY_ONCE.has(name) && headers.has(name))) return '400 Bad Request';
    headers.set(name, line.slice(colon + 1).trim());
  }
  if (minor === '1' && !headers.has('host')) return '400 Bad Request';
  if (headers.has('transfer-encoding')) return '501 Not Implemented';
  const length = headers.get('content-length') ?? '0';
  if (!/^\d{1,15}$/.test(length)) return '400 Bad Request';
  if (Number(length) > MAX_BODY_BYTES) return '413 Content Too Large';
  const options = (headers.get('connection') ?? '').toLowerCase().split(/[ \t]*,[ \t]*/);
  const keepAlive = minor === '1' ? !options.includes('close') : options.includes('keep-alive');
  return { method, keepAlive, bodyBytes: Number(length) };
}

function refuse(connection: TcpConnection<Parser>, status: string): void {
  connection.end(response(status, `${status}\n`, false, true));
}

function answer(connection: TcpConnection<Parser>, request: Request): void {
  const { method, keepAlive } = request;
  if (keepAlive && method !== 'HEAD') {
    if (!connection.write(HELLO)) connection.pause();
    return;
  }
  const bytes = response('200 OK', 'Hello, world!\n', keepAlive, method !== 'HEAD');
  if (!keepAlive) connection.end(bytes);
  else if (!connection.write(bytes)) connection.pause();
}

/** As many requests as `bytes` holds; returns what is left of the next. */
function takeRequests(connection: TcpConnection<Parser>, parser: Parser, bytes: Buffer): Buffer {
  let rest = bytes;
  while (!connection.writeEnded && !connection.closed) {
    const skipped = Math.min(parser.skipBytes, rest.length);
    parser.skipBytes -= skipped;
    rest = rest.subarray(skipped);
    if (rest.length === 0) return NOTHING;
    const end = rest.indexOf(END_OF_HEAD);
    if (end > MAX_HEAD_BYTES || (end < 0 && rest.length > MAX_HEAD_BYTES)) {
      refuse(connection, '431 Request Header Fields Too Large');
      return NOTHING;
    }
    if (end < 0) return rest;
    const request = parseHead(rest.toString('latin1', 0, end));
    rest = rest.subarray(end + END_OF_HEAD.length);
    if (typeof request === 'string') refuse(connection, request);
    else {
      parser.skipBytes = request.bodyBytes;
      // More may follow: answers to pipelined requests leave in one write.
      if (rest.length > 0) connection.cork();
      answer(connection, request);
    }
  }
  return NOTHING;
}

const words = process.argv.slice(2);
const options = words.filter((word) => word.startsWith('-'));
const [port = '8080', ...more] = words.filter((word) => !word.startsWith('-'));
if (!/^\d+$/.test(port) || more.length > 0 || options.some((option) => option !== '--run')) {
  console.error(
    'usage: node out/examples/http-hello.js [port] [--run]\n  --run: gives the thread to the reactor',
  );
  process.exit(2);
}

const listener = listen<Parser>(
  { host: '127.0.0.1', port: Number(port), idleTimeoutMs: IDLE_TIMEOUT_MS },
  {
    open(connection) {
      connection.data = { rest: NOTHING, skipBytes: 0 };
    },
    data(connection, chunk) {
      const parser = connection.data;
      if (parser === undefined || connection.writeEnded) return;
      const borrowed = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
      const bytes = parser.rest.length === 0 ? borrowed : Buffer.concat([parser.rest, borrowed]);
      const rest = takeRequests(connection, parser, bytes);
      // The chunk is only lent: what is left of it is copied.
      parser.rest = rest.length === 0 ? NOTHING : Buffer.from(rest);
      connection.uncork();
    },
    drain(connection) {
      connection.resume();
    },
    error(_connection, error) {
      if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') console.error(error.message);
    },
  },
);

console.log(`http://127.0.0.1:${listener.localAddress?.port}/`);
if (options.includes('--run')) void Reactor.default.run();
process.once('SIGINT', () => process.exit(0));
