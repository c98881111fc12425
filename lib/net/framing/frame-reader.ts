import type { CancelOptions } from '../../reactor/cancellation.js';
import { NO_FRAME, type FrameDecoder } from './frame-decoder.js';
import { MORE, ReadAhead, type ByteSource } from './read-ahead.js';

const END: unique symbol = Symbol('end');

/**
 * Reads the frames of a stream, one by one. A frame is a view of this reader's buffer, valid until
 * the next `read`; the option `copy` gives frames to keep. The reader reads ahead: the stream's
 * bytes are its own from the first `read` on. It closes nothing.
 *
 * Iteration goes on until the end of the stream. A loop that is left can be gone on with, by `read`
 * or by another one.
 */
export class FrameReader<Frame> implements AsyncIterableIterator<
  Frame,
  undefined,
  CancelOptions | undefined
> {
  readonly #ahead: ReadAhead;
  readonly #decoder: FrameDecoder<Frame>;
  readonly #takeOrNull = () => {
    const frame = this.#take();
    return frame === END ? null : frame;
  };
  readonly #takeResult = (): IteratorResult<Frame, undefined> | typeof MORE => {
    const frame = this.#take();
    if (frame === MORE) return MORE;
    return frame === END ? { done: true, value: undefined } : { done: false, value: frame };
  };

  /**
   * @param source read by nobody else from the first `read` on; it stays the caller's to close
   * @param decoder this reader's alone
   * @throws TypeError
   */
  constructor(source: ByteSource, decoder: FrameDecoder<Frame>) {
    this.#ahead = new ReadAhead(source);
    this.#decoder = decoder;
  }

  /**
   * Reads the next frame. Not for frames that may be null or undefined, which `next` tells from the
   * end.
   *
   * @param options the source must know them, as `TcpStream` does; by them no byte is lost
   * @returns null when the stream has ended after a whole frame
   * @throws (as rejection) ERR_TRIPOLL_FRAME_TOO_LONG, ERR_TRIPOLL_INVALID_FRAME,
   * ERR_TRIPOLL_UNEXPECTED_END, all for good; ERR_TRIPOLL_BUSY while another read waits; TypeError,
   * RangeError; ABORT_ERR, ERR_TRIPOLL_TIMEOUT; what the source's `read` rejects with
   */
  read(this: FrameReader<NonNullable<Frame>>, options?: CancelOptions): Promise<Frame | null> {
    return this.#ahead.read(this.#takeOrNull, options);
  }

  /**
   * Reads the next frame as an iterator does: `{ done: false, value }`, or `{ done: true }` at the
   * end.
   *
   * @throws (as rejection) as `read`
   */
  next(options?: CancelOptions): Promise<IteratorResult<Frame, undefined>> {
    return this.#ahead.read(this.#takeResult, options);
  }

  /**
   * Takes the next frame if it has come already: with it, what came at once can be handled without
   * a promise each. It counts as a `read`.
   *
   * @returns null when no whole frame has come
   * @throws as `read`
   */
  tryRead(this: FrameReader<NonNullable<Frame>>): Frame | null {
    this.#ahead.checkIdle();
    const frame = this.#decoder.nextFrame();
    return frame === NO_FRAME ? null : frame;
  }

  /**
   * Takes what has come after the last frame, for who reads on in another format.
   *
   * @returns the caller's own memory
   * @throws ERR_TRIPOLL_BUSY while a read waits
   */
  takeBuffered(): Uint8Array {
    this.#ahead.checkIdle();
    return this.#decoder.takeBuffered();
  }

  /** Returns this reader itself: a second loop goes on where the first was left. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  #take(): Frame | typeof END | typeof MORE {
    const { buffer, ended } = this.#ahead;
    // The decoder has seen all that it was given before, else it would not have asked for more.
    if (buffer.length > 0) {
      this.#decoder.supply(buffer.bytes);
      buffer.clear();
    }
    const frame = this.#decoder.nextFrame();
    if (frame !== NO_FRAME) return frame;
    if (!ended) return MORE;
    this.#decoder.end();
    return END;
  }
}
