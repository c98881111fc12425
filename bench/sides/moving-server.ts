// Echoes on two threads, and moves all connections from one to the other when it is told to.
//   moving-server.js handlers|promises <connections> <core>
// It says `port N`; `ready N` when all are there; to the line `move` `moved N` when all are at the
// other thread; to `count` `echoed N`.
import { createInterface } from 'node:readline';
import {
  isMainThread,
  MessageChannel,
  parentPort,
  Worker,
  workerData,
  type MessagePort,
} from 'node:worker_threads';
import { attach, listen, type SocketHandle, type TcpConnection, type TcpStream } from 'tripoll/net';
import { announcePort } from '../side-process.js';
import { checkResult, loadPeersAddon } from '../peers-addon.js';

type Handle = SocketHandle<'tcp'>;

interface WorkerPlan {
  readonly style: string;
  readonly index: number;
  /** Messages so far, a place for each thread. */
  readonly echoes: Float64Array;
}

/** Handles that are posted at once: a message costs as much as many of them. */
const batchSize = 100;

/** What an owner of connections does with them. */
interface Owner {
  take(handle: Handle): void;
  /** Gives away all that it has, a batch at a time. */
  giveAll(give: (handles: readonly Handle[]) => void): Promise<void>;
}

async function giveInBatches(
  all: readonly (TcpConnection | TcpStream)[],
  give: (handles: readonly Handle[]) => void,
): Promise<void> {
  for (let i = 0; i < all.length; i += batchSize) {
    give(await Promise.all(all.slice(i, i + batchSize).map((one) => one.detach())));
    // The load goes on meanwhile.
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

function byHandlers(count: () => void): Owner {
  const mine = new Set<TcpConnection>();
  const handlers = {
    data(connection: TcpConnection, chunk: Uint8Array) {
      connection.write(chunk);
      count();
    },
    close: (connection: TcpConnection) => void mine.delete(connection),
  };
  return {
    take: (handle) => void mine.add(attach(handle, { handlers })),
    giveAll: (give) => giveInBatches([...mine], give),
  };
}

function byPromises(count: () => void): Owner {
  const mine = new Set<TcpStream>();
  async function echo(stream: TcpStream): Promise<void> {
    const buffer = new Uint8Array(4096);
    for (let received = 1; received > 0;) {
      received = await stream.read(buffer);
      if (received > 0) await stream.writeAll(buffer.subarray(0, received));
      count();
    }
    stream.close();
  }
  return {
    take(handle) {
      const stream = attach(handle);
      mine.add(stream);
      echo(stream)
        .catch((error: unknown) => {
          if ((error as NodeJS.ErrnoException).code !== 'ERR_TRIPOLL_DETACHED') throw error;
        })
        .finally(() => mine.delete(stream));
    },
    giveAll: (give) => giveInBatches([...mine], give),
  };
}

function work({ style, index, echoes }: WorkerPlan, main: MessagePort): void {
  const count = (): void => void (echoes[index]! += 1);
  const owner = style === 'handlers' ? byHandlers(count) : byPromises(count);
  let other: MessagePort | null = null;
  const take = (handles: readonly Handle[]): void => {
    for (const handle of handles) owner.take(handle);
    main.postMessage(handles.length);
  };
  main.on('message', (message: MessagePort | readonly Handle[] | 'move') => {
    if (message === 'move') void owner.giveAll((handles) => other?.postMessage(handles));
    else if (Array.isArray(message)) take(message as readonly Handle[]);
    else {
      other = message as MessagePort;
      other.on('message', take);
    }
  });
}

function serve(style: string, connections: number): void {
  const echoes = new Float64Array(new SharedArrayBuffer(16));
  const workers = [0, 1].map(
    (index) => new Worker(__filename, { workerData: { style, index, echoes } satisfies WorkerPlan }),
  );
  const { port1, port2 } = new MessageChannel();
  workers[0]!.postMessage(port1, [port1]);
  workers[1]!.postMessage(port2, [port2]);
  let owner = 0;
  let arrived = 0;
  let word = 'ready';
  for (const worker of workers) {
    worker.on('message', (count: number) => {
      arrived += count;
      if (arrived === connections) console.log(`${word} ${connections}`);
    });
    worker.on('error', (error) => {
      throw error;
    });
  }
  const open = (connection: TcpConnection): void => {
    void connection.detach().then((handle) => {
      workers[owner]!.postMessage([handle]);
    });
  };
  const listener = listen({ host: '127.0.0.1', port: 0 }, { open });
  announcePort(listener.localAddress?.port);
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      if (line === 'count') console.log(`echoed ${echoes[0]! + echoes[1]!}`);
      else if (line === 'move') {
        [arrived, word] = [0, 'moved'];
        workers[owner]!.postMessage('move');
        owner = 1 - owner;
      }
    })
    .on('close', () => process.exit(0));
}

if (isMainThread) {
  checkResult(loadPeersAddon().dieWithParent(), 'prctl');
  serve(process.argv[2] ?? '', Number(process.argv[3]));
} else work(workerData as WorkerPlan, parentPort!);
