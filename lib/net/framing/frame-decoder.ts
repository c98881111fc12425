import { stateError, unexpectedEndError } from '../../binding/errors.js';
import { checkBytes, checkFunction, checkInteger } from '../../binding/validate.js';

const EMPTY = new Uint8Array(0);
const LARGEST_MAX_LENGTH_BYTES = 0x7fffffff;
/** The buffer for partial frames starts with this: most messages fit. */
const FIRST_PARTIAL_BYTES = 256;
/** A larger one is given up when a frame needs less than a quarter of it. */
const KEPT_PARTIAL_BYTES = 64 * 1024;
/** What `scan` returns when the piece ends before the frame does. */
export const UNFINISHED = -1;

export interface FrameOptions {
  /** A longer frame, without its prefix or delimiter, is an error: 1 to 2147483647. */
  maxLengthBytes?: number | undefined;
  /** Frames in memory of their own, for the caller to keep, instead of views; default false. */
  copy?: boolean | undefined;
}

/**
 * Cuts a stream of bytes into frames. A subclass is the state machine of one format; it sees each byte once, however
 * the stream was cut into pieces. Frames are views, without a copy, of the piece that holds all of them; only a
 * frame that is spread over several is put together, in one buffer that grows with the bytes that have come, never
 * with those announced, and holds at most about `maxLengthBytes`.
 *
 * After an error the place of the next frame is not known: every later call throws the same error.
 */
export abstract class FrameDecoder<Frame> {
  protected readonly maxLengthBytes: number;
  /** How much of the frame just found is prefix, and how much delimiter. */
  protected headBytes = 0;
  protected tailBytes = 0;
  readonly #copy: boolean;
  #piece: Uint8Array = EMPTY;
  /** Where in the piece the next scan starts; it is a frame's first byte unless there is a partial one. */
  #at = 0;
  #partial: Uint8Array = EMPTY;
  #partialBytes = 0;
  #failure: Error | null = null;
  #pushing = false;

  protected constructor(options: FrameOptions, defaultMaxLengthBytes: number) {
    const { maxLengthBytes = defaultMaxLengthBytes, copy = false } = options;
    checkInteger('maxLengthBytes', maxLengthBytes, 1, LARGEST_MAX_LENGTH_BYTES);
    this.maxLengthBytes = maxLengthBytes;
    this.#copy = copy;
  }

  /**
   * Looks for the end of the frame, from `from` on, where the last call for this frame stopped; bytes before `from`
   * are not to be looked at. Sets `headBytes` and `tailBytes` when it has found it.
   *
   * @returns the position after the frame's last byte, or UNFINISHED
   * @throws when no frame can come of it
   */
  protected abstract scan(piece: Uint8Array, from: number): number;

  /** Forgets the frame that has begun. */
  protected abstract resetScan(): void;

  /** What is given to the user, from the frame without its prefix and delimiter. */
  protected abstract toFrame(bytes: Uint8Array, start: number, end: number): Frame;

  protected toBytes(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const view = bytes.subarray(start, end);
    return this.#copy ? new Uint8Array(view) : view;
  }

  /**
   * Takes a chunk as it came, and calls `onFrame` for each frame that is complete with it, before it returns. What
   * `onFrame` throws leaves `push`; the rest of the chunk is then kept, and is looked at by the next one.
   *
   * @param chunk may be overwritten when this returns
   * @param onFrame its frame is valid until it returns, unless `copy`; it must not push to this decoder
   * @throws TypeError; ERR_TRIPOLL_FRAME_TOO_LONG, ERR_TRIPOLL_INVALID_FRAME, both for good; ERR_TRIPOLL_STATE
   */
  push(chunk: Uint8Array, onFrame: (frame: Frame) => void): void {
    checkBytes('chunk', chunk);
    checkFunction('onFrame', onFrame);
    if (this.#pushing) throw stateError('push() from inside its own onFrame');
    this.#pushing = true;
    try {
      this.supply(chunk);
      for (let frame = this.next(); frame !== null; frame = this.next()) onFrame(frame);
    } finally {
      this.#pushing = false;
      if (this.#at < this.#piece.length) this.#piece = this.takeBuffered();
    }
  }

  /**
   * Says that the stream has ended.
   *
   * @throws ERR_TRIPOLL_UNEXPECTED_END when that was inside a frame, and as `push`
   */
  end(): void {
    if (this.#failure !== null) throw this.#failure;
    if (this.partialBytes > 0) this.#fail(unexpectedEndError(this.partialBytes));
  }

  /** Bytes that have come and belong to no frame yet. */
  get partialBytes(): number {
    return this.#partialBytes + this.#piece.length - this.#at;
  }

  /**
   * What has come after the last frame, for another decoder to go on with (the body after the header's lines). Only
   * whole frames are left out: also the bytes of one that has begun are given.
   *
   * @returns the caller's own memory; this decoder is as new, on a frame's boundary
   */
  takeBuffered(): Uint8Array {
    const head = this.#partial.subarray(0, this.#partialBytes);
    const taken = concat(head, this.#piece.subarray(this.#at));
    this.#dropPiece();
    this.#partialBytes = 0;
    this.resetScan();
    return taken;
  }

  /** For `FrameReader`: bytes that must stay as they are until `next` has returned null. */
  supply(piece: Uint8Array): void {
    if (this.#failure !== null) throw this.#failure;
    this.#piece = this.#at < this.#piece.length ? concat(this.#piece.subarray(this.#at), piece) : piece;
    this.#at = 0;
  }

  /** For `FrameReader`: the next frame of what was supplied; null when there is no whole one. */
  next(): Frame | null {
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
    if (this.#partialBytes === 0) return this.toFrame(piece, from + this.headBytes, end - this.tailBytes);
    this.#keep(piece, from, end);
    return this.#takePartial();
  }

  #dropPiece(): null {
    this.#piece = EMPTY;
    this.#at = 0;
    return null;
  }

  #scanOrFail(piece: Uint8Array, from: number): number {
    try {
      return this.scan(piece, from);
    } catch (error) {
      return this.#fail(error as Error);
    }
  }

  #fail(error: Error): never {
    this.#failure = error;
    this.#dropPiece();
    this.#partial = EMPTY;
    this.#partialBytes = 0;
    throw error;
  }

  #keep(piece: Uint8Array, from: number, to: number): void {
    const needed = this.#partialBytes + to - from;
    if (needed > this.#partial.length) {
      // Doubling, so that a frame of n bytes costs copies of at most 2n; no more than the longest frame needs.
      const doubled = Math.max(FIRST_PARTIAL_BYTES, Math.min(2 * this.#partial.length, this.maxLengthBytes));
      const grown = new Uint8Array(Math.max(needed, doubled));
      grown.set(this.#partial.subarray(0, this.#partialBytes));
      this.#partial = grown;
    }
    this.#partial.set(piece.subarray(from, to), this.#partialBytes);
    this.#partialBytes = needed;
  }

  #takePartial(): Frame {
    const bytes = this.#partial;
    const used = this.#partialBytes;
    this.#partialBytes = 0;
    if (bytes.length > KEPT_PARTIAL_BYTES && used < bytes.length / 4) this.#partial = EMPTY;
    return this.toFrame(bytes, this.headBytes, used - this.tailBytes);
  }
}

function concat(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const joined = new Uint8Array(head.length + tail.length);
  joined.set(head);
  joined.set(tail, head.length);
  return joined;
}
