import { EAGAIN, EINTR } from '../../binding/errnos.js';
import {
  closedError,
  detachedError,
  stateError,
  systemError,
  writeOverflowError,
} from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkBoolean, checkBytes, checkNames } from '../../binding/validate.js';
import type { CancelOptions } from '../../reactor/cancellation.js';
import type { SocketAddress } from '../../sys/address.js';
import { sendNow } from '../socket/stream-calls.js';
import { getArena } from './arena.js';
import { callLast, HandlerCalls, noteEndError } from '../socket/handler-call.js';
import type { ConnectionProfile } from './connection-profile.js';
import type { SocketHandle } from '../socket/detached.js';
import type { DetachOptions } from './detaching.js';
import { attachTo } from './opening.js';
import { detachPast, isReadingPast, readPast, rejectHeld, runHeld, takeOver } from './past-handlers.js';
import { lookForEnd } from './reading.js';
import type { ReadOperation } from './seams.js';
import * as State from './state.js';
import { READS_PER_EVENT, StreamCore } from './stream-core.js';
import { peek, sendfile, type SendfileOptions } from './transfer.js';
import type { QueuedFds } from '../message/outgoing-fds.js';
import { checkVector, placeIn } from './vectors.js';
import { MAX_VECTORS, REFUSED_WHOLE, type WriteSource } from './write-queue.js';
import { endWrite, goesLater, mayGoOn, pushSource } from './writing.js';

/** Options of `write`. */
export interface WriteOptions {
  /**
   * Nobody changes the chunk's bytes before they are out, so that one of 1 KiB or more is not
   * copied while it waits: for a large value that many connections are sent. A chunk that `data`
   * was lent is copied all the same. Default false.
   */
  keep?: boolean | undefined;
}

/** @internal A stream's own, which need not be looked at for each chunk. */
export const KEPT: WriteOptions = Object.freeze({ keep: true });

const WRITE_NAMES = { keep: true } as const;
function checkWriteOptions(options: WriteOptions): void {
  checkNames('options', options, WRITE_NAMES);
  if (options.keep !== undefined) checkBoolean('keep', options.keep);
}

/** A smaller chunk is copied: its place in the queue would take as much as it does. */
const MIN_KEPT_BYTES = 1024;

/**
 * A handler-style connection of a stream socket; `TcpConnection` and `UnixConnection` say how one
 * comes to be.
 */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- it is the type of `data`
export abstract class SocketConnection<Data = unknown, Address = SocketAddress> extends StreamCore<Address> {
  static readonly #calls = new HandlerCalls<SocketConnection<unknown, unknown>>({
    isClosed: (connection) => connection.closed,
    hearsErrors: (connection) => connection.profile.handlers.error !== undefined,
    onThrown: (connection, error) => connection.destroy(error),
  });
  /** @internal */
  declare readonly profile: ConnectionProfile;
  /** The user's own: undefined until it is set, in `open` say, whatever its type. */
  data: Data = undefined as Data;

  // ---- reading ----

  /** @internal */
  readNow(): void {
    const arena = getArena();
    for (let i = 0; i < READS_PER_EVENT; i++) {
      if (!this.isOpen || State.isPaused(this.state) || this.readEnded) {
        if (State.isHeld(this.state) && this.isOpen) runHeld(this);
        else lookForEnd(this);
        return;
      }
      if (i > 0 && !this.reactor.registry.consumeBudget()) break;
      arena.prepare();
      const received = this.receiveArena();
      if (received > 0) {
        this.noteRead(received);
        this.deliver(received);
        if (received < arena.bytes && this.readShort()) return;
      } else if (received === 0) {
        this.onPeerEnd();
        return;
      } else if (received === EAGAIN) {
        this.readEmpty();
        return;
      } else if (received !== EINTR) {
        this.fail(received, 'read');
        return;
      }
    }
    this.readLater();
  }

  /** One receive into the arena: n or -errno. */
  protected receiveArena(): number {
    return native.recvArena(this.fd);
  }

  /** The first bytes of the arena, to the user. */
  protected deliver(length: number): void {
    const { handlers } = this.profile;
    if (handlers.data === undefined) return;
    const arena = getArena();
    const chunk = arena.lend(length);
    try {
      const result = handlers.data(this as never, chunk);
      if (result !== undefined) SocketConnection.#calls.watch(this, result);
    } catch (error) {
      SocketConnection.#calls.thrown(this, error);
    }
    arena.takeBack(chunk);
  }

  /** @internal */
  onPeerEnd(): void {
    this.markReadEnded();
    // Who listens to `peerSignal` may have closed it.
    if (this.isOpen) this.callHandler(this.profile.handlers.end);
    if (!this.isOpen) return;
    if (!this.profile.settings.allowHalfOpen) endWrite(this);
    this.finishIfDone();
  }

  /** Stops `data`, and with it, soon, the peer. */
  pause(): this {
    this.setStopped(State.paused, true);
    return this;
  }

  /** Delivers bytes again after `pause`. */
  resume(): this {
    this.setStopped(State.paused, false);
    return this;
  }

  /**
   * Looks at what there is, at least a byte, and leaves it for `data` (MSG_PEEK). Until this has
   * settled, and whoever awaits it has gone on, no bytes are delivered: `pause()` then, or begin a
   * copy, and `data` gets none.
   *
   * @returns how many bytes are in `buffer`; 0 at the end of the stream
   * @throws (as rejection) as `SocketStream.peek`; what ended the connection, which `error` tells
   * too: it may be ignored here
   */
  peek(buffer: Uint8Array, options?: CancelOptions): Promise<number> {
    return this.guarded(peek(this, buffer, options));
  }

  /** @internal */
  readWith(operation: ReadOperation, options?: CancelOptions): Promise<number> {
    return readPast(this, operation, options);
  }

  /** @internal */
  copyFrom(buffer: Uint8Array): Promise<number> {
    let received = 0;
    return this.readWith({
      run: (fd) => (received = this.receiveToCopy(fd, buffer)),
      get drained() {
        return received < buffer.length;
      },
    });
  }

  protected receiveToCopy(fd: number, buffer: Uint8Array): number {
    return native.recvInto(fd, buffer);
  }

  /** @internal */
  copyTo(bytes: Uint8Array): Promise<number> {
    const { length } = bytes;
    return this.writeWith((fd, written) => sendNow(fd, bytes, written, length - written), length);
  }

  /** @internal */
  takeOver(): void {
    takeOver(this);
  }

  /** @internal */
  get wantsRead(): boolean {
    return !State.isPaused(this.state) || isReadingPast(this);
  }

  /** @internal */
  get isWaiting(): boolean {
    return isReadingPast(this);
  }

  /** @internal */
  whyClosed(): Error {
    return (State.isDetached(this.state) ? detachedError : closedError)('Connection');
  }

  // ---- writing ----

  /**
   * Writes all of `chunk`, in order. What the socket does not take at once is copied and queued:
   * small ones together, so that many of them, or all between `cork` and `uncork`, take little more
   * memory than their bytes.
   *
   * @returns false when more than `highWaterMarkBytes` wait: pause until `drain`. Also false when
   * the connection has failed and `close` is about to tell.
   * @throws TypeError when it is no Uint8Array; ERR_TRIPOLL_CLOSED; ERR_TRIPOLL_STATE after `end()`
   */
  write(chunk: Uint8Array, options?: WriteOptions): boolean {
    if (options !== undefined && options !== KEPT) checkWriteOptions(options);
    if (this.writeEnded || this.closed) return this.refuseWrite();
    let written = 0;
    if (this.canWriteNow) {
      const arena = getArena();
      // The chunk that was just lent, sent back: native code has it already.
      written =
        chunk === arena.lent ? native.sendArena(this.fd, chunk.length) : native.sendFrom(this.fd, chunk);
      if (written > 0) this.noteWritten(written);
      if (written === chunk.length) return true;
      if (written < 0 && written !== EINTR && !goesLater(this, written)) {
        if (REFUSED_WHOLE.has(written)) throw systemError(written, 'write');
        this.fail(written, 'write');
        return false;
      }
      if (mayGoOn(written)) this.flushSoon();
    }
    return this.enqueue(chunk, Math.max(0, written), null, options?.keep);
  }

  /**
   * Writes several chunks in order, in one system call where the socket takes them: a header and
   * its body, say. Of a seqpacket socket they are one message.
   *
   * @returns as `write`
   * @throws as `write`; TypeError unless all are Uint8Arrays, of which then none was written
   */
  writev(chunks: readonly Uint8Array[]): boolean {
    checkVector('chunks', chunks);
    if (this.profile.traits.messages) return this.write(Buffer.concat(chunks));
    if (this.writeEnded || this.closed) return this.refuseWrite();
    const written = this.canWriteNow ? native.sendv(this.fd, chunks, 0, MAX_VECTORS) : 0;
    if (written > 0) this.noteWritten(written);
    if (written < 0 && written !== EINTR && !goesLater(this, written)) {
      this.fail(written, 'write');
      return false;
    }
    const { index, offset } = placeIn(chunks, Math.max(0, written));
    if (index < chunks.length && mayGoOn(written)) this.flushSoon();
    chunks.slice(index).forEach((chunk, i) => this.isOpen && this.enqueue(chunk, i === 0 ? offset : 0, null));
    return this.isOpen && this.#isBelowHighWater();
  }

  /** False, or throws why. */
  protected refuseWrite(): boolean {
    if (State.isCloseReported(this.state)) throw closedError('Connection');
    if (this.closed) return false;
    throw stateError('write() after end()');
  }

  protected enqueue(chunk: Uint8Array, offset: number, fds: QueuedFds | null, keep = false): boolean {
    checkBytes('chunk', chunk);
    const bytes = offset === 0 ? chunk : chunk.subarray(offset);
    if (!this.#makeRoom(bytes.length)) {
      fds?.close();
      return false;
    }
    // What was just lent is about to be somebody else's.
    const isKept = keep && bytes.length >= MIN_KEPT_BYTES && !getArena().holds(bytes);
    if (fds !== null) this.ensureQueue().push(Uint8Array.from(bytes), null, fds);
    else if (isKept) this.ensureQueue().push(bytes, null);
    else if (bytes.length > 0) this.ensureQueue().append(bytes);
    this.updateInterest();
    return this.#isBelowHighWater();
  }

  /** As `write`, of what a function sends; `bytes`: what it counts while it waits. */
  protected writeSource(source: WriteSource, bytes: number): boolean {
    if (this.writeEnded || this.closed) return this.refuseWrite();
    if (!this.#makeRoom(bytes)) return false;
    pushSource(this, source, bytes, null, bytes);
    return this.isOpen && this.#isBelowHighWater();
  }

  /** False when so much more is too much, which ends the connection. */
  #makeRoom(bytes: number): boolean {
    const queuedBytes = this.queuedBytes + bytes + (this.queue?.overheadBytes ?? 0);
    const { maxQueuedBytes } = this.profile.settings;
    if (queuedBytes <= maxQueuedBytes) return true;
    this.destroy(writeOverflowError(queuedBytes, maxQueuedBytes));
    return false;
  }

  #isBelowHighWater(): boolean {
    if (this.queuedBytes <= this.profile.settings.highWaterMarkBytes) return true;
    this.state = State.drainDue(this.state);
    return false;
  }

  /**
   * Writes a file's bytes in the order of the other writes, without taking them into this process
   * (sendfile(2)). They count nothing in `queuedBytes`: the promise, not `drain`, tells that they
   * are out. Else as `SocketStream.sendfile`.
   *
   * @param fileFd of a regular file; it stays the caller's, to be kept open until the promise
   * settles
   * @returns how many bytes were written: less than `length` when the file ends before
   * @throws (as rejection) as `SocketStream.sendfile`; what ended the connection, which `error`
   * tells too: it may be ignored here, but of the file's errors this alone tells
   */
  sendfile(fileFd: number, options?: SendfileOptions): Promise<number> {
    return this.guarded(sendfile(this, fileFd, options));
  }

  /**
   * A rejection that is the connection's own end is told by `error` and `close`: nobody has to look
   * at it.
   */
  protected guarded<T>(promise: Promise<T>): Promise<T> {
    const guarded = new Promise<T>((resolve, reject) => {
      promise.then(resolve, (error: unknown) => {
        if (this.closed) {
          noteEndError(error);
          guarded.catch(() => undefined);
        }
        reject(error);
      });
    });
    return guarded;
  }

  /** Holds writes back until `uncork`, which sends them together. */
  cork(): void {
    this.setCorked(true);
  }

  /** Sends what `cork` has held back. */
  uncork(): void {
    this.setCorked(false);
  }

  /**
   * Ends our side when all has been written, `chunk` the last. The peer may go on sending.
   *
   * @throws as `write`
   */
  override end(chunk?: Uint8Array): void {
    if (chunk !== undefined) this.write(chunk);
    endWrite(this);
  }

  // ---- the end ----

  protected detachAs<Kind extends 'tcp' | 'unix'>(
    kind: Kind,
    options: DetachOptions,
  ): Promise<SocketHandle<Kind>> {
    return this.guarded(detachPast(this, kind, options));
  }

  /** Takes a detached socket, which `open` tells first of all in the next turn. */
  protected attachTo(handle: SocketHandle): this {
    attachTo(this, handle);
    this.reactor.post(() => {
      if (this.isOpen) this.onOpen();
    });
    return this;
  }

  /** Closes at once; what is queued is dropped. May be called twice. */
  close(): void {
    this.state = State.closeReported(this.state);
    this.destroy(null);
  }

  /** Closes with a RST. */
  protected resetByUser(): void {
    this.state = State.closeReported(this.state);
    this.resetNow();
  }

  // ---- what the core tells ----

  /** @internal */
  onOpen(): void {
    this.callHandler(this.profile.handlers.open);
  }

  /** @internal */
  onFlushed(isCall: boolean): void {
    if (!State.needsDrain(this.state)) return;
    const { reactor, registration } = this.profile;
    if (isCall) reactor.registry.defer(() => registration.context.runInAsyncScope(this.#tellDrain, this));
    else this.#tellDrain();
  }

  #tellDrain(): void {
    // Asked again when it is told: since it was deferred more may have been written.
    const isDue = State.needsDrain(this.state) && this.queuedBytes <= this.profile.settings.lowWaterMarkBytes;
    if (!isDue || this.closed) return;
    this.state = State.drainTold(this.state);
    this.callHandler(this.profile.handlers.drain);
  }

  protected onDestroyed(error: Error | null): void {
    rejectHeld(this, error);
    // Not from in here: the user's own call may be what destroyed it.
    this.reactor.registry.defer(() => this.#tellEnd(error));
  }

  #tellEnd(error: Error | null): void {
    this.state = State.closeReported(this.state);
    const { handlers, owner, registration } = this.profile;
    // A scope for each: an uncaught exception takes Node out of the one that it was thrown in.
    const tell = (handler: () => unknown) => registration.context.runInAsyncScope(callLast, null, handler);
    if (error !== null && handlers.error !== undefined) tell(() => handlers.error?.(this as never, error));
    if (handlers.close !== undefined) tell(() => handlers.close?.(this as never, error));
    owner?.connectionClosed();
  }

  /** A handler that is told of no bytes. */
  protected callHandler(handler: ((connection: never) => unknown) | undefined): void {
    if (handler === undefined) return;
    SocketConnection.#calls.call(this, () => handler.call(this.profile.handlers, this as never));
  }
}
