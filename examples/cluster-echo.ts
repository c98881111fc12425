// Echoes on all cores. SIGHUP loads this file anew in new threads, and nobody is refused meanwhile;
// SIGTERM and SIGINT let connections end, for ten seconds, and then end the process.
//   node out/examples/cluster-echo.js [port] [workers]
import { isMainThread } from 'node:worker_threads';
import { capabilities } from 'tripoll';
import { Runtime, type Server, type TcpService } from 'tripoll/runtime';

const DRAIN_MS = 10_000;
const MAX_PORT = 65_535;

/** What each worker serves by: this module is the entry of the workers too. */
export const echo: TcpService = {
  data(connection, chunk) {
    if (!connection.write(chunk)) connection.pause();
  },
  drain(connection) {
    connection.resume();
  },
  error() {
    // A peer that has gone: `close` follows, and there is nothing else to do.
  },
  shutdown(connection) {
    connection.end();
  },
};

interface Entry {
  echo: typeof echo;
}

function usage(): never {
  console.error('usage: cluster-echo [port] [workers]');
  process.exit(2);
}

function readCount(text: string | undefined, least: number, most: number): number | undefined {
  if (text === undefined) return undefined;
  const count = Number(text);
  return Number.isInteger(count) && count >= least && count <= most ? count : usage();
}

function describe(server: Server): string {
  return server
    .inspect()
    .workers.map(({ worker, open, accepted }) => `worker ${worker}: ${open} open, ${accepted} accepted`)
    .join('; ');
}

async function reload(runtime: Runtime<Entry>): Promise<void> {
  try {
    await runtime.reload({ timeoutMs: DRAIN_MS });
    console.log('reloaded');
  } catch (error) {
    console.error('the old code goes on:', (error as Error).message);
  }
}

async function main(): Promise<void> {
  const [port, workers, ...rest] = process.argv.slice(2);
  if (rest.length > 0) usage();
  const listenPort = readCount(port, 0, MAX_PORT) ?? 8080;
  const runtime = new Runtime<Entry>({ entry: __filename, workers: readCount(workers, 1, 256) });
  const server = await runtime.serve({ host: '127.0.0.1', port: listenPort }, 'echo');
  const { address } = server;
  console.log('listening on', typeof address === 'object' ? address.port : address);
  const drain = async (): Promise<void> => {
    console.log(describe(server));
    const { finished, closed } = await runtime.drain({ timeoutMs: DRAIN_MS });
    console.log(`${finished} connections finished, ${closed} closed`);
  };
  process.once('SIGTERM', () => void drain());
  process.once('SIGINT', () => void drain());
  // Windows has no such signal but for a console that is closed.
  if (capabilities.platform !== 'win32') process.on('SIGHUP', () => void reload(runtime));
}

if (isMainThread) void main();
