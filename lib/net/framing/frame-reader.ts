import { busyError } from '../../binding/errors.js';
import { checkFunction, checkInteger, checkObject } from '../../binding/validate.js';
import { checkCancel, type CancelOptions } from '../../reactor/cancellation.js';
import type { FrameDecoder } from './frame-decoder.js';

/** A page: ten thousand idle connections have 40 MB of these. */
const FIRST_READ_BYTES = 4096;
/** A read that fills the buffer makes the next one larger, up to what loopback gives at once. */
const MOST_READ_BYTES = 64 * 1024;

/** What frames can be read from: a `TcpStream`, or anything with such a `read`. */
export interface ByteSource {
  /**
   * @param buffer written to until the promise settles
   * @param options as given to the reader's own `read`
   * @returns how many bytes came, at least one; 0 at the end
   */
  read(buffer: Uint8Array, options?: CancelOptions): Promise<number>;
}

/**
 * Frames of a stream, one by one. A frame is a view of this reader's buffer, valid until the next `read`; the option
 * `copy` gives frames to keep. The reader reads ahead: the stream's bytes are its own from the first `read` on, and it
 * closes nothing.
 */
export class FrameReader<Frame> {
  readonly #source: ByteSource;
  readonly #decoder: FrameDecoder<Frame>;
  #buffer = new Uint8Array(FIRST_READ_BYTES);
  #reading = false;
  #ended = false;

  /**
   * @param decoder this reader's alone
   * @throws TypeError
   */
  constructor(source: ByteSource, decoder: FrameDecoder<Frame>) {
    checkObject('source', source);
    checkFunction('source.read', source.read);
    this.#source = source;
    this.#decoder = decoder;
  }

  /**
   * The next frame, or null when the stream has ended after a whole one.
   *
   * @param options the source must know them, as `TcpStream` does; by them no byte is lost
   * @throws (as rejection) ERR_TRIPOLL_FRAME_TOO_LONG, ERR_TRIPOLL_INVALID_FRAME, ERR_TRIPOLL_UNEXPECTED_END, all for
   * good; ERR_TRIPOLL_BUSY while another read waits; TypeError, RangeError; ABORT_ERR, ERR_TRIPOLL_TIMEOUT; what the
   * source's `read` rejects with
   */
  read(options?: CancelOptions): Promise<Frame | null> {
    try {
      if (options !== undefined) checkCancel(options);
      const frame = this.tryRead();
      return frame === null ? this.#readMore(options) : Promise.resolve(frame);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * The next frame if it has come already: with it, what came at once can be handled without a promise each. It
   * counts as a `read`.
   *
   * @throws as `read`
   */
  tryRead(): Frame | null {
    this.#checkIdle();
    return this.#decoder.next();
  }

  /**
   * What has come after the last frame, for who reads on in another format; in the caller's own memory.
   *
   * @throws ERR_TRIPOLL_BUSY while a read waits
   */
  takeBuffered(): Uint8Array {
    this.#checkIdle();
    return this.#decoder.takeBuffered();
  }

  /** Until the end of the stream. Leaving the loop closes nothing; frames go on with `read`. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Frame, void, undefined> {
    for (let frame = await this.read(); frame !== null; frame = await this.read()) yield frame;
  }

  #checkIdle(): void {
    if (this.#reading) throw busyError('another read() is waiting');
  }

  async #readMore(options: CancelOptions | undefined): Promise<Frame | null> {
    const deadlineMs = performance.now() + (options?.timeoutMs ?? 0);
    this.#reading = true;
    try {
      for (;;) {
        if (this.#ended || (await this.#fill(remaining(options, deadlineMs))) === 0) {
          this.#ended = true;
          this.#decoder.end();
          return null;
        }
        const frame = this.#decoder.next();
        if (frame !== null) return frame;
      }
    } finally {
      this.#reading = false;
    }
  }

  async #fill(options: CancelOptions | undefined): Promise<number> {
    const buffer = this.#buffer;
    const received = await this.#source.read(buffer, options);
    checkInteger("what the source's read() gave", received, 0, buffer.length);
    this.#decoder.supply(buffer.subarray(0, received));
    if (received === buffer.length && received < MOST_READ_BYTES) this.#buffer = new Uint8Array(2 * received);
    return received;
  }
}

/** One deadline for all reads that a frame needs. */
function remaining(options: CancelOptions | undefined, deadlineMs: number): CancelOptions | undefined {
  if (options?.timeoutMs === undefined) return options;
  return { ...options, timeoutMs: Math.max(0, deadlineMs - performance.now()) };
}
