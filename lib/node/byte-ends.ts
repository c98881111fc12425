import { invalidArgType } from '../binding/errors.js';
import type { CancelOptions } from '../reactor/cancellation.js';

/** What is read from and written to by promises: at least one of `read` and `writeAll`. */
export interface ByteEnds {
  /** As a ByteSource's. */
  read?(buffer: Uint8Array, options?: CancelOptions): Promise<number>;
  /** As a ByteSink's. */
  writeAll?(buffer: Uint8Array, options?: CancelOptions): Promise<unknown>;
  /** Ends what is written. */
  end?(): unknown;
  /** Closes it at once. */
  close?(): unknown;
}

/** What a connection with handlers has in place of them, for copies. */
interface CopyEnds {
  copyFrom(buffer: Uint8Array): Promise<number>;
  copyTo(buffer: Uint8Array): Promise<unknown>;
  takeOver(): void;
  end(): void;
  close(): void;
  reset?(): void;
}

/** The ends of anything that has some. */
export interface FoundEnds extends ByteEnds {
  /** Closes it so that the peer notices that something is missing; of TCP. */
  reset?(): unknown;
}

/**
 * The ends of a stream; those of a connection with handlers, which get nothing from here on.
 *
 * @throws TypeError
 */
export function findEnds(stream: ByteEnds): FoundEnds {
  if (typeof stream !== 'object' || stream === null || !hasEnds(stream))
    throw invalidArgType('stream', 'a stream, or anything with read() or writeAll()', stream);
  const { copyFrom } = stream as Partial<CopyEnds>;
  if (typeof stream.read === 'function' || typeof copyFrom !== 'function') return stream;
  const connection = stream as CopyEnds;
  connection.takeOver();
  return {
    read: (buffer) => connection.copyFrom(buffer),
    writeAll: (buffer) => connection.copyTo(buffer),
    end: () => connection.end(),
    close: () => connection.close(),
    ...(connection.reset === undefined ? {} : { reset: () => connection.reset?.() }),
  };
}

function hasEnds(stream: ByteEnds): boolean {
  const { copyFrom } = stream as Partial<CopyEnds>;
  return [stream.read, stream.writeAll, copyFrom].some((method) => typeof method === 'function');
}
