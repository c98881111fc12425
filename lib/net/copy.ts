import { invalidArgType } from '../binding/errors.js';
import { checkInteger } from '../binding/validate.js';
import { abortedBefore, checkCancelTypes, watchCancel, type CancelOptions } from '../reactor/cancellation.js';
import type { SocketStream } from './socket-stream.js';

const DEFAULT_BUFFER_BYTES = 64 * 1024;
const MAX_BUFFER_BYTES = 0x7fffffff;

export interface CopyOptions extends CancelOptions {
  /** For each direction; default 65536. */
  bufferBytes?: number | undefined;
}

export interface CopyResult {
  readonly bytesFromA: number;
  readonly bytesFromB: number;
}

async function copy(
  from: SocketStream<unknown>,
  to: SocketStream<unknown>,
  buffer: Uint8Array,
): Promise<number> {
  let total = 0;
  for (;;) {
    const received = await from.read(buffer);
    if (received === 0) break;
    await to.writeAll(buffer.subarray(0, received));
    total += received;
  }
  to.end();
  return total;
}

/**
 * Passes bytes both ways until both sides have ended; an end is passed on as one. Each direction holds at most one
 * buffer: a slow reader slows the other side's sender. Both streams are closed when it settles, unless it was
 * for a wrong argument.
 *
 * @throws (as rejection) what either stream failed with; TypeError, RangeError; ABORT_ERR, ERR_TRIPOLL_TIMEOUT
 */
export async function copyBidirectional(
  a: SocketStream<unknown>,
  b: SocketStream<unknown>,
  options: CopyOptions = {},
): Promise<CopyResult> {
  const bufferBytes = checkArguments(a, b, options);
  let failure: Error | null = abortedBefore(options);
  const close = () => {
    a.close();
    b.close();
  };
  const stopWatch = watchCancel(options, a.reactor, (error) => {
    failure = error;
    close();
  });
  try {
    if (failure !== null) throw failure;
    const directions = [copy(a, b, new Uint8Array(bufferBytes)), copy(b, a, new Uint8Array(bufferBytes))];
    // The first failure ends the other direction too; both are awaited, so that neither goes unheard.
    for (const direction of directions) {
      direction.catch((error: unknown) => {
        failure ??= error as Error;
        close();
      });
    }
    const [fromA, fromB] = await Promise.allSettled(directions);
    if (fromA?.status !== 'fulfilled' || fromB?.status !== 'fulfilled') throw failure as unknown as Error;
    return { bytesFromA: fromA.value, bytesFromB: fromB.value };
  } finally {
    stopWatch();
    close();
  }
}

/** What is wrong is thrown before anything is touched; returns `bufferBytes`. */
function checkArguments(a: SocketStream<unknown>, b: SocketStream<unknown>, options: CopyOptions): number {
  checkStream('a', a);
  checkStream('b', b);
  checkCancelTypes(options);
  const { bufferBytes = DEFAULT_BUFFER_BYTES } = options;
  checkInteger('bufferBytes', bufferBytes, 1, MAX_BUFFER_BYTES);
  return bufferBytes;
}

function checkStream(name: string, stream: SocketStream<unknown>): void {
  // Not by instanceof: see errors.ts.
  if (typeof (stream as Partial<SocketStream<unknown>> | null | undefined)?.writeAll !== 'function') {
    throw invalidArgType(name, 'a stream', stream);
  }
}
