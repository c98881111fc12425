import { nextTick } from '../../binding/host-clock.js';
import { checkBytes, checkFunction, checkInteger, checkObject } from '../../binding/validate.js';

/** As TcpConnection's high water mark, and as much as a socket's send buffer takes at once. */
const DEFAULT_MAX_QUEUED_BYTES = 64 * 1024;
const FIRST_BUFFER_BYTES = 1024;
const EMPTY = new Uint8Array(0);
/** Of the write that found room: one promise for all of them. */
const ACCEPTED = Promise.resolve();

/** What can be written to: a `TcpStream`, or anything with such a `writeAll`. */
export interface ByteSink {
  /**
   * Takes all of `buffer`.
   *
   * @param buffer not changed until the promise settles
   */
  writeAll(buffer: Uint8Array): Promise<unknown>;
}

/** Options of a `BatchWriter`. */
export interface BatchWriterOptions {
  /** Bytes that are taken from writers and not yet sent: at least 1; default 65536. */
  maxQueuedBytes?: number | undefined;
}

interface Waiter {
  readonly bytes: Uint8Array;
  offset: number;
  resolve(): void;
  reject(error: unknown): void;
}

interface Flush {
  /** Done when so many bytes of this writer have been sent. */
  readonly sentBytes: number;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Gathers small writes and sends them together: at the end of this turn's work, when the last microtask has run, or
 * sooner when half of `maxQueuedBytes` wait. Two buffers, one that fills while the other is sent. It does not own the
 * stream; `await flush()` before that is closed.
 */
export class BatchWriter {
  readonly #sink: ByteSink;
  readonly #maxQueuedBytes: number;
  #filling: Uint8Array = EMPTY;
  #filledBytes = 0;
  /** The other buffer, which is being sent when `#sendingBytes` is not 0. */
  #other: Uint8Array = EMPTY;
  #sendingBytes = 0;
  #scheduled = false;
  /** Since the beginning. */
  #acceptedBytes = 0;
  #sentBytes = 0;
  #waiters: Waiter[] = [];
  #flushes: Flush[] = [];
  #failed = false;
  #failure: unknown = null;

  /** @throws TypeError, RangeError */
  constructor(sink: ByteSink, options: BatchWriterOptions = {}) {
    checkObject('sink', sink);
    checkFunction('sink.writeAll', sink.writeAll);
    checkObject('options', options);
    const { maxQueuedBytes = DEFAULT_MAX_QUEUED_BYTES } = options;
    checkInteger('maxQueuedBytes', maxQueuedBytes, 1, 0x7fffffff);
    this.#sink = sink;
    this.#maxQueuedBytes = maxQueuedBytes;
  }

  /** Bytes taken and not yet sent; never more than `maxQueuedBytes`. */
  get queuedBytes(): number {
    return this.#filledBytes + this.#sendingBytes;
  }

  /**
   * Copies the bytes. The promise is back-pressure: it resolves when all are copied, at once while there is room.
   * Without room they wait their turn, in order.
   *
   * @param bytes not to be changed until the promise settles
   * @throws (as rejection) TypeError; what `writeAll` rejected with, for every later call too
   */
  write(bytes: Uint8Array): Promise<void> {
    if (this.#failed) return Promise.reject(this.#failure);
    try {
      checkBytes('bytes', bytes);
    } catch (error) {
      return Promise.reject(error);
    }
    this.#acceptedBytes += bytes.length;
    // While others wait there is no room: nobody overtakes them.
    const copied = this.#copy(bytes, 0);
    if (copied === bytes.length) return ACCEPTED;
    return new Promise((resolve, reject) => {
      this.#waiters.push({ bytes, offset: copied, resolve, reject });
    });
  }

  /**
   * Sends without waiting for the end of the turn. Resolves when `writeAll` has taken all that was written before.
   *
   * @throws (as rejection) what `writeAll` rejected with
   */
  flush(): Promise<void> {
    if (this.#failed) return Promise.reject(this.#failure);
    this.#send();
    const sentBytes = this.#acceptedBytes;
    if (this.#sentBytes >= sentBytes) return ACCEPTED;
    return new Promise((resolve, reject) => {
      this.#flushes.push({ sentBytes, resolve, reject });
    });
  }

  /** As many bytes as there is room for. */
  #copy(bytes: Uint8Array, offset: number): number {
    const count = Math.min(bytes.length - offset, this.#maxQueuedBytes - this.queuedBytes);
    if (count === 0) return 0;
    const filled = this.#filledBytes + count;
    if (filled > this.#filling.length) this.#grow(filled);
    this.#filling.set(
      count === bytes.length ? bytes : bytes.subarray(offset, offset + count),
      this.#filledBytes,
    );
    this.#filledBytes = filled;
    if (filled >= this.#maxQueuedBytes / 2) this.#send();
    else if (!this.#scheduled && this.#sendingBytes === 0) this.#schedule();
    return count;
  }

  #grow(needed: number): void {
    const doubled = Math.max(FIRST_BUFFER_BYTES, 2 * this.#filling.length);
    const grown = new Uint8Array(Math.max(needed, Math.min(doubled, this.#maxQueuedBytes)));
    grown.set(this.#filling.subarray(0, this.#filledBytes));
    this.#filling = grown;
  }

  /** Not a microtask: between two awaits of one writer others would run, and each write would be sent alone. */
  #schedule(): void {
    this.#scheduled = true;
    nextTick(BatchWriter.#sendScheduled, this);
  }

  static #sendScheduled(writer: BatchWriter): void {
    writer.#scheduled = false;
    writer.#send();
  }

  #send(): void {
    if (this.#failed || this.#sendingBytes > 0 || this.#filledBytes === 0) return;
    const batch = this.#filling;
    this.#filling = this.#other;
    this.#other = batch;
    this.#sendingBytes = this.#filledBytes;
    this.#filledBytes = 0;
    void this.#sendBatch(batch.subarray(0, this.#sendingBytes));
  }

  /** Never rejects: whoever waits is told, and whoever comes later. */
  async #sendBatch(batch: Uint8Array): Promise<void> {
    try {
      await this.#sink.writeAll(batch);
    } catch (error) {
      // Not from inside the write() or flush() that sends, whose own promise is still to be made.
      await Promise.resolve();
      this.#fail(error);
      return;
    }
    this.#sentBytes += this.#sendingBytes;
    this.#sendingBytes = 0;
    while (this.#flushes.length > 0 && this.#flushes[0]!.sentBytes <= this.#sentBytes) {
      this.#flushes.shift()!.resolve();
    }
    this.#admit();
    // What has come while this batch was on its way has waited long enough.
    this.#send();
  }

  #admit(): void {
    let done = 0;
    for (const waiter of this.#waiters) {
      waiter.offset += this.#copy(waiter.bytes, waiter.offset);
      if (waiter.offset < waiter.bytes.length) break;
      waiter.resolve();
      done++;
    }
    this.#waiters.splice(0, done);
  }

  #fail(error: unknown): void {
    this.#failed = true;
    this.#failure = error;
    const waiting = [...this.#waiters, ...this.#flushes];
    this.#waiters = [];
    this.#flushes = [];
    this.#filling = this.#other = EMPTY;
    this.#filledBytes = this.#sendingBytes = 0;
    for (const { reject } of waiting) reject(error);
  }
}
