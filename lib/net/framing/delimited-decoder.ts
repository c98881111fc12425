import { frameTooLongError, outOfRange } from '../../binding/errors.js';
import { checkBytes, checkObject } from '../../binding/validate.js';
import { FrameDecoder, UNFINISHED, type FrameOptions } from './frame-decoder.js';

/** At the upper end of what servers take as a line or a header by default (8 to 64 KiB). */
const DEFAULT_MAX_LENGTH_BYTES = 64 * 1024;

export interface DelimitedOptions extends FrameOptions {
  /** Without the delimiter; default 65536. */
  maxLengthBytes?: number | undefined;
}

/** What lines and other delimited frames share. */
export abstract class DelimitedDecoder<Frame> extends FrameDecoder<Frame> {
  readonly #delimiter: Uint8Array;
  /** Knuth, Morris and Pratt's: how much of the delimiter still matches when its byte after the i-th does not. */
  readonly #fallbacks: Uint32Array;
  #matched = 0;
  #scannedBytes = 0;

  protected constructor(delimiter: Uint8Array, options: DelimitedOptions) {
    checkObject('options', options);
    super(options, DEFAULT_MAX_LENGTH_BYTES);
    checkBytes('delimiter', delimiter);
    if (delimiter.length === 0) throw outOfRange('delimiter', 'at least one byte long', delimiter);
    this.#delimiter = new Uint8Array(delimiter);
    this.#fallbacks = toFallbacks(this.#delimiter);
    this.tailBytes = delimiter.length;
  }

  protected scan(piece: Uint8Array, from: number): number {
    const end = this.#find(piece, from);
    this.#scannedBytes += (end === UNFINISHED ? piece.length : end) - from;
    // What matches so far may yet be delimiter.
    const lengthBytes = this.#scannedBytes - (end === UNFINISHED ? this.#matched : this.tailBytes);
    if (lengthBytes > this.maxLengthBytes) throw frameTooLongError(this.maxLengthBytes);
    if (end !== UNFINISHED) this.resetScan();
    return end;
  }

  protected resetScan(): void {
    this.#matched = 0;
    this.#scannedBytes = 0;
  }

  /** Linear, whatever the bytes: it never goes back in the piece, nor before it. */
  #find(piece: Uint8Array, from: number): number {
    const delimiter = this.#delimiter;
    let matched = this.#matched;
    for (let i = from; i < piece.length; i++) {
      while (matched > 0 && piece[i] !== delimiter[matched]) matched = this.#fallbacks[matched - 1]!;
      if (matched === 0) {
        i = piece.indexOf(delimiter[0]!, i);
        if (i === -1) break;
      }
      matched++;
      if (matched === delimiter.length) return i + 1;
    }
    this.#matched = matched;
    return UNFINISHED;
  }
}

function toFallbacks(delimiter: Uint8Array): Uint32Array {
  const fallbacks = new Uint32Array(delimiter.length);
  let matched = 0;
  for (let i = 1; i < delimiter.length; i++) {
    while (matched > 0 && delimiter[i] !== delimiter[matched]) matched = fallbacks[matched - 1]!;
    if (delimiter[i] === delimiter[matched]) matched++;
    fallbacks[i] = matched;
  }
  return fallbacks;
}
