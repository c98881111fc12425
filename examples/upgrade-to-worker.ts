// A front that reads no more of a connection than whose it is, and moves the socket to that tenant's
// worker. It is behind a load balancer that says who connects, and to what, by the PROXY protocol
// (version 1). Each tenant has a runtime of its own, so that none takes another's CPU or memory.
//   node out/examples/upgrade-to-worker.js 127.0.0.1:8080 10.0.0.1=red 10.0.0.2=blue
//   printf 'PROXY TCP4 192.0.2.1 10.0.0.1 5000 80\r\nhello\n' | nc 127.0.0.1 8080
// Whoever can connect here can say anything of himself: let the balancer alone do so.
import { isIP } from 'node:net';
import { isMainThread, threadId } from 'node:worker_threads';
import {
  attach,
  BufferedReader,
  discardHandle,
  TcpListener,
  type SocketHandle,
  type TcpStream,
} from 'tripoll/net';
import { Runtime } from 'tripoll/runtime';

const CRLF = Buffer.from('\r\n');
/** The longest line of version 1, with its end. */
const MAX_HEADER_BYTES = 107;
/** The balancer sends it at once. */
const HEADER_MS = 3000;

interface Proxied {
  readonly client: string;
  readonly destination: string;
}

// ---- in the tenant's worker: this module is its entry too ----

/** Takes the connection over. It lives on the worker's reactor when this has returned. */
export function serve(handle: SocketHandle<'tcp'>, tenant: string, { client }: Proxied): void {
  const connection = attach(handle, {
    handlers: {
      data(conn, chunk) {
        if (!conn.write(chunk)) conn.pause(); // chunk is lent: it is valid until this returns
      },
      drain: (conn) => conn.resume(),
      end: (conn) => conn.end(),
      error: (_conn, error) => console.error(`${tenant}: ${error.message}`),
    },
  });
  connection.write(Buffer.from(`hello ${client}, this is thread ${threadId} of ${tenant}\n`));
  // What came in one packet with the header.
  if (handle.unread !== undefined) connection.write(handle.unread);
}

interface Tasks {
  serve: typeof serve;
}

// ---- in the front ----

/** @throws Error for what is no header of version 1 */
function parseHeader(line: string): Proxied {
  const [word, family, client = '', destination = '', ...ports] = line.split(' ');
  const version = family === 'TCP4' ? 4 : family === 'TCP6' ? 6 : -1;
  const isRight = isIP(client) === version && isIP(destination) === version && ports.length === 2;
  if (word !== 'PROXY' || !isRight) throw new Error('no PROXY header of version 1');
  return { client, destination };
}

interface Tenant {
  readonly name: string;
  readonly runtime: Runtime<Tasks>;
}

async function passOn(stream: TcpStream, tenants: ReadonlyMap<string, Tenant>): Promise<void> {
  const reader = new BufferedReader(stream);
  const line = await reader.readUntil(CRLF, { maxLengthBytes: MAX_HEADER_BYTES, timeoutMs: HEADER_MS });
  if (line === null) throw new Error('it ended before its header');
  const proxied = parseHeader(Buffer.from(line).toString('latin1'));
  const tenant = tenants.get(proxied.destination);
  if (tenant === undefined) throw new Error(`nobody has ${proxied.destination}`);
  const unread = reader.takeBuffered();
  const handle = await stream.detach(unread.length > 0 ? { unread } : {});
  try {
    await tenant.runtime.spawn('serve', [handle, tenant.name, proxied]);
  } finally {
    discardHandle(handle); // does nothing to one that was attached
  }
}

async function main(listenAt: string, tenantOf: ReadonlyMap<string, string>): Promise<void> {
  const runtimes = new Map<string, Runtime<Tasks>>();
  const tenants = new Map<string, Tenant>();
  for (const [destination, name] of tenantOf) {
    const runtime = runtimes.get(name) ?? new Runtime<Tasks>({ entry: __filename, workers: 1 });
    runtimes.set(name, runtime);
    tenants.set(destination, { name, runtime });
  }
  const underWay = new Set<Promise<void>>();
  const listener = await TcpListener.bind(listenAt);
  const { address, port } = listener.localAddress ?? {};
  console.log(`front on ${address}:${port} for ${[...runtimes.keys()].join(', ')}`);
  process.once('SIGINT', () => listener.close());
  for await (const stream of listener) {
    const passed = passOn(stream, tenants).catch((error: unknown) => {
      console.error((error as Error).message);
      stream.reset(); // what is no tenant's must not look like a proper end
    });
    underWay.add(passed);
    void passed.then(() => underWay.delete(passed));
  }
  await Promise.all(underWay);
  await Promise.all([...runtimes.values()].map((runtime) => runtime.close()));
}

if (isMainThread) {
  const [listenAt = '', ...pairs] = process.argv.slice(2);
  const tenantOf = new Map(pairs.map((pair) => pair.split('=') as [string, string]));
  const areRight = [...tenantOf].every(([destination, name]) => isIP(destination) > 0 && name !== undefined);
  if (tenantOf.size === 0 || !areRight) {
    console.error('usage: node out/examples/upgrade-to-worker.js <ip:port> <destination-ip>=<tenant>...');
    process.exit(2);
  }
  main(listenAt, tenantOf).catch((error: unknown) => {
    console.error(String(error));
    process.exit(1);
  });
}
