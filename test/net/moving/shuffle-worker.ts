// A thread that detaches and attaches sockets of every kind without end, and posts some handles
// away: to be terminated at any moment.
import { once } from 'node:events';
import { parentPort, workerData } from 'node:worker_threads';
import { type BackendName, type DriverName, Reactor } from 'tripoll';
import { attach, discardHandle, TcpListener, TcpStream, UdpSocket, type SocketHandle } from 'tripoll/net';
import { Random } from '../../support/random.js';

export interface ShufflePlan {
  readonly driver: DriverName;
  readonly backend: BackendName;
  readonly seed: number;
  /** It ends by itself after so many rounds, with handles that nobody has claimed. */
  readonly rounds: number;
  /** It waits to be told before it ends. */
  readonly waits?: boolean;
}

const { driver, backend, seed, rounds, waits } = workerData as ShufflePlan;
const random = new Random(seed);
const reactors = [new Reactor({ driver, backend }), new Reactor({ driver, backend })];
const host = '127.0.0.1';

const anyReactor = (): { reactor: Reactor } => ({ reactor: random.pick(reactors) });

function post(handle: SocketHandle): void {
  parentPort?.postMessage(handle);
}

async function main(): Promise<void> {
  let listener = await TcpListener.bind({ host, port: 0 }, anyReactor());
  let datagrams = await UdpSocket.bind({ host, port: 0 }, anyReactor());
  for (let round = 0; round < rounds; round++) {
    listener = attach(await listener.detach(), anyReactor());
    datagrams = attach(await datagrams.detach(), anyReactor());
    const { port } = listener.localAddress!;
    const client = await TcpStream.connect({ host, port }, anyReactor());
    const { stream } = await listener.accept();
    await client.writeAll(Buffer.from('hello'));
    const again = attach(await stream.detach(), anyReactor());
    await again.read(new Uint8Array(8));
    // To be claimed by the main thread, or by nobody; forgotten; closed.
    post(await again.detach());
    const handle = await client.detach();
    if (random.below(2) === 0) discardHandle(handle);
  }
  post(await listener.detach());
  if (waits === true) await once(parentPort!, 'message');
  for (const reactor of reactors) reactor.close();
  parentPort?.close();
}

void main();
