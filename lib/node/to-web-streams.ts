import type { Duplex } from 'node:stream';
import { ReadableStream, WritableStream, type ReadableByteStreamController } from 'node:stream/web';
import { isAnyArrayBuffer } from 'node:util/types';
import { invalidArgType } from '../binding/errors.js';
import { checkBytes, checkNames } from '../binding/validate.js';
import type { Reactor } from '../reactor/reactor.js';
import { findEnds, type ByteEnds, type FoundEnds } from './byte-ends.js';
import { fromDuplex } from './from-duplex.js';
import type { AnySocket } from './release.js';

/** Options of `toWebStreams`. */
export interface ToWebStreamsOptions {
  /** What was read from it already, and is to be read first. It is copied. */
  unread?: Uint8Array | undefined;
  /** As of `fromDuplex`, for a Duplex. */
  reactor?: Reactor | undefined;
}

/** The two streams of `toWebStreams`. */
export interface WebStreams {
  /** A byte stream: `getReader({ mode: 'byob' })` reads straight into the caller's memory. */
  readonly readable: ReadableStream<Uint8Array>;
  /** Takes Uint8Arrays and other views, and ArrayBuffers. */
  readonly writable: WritableStream<ArrayBufferView | ArrayBuffer>;
}

/** What a read without memory of the caller's is given; as much as node:net reads at a time. */
const CHUNK_BYTES = 64 * 1024;

/**
 * Makes Web streams of a stream or connection of `tripoll/net`, of a Duplex, or of what else has
 * `read` and `writeAll`. Nothing is read before it is asked for, and one write is under way at a
 * time.
 *
 * `readable.cancel()` ends reading, `writable.close()` our side; when both are over the stream
 * closes. `writable.abort()` closes all of it at once, TCP by a RST, and so does an error.
 *
 * @throws TypeError; as `fromDuplex`
 */
export function toWebStreams(
  stream: AnySocket | Duplex | ByteEnds,
  options: ToWebStreamsOptions = {},
): WebStreams {
  checkNames('options', options, { unread: true, reactor: true });
  const { unread, reactor } = options;
  if (unread !== undefined) checkBytes('unread', unread);
  const isDuplex = typeof (stream as Partial<Duplex> | null)?.pipe === 'function';
  const web = new WebEnds(
    findEnds(isDuplex ? fromDuplex(stream as Duplex, { reactor }) : (stream as ByteEnds)),
  );
  return { readable: web.makeReadable(unread), writable: web.makeWritable() };
}

/** Both streams, over one. */
class WebEnds {
  readonly #ends: FoundEnds;
  readonly #reading = new AbortController();
  #controller: ReadableByteStreamController | null = null;
  #isReadDone: boolean;
  #isWriteDone: boolean;

  constructor(ends: FoundEnds) {
    this.#ends = ends;
    this.#isReadDone = ends.read === undefined;
    this.#isWriteDone = ends.writeAll === undefined;
  }

  makeReadable(unread: Uint8Array | undefined): ReadableStream<Uint8Array> {
    return new ReadableStream({
      type: 'bytes',
      autoAllocateChunkSize: CHUNK_BYTES,
      start: (controller) => {
        this.#controller = controller;
        if (unread !== undefined && unread.length > 0) controller.enqueue(Uint8Array.from(unread));
        if (this.#isReadDone) controller.close();
      },
      pull: (controller) => this.#pull(controller),
      cancel: () => this.#endReading(),
    });
  }

  async #pull(controller: ReadableByteStreamController): Promise<void> {
    // There is one, since memory is made where the reader gives none.
    const request = controller.byobRequest!;
    const { signal } = this.#reading;
    const received = await this.#closingOnError(
      () => this.#ends.read!(request.view as Uint8Array, { signal }),
      signal,
    );
    if (this.#isReadDone) return;
    if (received > 0) {
      request.respond(received);
      return;
    }
    controller.close();
    request.respond(0);
    await this.#endReading();
  }

  makeWritable(): WritableStream<ArrayBufferView | ArrayBuffer> {
    return new WritableStream({
      start: (controller) => {
        if (this.#isWriteDone) controller.error(invalidArgType('stream', 'one with writeAll()', this.#ends));
        // Before a write under way is ended by it, which would close without a RST.
        const { signal } = controller as { signal?: AbortSignal };
        signal?.addEventListener('abort', () => this.#ends.reset?.(), { once: true });
      },
      write: async (chunk, controller) => {
        const { signal } = controller as { signal?: AbortSignal };
        const bytes = toBytes(chunk);
        await this.#closingOnError(() => this.#ends.writeAll!(bytes, { signal }), signal);
      },
      close: async () => {
        await this.#closingOnError(async () => await this.#ends.end?.());
        this.#isWriteDone = true;
        await this.#closeIfDone();
      },
      abort: (reason) => this.#abort(reason),
    });
  }

  /** The peer is not to take what it has for the whole. */
  async #abort(reason: unknown): Promise<void> {
    this.#isWriteDone = true;
    if (!this.#isReadDone) this.#controller?.error(reason);
    this.#isReadDone = true;
    await this.#ends.close?.();
  }

  async #endReading(): Promise<void> {
    this.#isReadDone = true;
    this.#reading.abort();
    await this.#closeIfDone();
  }

  async #closeIfDone(): Promise<void> {
    if (this.#isReadDone && this.#isWriteDone) await this.#ends.close?.();
  }

  /** @param wanted aborted where the error is no failure of the stream, but the user's wish */
  async #closingOnError<T>(call: () => Promise<T>, wanted?: AbortSignal): Promise<T> {
    try {
      return await call();
    } catch (error) {
      if (wanted?.aborted !== true) await this.#closeAfterError();
      throw error;
    }
  }

  async #closeAfterError(): Promise<void> {
    try {
      await this.#ends.close?.();
    } catch {
      // The first error is the one that is told.
    }
  }
}

/** @throws TypeError */
function toBytes(chunk: unknown): Uint8Array {
  if (isAnyArrayBuffer(chunk)) return new Uint8Array(chunk);
  if (!ArrayBuffer.isView(chunk)) throw invalidArgType('chunk', 'bytes', chunk);
  const { buffer, byteOffset, byteLength } = chunk;
  return new Uint8Array(buffer, byteOffset, byteLength);
}
