import { FrameReader } from './frame-reader.js';
import { LengthPrefixedDecoder, type LengthPrefixedOptions } from './length-prefixed-decoder.js';
import type { ByteSource } from './read-ahead.js';

/** Reads frames that each come after their length, without it. */
export class LengthPrefixedReader extends FrameReader<Uint8Array> {
  /** @throws TypeError, RangeError */
  constructor(source: ByteSource, options: LengthPrefixedOptions = {}) {
    super(source, new LengthPrefixedDecoder(options));
  }
}
