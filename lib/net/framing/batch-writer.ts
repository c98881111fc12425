import { nextTick } from '../../binding/host-clock.js';
import { outOfRange, stateError, writeOverflowError } from '../../binding/errors.js';
import { checkBytes, checkFunction, checkInteger, checkNames, checkObject } from '../../binding/validate.js';

/** As TcpConnection's high water mark, and as much as a socket's send buffer takes at once. */
const DEFAULT_MAX_QUEUED_BYTES = 64 * 1024;
/** As TcpConnection's `maxQueuedBytes`. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;
/**
 * What a write that waits costs besides its bytes: its entry, its promise and that one's functions
 * (measured).
 */
const WAITING_WRITE_BYTES = 320;
const FIRST_BUFFER_BYTES = 1024;
const EMPTY = new Uint8Array(0);
/** The promise of each write that found room. */
const ACCEPTED = Promise.resolve();

/**
 * What can be written to: a `TcpStream`, a `UnixStream`, an `FdStream`, or anything with such a
 * `writeAll`.
 */
export interface ByteSink {
  /**
   * Writes all of the bytes.
   *
   * @param buffer not changed until the promise settles
   */
  writeAll(buffer: Uint8Array): Promise<unknown>;
  /** Ends the stream when all is written. `BatchWriter.end` calls it where it is there. */
  end?(): unknown;
}

/** Options of a `BatchWriter`. */
export interface BatchWriterOptions {
  /** Most bytes that are taken from writers and not yet sent: 1 to 2147483647; default 65536. */
  maxQueuedBytes?: number | undefined;
}

interface Waiter {
  readonly bytes: Uint8Array;
  /**
   * The length of `bytes` when they came: their owner may have transferred them away since (T07).
   */
  readonly length: number;
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
 * Gathers small writes and sends them together: at the end of this turn's work, when the last
 * microtask has run, or sooner when half of `maxQueuedBytes` wait. Two buffers, one that fills
 * while the other is sent; what is larger than both is sent without a copy. It does not own the
 * stream: `await end()`, `await flush()` or `await using` before that is closed, or what was
 * written last is lost.
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
  #waitingBytes = 0;
  #flushes: Flush[] = [];
  #failed = false;
  #failure: unknown = null;
  #failureTold = false;
  #ended = false;
  #ending: Promise<void> | null = null;

  /**
   * @param sink stays the caller's, who writes to it through this writer only
   * @throws TypeError, RangeError
   */
  constructor(sink: ByteSink, options: BatchWriterOptions = {}) {
    checkObject('sink', sink);
    checkFunction('sink.writeAll', sink.writeAll);
    checkNames('options', options, { maxQueuedBytes: true });
    const { maxQueuedBytes = DEFAULT_MAX_QUEUED_BYTES } = options;
    checkInteger('maxQueuedBytes', maxQueuedBytes, 1, 0x7fffffff);
    this.#sink = sink;
    this.#maxQueuedBytes = maxQueuedBytes;
  }

  /** Number of bytes taken and not yet sent; never more than `maxQueuedBytes`. */
  get queuedBytes(): number {
    return this.#filledBytes + this.#sendingBytes;
  }

  /**
   * Takes bytes to be sent. The promise is back-pressure: it resolves when all are copied or sent,
   * at once while there is room. Without room they wait their turn, in order.
   *
   * @param bytes not to be changed until the promise settles
   * @throws (as rejection) TypeError; ERR_TRIPOLL_STATE after `end`; ERR_TRIPOLL_WRITE_OVERFLOW
   * when writes that nobody awaits come to more than 16 MiB: nothing of this one is taken; what
   * `writeAll` rejected with, for every later call too; RangeError, for every later call too, when
   * bytes that waited have been transferred away
   */
  write(bytes: Uint8Array): Promise<void> {
    try {
      checkBytes('bytes', bytes);
      this.#checkWrite();
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#enqueue(bytes);
  }

  /** As `write` of both, with nothing between them, or of neither. */
  protected writeBoth(head: Uint8Array, bytes: Uint8Array): Promise<void> {
    try {
      this.#checkWrite();
    } catch (error) {
      return Promise.reject(error);
    }
    const first = this.#enqueue(head);
    const second = this.#enqueue(bytes);
    // The same promise: both found room.
    return first === second ? first : Promise.all([first, second]).then(() => undefined);
  }

  /**
   * Sends without waiting for the end of the turn. The promise resolves when `writeAll` has taken
   * all that was written before this call.
   *
   * @throws (as rejection) what `writeAll` rejected with
   */
  flush(): Promise<void> {
    if (this.#failed) return this.#rejectFailed();
    this.#send();
    const sentBytes = this.#acceptedBytes;
    if (this.#sentBytes >= sentBytes) return ACCEPTED;
    return new Promise((resolve, reject) => {
      this.#flushes.push({ sentBytes, resolve, reject });
    });
  }

  /**
   * Sends what was written, and then ends the stream where the sink has an `end`: a sink without
   * one (`FdStream`) is to be closed when this has resolved. Later writes are refused. May be
   * called twice.
   *
   * @throws (as rejection) what `writeAll` or `end` rejected with
   */
  end(): Promise<void> {
    this.#ended = true;
    this.#ending ??= this.flush().then(async () => {
      await this.#sink.end?.();
    });
    return this.#ending;
  }

  /**
   * Sends what was written, and refuses later writes; the stream stays open, for its own disposal.
   *
   * @throws (as rejection) what `writeAll` rejected with, unless a write or a flush has told of it
   */
  [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    return this.#failureTold ? ACCEPTED : this.flush();
  }

  #checkWrite(): void {
    if (this.#failed) {
      this.#failureTold = true;
      throw this.#failure;
    }
    if (this.#ended) throw stateError('write() after end()');
    if (this.#waitingBytes > MAX_WAITING_BYTES) {
      throw writeOverflowError(this.#waitingBytes, MAX_WAITING_BYTES);
    }
  }

  #rejectFailed(): Promise<never> {
    this.#failureTold = true;
    return Promise.reject(this.#failure);
  }

  #enqueue(bytes: Uint8Array): Promise<void> {
    const { length } = bytes;
    this.#acceptedBytes += length;
    // While others wait there is no room: nobody overtakes them.
    const copied = this.#goesDirect(length) ? 0 : this.#copy(bytes, 0);
    if (copied === length) return ACCEPTED;
    return new Promise((resolve, reject) => {
      this.#waiters.push({ bytes, length, offset: copied, resolve, reject });
      this.#waitingBytes += length + WAITING_WRITE_BYTES;
      this.#send();
    });
  }

  /** It would fill a buffer more than once, and nothing is in its way. */
  #goesDirect(restBytes: number): boolean {
    return restBytes > this.#maxQueuedBytes && this.queuedBytes === 0;
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

  /**
   * Not a microtask: between two awaits of one writer others would run, and each write would be
   * sent alone.
   */
  #schedule(): void {
    this.#scheduled = true;
    nextTick(BatchWriter.#sendScheduled, this);
  }

  static #sendScheduled(writer: BatchWriter): void {
    writer.#scheduled = false;
    writer.#send();
  }

  #send(): void {
    if (this.#sendingBytes > 0) return;
    if (this.#filledBytes > 0) {
      const batch = this.#filling;
      this.#filling = this.#other;
      this.#other = batch;
      this.#sendingBytes = this.#filledBytes;
      this.#filledBytes = 0;
      void this.#sendBatch(batch.subarray(0, this.#sendingBytes));
      return;
    }
    const waiter = this.#waiters[0];
    if (waiter === undefined || !this.#goesDirect(waiter.length - waiter.offset)) return;
    const start = waiter.offset;
    waiter.offset += this.#maxQueuedBytes;
    this.#sendingBytes = this.#maxQueuedBytes;
    void this.#sendBatch(waiter.bytes.subarray(start, waiter.offset));
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
      const { bytes, length } = waiter;
      if (bytes.length !== length) {
        this.#fail(outOfRange('bytes', 'left alone while their write waits', bytes));
        return;
      }
      if (this.#goesDirect(length - waiter.offset)) break;
      waiter.offset += this.#copy(bytes, waiter.offset);
      if (waiter.offset < length) break;
      this.#waitingBytes -= length + WAITING_WRITE_BYTES;
      waiter.resolve();
      done++;
    }
    this.#waiters.splice(0, done);
  }

  #fail(error: unknown): void {
    this.#failed = true;
    this.#failure = error;
    const waiting = [...this.#waiters, ...this.#flushes];
    this.#failureTold = waiting.length > 0;
    this.#waiters = [];
    this.#flushes = [];
    this.#filling = this.#other = EMPTY;
    this.#filledBytes = this.#sendingBytes = 0;
    for (const { reject } of waiting) reject(error);
  }
}
