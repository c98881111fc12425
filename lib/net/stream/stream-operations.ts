import { closedError, stateError, type TripollError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { Readiness } from '../../poller/flags.js';
import { checkCancel, watchCancel, type CancelOptions } from '../../reactor/cancellation.js';
import type { ReadOperation } from './seams.js';
import type { SocketAddress } from '../../sys/address.js';
import type { SocketOptions } from '../socket/socket-option-table.js';
import { getOption, setOption } from '../socket/socket-options.js';
import type { SettableSocketOptions, SocketOptionName } from '../socket/socket-options.js';
import { receiveNow } from '../socket/stream-calls.js';
import { EAGAIN, EINTR, HUNG_UP, StreamCore, UNTAKEN } from './stream-core.js';
import type { StreamProfile } from './stream-profile.js';
import type { WriteOperation, WriteSource } from './write-queue.js';

/** Nothing can be written any more. */
const BREAKS = Readiness.WRITE_CLOSED | Readiness.ERROR;
const { MSG_PEEK } = native.constants;
/** For a look at whether there are bytes. */
const LOOK = new Uint8Array(1);

/** A read that can only fail. No errno: they are small. */
export const REFUSED = -0x7fffffff;

/**
 * Reads and writes by functions of their own (`sendfile`, `peek`, splicing), which both styles have. They settle promises in
 * either: they are long and rare, and who starts one must know when the fd, or the memory, is his again.
 */
export abstract class StreamOperations<
  Profile extends StreamProfile = StreamProfile,
  Address = SocketAddress,
> extends StreamCore<Profile, Address> {
  // ---- what a subclass supplies ----

  /** All that the peer sent has been read, and it has ended its side. */
  protected abstract onPeerEnd(): void;

  /**
   * @internal For `peek` and `splice`: reads by a function of its own, one at a time.
   *
   * @throws (as rejection) as `SocketStream.read`
   */
  abstract readWith(operation: ReadOperation, options?: CancelOptions): Promise<number>;
  /** @internal For copies: as `SocketStream.read`. */
  abstract copyFrom(buffer: Uint8Array): Promise<number>;
  /** @internal For copies: as `SocketStream.writeAll`. */
  abstract copyTo(bytes: Uint8Array): Promise<number>;
  /** @internal For copies: from here on what comes is theirs. */
  abstract takeOver(): void;

  /** What it is told who comes too late. */
  protected whyClosed(): Error {
    return closedError('Stream');
  }

  /** Ends our side when all writes are done; the peer may go on sending. */
  end(): void {
    this.endWrite();
  }

  // ---- reading ----

  /** n >= 0, where 0 is the end; EAGAIN; or REFUSED. */
  protected tryOperation(operation: ReadOperation): number {
    let received: number;
    try {
      received = operation.run(this.fd);
    } catch {
      // Its buffer was detached.
      return REFUSED;
    }
    if (received > 0) {
      this.noteBytes(received);
      if (operation.drained) this.readShort();
    } else if (received === EAGAIN) this.readEmpty();
    else if (received === EINTR) {
      // Nothing was said about what there is, and an edge would not come again.
      this.readLater();
      return EAGAIN;
    } else if (received < 0) {
      this.fail(received, 'read');
      return REFUSED;
    }
    return received;
  }

  /**
   * Nobody reads. That the peer is gone is looked for all the same, by a peek, since there may be bytes before the end: who
   * reads on gets those, and then the end, or the error. Under an edge only where a hang-up was told.
   */
  protected lookForEnd(): void {
    if (!this.isOpen || this.readEnded || (this.profile.useEdge && (this.flags & HUNG_UP) === 0)) return;
    const seen = receiveNow(this.fd, LOOK, 1, MSG_PEEK);
    if (seen === 0) this.onPeerEnd();
    else if (seen > 0) this.leaveUntaken();
    else if (seen === EINTR) this.readLater();
    else if (seen !== EAGAIN) this.fail(seen, 'read');
  }

  protected override onHangUp(readiness: number): number {
    const left = super.onHangUp(readiness);
    if ((left & BREAKS) !== 0 && this.readEnded && this.isOpen) this.#failAfterEnd();
    return left;
  }

  /** A reset: after the end no read would meet it. A peer that has closed, as a Unix socket can tell, the next write meets. */
  #failAfterEnd(): void {
    const error = native.takeSocketError(this.fd);
    if (error < 0) this.fail(error, 'read');
    else this.leaveUntaken();
  }

  /** Nobody takes what there is. Edge mode remembers it, level mode stops asking. */
  protected leaveUntaken(): void {
    if (this.profile.useEdge) return;
    this.flags |= UNTAKEN;
    this.updateInterestIfLevel();
  }

  /** Something was read, and perhaps nobody reads on. */
  protected readDone(): void {
    if ((this.flags & (HUNG_UP | UNTAKEN)) === 0 || this.wantsRead) return;
    this.flags &= ~UNTAKEN;
    this.updateInterestIfLevel();
    if ((this.flags & HUNG_UP) !== 0) this.lookForEnd();
  }

  // ---- writing ----

  /**
   * @internal For `sendfile`, `splice` and their like: writes by a function of its own, `total` bytes at most,
   * in the order of the other writes. It counts nothing in `queuedBytes`.
   *
   * @throws (as rejection) as `SocketStream.writeAll`, and what `source` throws
   */
  writeWith(source: WriteSource, total: number, options?: CancelOptions): Promise<number> {
    const refused = options === undefined ? null : refusal(options);
    if (refused !== null) return Promise.reject(refused);
    try {
      this.checkCanWrite();
    } catch (error) {
      return Promise.reject(error);
    }
    return this.queueWrite(true, 0, options, (operation) => this.pushSource(source, total, operation));
  }

  /** Behind what waits already; at once if nothing does. */
  protected pushSource(
    source: WriteSource,
    total: number,
    operation: WriteOperation | null,
    countedBytes = 0,
  ): void {
    const { canWriteNow } = this;
    this.ensureQueue().pushSource(source, total, operation, countedBytes);
    if (!canWriteNow) this.armWrite();
    else if (this.reactor.registry.consumeBudget()) this.flush(true);
    else this.flushLater();
  }

  protected checkCanWrite(): void {
    if (this.closed) throw this.whyClosed();
    if (this.writeEnded) throw stateError('write() after end()');
  }

  /** A promise for a write that `enqueue` puts into the queue. */
  protected queueWrite(
    all: boolean,
    written: number,
    options: CancelOptions | undefined,
    enqueue: (operation: WriteOperation) => void,
  ): Promise<number> {
    return new Promise((resolve, reject) => {
      let disarm: (() => void) | null = null;
      const operation: WriteOperation = {
        all,
        written,
        resolve: (total) => {
          disarm?.();
          resolve(total);
        },
        reject: (error) => {
          disarm?.();
          reject(error);
        },
      };
      if (options !== undefined) {
        disarm = watchCancel(options, this.reactor, (error) => this.#abortWrite(operation, error));
      }
      enqueue(operation);
    });
  }

  #abortWrite(operation: WriteOperation, error: TripollError): void {
    error.bytesWritten = operation.written;
    operation.reject(error);
    // Half of it is out, and cannot be taken back: what follows would be read as its other half.
    if (operation.written > 0 || this.queue?.remove(operation) !== true) {
      this.destroy(stateError('a write was aborted half-way'));
      return;
    }
    // It may have been the last that an `end()` waited for. From within the user's abort(), which is not to be called back from.
    this.flush(true);
  }

  /** @internal For `splice`: bytes went out past the write queue. */
  noteActivity(): void {
    if (!this.closed) this.profile.idle?.touch(this);
  }

  // ---- socket options ----

  /** A typed socket option, as `getOption` of its fd. @throws as that; ERR_TRIPOLL_CLOSED unless it is open */
  getOption<Name extends SocketOptionName>(name: Name): SocketOptions[Name] {
    return getOption(this.#checkedFd(), name);
  }

  /** As `setOption` of its fd. @throws as that; ERR_TRIPOLL_CLOSED unless it is open */
  setOption<Name extends keyof SettableSocketOptions>(name: Name, value: SettableSocketOptions[Name]): void {
    setOption(this.#checkedFd(), name, value);
  }

  #checkedFd(): number {
    if (this.fd < 0) throw closedError('Stream');
    return this.fd;
  }

  // ---- what few streams need ----

  /** @internal For `StreamExtras`: what it waits for has changed. */
  watchPriority(): void {
    // Edges have it from the start.
    this.updateInterestIfLevel();
  }

  /** @internal For `StreamExtras`: goes on in the next turn. */
  requeue(readiness: number): void {
    if (this.registration !== null) this.reactor.registry.requeue(this.registration, readiness);
  }

  /** @internal For `StreamExtras`: ends the stream with an error. */
  abandon(error: Error): void {
    this.destroy(error);
  }
}

/** What is wrong with the options, or that the signal has been aborted already. */
export function refusal(options: CancelOptions): Error | null {
  try {
    checkCancel(options);
    return null;
  } catch (error) {
    return error as Error;
  }
}
