import { capabilities } from '../../binding/capabilities.js';
import { invalidArgType, unsupportedError } from '../../binding/errors.js';
import { checkBytes, checkInteger, checkNames } from '../../binding/validate.js';
import {
  abortedBefore,
  checkCancelTypes,
  watchCancel,
  type CancelOptions,
} from '../../reactor/cancellation.js';
import type { Reactor } from '../../reactor/reactor.js';
import { SplicePipe, spliceOneWay } from './splice.js';
import type { AnyStream as Stream } from '../stream/transfer.js';

const DEFAULT_BUFFER_BYTES = 64 * 1024;
const MAX_BUFFER_BYTES = 0x7fffffff;

/** Options of `copyBidirectional`. */
export interface CopyOptions extends CancelOptions {
  /**
   * For each direction; default 65536. With `splice` the size of its pipe: one of 1 MB takes a
   * third less CPU time a byte. The system rounds it up, or refuses: without privileges a pipe has
   * at most fs.pipe-max-size (1 MiB), and all of a user's fs.pipe-user-pages-soft (64 MiB), beyond
   * which they stay as small as they are made (pipe(7)).
   */
  bufferBytes?: number | undefined;
  /**
   * The bytes pass through pipes in the kernel (splice(2)) and never come into this process;
   * default false. Linux: see `capabilities.splice`. Nobody else may write to the streams
   * meanwhile.
   */
  splice?: boolean | undefined;
  /** What was read from `a`, or from `b`, and not used: it is passed on first. */
  unreadFromA?: Uint8Array | undefined;
  /** The same of `b`. */
  unreadFromB?: Uint8Array | undefined;
}

const NAMES: Readonly<Record<keyof CopyOptions, true>> = {
  signal: true,
  timeoutMs: true,
  bufferBytes: true,
  splice: true,
  unreadFromA: true,
  unreadFromB: true,
};

/** `unreadFromA` and `unreadFromB` are counted too. */
export interface CopyResult {
  /** How many bytes went from `a` to `b`. */
  readonly bytesFromA: number;
  /** How many bytes went from `b` to `a`. */
  readonly bytesFromB: number;
}

/** What can be copied besides streams and connections: what `fromDuplex` of `tripoll/node` gives. */
export interface Copyable {
  /** Its timers are used for `timeoutMs`. */
  readonly reactor: Reactor;
  /** Ends our side, when all is written. */
  end(): void;
  /** Closes it at once. */
  close(): void;
}

/** How one direction passes on its bytes; resolves when its end was passed on. */
type OneWay = (from: Stream, to: Stream, unread: Uint8Array | undefined) => Promise<number>;

async function copy(from: Stream, to: Stream, buffer: Uint8Array): Promise<number> {
  let total = 0;
  for (;;) {
    const received = await from.copyFrom(buffer);
    if (received === 0) break;
    await to.copyTo(buffer.subarray(0, received));
    total += received;
  }
  to.end();
  return total;
}

/**
 * Passes bytes both ways until both sides have ended; an end is passed on as one. Each direction
 * holds at most one buffer: a slow reader slows the other side's sender. Both streams are closed
 * when it settles, unless it was for a wrong argument.
 *
 * @param a a stream, or a connection with handlers, whose `data` and `end` are not called any more
 * from here on. What `data` had been given, and not used, is `unreadFromA`
 * @param b the same; the two may be of different kinds
 * @throws (as rejection) what either stream failed with; TypeError, RangeError; ABORT_ERR,
 * ERR_TRIPOLL_TIMEOUT; ERR_TRIPOLL_UNSUPPORTED for `splice` where there is none
 */
export async function copyBidirectional(
  a: Stream | Copyable,
  b: Stream | Copyable,
  options: CopyOptions = {},
): Promise<CopyResult> {
  checkStream('a', a, options);
  checkStream('b', b, options);
  return copyStreams(a, b, options, checkOptions(options));
}

async function copyStreams(
  a: Stream,
  b: Stream,
  options: CopyOptions,
  { bufferBytes, unreadFromA, unreadFromB }: ReturnType<typeof checkOptions>,
): Promise<CopyResult> {
  for (const stream of [a, b]) stream.takeOver();
  const pipes: SplicePipe[] = [];
  let failure: Error | null = abortedBefore(options);
  const close = () => {
    for (const closable of [a, b, ...pipes]) closable.close();
  };
  const disarm = watchCancel(options, a.reactor, (error) => {
    failure = error;
    close();
  });
  try {
    if (failure !== null) throw failure;
    const oneWay = options.splice === true ? throughPipe(pipes, bufferBytes) : throughBuffer(bufferBytes);
    const directions = [oneWay(a, b, unreadFromA), oneWay(b, a, unreadFromB)];
    // The first failure ends the other direction too; both are awaited: none goes unheard.
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
    disarm();
    close();
  }
}

function throughBuffer(bufferBytes: number): OneWay {
  return async (from, to, unread) => {
    if (unread !== undefined) await to.copyTo(unread);
    return (unread?.length ?? 0) + (await copy(from, to, new Uint8Array(bufferBytes)));
  };
}

/**
 * `pipes`: those that were made, for the caller to close.
 *
 * @throws ERR_TRIPOLL_UNSUPPORTED; EMFILE, ENFILE
 */
function throughPipe(pipes: SplicePipe[], bufferBytes: number): OneWay {
  for (let i = 0; i < 2; i++) pipes.push(new SplicePipe(bufferBytes));
  const unused = pipes.values();
  return async (from, to, unread) => {
    const pipe = unused.next().value as SplicePipe;
    if (unread !== undefined) await to.copyTo(unread);
    return (unread?.length ?? 0) + (await spliceOneWay(from, to, pipe));
  };
}

/** What is wrong is thrown before anything is touched. */
function checkOptions(options: CopyOptions): CopyOptions & { readonly bufferBytes: number } {
  checkNames('options', options, NAMES);
  checkCancelTypes(options);
  const { bufferBytes = DEFAULT_BUFFER_BYTES } = options;
  checkInteger('bufferBytes', bufferBytes, 1, MAX_BUFFER_BYTES);
  if (options.splice === true && !capabilities.splice)
    throw unsupportedError('this platform has no splice(2)');
  if (options.unreadFromA !== undefined) checkBytes('unreadFromA', options.unreadFromA);
  if (options.unreadFromB !== undefined) checkBytes('unreadFromB', options.unreadFromB);
  return { ...options, bufferBytes };
}

function checkStream(
  name: string,
  stream: Stream | Copyable,
  options: CopyOptions,
): asserts stream is Stream {
  // Not by instanceof: see errors.ts.
  const { copyFrom, readWith } = (stream ?? {}) as Partial<Stream>;
  if (typeof copyFrom !== 'function') throw invalidArgType(name, 'a stream or a connection', stream);
  if (options?.splice === true && typeof readWith !== 'function')
    throw invalidArgType(name, 'a socket, with splice', stream);
}
