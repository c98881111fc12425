import { EAGAIN, EINTR } from '../../binding/errnos.js';
import { busyError, closedError, detachedError, outOfRange, systemError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkBytes } from '../../binding/validate.js';
import { checkCall, watchCancel, type CancelOptions } from '../../reactor/cancellation.js';
import { iterate } from '../../reactor/iterate.js';
import type { SocketAddress } from '../../sys/address.js';
import type { SocketHandle } from '../socket/detached.js';
import { releaseFd } from '../socket/release-fd.js';
import { LEFTOVERS } from '../socket/resource.js';
import { detachStream, type DetachOptions } from './detaching.js';
import { LOOK, lookForEnd, readDone, REFUSED, tryOperation } from './reading.js';
import * as State from './state.js';
import { StreamCore } from './stream-core.js';
import { closeAfterEnd, goesLater, mayGoOn, queueWrite, refusal } from './writing.js';
import type { ReadOperation } from './seams.js';
import { checkVector, placeIn } from './vectors.js';
import { MAX_VECTORS, REFUSED_WHOLE } from './write-queue.js';
import { splitStream, type ReadHalf, type WriteHalf } from './split.js';
import { peek, sendfile, type SendfileOptions } from './transfer.js';
import type { OutgoingFds, QueuedFds } from '../message/outgoing-fds.js';

interface PendingRead {
  readonly buffer: Uint8Array;
  /** Instead of reading into `buffer`. */
  readonly operation: ReadOperation | null;
  resolve(received: number): void;
  reject(error: unknown): void;
  disarm: (() => void) | null;
}

/** One executor for all reads, instead of a closure for each: they are as many as the messages. */
const taken = {
  resolve: (_received: number): void => undefined,
  reject: (_error: unknown): void => undefined,
};
function takeSettlers(resolve: (received: number) => void, reject: (error: unknown) => void): void {
  taken.resolve = resolve;
  taken.reject = reject;
}

/**
 * A stream socket with promises, as Tokio's: reads and writes take the caller's own buffers. All of
 * them take `{ signal, timeoutMs }`. `TcpStream` and `UnixStream` say how one comes to be.
 */
export abstract class SocketStream<Address = SocketAddress> extends StreamCore<Address> {
  #reader: PendingRead | null = null;
  #opening: { resolve(): void; reject(error: unknown): void } | null = null;
  /** What ended it; reads and writes after that reject with it. */
  protected failure: Error | null = null;

  /** Settles with `onOpen`, or with the end; `begin` starts to connect. */
  protected whenOpen(begin: () => void): Promise<this> {
    return new Promise((resolve, reject) => {
      this.#opening = { resolve: () => resolve(this), reject };
      begin();
    });
  }

  // ---- reading ----

  /**
   * Reads what there is, at least a byte, into the start of `buffer`.
   *
   * @param buffer at least one byte long; it is written to until the promise settles
   * @returns how many bytes came; 0 at the end of the stream
   * @throws (as rejection) TypeError, RangeError; ERR_TRIPOLL_BUSY while another read waits;
   * ECONNRESET and what else recv(2) says; ERR_TRIPOLL_CLOSED; ABORT_ERR, ERR_TRIPOLL_TIMEOUT, by
   * which no byte is lost
   */
  read(buffer: Uint8Array, options?: CancelOptions): Promise<number> {
    return this.#read(buffer, null, options);
  }

  /**
   * Waits until a read would not have to: there are bytes, or the end. So an idle stream needs no
   * buffer.
   *
   * @throws (as rejection) as `read`
   */
  async readable(options?: CancelOptions): Promise<void> {
    await this.#read(ONE_BYTE, LOOK, options);
  }

  /**
   * Reads what there is, without waiting.
   *
   * @param buffer at least one byte long
   * @returns how many bytes came; 0 at the end of the stream; null when there is nothing now:
   * `await readable()`
   * @throws as `read` rejects
   */
  tryRead(buffer: Uint8Array): number | null {
    if (this.#reader !== null) throw busyError('a read() is waiting');
    const wrong = this.#whyNoRead(buffer);
    if (wrong !== null && !this.readEnded) throw wrong;
    if (this.readEnded) return 0;
    if (!this.mayRead) return null;
    // What a loop of these takes is missing to the next read that could wait (T47).
    this.reactor.registry.consumeBudget();
    const received = this.#tryRead(buffer);
    if (received === EAGAIN) return null;
    if (received === REFUSED) throw this.#whyNoRead(buffer) ?? outOfRange('buffer', 'as it was', buffer);
    if (received === 0) this.finishIfDone();
    else readDone(this);
    return received;
  }

  /**
   * What comes, a chunk at a time, up to the end: `for await (const chunk of stream)`. Each chunk
   * is the loop's own. Leaving the loop leaves the stream open; `return()` also ends a `next()`
   * that waits.
   *
   * @throws (from `next`) as `read` rejects
   */
  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    return iterate((options) => this.#nextChunk(options));
  }

  async #nextChunk(options: CancelOptions): Promise<IteratorResult<Uint8Array, void>> {
    for (;;) {
      await this.readable(options);
      chunkBuffer ??= new Uint8Array(CHUNK_BYTES);
      const received = this.tryRead(chunkBuffer);
      if (received === 0) return { done: true, value: undefined };
      if (received !== null) return { done: false, value: chunkBuffer.slice(0, received) };
    }
  }

  /** @internal */
  readWith(operation: ReadOperation, options?: CancelOptions): Promise<number> {
    return this.#read(ONE_BYTE, operation, options);
  }

  #read(buffer: Uint8Array, operation: ReadOperation | null, options?: CancelOptions): Promise<number> {
    const refused = options === undefined ? null : refusal(options);
    if (refused !== null) return Promise.reject(refused);
    if (this.#reader !== null) return Promise.reject(busyError('another read() is waiting'));
    // A loop of reads that never have to wait would let nobody else run: they share a turn's budget
    // (T47).
    if (this.mayRead && this.reactor.registry.consumeBudget()) {
      const received = operation === null ? this.#tryRead(buffer) : this.#tryOperation(operation);
      if (received === EAGAIN) return this.#waitForRead(buffer, operation, options);
      if (received === 0) this.finishIfDone();
      else if (received > 0) readDone(this);
      if (received !== REFUSED) return Promise.resolve(received);
    }
    // What broke it after the end is for writes to say.
    if (State.bothEnded(this.state) || (this.readEnded && this.failure !== null)) return Promise.resolve(0);
    const error = this.#whyNoRead(buffer);
    if (error !== null) return Promise.reject(error);
    if (this.readEnded) return Promise.resolve(0);
    if (this.mayRead) this.readLater();
    return this.#waitForRead(buffer, operation, options);
  }

  #whyNoRead(buffer: unknown): Error | null {
    try {
      checkBytes('buffer', buffer);
    } catch (error) {
      return error as Error;
    }
    if (buffer.length === 0) return outOfRange('buffer', 'at least one byte long', buffer);
    return this.closed ? this.whyClosed() : null;
  }

  #waitForRead(
    buffer: Uint8Array,
    operation: ReadOperation | null,
    options: CancelOptions | undefined,
  ): Promise<number> {
    const promise = new Promise<number>(takeSettlers);
    const { resolve, reject } = taken;
    const reader: PendingRead = { buffer, operation, resolve, reject, disarm: null };
    this.#reader = reader;
    if (options !== undefined) {
      reader.disarm = watchCancel(options, this.reactor, (error) => this.#takeReader()?.reject(error));
    }
    this.updateInterest();
    return promise;
  }

  /** Whoever waits to read waits no longer. */
  #takeReader(): PendingRead | null {
    const reader = this.#reader;
    this.#reader = null;
    reader?.disarm?.();
    return reader;
  }

  /** @internal */
  get isWaiting(): boolean {
    return this.#reader !== null;
  }

  /** One receive into `buffer`: n or -errno. */
  protected receiveInto(buffer: Uint8Array): number {
    return native.recvInto(this.fd, buffer);
  }

  /** n >= 0; EAGAIN; or REFUSED when it can only fail, and `read` finds out how. */
  #tryRead(buffer: Uint8Array): number {
    if (this.readEnded) return 0;
    let received: number;
    try {
      received = this.receiveInto(buffer);
    } catch {
      return REFUSED;
    }
    if (received > 0) {
      this.noteRead(received);
      if (received < buffer.length) this.readShort();
    } else if (received === 0) {
      // Detached, or empty from the start: then 0 is no end.
      if (buffer.length === 0) return REFUSED;
      this.markReadEnded();
    } else if (received === EAGAIN || received === EINTR) {
      if (received === EAGAIN) this.readEmpty();
      // Nothing was said about what there is, and an edge would not come again.
      else this.readLater();
      return buffer.length === 0 ? REFUSED : EAGAIN;
    } else {
      this.fail(received, 'read');
      return REFUSED;
    }
    return received;
  }

  /** As `#tryRead`. */
  #tryOperation(operation: ReadOperation): number {
    if (this.readEnded) return 0;
    const received = tryOperation(this, operation);
    if (received === 0) this.markReadEnded();
    return received;
  }

  /** @internal */
  readNow(): void {
    const reader = this.#reader;
    if (reader === null) {
      lookForEnd(this);
      return;
    }
    const { buffer, operation } = reader;
    const received = operation === null ? this.#tryRead(buffer) : this.#tryOperation(operation);
    if (received === EAGAIN) return;
    this.#takeReader();
    if (received !== REFUSED) reader.resolve(received);
    // Detached or shrunk since `read` was called; nothing was received, so nothing is lost.
    else reader.reject(this.#whyNoRead(reader.buffer) ?? outOfRange('buffer', 'as it was', reader.buffer));
    if (received === 0) this.finishIfDone();
    else if (received > 0) readDone(this);
  }

  /** @internal */
  onPeerEnd(): void {
    this.markReadEnded();
    this.finishIfDone();
  }

  /** @internal */
  get wantsRead(): boolean {
    return this.#reader !== null;
  }

  // ---- writing ----

  /**
   * Writes as much as the socket takes now, at least a byte. Writes queue in the order of their
   * calls.
   *
   * @param buffer not to be changed until the promise settles
   * @returns how many bytes were written
   * @throws (as rejection) TypeError; EPIPE, ECONNRESET and what else send(2) says, but
   * ENOBUFS only after ten seconds of it; ERR_TRIPOLL_CLOSED; ERR_TRIPOLL_STATE after `end()`;
   * ABORT_ERR, ERR_TRIPOLL_TIMEOUT: with `bytesWritten`, and if that is not 0 the stream is
   * destroyed, because its peer has half a message
   */
  write(buffer: Uint8Array, options?: CancelOptions): Promise<number> {
    return this.startWrite(buffer, false, options, null);
  }

  /** Writes all of it; as `write` otherwise. */
  writeAll(buffer: Uint8Array, options?: CancelOptions): Promise<number> {
    return this.startWrite(buffer, true, options, null);
  }

  /**
   * Writes all of several buffers, in one system call where the socket takes them: a header and its
   * body, say. Of a seqpacket socket they are one message.
   *
   * @param buffers not to be changed until the promise settles
   * @returns how many bytes they were
   * @throws (as rejection) as `writeAll`; TypeError unless all are Uint8Arrays
   */
  async writev(buffers: readonly Uint8Array[], options?: CancelOptions): Promise<number> {
    checkVector('buffers', buffers);
    if (this.profile.traits.messages) return this.writeAll(Buffer.concat(buffers), options);
    if (options !== undefined) checkCall(options);
    this.checkCanWrite();
    let written = 0;
    if (this.canWriteNow && !this.reactor.registry.consumeBudget()) this.flushSoon();
    else if (this.canWriteNow) {
      written = native.sendv(this.fd, buffers, 0, MAX_VECTORS);
      if (written > 0) this.noteWritten(written);
      if (written < 0 && written !== EINTR && !goesLater(this, written)) this.fail(written, 'write');
      this.checkCanWrite();
    }
    const { index, offset } = placeIn(buffers, Math.max(0, written));
    if (index === buffers.length) return Math.max(0, written);
    if (mayGoOn(written)) this.flushSoon();
    return queueWrite(this, true, Math.max(0, written), options, (operation) => {
      this.ensureQueue().pushAll(buffers.slice(index), offset, operation);
      this.updateInterest();
    });
  }

  /** `fds`: go with the first byte. */
  protected startWrite(
    buffer: Uint8Array,
    all: boolean,
    options: CancelOptions | undefined,
    fds: OutgoingFds | null,
  ): Promise<number> {
    const refused = options === undefined ? null : refusal(options);
    if (refused !== null) return Promise.reject(refused);
    let written = 0;
    const canWriteNow = this.canWriteNow && !this.writeEnded;
    // As with reads (T48).
    if (canWriteNow && !this.reactor.registry.consumeBudget()) this.flushSoon();
    else if (canWriteNow) {
      try {
        written = fds === null ? native.sendFrom(this.fd, buffer) : fds.send(this.fd, buffer);
      } catch (error) {
        return Promise.reject(error);
      }
      if (written > 0) this.noteWritten(written);
      if (written === buffer.length || (written > 0 && !all)) return Promise.resolve(written);
      if (mayGoOn(written)) this.flushSoon();
      else if (REFUSED_WHOLE.has(written)) return Promise.reject(systemError(written, 'write'));
      else if (written < 0 && !goesLater(this, written)) this.fail(written, 'write');
    }
    return this.#queueRest(buffer, all, Math.max(0, written), options, fds);
  }

  /** What the socket did not take now: bytes from `sent` on, and the fds if none are out yet. */
  #queueRest(
    buffer: Uint8Array,
    all: boolean,
    sent: number,
    options: CancelOptions | undefined,
    fds: OutgoingFds | null,
  ): Promise<number> {
    let queuedFds: QueuedFds | null = null;
    try {
      checkBytes('buffer', buffer);
      this.checkCanWrite();
      if (fds !== null && sent === 0) queuedFds = fds.duplicate();
    } catch (error) {
      return Promise.reject(error);
    }
    return queueWrite(this, all, sent, options, (operation) => {
      this.ensureQueue().push(buffer.subarray(sent), operation, queuedFds);
      this.updateInterest();
    });
  }

  // ---- without a copy into this process ----

  /**
   * Looks at what there is, at least a byte, and leaves it to be read (MSG_PEEK).
   *
   * @returns how many bytes are in `buffer`; 0 at the end of the stream
   * @throws (as rejection) as `read`
   */
  peek(buffer: Uint8Array, options?: CancelOptions): Promise<number> {
    return peek(this, buffer, options);
  }

  /**
   * Writes a file's bytes without taking them into this process (sendfile(2)). The file's own
   * reading may block this thread when it is not in the system's cache. Linux.
   *
   * @param fileFd of a regular file; it stays the caller's, to be kept open until the promise
   * settles
   * @returns how many bytes were written: less than `length` when the file ends before
   * @throws (as rejection) as `writeAll`; ERR_TRIPOLL_UNSUPPORTED; EBADF, EINVAL and what else
   * sendfile(2) says of the file: the stream stays open if none of it was sent
   */
  sendfile(fileFd: number, options?: SendfileOptions): Promise<number> {
    return sendfile(this, fileFd, options);
  }

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
    // There are no handlers that could be given what comes.
  }

  /** @internal */
  whyClosed(): Error {
    return this.failure ?? (State.isDetached(this.state) ? detachedError : closedError)('Stream');
  }

  // ---- the end ----

  /** Two halves, for two owners; this stream closes when both have closed. */
  split(): { reader: ReadHalf; writer: WriteHalf } {
    return splitStream(this, () => closeAfterEnd(this));
  }

  protected detachAs<Kind extends 'tcp' | 'unix'>(
    kind: Kind,
    options: DetachOptions,
  ): Promise<SocketHandle<Kind>> {
    return detachStream(this, kind, options, () => this.destroy(null));
  }

  /** Closes at once; what waits is rejected with ERR_TRIPOLL_CLOSED. May be called twice. */
  close(): void {
    this.destroy(null);
  }

  /** @internal */
  override [LEFTOVERS](): (() => void) | null {
    const { fd, registration, profile, cold } = this;
    // Cold state is what is unusual, as a signal that somebody may listen to.
    const isIdle = this.isOpen && !this.isWaiting && !this.hasQueued && cold === null;
    if (!isIdle || profile.idle !== null) return null;
    const { owner } = profile;
    return () => {
      releaseFd(fd, registration);
      owner?.connectionClosed();
    };
  }

  /** @internal */
  onOpen(): void {
    const opening = this.#opening;
    this.#opening = null;
    opening?.resolve();
  }

  /** @internal */
  onFlushed(): void {
    // Whoever waited was told by the queue.
  }

  protected onDestroyed(error: Error | null): void {
    this.failure = error;
    if (this.#reader !== null) this.#takeReader()?.reject(this.whyClosed());
    const opening = this.#opening;
    this.#opening = null;
    opening?.reject(error ?? closedError('Stream'));
    this.profile.owner?.connectionClosed();
  }
}

/** A buffer that could be read into, where none is. */
const ONE_BYTE = new Uint8Array(1);
/** As much as node:net reads at a time. */
const CHUNK_BYTES = 64 * 1024;
/** Shared by all streams of a thread: what was read is copied at once. */
let chunkBuffer: Uint8Array | null = null;
