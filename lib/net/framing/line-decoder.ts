import { outOfRange } from '../../binding/errors.js';
import { DelimitedDecoder, type DelimitedOptions } from './delimited-decoder.js';

const CR = 0x0d;
const LF = new Uint8Array([0x0a]);

/** Those in which no other character has the byte of a line feed. */
export type LineEncoding = 'utf8' | 'latin1';

export interface LineOptions<
  Encoding extends LineEncoding | undefined = LineEncoding | undefined,
> extends DelimitedOptions {
  /** Without the LF; a CR before it counts. Default 65536. */
  maxLengthBytes?: number | undefined;
  /** Lines as strings; what is not valid UTF-8 becomes U+FFFD. Default: as bytes. */
  encoding?: Encoding;
}

/** A string where an encoding was asked for, else bytes. */
export type Line<Encoding extends LineEncoding | undefined> = Encoding extends LineEncoding
  ? string
  : Uint8Array;

/**
 * Lines that end with LF or CRLF, which are not part of them; a CR elsewhere is a character as any other. `push`
 * bytes in; see `FrameDecoder`.
 */
export class LineDecoder<Encoding extends LineEncoding | undefined = undefined> extends DelimitedDecoder<
  Line<Encoding>
> {
  readonly #encoding: LineEncoding | undefined;

  /** @throws TypeError, RangeError */
  constructor(options: LineOptions<Encoding> = {}) {
    super(LF, options);
    const { encoding } = options;
    if (encoding !== undefined && encoding !== 'utf8' && encoding !== 'latin1') {
      throw outOfRange('encoding', `'utf8' or 'latin1'`, encoding);
    }
    this.#encoding = encoding;
  }

  protected toFrame(bytes: Uint8Array, start: number, end: number): Line<Encoding> {
    const lineEnd = end > start && bytes[end - 1] === CR ? end - 1 : end;
    if (this.#encoding === undefined) return this.toBytes(bytes, start, lineEnd) as Line<Encoding>;
    const line = Buffer.from(bytes.buffer, bytes.byteOffset + start, lineEnd - start);
    return line.toString(this.#encoding) as Line<Encoding>;
  }
}
