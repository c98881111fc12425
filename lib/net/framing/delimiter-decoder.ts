import { DelimitedDecoder, type DelimitedOptions } from './delimited-decoder.js';

/**
 * Cuts a stream into frames that each end with the same bytes, which are not part of them. Bytes go
 * in by `push`: see `FrameDecoder`.
 */
export class DelimiterDecoder extends DelimitedDecoder<Uint8Array> {
  /**
   * @param delimiter at least one byte long; copied
   * @throws TypeError, RangeError
   */
  constructor(delimiter: Uint8Array, options: DelimitedOptions = {}) {
    super(delimiter, options);
  }

  /** As `FrameDecoder` says. @public */
  protected toFrame(bytes: Uint8Array, start: number, end: number): Uint8Array {
    return this.toBytes(bytes, start, end);
  }
}
