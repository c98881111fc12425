import { EINTR, ENOBUFS } from '../../binding/errnos.js';
import { nowMs } from '../../binding/host-clock.js';
import {
  invalidArgType,
  stateError,
  systemError,
  unsupportedError,
  type TripollError,
} from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkBytes, checkInteger } from '../../binding/validate.js';
import { abortedBefore, checkCall, watchCancel, type CancelOptions } from '../../reactor/cancellation.js';
import { sendNow } from '../socket/stream-calls.js';
import type { AnyStream } from '../stream/transfer.js';

/** The most that native code allocates: 256 MiB. */
const MAX_BYTES = 1 << 28;
/** Notices of one event before others get their turn. */
const NOTICES_PER_EVENT = 64;
const { MSG_ZEROCOPY = 0, SOL_SOCKET, SO_ZEROCOPY = 60 } = native.constants;

/** Memory that came from `allocateZeroCopy`. */
const lendable = new WeakSet<ArrayBufferLike>();

/**
 * Memory for `TcpStream.writeZeroCopy`: page-aligned, native, zeroed, freed when no view of it is
 * left. Linux.
 *
 * @param lengthBytes 1 to 2^28
 * @throws TypeError, RangeError; ERR_TRIPOLL_UNSUPPORTED; ENOMEM
 */
export function allocateZeroCopy(lengthBytes: number): Uint8Array<ArrayBuffer> {
  checkInteger('lengthBytes', lengthBytes, 1, MAX_BYTES);
  if (native.zeroCopyCreate === undefined) throw unsupportedError('this platform has no MSG_ZEROCOPY');
  const memory = native.zeroCopyCreate(lengthBytes);
  if (typeof memory === 'number') throw systemError(memory, 'mmap');
  lendable.add(memory);
  return new Uint8Array(memory);
}

/** @throws TypeError for memory of JavaScript's own, which it may move or free under the kernel */
export function checkLendable(memory: unknown): asserts memory is Uint8Array {
  checkBytes('memory', memory);
  if (!lendable.has(memory.buffer)) throw invalidArgType('memory', 'a view of allocateZeroCopy()', memory);
}

/** What `writeZeroCopy` gives. */
export interface ZeroCopyResult {
  /** How many bytes were written: all of them. */
  readonly bytesWritten: number;
  /**
   * Whether the kernel copied some of it after all, as it does on loopback: then plain writes cost
   * less.
   */
  readonly copied: boolean;
}

/** One write, which may take several sends. */
export interface ZeroCopyWrite {
  outstanding: number;
  copied: boolean;
  /** All has been sent: told when the last notice has come. */
  onReturned: (() => void) | null;
  onLost: ((reason: Error) => void) | null;
  /** The stream ended before the notices came. */
  lost: Error | null;
}

export function newZeroCopyWrite(): ZeroCopyWrite {
  return { outstanding: 0, copied: false, onReturned: null, onLost: null, lost: null };
}

/**
 * Which sends the kernel still reads from. It numbers those of a socket that had MSG_ZEROCOPY and
 * took bytes, from 0 on (Documentation/networking/msg_zerocopy.rst), and bounds them itself, by
 * net.core.optmem_max.
 */
export class ZeroCopyLedger {
  readonly #sends = new Map<number, ZeroCopyWrite>();
  readonly #notice = new Uint32Array(3);
  readonly #noticeBytes = new Uint8Array(this.#notice.buffer);
  #next = 0;
  #enabled: boolean | null = null;

  get outstanding(): number {
    return this.#sends.size;
  }

  /**
   * Sends from `offset` on: how many bytes went, or -errno. Copies where the kernel does not lend,
   * or has no room to note it.
   */
  send(fd: number, memory: Uint8Array, offset: number, write: ZeroCopyWrite): number {
    this.#enabled ??= native.setsockoptInt(fd, SOL_SOCKET, SO_ZEROCOPY, 1) === 0;
    const length = memory.length - offset;
    const sent = this.#enabled ? sendNow(fd, memory, offset, length, MSG_ZEROCOPY) : ENOBUFS;
    if (sent === ENOBUFS) {
      const copied = sendNow(fd, memory, offset, length);
      if (copied > 0) write.copied = true;
      return copied;
    }
    if (sent > 0) {
      this.#sends.set(this.#next, write);
      this.#next = (this.#next + 1) >>> 0;
      write.outstanding++;
    }
    return sent;
  }

  takeNotices(fd: number): { taken: number; isMore: boolean } {
    let taken = 0;
    while (taken < NOTICES_PER_EVENT) {
      const result = native.takeZeroCopyNotice?.(fd, this.#noticeBytes) ?? -1;
      if (result < 0 && result !== EINTR) return { taken, isMore: false };
      taken++;
      if (result === 1) this.#onNotice();
    }
    return { taken, isMore: true };
  }

  #onNotice(): void {
    const [first = 0, last = 0, copied = 0] = this.#notice;
    // As many as there are: the range is the kernel's word.
    for (let id = first, most = this.#sends.size; most > 0; id = (id + 1) >>> 0, most--) {
      const write = this.#sends.get(id);
      this.#sends.delete(id);
      if (write !== undefined) {
        write.outstanding--;
        write.copied ||= copied !== 0;
        if (write.outstanding === 0) write.onReturned?.();
      }
      if (id === last) break;
    }
  }

  /** No more notices will come. */
  end(reason: Error): void {
    const writes = new Set(this.#sends.values());
    this.#sends.clear();
    for (const write of writes) {
      write.lost = reason;
      write.onLost?.(reason);
    }
  }
}

export async function writeZeroCopy(
  stream: AnyStream,
  ledger: ZeroCopyLedger,
  memory: Uint8Array,
  options: CancelOptions = {},
): Promise<ZeroCopyResult> {
  checkLendable(memory);
  checkCall(options);
  const { timeoutMs } = options;
  const startMs = nowMs();
  const write = newZeroCopyWrite();
  const send = (fd: number, written: number) => ledger.send(fd, memory, written, write);
  const bytesWritten = await stream.writeWith(send, memory.length, options);
  // It may have ended, or been aborted, since the last byte went out and before we went on (F30).
  if (write.lost !== null) throw write.lost;
  if (write.outstanding > 0) {
    stream.updateInterest();
    const left = timeoutMs === undefined ? undefined : Math.max(0, timeoutMs - (nowMs() - startMs));
    await returned(stream, write, bytesWritten, { signal: options.signal, timeoutMs: left });
  }
  return { bytesWritten, copied: write.copied };
}

/**
 * The kernel has given the memory back. Who does not wait for that destroys the stream: the bytes
 * are out, or will be.
 */
function returned(
  stream: AnyStream,
  write: ZeroCopyWrite,
  bytesWritten: number,
  options: CancelOptions,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const abandon = (error: TripollError): void => {
      error.bytesWritten = bytesWritten;
      reject(error);
      stream.destroy(stateError('a zero-copy write was aborted'));
    };
    const aborted = abortedBefore(options);
    if (aborted !== null) {
      abandon(aborted);
      return;
    }
    const stop = watchCancel(options, stream.reactor, abandon);
    write.onReturned = () => {
      stop();
      resolve();
    };
    write.onLost = (reason) => {
      stop();
      reject(reason);
    };
  });
}
