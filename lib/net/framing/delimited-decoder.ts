import { checkNames, type Names } from '../../binding/validate.js';
import { DelimiterMatcher } from './delimiter-matcher.js';
import { FRAME_NAMES, FrameDecoder, type FrameOptions } from './frame-decoder.js';

/** At the upper end of what servers take as a line or a header by default (8 to 64 KiB). */
export const DEFAULT_MAX_LENGTH_BYTES = 64 * 1024;

/** Options of decoders and readers that cut at a delimiter. */
export interface DelimitedOptions extends FrameOptions {
  /** Longest frame without its delimiter, 1 to 2147483647; default 65536. */
  maxLengthBytes?: number | undefined;
}

/** What lines and other delimited frames share. */
export abstract class DelimitedDecoder<Frame> extends FrameDecoder<Frame> {
  readonly #matcher: DelimiterMatcher;

  /** `more`: names of options that the format has besides. */
  protected constructor(delimiter: Uint8Array, options: DelimitedOptions, more: Names = {}) {
    checkNames('options', options, FRAME_NAMES, more);
    super(options, DEFAULT_MAX_LENGTH_BYTES);
    this.#matcher = new DelimiterMatcher(delimiter);
    this.tailBytes = this.maxOverheadBytes = delimiter.length;
  }

  /** As `FrameDecoder` says. @public */
  protected scan(piece: Uint8Array, from: number): number {
    return this.#matcher.find(piece, from);
  }

  /** As `FrameDecoder` says. @public */
  protected resetScan(): void {
    this.#matcher.reset();
  }
}
