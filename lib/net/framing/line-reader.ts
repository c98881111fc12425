import { FrameReader } from './frame-reader.js';
import { LineDecoder, type Line, type LineEncoding, type LineOptions } from './line-decoder.js';
import type { ByteSource } from './read-ahead.js';

/** Reads lines that end with LF or CRLF, without these: as bytes, or with `encoding` as strings. */
export class LineReader<Encoding extends LineEncoding | undefined = undefined> extends FrameReader<
  Line<Encoding>
> {
  /** @throws TypeError, RangeError */
  constructor(source: ByteSource, options: LineOptions<Encoding> = {}) {
    super(source, new LineDecoder(options));
  }
}
