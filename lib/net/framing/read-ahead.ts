import { nowMs } from '../../binding/host-clock.js';
import { busyError, outOfRange } from '../../binding/errors.js';
import { checkFunction, checkInteger, checkObject } from '../../binding/validate.js';
import { checkCall, type CancelOptions } from '../../reactor/cancellation.js';
import { ByteBuffer } from './byte-buffer.js';

/** A page: ten thousand idle connections have 40 MB of these. */
const FIRST_READ_BYTES = 4096;
/** A read that fills its memory makes the next one larger, up to what loopback gives at once. */
const MAX_READ_BYTES = 64 * 1024;

/** What a `take` returns when it needs more bytes. */
export const MORE: unique symbol = Symbol('more');

/**
 * What can be read from: a `TcpStream`, a `UnixStream`, an `FdStream`, a `ReadHalf`, or anything
 * with such a `read`. It gives a stream of bytes; of a socket for messages (seqpacket), one longer
 * than the buffer would be cut.
 */
export interface ByteSource {
  /**
   * Reads what there is, at least a byte, into the start of `buffer`.
   *
   * @param buffer written to until the promise settles
   * @param options as they were given to the reader, with what is left of `timeoutMs`
   * @returns how many bytes came; 0 at the end
   */
  read(buffer: Uint8Array, options?: CancelOptions): Promise<number>;
}

/** Reads ahead from a source, for one call at a time. A call that fails takes no byte away. */
export class ReadAhead {
  /** What has come and was not taken. */
  readonly buffer = new ByteBuffer();
  readonly #source: ByteSource;
  #readBytes = FIRST_READ_BYTES;
  #ended = false;
  #busy = false;

  /** @throws TypeError */
  constructor(source: ByteSource) {
    checkObject('source', source);
    checkFunction('source.read', source.read);
    this.#source = source;
  }

  /** Whether the source has nothing more; bytes may be in the buffer still. */
  get ended(): boolean {
    return this.#ended;
  }

  /** @throws ERR_TRIPOLL_BUSY while a call waits */
  checkIdle(): void {
    if (this.#busy) throw busyError('another read is waiting');
  }

  /**
   * Calls `take` at once and after each read of the source, until it returns something other than
   * MORE, or throws. When the source has ended it must not return MORE.
   *
   * @throws (as rejection) what `take` throws; ERR_TRIPOLL_BUSY; TypeError, RangeError; ABORT_ERR,
   * ERR_TRIPOLL_TIMEOUT; what the source's `read` rejects with
   */
  read<Taken>(take: () => Taken | typeof MORE, options: CancelOptions | undefined): Promise<Taken> {
    try {
      this.#checkCall(options);
      const taken = take();
      return taken === MORE ? this.#readMore(take, options) : Promise.resolve(taken);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Reads into the caller's memory, which the source may fill directly.
   *
   * @param leastBytes when to stop: after so many bytes, or at the end
   * @returns how many bytes came
   * @throws (as rejection) as `read`
   */
  readInto(buffer: Uint8Array, leastBytes: number, options: CancelOptions | undefined): Promise<number> {
    try {
      this.#checkCall(options);
    } catch (error) {
      return Promise.reject(error);
    }
    const moved = this.buffer.moveTo(buffer);
    if (moved >= leastBytes) return Promise.resolve(moved);
    return this.#readMoreInto(buffer, moved, leastBytes, options);
  }

  #checkCall(options: CancelOptions | undefined): void {
    if (options !== undefined) checkCall(options);
    this.checkIdle();
  }

  async #readMore<Taken>(
    take: () => Taken | typeof MORE,
    options: CancelOptions | undefined,
  ): Promise<Taken> {
    const optionsNow = withDeadline(options);
    this.#busy = true;
    try {
      for (;;) {
        await this.#fill(optionsNow());
        const taken = take();
        if (taken !== MORE) return taken;
      }
    } finally {
      this.#busy = false;
    }
  }

  async #readMoreInto(
    buffer: Uint8Array,
    moved: number,
    leastBytes: number,
    options: CancelOptions | undefined,
  ): Promise<number> {
    const { length } = buffer;
    const optionsNow = withDeadline(options);
    let filled = moved;
    this.#busy = true;
    try {
      while (filled < leastBytes && !this.#ended) {
        // A small rest alone would cost a system call of its own.
        const isDirect = length - filled >= this.#readBytes;
        if (isDirect) filled += await this.#receive(buffer.subarray(filled), optionsNow());
        else await this.#fill(optionsNow());
        if (buffer.length !== length) throw outOfRange('buffer', 'left alone while it is read into', buffer);
        filled += this.buffer.moveTo(buffer.subarray(filled));
      }
      return filled;
    } catch (error) {
      if (buffer.length === length) this.buffer.prepend(buffer.subarray(0, filled));
      throw error;
    } finally {
      this.#busy = false;
    }
  }

  async #fill(options: CancelOptions | undefined): Promise<void> {
    const readBytes = this.#readBytes;
    const received = await this.#receive(this.buffer.reserve(readBytes), options);
    this.buffer.commit(received);
    if (received === readBytes) this.#readBytes = Math.min(2 * readBytes, MAX_READ_BYTES);
  }

  async #receive(target: Uint8Array, options: CancelOptions | undefined): Promise<number> {
    const received = await this.#source.read(target, options);
    checkInteger("what the source's read() gave", received, 0, target.length);
    this.#ended = received === 0;
    return received;
  }
}

/** The options for each of the reads that a call needs: they have one deadline together. */
function withDeadline(options: CancelOptions | undefined): () => CancelOptions | undefined {
  if (options?.timeoutMs === undefined) return () => options;
  const deadlineMs = nowMs() + options.timeoutMs;
  return () => ({ ...options, timeoutMs: Math.max(0, deadlineMs - nowMs()) });
}
