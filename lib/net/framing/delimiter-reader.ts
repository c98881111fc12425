import type { DelimitedOptions } from './delimited-decoder.js';
import { DelimiterDecoder } from './delimiter-decoder.js';
import { FrameReader } from './frame-reader.js';
import type { ByteSource } from './read-ahead.js';

/** Reads frames that each end with the same bytes, without these. */
export class DelimiterReader extends FrameReader<Uint8Array> {
  /**
   * @param delimiter at least one byte long; copied
   * @throws TypeError, RangeError
   */
  constructor(source: ByteSource, delimiter: Uint8Array, options: DelimitedOptions = {}) {
    super(source, new DelimiterDecoder(delimiter, options));
  }
}
