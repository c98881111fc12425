// A server on the workers of a node:cluster: on node:net, whose primary accepts for all in turn, or
// on tripoll's listeners, one a worker under SO_REUSEPORT (the only way that needs no primary).
//   cluster.js echo|uneven node-net|tripoll <workers> <core, or -1>
// The primary says `port N` when all listen.
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { listen, type TcpHandlers } from 'tripoll/net';
import { checkResult, loadPeersAddon } from '../peers-addon.js';
import { announcePort, enterSideProcess, obeyHarness } from '../side-process.js';
import { echo, onData, onError } from './echo.js';
import { answer } from './uneven.js';

const host = '127.0.0.1';
const backlog = 4096;
const [service, library, workers] = process.argv.slice(2);

function onUneven(this: Socket, chunk: Buffer): void {
  this.write(answer(chunk, cluster.worker!.id));
}

/** Port 0 is the same port for all workers of a cluster. */
function serveNode(_: number, tell: (port: number) => void): void {
  const listener = service === 'echo' ? onData : onUneven;
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('data', listener);
    socket.on('error', onError);
  });
  server.listen({ host, port: 0, backlog }, () => tell((server.address() as AddressInfo).port));
}

const uneven: TcpHandlers = {
  data(connection, chunk) {
    connection.write(answer(chunk, cluster.worker!.id));
  },
};

function serveTripoll(port: number, tell: (port: number) => void): void {
  const handlers = service === 'echo' ? echo : uneven;
  const { localAddress } = listen({ host, port, backlog, reusePort: true }, handlers);
  if (localAddress !== undefined) tell(localAddress.port);
}

/** One after the other: the first one's port is for all, if they do not share one anyway. */
async function startWorkers(): Promise<void> {
  enterSideProcess();
  let port = 0;
  for (let i = 0; i < Number(workers); i++) {
    const worker: Worker = cluster.fork({ BENCH_PORT: String(port) });
    [port] = (await once(worker, 'message')) as [number];
  }
  announcePort(port);
  obeyHarness();
}

if (cluster.isPrimary) void startWorkers();
else {
  // What the primary is pinned to, so are its children.
  checkResult(loadPeersAddon().dieWithParent(), 'prctl');
  const serve = library === 'node-net' ? serveNode : serveTripoll;
  serve(Number(process.env['BENCH_PORT']), (port) => process.send?.(port));
}
