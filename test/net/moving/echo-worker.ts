// A thread that echoes what comes over the sockets it is posted, and posts each away after so many
// bytes, with what is on its way by then.
import { parentPort, workerData } from 'node:worker_threads';
import { type BackendName, type DriverName, Reactor } from 'tripoll';
import { attach, type SocketHandle } from 'tripoll/net';
import { Random } from '../../support/random.js';

export type Style = 'promises' | 'handlers';

export interface EchoPlan {
  readonly driver: DriverName;
  readonly backend: BackendName;
  readonly style: Style;
  readonly seed: number;
  /** At most so many before it moves on. */
  readonly bytes: number;
}

/** With the number of its socket; without a handle it has ended. */
export interface EchoMessage {
  readonly index: number;
  readonly handle?: SocketHandle<'tcp' | 'unix'>;
  readonly error?: string;
}

const { driver, backend, style, seed, bytes } = workerData as EchoPlan;
const reactor = new Reactor({ driver, backend });
const random = new Random(seed);

function tell(message: EchoMessage): void {
  parentPort?.postMessage(message);
}

async function echoByPromises(index: number, handle: SocketHandle<'tcp' | 'unix'>): Promise<void> {
  const stream = attach(handle, { reactor });
  for (let left = 1 + random.below(bytes); left > 0;) {
    const buffer = new Uint8Array(16_384);
    const received = await stream.read(buffer);
    if (received === 0) {
      stream.end();
      stream.close();
      tell({ index });
      return;
    }
    left -= received;
    const writing = stream.writeAll(buffer.subarray(0, received));
    // The last one may be queued still when it is detached.
    if (left > 0) await writing;
    else writing.catch((error: unknown) => tell({ index, error: String(error) }));
  }
  tell({ index, handle: await stream.detach() });
}

async function echoByHandlers(index: number, handle: SocketHandle<'tcp' | 'unix'>): Promise<void> {
  let left = 1 + random.below(bytes);
  const next = await new Promise<SocketHandle<'tcp' | 'unix'> | undefined>((resolve, reject) => {
    // Both kinds have these handlers.
    attach(handle as SocketHandle<'tcp'>, {
      reactor,
      handlers: {
        data(connection, chunk) {
          if (left <= 0) throw new Error('bytes came after detach()');
          if (!connection.write(chunk)) connection.pause();
          left -= chunk.length;
          if (left <= 0) connection.detach().then(resolve, reject);
        },
        drain: (connection) => void connection.resume(),
        error: (_connection, error) => reject(error),
        close: () => left > 0 && resolve(undefined),
      },
    });
  });
  tell(next === undefined ? { index } : { index, handle: next });
}

parentPort?.on('message', ({ index, handle }: Required<EchoMessage>) => {
  const echo = style === 'promises' ? echoByPromises : echoByHandlers;
  echo(index, handle).catch((error: unknown) => tell({ index, error: String((error as Error).stack) }));
});
