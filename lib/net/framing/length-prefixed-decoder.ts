import { frameTooLongError } from '../../binding/errors.js';
import { checkNames } from '../../binding/validate.js';
import { FRAME_NAMES, FrameDecoder, UNFINISHED, type FrameOptions } from './frame-decoder.js';
import { LengthPrefix, PREFIX_NAMES, toPrefixOptions, type LengthPrefixOptions } from './length-prefix.js';

/** A hundred times what most protocols send at once, and what one connection may cost. */
const DEFAULT_MAX_FRAME_BYTES = 1024 * 1024;

/** Options of decoders and readers of frames with their length before them. */
export interface LengthPrefixedOptions extends FrameOptions, LengthPrefixOptions {
  /**
   * Longest frame without its prefix, 1 to 2147483647; default 1048576. A frame that announces more
   * is refused before a byte of it is kept.
   */
  maxLengthBytes?: number | undefined;
}

/**
 * Cuts a stream into frames that each come after their length. Bytes go in by `push`: see
 * `FrameDecoder`.
 */
export class LengthPrefixedDecoder extends FrameDecoder<Uint8Array> {
  readonly #prefix: LengthPrefix;
  /** Bytes of the frame that are still to come, or -1 while its length is not known. */
  #missingBytes = -1;

  /** @throws TypeError, RangeError */
  constructor(options: LengthPrefixedOptions = {}) {
    checkNames('options', options, FRAME_NAMES, PREFIX_NAMES);
    const prefix = new LengthPrefix(toPrefixOptions(options));
    super(options, DEFAULT_MAX_FRAME_BYTES);
    this.#prefix = prefix;
  }

  /** As `FrameDecoder` says. @public */
  protected scan(piece: Uint8Array, from: number): number {
    let at = from;
    for (; this.#missingBytes === -1; at++) {
      if (at === piece.length) return UNFINISHED;
      this.#missingBytes = this.#prefix.read(piece[at]!);
      if (this.#missingBytes > this.maxLengthBytes) throw frameTooLongError(this.maxLengthBytes);
    }
    const end = at + this.#missingBytes;
    if (end > piece.length) {
      this.#missingBytes = end - piece.length;
      return UNFINISHED;
    }
    this.headBytes = this.#prefix.bytesRead;
    return end;
  }

  /** As `FrameDecoder` says. @public */
  protected resetScan(): void {
    this.#missingBytes = -1;
    this.#prefix.reset();
  }

  /** As `FrameDecoder` says. @public */
  protected toFrame(bytes: Uint8Array, start: number, end: number): Uint8Array {
    return this.toBytes(bytes, start, end);
  }
}
