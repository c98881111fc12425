import { outOfRange } from '../../binding/errors.js';
import { DelimitedDecoder, type DelimitedOptions } from './delimited-decoder.js';

const CR = 0x0d;
export const LF = new Uint8Array([0x0a]);

/** Encodings in which no other character has the byte of a line feed. */
export type LineEncoding = 'utf8' | 'latin1';

/** Options of decoders and readers of lines. */
export interface LineOptions<
  Encoding extends LineEncoding | undefined = LineEncoding | undefined,
> extends DelimitedOptions {
  /** Longest line without its LF, 1 to 2147483647; a CR before the LF counts. Default 65536. */
  maxLengthBytes?: number | undefined;
  /** Gives lines as strings; what is not valid UTF-8 becomes U+FFFD. Default: as bytes. */
  encoding?: Encoding;
}

/** A string where an encoding was asked for, else bytes. */
export type Line<Encoding extends LineEncoding | undefined> = Encoding extends LineEncoding
  ? string
  : Uint8Array;

/**
 * Cuts a stream into lines that end with LF or CRLF, which are not part of them; a CR elsewhere is
 * a character as any other. Bytes go in by `push`: see `FrameDecoder`.
 */
export class LineDecoder<Encoding extends LineEncoding | undefined = undefined> extends DelimitedDecoder<
  Line<Encoding>
> {
  readonly #encoding: LineEncoding | undefined;

  /** @throws TypeError, RangeError */
  constructor(options: LineOptions<Encoding> = {}) {
    super(LF, options, { encoding: true });
    const { encoding } = options;
    checkEncoding(encoding);
    this.#encoding = encoding;
  }

  /** As `FrameDecoder` says. @public */
  protected toFrame(bytes: Uint8Array, start: number, end: number): Line<Encoding> {
    const lineEnd = withoutCr(bytes, start, end);
    const line =
      this.#encoding === undefined
        ? this.toBytes(bytes, start, lineEnd)
        : decodeText(bytes, start, lineEnd, this.#encoding);
    return line as Line<Encoding>;
  }
}

/** @throws RangeError */
export function checkEncoding(encoding: LineEncoding | undefined): void {
  if (encoding !== undefined && encoding !== 'utf8' && encoding !== 'latin1') {
    throw outOfRange('encoding', `'utf8' or 'latin1'`, encoding);
  }
}

/** Finds the end of the line that an LF follows at `end`. */
export function withoutCr(bytes: Uint8Array, start: number, end: number): number {
  return end > start && bytes[end - 1] === CR ? end - 1 : end;
}

export function decodeText(bytes: Uint8Array, start: number, end: number, encoding: LineEncoding): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString(encoding);
}
