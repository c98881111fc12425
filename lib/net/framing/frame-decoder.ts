import {
  busyError,
  frameTooLongError,
  outOfRange,
  stateError,
  unexpectedEndError,
} from '../../binding/errors.js';
import { checkBytes, checkFunction, checkInteger } from '../../binding/validate.js';
import { ByteBuffer } from './byte-buffer.js';

const EMPTY = new Uint8Array(0);
const MAX_LENGTH_LIMIT_BYTES = 0x7fffffff;
/**
 * Above the largest prefix of the usual formats (14 bytes: WebSocket), and what is allocated for a
 * frame anyway.
 */
const DEFAULT_MAX_OVERHEAD_BYTES = 256;
/**
 * What one event may bring a connection: 16 reads of 64 KiB. A paused one is given no more than
 * that.
 */
const MAX_HELD_BYTES = 1024 * 1024;

/** What `scan` returns when the piece ends before the frame does. */
export const UNFINISHED = -1;
/** What `nextFrame` returns when there is none: a frame itself may be null or undefined. */
export const NO_FRAME: unique symbol = Symbol('no frame');

/** Options of all decoders, and of the readers that stand on them. */
export interface FrameOptions {
  /** Longest frame, without its prefix or delimiter; a longer one is an error. 1 to 2147483647. */
  maxLengthBytes?: number | undefined;
  /**
   * Whether frames are given in memory of their own, for the caller to keep, instead of as views.
   * Default false.
   */
  copy?: boolean | undefined;
}

/**
 * Names of `FrameOptions`, for the formats: a subclass of the user's may have options of its own.
 */
export const FRAME_NAMES: Readonly<Record<keyof FrameOptions, true>> = { maxLengthBytes: true, copy: true };

/**
 * Cuts a stream of bytes into frames. A subclass is the state machine of one format; it sees each
 * byte once, however the stream was cut into pieces. Frames are views, without a copy, of the piece
 * that holds all of them; only a frame that is spread over several is put together, in one buffer
 * that grows with the bytes that have come, never with those announced.
 *
 * After an error of the format the place of the next frame is not known: every later call throws
 * the same error.
 *
 * A subclass supplies three methods, which are called in this order for each frame:
 *
 * 1. `resetScan`, once, before the frame's first byte is looked at.
 * 2. `scan(piece, from)`, once for each piece that has bytes of the frame, until it returns the
 * frame's end. What it
 *    has to know in the next piece it keeps in fields of its own.
 * 3. `toFrame`, once, with all bytes of the frame in a row; those fields are as `scan` has left
 * them.
 *
 * `maxLengthBytes` is enforced here, before and after the end of a frame is found; a subclass need
 * not look at it.
 */
export abstract class FrameDecoder<Frame> {
  /**
   * Longest frame without its prefix and delimiter, as it was asked for.
   *
   * @public
   */
  protected readonly maxLengthBytes: number;
  /**
   * Length of the prefix of the frame whose end `scan` has just returned. It keeps its value until
   * it is set again.
   *
   * @public
   */
  protected headBytes = 0;
  /**
   * Length of that frame's delimiter. It keeps its value until it is set again.
   *
   * @public
   */
  protected tailBytes = 0;
  /**
   * The most that prefix and delimiter of one frame have together: a frame that has begun may have
   * so many bytes more than `maxLengthBytes`. A subclass whose formats have more, or fewer, sets it
   * in its constructor. Default 256.
   *
   * @public
   */
  protected maxOverheadBytes = DEFAULT_MAX_OVERHEAD_BYTES;
  readonly #copy: boolean;
  /** What is being looked at: the caller's chunk, or while frames are kept back `#held`. */
  #piece: Uint8Array = EMPTY;
  /**
   * Where in the piece the next scan starts; it is a frame's first byte unless there is a partial
   * one.
   */
  #at = 0;
  /** The frame that has begun, as far as it has been scanned. */
  readonly #partial = new ByteBuffer();
  /** What no scan has seen yet, because a handler has said stop, or has thrown. */
  readonly #held = new ByteBuffer();
  #failure: Error | null = null;
  #pushing = false;
  #stopped = false;

  /**
   * @param defaultMaxLengthBytes what `maxLengthBytes` is if the options do not say
   * @throws TypeError, RangeError when `maxLengthBytes` is not in its range
   * @public
   */
  protected constructor(options: FrameOptions, defaultMaxLengthBytes: number) {
    const { maxLengthBytes = defaultMaxLengthBytes, copy = false } = options;
    checkInteger('maxLengthBytes', maxLengthBytes, 1, MAX_LENGTH_LIMIT_BYTES);
    this.maxLengthBytes = maxLengthBytes;
    this.#copy = copy;
  }

  /**
   * Looks for the end of the frame in `piece` from `from` on; bytes before `from` are not to be
   * looked at. When it finds the end it sets `headBytes` and `tailBytes`.
   *
   * @returns the position after the frame's last byte, which is above `from`; or UNFINISHED, and
   * then all bytes of the piece count as seen
   * @throws any error, when no frame can come of it: the decoder's last one
   * @public
   */
  protected abstract scan(piece: Uint8Array, from: number): number;

  /**
   * Forgets the last frame: the next scan is for a new one, from its first byte on.
   *
   * @public
   */
  protected abstract resetScan(): void;

  /**
   * Makes what is given to the user; null and undefined are frames as any other.
   *
   * @param bytes holds the whole frame; it is overwritten later, so what is to last is copied (see
   * `toBytes`)
   * @param start after the prefix
   * @param end before the delimiter
   * @throws any error: it leaves `push` or `read`, the frame is gone, and the next one is looked
   * for
   * @public
   */
  protected abstract toFrame(bytes: Uint8Array, start: number, end: number): Frame;

  /**
   * A part of `bytes` as the option `copy` wants it: a view, or memory of its own.
   *
   * @public
   */
  protected toBytes(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const view = bytes.subarray(start, end);
    return this.#copy ? new Uint8Array(view) : view;
  }

  /**
   * Takes a chunk as it came, and calls `onFrame` for each frame that is complete with it, before
   * it returns. If `onFrame` calls `stop`, the rest of the chunk is kept for `resume`; a chunk that
   * is pushed while stopped is kept behind it, up to 1 MiB. What `onFrame` throws leaves `push`;
   * the rest is then kept for the next one.
   *
   * @param chunk may be overwritten when this returns
   * @param onFrame its frame is valid until it returns, unless `copy`; it must not push to this
   * decoder
   * @returns false when `onFrame` has said stop: now, or earlier and nobody has called `resume`
   * @throws TypeError; ERR_TRIPOLL_FRAME_TOO_LONG, ERR_TRIPOLL_INVALID_FRAME, and what else the
   * format calls wrong, all for good; ERR_TRIPOLL_STATE from inside `onFrame`; ERR_TRIPOLL_BUSY
   * when 1 MiB would be kept: nothing of the chunk has been taken then
   */
  push(chunk: Uint8Array, onFrame: (frame: Frame) => void): boolean {
    checkBytes('chunk', chunk);
    checkFunction('onFrame', onFrame);
    this.#checkUsable('push()');
    const heldBytes = this.#held.length;
    if (heldBytes > 0 && heldBytes + chunk.length > MAX_HELD_BYTES) {
      throw busyError(`frames are kept back, with ${heldBytes} bytes of at most ${MAX_HELD_BYTES}`);
    }
    if (heldBytes > 0) this.#hold(chunk);
    else this.#piece = chunk;
    return this.#handOut(onFrame);
  }

  /**
   * Says stop, from inside `onFrame` or between two pushes: no frame is given out until `resume`.
   * So a handler that pauses its connection is given no more of the frames that have come already.
   */
  stop(): void {
    this.#stopped = true;
  }

  /**
   * Goes on after `stop`, with the frames that were kept back. It may stop again.
   *
   * @param onFrame as of `push`
   * @returns as `push`
   * @throws as `push`
   */
  resume(onFrame: (frame: Frame) => void): boolean {
    checkFunction('onFrame', onFrame);
    this.#checkUsable('resume()');
    this.#stopped = false;
    return this.#handOut(onFrame);
  }

  /**
   * Checks that the stream may end here.
   *
   * @throws ERR_TRIPOLL_UNEXPECTED_END when that was inside a frame, and as `push`;
   * ERR_TRIPOLL_STATE while frames are kept back: `resume` comes first
   */
  end(): void {
    if (this.#failure !== null) throw this.#failure;
    if (this.#at < this.#piece.length) throw stateError('end() while frames are kept back');
    if (this.partialBytes > 0) this.#fail(unexpectedEndError(this.partialBytes));
  }

  /** Number of bytes that have come and were not given out in a frame. */
  get partialBytes(): number {
    return this.#partial.length + this.#piece.length - this.#at;
  }

  /**
   * Takes what has come after the last frame, for another decoder to go on with (the body after the
   * header's lines): also the bytes of a frame that has begun, and frames that were kept back.
   *
   * @returns the caller's own memory; this decoder is as new, on a frame's boundary
   */
  takeBuffered(): Uint8Array {
    const rest = this.#piece.subarray(this.#at);
    const taken = new Uint8Array(this.partialBytes);
    taken.set(this.#partial.bytes);
    taken.set(rest, this.#partial.length);
    this.#dropPiece();
    this.#partial.clear();
    this.#stopped = false;
    return taken;
  }

  /**
   * @internal For `FrameReader`: bytes that must stay as they are until `nextFrame` has returned
   * NO_FRAME.
   */
  supply(piece: Uint8Array): void {
    this.#piece = piece;
    this.#at = 0;
  }

  /** @internal For `FrameReader`: the next frame of what was supplied, or NO_FRAME. */
  nextFrame(): Frame | typeof NO_FRAME {
    if (this.#failure !== null) throw this.#failure;
    const piece = this.#piece;
    const from = this.#at;
    if (from === piece.length) return this.#dropPiece();
    const end = this.#scanOrFail(piece, from);
    if (end === UNFINISHED) {
      this.#keep(piece, from, piece.length);
      return this.#dropPiece();
    }
    this.#at = end;
    if (this.#partial.length === 0) return this.toFrame(piece, from + this.headBytes, end - this.tailBytes);
    this.#keep(piece, from, end);
    const { bytes } = this.#partial;
    this.#partial.clear();
    return this.toFrame(bytes, this.headBytes, bytes.length - this.tailBytes);
  }

  #checkUsable(what: string): void {
    if (this.#failure !== null) throw this.#failure;
    if (this.#pushing) throw stateError(`${what} from inside onFrame`);
  }

  #handOut(onFrame: (frame: Frame) => void): boolean {
    this.#pushing = true;
    try {
      while (!this.#stopped) {
        const frame = this.nextFrame();
        if (frame === NO_FRAME) break;
        onFrame(frame);
      }
      return !this.#stopped;
    } finally {
      this.#pushing = false;
      this.#keepRest();
    }
  }

  #hold(chunk: Uint8Array): void {
    this.#held.append(chunk);
    this.supply(this.#held.bytes);
  }

  /** What no scan has seen outlives the caller's chunk. */
  #keepRest(): void {
    if (this.#at === this.#piece.length) {
      this.#dropPiece();
      return;
    }
    // While anything is held, that is the piece.
    if (this.#held.length > 0) this.#held.consume(this.#at);
    else this.#held.append(this.#piece.subarray(this.#at));
    this.supply(this.#held.bytes);
  }

  #dropPiece(): typeof NO_FRAME {
    this.#held.clear();
    this.supply(EMPTY);
    return NO_FRAME;
  }

  #scanOrFail(piece: Uint8Array, from: number): number {
    try {
      if (this.#partial.length === 0) this.resetScan();
      const end = this.scan(piece, from);
      this.#checkScan(piece, from, end);
      return end;
    } catch (error) {
      return this.#fail(error as Error);
    }
  }

  #checkScan(piece: Uint8Array, from: number, end: number): void {
    const { maxLengthBytes } = this;
    if (end === UNFINISHED) {
      const bytes = this.#partial.length + piece.length - from;
      // At least a byte is still to come.
      if (bytes >= maxLengthBytes + this.maxOverheadBytes) throw frameTooLongError(maxLengthBytes);
      return;
    }
    // Of no byte, it would be found for ever.
    checkInteger('what scan() gave', end, from + 1, piece.length);
    const bytes = this.#partial.length + end - from;
    const lengthBytes = bytes - this.headBytes - this.tailBytes;
    if (lengthBytes > maxLengthBytes) throw frameTooLongError(maxLengthBytes);
    if (!(lengthBytes >= 0))
      throw outOfRange('headBytes and tailBytes', `at most ${bytes} together`, lengthBytes);
  }

  #fail(error: Error): never {
    this.#failure = error;
    this.#dropPiece();
    this.#partial.clear();
    throw error;
  }

  /** Adds to the frame that has begun. */
  #keep(piece: Uint8Array, from: number, to: number): void {
    this.#partial.append(piece.subarray(from, to), this.maxLengthBytes + this.maxOverheadBytes);
  }
}
