// A Redis server of strings and lists on the fast path: pipelined commands are answered in one
// write, and a client that does not read is not read from. By --node the same server is on
// node:net, for comparison. The protocol is in resp/, in files that know no socket.
//
//   node out/examples/resp-server.js [port] [--run | --node]        then: redis-cli -p <port>
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { Reactor } from 'tripoll';
import { listen, type TcpConnection } from 'tripoll/tcp';
import { Database } from './resp/commands.js';
import { Replies } from './resp/protocol.js';
import { Session, type Transport } from './resp/session.js';

const MAX_CONNECTIONS = 10_000;
/** Of replies to one client: one of the largest, and what was there before it. */
const MAX_QUEUED_BYTES = 128 * 1024 * 1024;

const database = new Database();
const replies = new Replies();

// ---- tripoll ----

const KEPT = { keep: true };

let lent: Uint8Array = Buffer.alloc(0);
let lentBuffer = Buffer.from(lent.buffer);

/** The chunk as a Buffer. Chunks of one length are mostly the same view: it is made once then. */
function toBuffer(chunk: Uint8Array): Buffer {
  if (chunk === lent) return lentBuffer;
  lent = chunk;
  return (lentBuffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
}

function overTripoll(connection: TcpConnection<Session>): Transport {
  return {
    // What cannot be sent at once is copied, unless it is kept.
    write: (bytes, isKept) => (isKept ? connection.write(bytes, KEPT) : connection.write(bytes)),
    pause: () => connection.pause(),
    resume: () => connection.resume(),
    end: () => connection.end(),
  };
}

function serveByTripoll(port: number): void {
  const listener = listen<Session>(
    {
      host: '127.0.0.1',
      port,
      maxConnections: MAX_CONNECTIONS,
      maxQueuedBytes: MAX_QUEUED_BYTES,
    },
    {
      open(connection) {
        connection.data = new Session(database, replies, overTripoll(connection));
      },
      data(connection, chunk) {
        connection.data?.take(toBuffer(chunk));
      },
      drain(connection) {
        connection.data?.drain();
      },
      error(_connection, error) {
        report(error);
      },
    },
  );
  console.log(`redis://127.0.0.1:${listener.localAddress?.port}`);
}

// ---- node:net ----

function overNode(socket: Socket): Transport {
  return {
    // It may be sent later: a small copy comes out of Node's pool.
    write: (bytes, isKept) => socket.write(isKept ? bytes : Buffer.from(bytes)),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    end: () => socket.end(),
  };
}

function serveByNode(port: number): void {
  const server = createServer({ noDelay: true }, (socket) => {
    const session = new Session(database, replies, overNode(socket));
    socket.on('data', (chunk: Buffer) => session.take(chunk));
    socket.on('drain', () => session.drain());
    socket.on('error', report);
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.listen(port, '127.0.0.1', () => {
    console.log(`redis://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
}

function report(error: Error): void {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'ECONNRESET' && code !== 'EPIPE') console.error(error.message);
}

const words = process.argv.slice(2);
const options = words.filter((word) => word.startsWith('-'));
const [port = '6379', ...more] = words.filter((word) => !word.startsWith('-'));
const [option = ''] = options;
if (!/^\d+$/.test(port) || more.length + options.length > (option === '' ? 0 : 1)) usage();
if (option === '--node') serveByNode(Number(port));
else if (option === '' || option === '--run') serveByTripoll(Number(port));
else usage();
if (option === '--run') void Reactor.default.run();
process.once('SIGINT', () => process.exit(0));

function usage(): never {
  console.error(
    'usage: node out/examples/resp-server.js [port] [--run | --node]\n' +
      '  --run: gives the thread to the reactor\n  --node: on node:net',
  );
  process.exit(2);
}
