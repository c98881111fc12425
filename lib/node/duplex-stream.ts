import type { Duplex } from 'node:stream';
import { busyError, closedError, outOfRange, stateError } from '../binding/errors.js';
import { checkBytes } from '../binding/validate.js';
import { checkCall, type CancelOptions } from '../reactor/cancellation.js';
import { iterate } from '../reactor/iterate.js';
import type { Reactor } from '../reactor/reactor.js';
import { Waiter } from '../reactor/waiter.js';
import { Resource } from '../net/socket/resource.js';
import { prematureClose } from './errors.js';

interface PendingRead {
  readonly buffer: Uint8Array;
  readonly waiter: Waiter<number>;
}

interface PendingWrite {
  readonly bytes: Uint8Array;
  readonly waiter: Waiter<number>;
}

/** As much as node:net reads at a time. */
const CHUNK_BYTES = 64 * 1024;

/** Promises over a Duplex, as a `TcpStream` has them: a ByteSource and a ByteSink. */
export class DuplexStream extends Resource {
  /** The Duplex itself, which nobody else may read from. */
  readonly duplex: Duplex;
  /** The reactor whose timers `timeoutMs` uses. */
  readonly reactor: Reactor;
  #reader: PendingRead | null = null;
  /** In their order: the first is the Duplex' already. */
  readonly #writes: PendingWrite[] = [];
  #isReadEnded = false;
  #isEnding = false;
  #isClosed = false;
  /** What ended it; calls after that reject with it. */
  #failure: Error | null = null;

  /** @internal */
  constructor(duplex: Duplex, reactor: Reactor) {
    super();
    this.duplex = duplex;
    this.reactor = reactor;
    this.#isReadEnded = duplex.readableEnded;
    this.#isEnding = duplex.writableEnded;
    if (duplex.destroyed) this.#failure = duplex.errored ?? prematureClose();
    duplex
      .on('end', () => this.#onEnd())
      .on('error', (error) => this.#fail(error))
      .on('close', () => this.#fail(this.#isClosed ? closedError('Stream') : prematureClose()))
      .on('readable', () => this.#serveReader());
  }

  /** Whether it has been closed, by `close` or by an error. */
  get closed(): boolean {
    return this.#isClosed || this.#failure !== null;
  }

  // ---- reading ----

  /**
   * Reads what there is, at least a byte, into the start of `buffer`.
   *
   * @param buffer at least one byte long; it is written to until the promise settles
   * @returns how many bytes came; 0 at the end
   * @throws (as rejection) TypeError, RangeError; ERR_TRIPOLL_BUSY while another read waits; what
   * the Duplex failed with; ERR_STREAM_PREMATURE_CLOSE when it closed without an end;
   * ERR_TRIPOLL_CLOSED; ABORT_ERR, ERR_TRIPOLL_TIMEOUT, by which no byte is lost
   */
  async read(buffer: Uint8Array, options?: CancelOptions): Promise<number> {
    checkBytes('buffer', buffer);
    if (buffer.length === 0) throw outOfRange('buffer', 'at least one byte long', buffer);
    if (options !== undefined) checkCall(options);
    if (this.#reader !== null) throw busyError('another read() is waiting');
    const received = this.#tryRead(buffer);
    if (received !== null) return received;
    const waiter = new Waiter<number>();
    this.#reader = { buffer, waiter };
    waiter.armAlone(options ?? {}, this.reactor, () => (this.#reader = null));
    return waiter.promise;
  }

  /** What comes, a chunk at a time, up to the end. Leaving the loop leaves it open. */
  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    return iterate<Uint8Array>(async (options) => {
      const buffer = new Uint8Array(CHUNK_BYTES);
      const received = await this.read(buffer, options);
      if (received === 0) return { done: true, value: undefined };
      return { done: false, value: buffer.slice(0, received) };
    });
  }

  /** Null when there is nothing now. */
  #tryRead(buffer: Uint8Array): number | null {
    const { duplex } = this;
    if (this.#isClosed) throw closedError('Stream');
    // By this it reads on, or tells that it has ended.
    if (duplex.readableLength === 0) duplex.read(0);
    const { readableLength } = duplex;
    if (readableLength > 0) {
      const chunk = duplex.read(Math.min(buffer.length, readableLength)) as Uint8Array | null;
      if (chunk !== null) {
        buffer.set(chunk);
        return chunk.length;
      }
    }
    if (this.#isReadEnded) return 0;
    if (this.#failure !== null) throw this.#failure;
    return null;
  }

  #serveReader(): void {
    const reader = this.#reader;
    if (reader === null) return;
    // Detached since `read` was called: it takes no byte.
    if (reader.buffer.length === 0) {
      this.#reader = null;
      reader.waiter.reject(outOfRange('buffer', 'as it was', reader.buffer));
      return;
    }
    const received = this.#tryRead(reader.buffer);
    if (received === null) return;
    this.#reader = null;
    reader.waiter.resolve(received);
  }

  #onEnd(): void {
    this.#isReadEnded = true;
    const reader = this.#reader;
    this.#reader = null;
    reader?.waiter.resolve(0);
  }

  // ---- writing ----

  /**
   * Writes all of it, when the writes before it are done.
   *
   * @param buffer not to be changed until the promise settles
   * @returns how many bytes: all of them, once the Duplex has passed them on
   * @throws (as rejection) TypeError; what the Duplex failed with; ERR_STREAM_PREMATURE_CLOSE,
   * ERR_TRIPOLL_CLOSED; ERR_TRIPOLL_STATE after `end()`; ABORT_ERR, ERR_TRIPOLL_TIMEOUT: if it has
   * begun then, the Duplex is destroyed, because its peer may have half a message
   */
  async writeAll(buffer: Uint8Array, options?: CancelOptions): Promise<number> {
    checkBytes('buffer', buffer);
    if (options !== undefined) checkCall(options);
    if (this.#failure !== null) throw this.#failure;
    if (this.#isClosed) throw closedError('Stream');
    if (this.#isEnding) throw stateError('write() after end()');
    const write: PendingWrite = { bytes: buffer, waiter: new Waiter<number>() };
    this.#writes.push(write);
    write.waiter.armAlone(options ?? {}, this.reactor, () => this.#abortWrite(write));
    if (this.#writes[0] === write) this.#writeNext();
    return write.waiter.promise;
  }

  #writeNext(): void {
    const [write] = this.#writes;
    if (write === undefined) {
      if (this.#isEnding) this.duplex.end();
      return;
    }
    const { bytes, waiter } = write;
    this.duplex.write(bytes, (error) => {
      if (this.#writes[0] !== write) return; // it has failed, and is told so
      // What is wrong with it comes as 'error' or 'close' too; the first tells.
      if (error !== null && error !== undefined) {
        this.#fail(error);
        return;
      }
      this.#writes.shift();
      waiter.resolve(bytes.length);
      this.#writeNext();
    });
  }

  #abortWrite(write: PendingWrite): void {
    const index = this.#writes.indexOf(write);
    if (index > 0) this.#writes.splice(index, 1);
    else if (index === 0) {
      this.#fail(stateError('a write was aborted half-way'));
      this.duplex.destroy();
    }
  }

  /** Ends our side when all writes are done; the peer may go on sending. */
  end(): void {
    if (this.#isEnding || this.closed) return;
    this.#isEnding = true;
    if (this.#writes.length === 0) this.duplex.end();
  }

  // ---- the end ----

  /**
   * Destroys the Duplex; what waits is rejected with ERR_TRIPOLL_CLOSED. After `end()`, with all
   * written, it is destroyed when that has gone out, as TLS' own end takes some time. May be called
   * twice.
   */
  close(): void {
    if (this.#isClosed) return;
    const { duplex } = this;
    const isEnding = this.#isEnding && this.#writes.length === 0 && this.#failure === null;
    this.#isClosed = true;
    this.#fail(closedError('Stream'));
    // What still comes is nobody's.
    if (isEnding && !duplex.writableFinished) duplex.once('finish', () => duplex.destroy());
    else duplex.destroy();
  }

  /** The first failure counts. Who waits is told of it. */
  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { waiter } of this.#writes.splice(0)) waiter.reject(this.#failure);
    // What had come is read first: then nobody waits.
    const reader = this.#reader;
    this.#reader = null;
    if (this.#isReadEnded) reader?.waiter.resolve(0);
    else reader?.waiter.reject(this.#failure);
  }

  // ---- what a copy asks ----

  /** @internal */
  copyFrom(buffer: Uint8Array): Promise<number> {
    return this.read(buffer);
  }

  /** @internal */
  copyTo(bytes: Uint8Array): Promise<number> {
    return this.writeAll(bytes);
  }

  /** @internal */
  takeOver(): void {
    // There are no handlers.
  }
}
