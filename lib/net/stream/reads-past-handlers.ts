import { nextTick } from '../../binding/host-clock.js';
import { busyError, closedError, outOfRange } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { watchCancel, type CancelOptions } from '../../reactor/cancellation.js';
import type { SocketAddress } from '../../sys/address.js';
import type { WaitingOperation } from './cold-state.js';
import { sendNow } from '../socket/stream-calls.js';
import { EAGAIN } from './stream-core.js';
import { REFUSED, refusal, StreamOperations } from './stream-operations.js';
import type { ReadOperation } from './seams.js';
import type { StreamProfile } from './stream-profile.js';

/**
 * Reads past the handlers of a connection. While one waits, and until who waited for it has gone on, handlers get no bytes:
 * he may pause, or begin a copy, before they do.
 */
export abstract class ReadsPastHandlers<
  Profile extends StreamProfile = StreamProfile,
  Address = SocketAddress,
> extends StreamOperations<Profile, Address> {
  /** @internal */
  readWith(operation: ReadOperation, options?: CancelOptions): Promise<number> {
    const refused = options === undefined ? null : refusal(options);
    if (refused !== null) return Promise.reject(refused);
    if (this.closed) return Promise.reject(this.whyClosed());
    if (this.isReading) return Promise.reject(busyError('another read is waiting'));
    if (this.readEnded) return Promise.resolve(0);
    return new Promise((resolve, reject) => {
      const reader: WaitingOperation = { operation, resolve, reject, disarm: null };
      this.ensureCold().reader = reader;
      this.setHeld(true);
      if (this.mayRead && this.reactor.registry.consumeBudget()) this.runHeld();
      else if (this.mayRead) this.readLater();
      if (!this.isReading) {
        this.readDone();
        return;
      }
      if (options !== undefined) {
        reader.disarm = watchCancel(options, this.reactor, (error) => this.#takeReader()?.reject(error));
      }
      this.updateInterestIfLevel();
    });
  }

  protected get isReading(): boolean {
    return this.cold !== null && this.cold.reader !== null;
  }

  protected override get wantsRead(): boolean {
    return !this.isPaused || this.isReading;
  }

  /** Bytes, or the end, have come, and are not for the handlers. */
  protected runHeld(): void {
    const reader = this.cold?.reader;
    if (reader === null || reader === undefined) {
      this.leaveUntaken();
      return;
    }
    const received = this.tryOperation(reader.operation);
    if (received === EAGAIN) return;
    // A failure of the socket has rejected it already, with the rest.
    if (this.#takeReader() === null) return;
    if (received === REFUSED) reader.reject(outOfRange('buffer', 'left alone while it waits', null));
    else reader.resolve(received);
    if (received !== 0 || this.cold?.isTakenOver !== true) return;
    this.markReadEnded();
    this.finishIfDone();
  }

  #takeReader(): WaitingOperation | null {
    const { cold } = this;
    const reader = cold?.reader ?? null;
    if (cold === null || reader === null) return null;
    cold.reader = null;
    reader.disarm?.();
    // When all microtasks have run, in which the one who waited goes on; until then there may be several turns.
    if (!cold.isTakenOver && !this.closed) this.#releaseLater();
    return reader;
  }

  #releaseLater(): void {
    const release = (): void => this.#release();
    void Promise.resolve().then(() => nextTick(release));
  }

  #release(): void {
    if (!this.isReading && this.cold?.isTakenOver !== true) this.setHeld(false);
  }

  /** It is over. */
  protected rejectHeld(error: Error | null): void {
    this.#takeReader()?.reject(error ?? this.whyClosed());
  }

  protected override whyClosed(): Error {
    return closedError('Connection');
  }

  // ---- for copies ----

  /** @internal */
  takeOver(): void {
    this.ensureCold().isTakenOver = true;
    this.setHeld(true);
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
}
