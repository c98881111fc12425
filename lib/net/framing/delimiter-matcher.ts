import { outOfRange } from '../../binding/errors.js';
import { checkBytes } from '../../binding/validate.js';
import { UNFINISHED } from './frame-decoder.js';

/**
 * Finds a delimiter in bytes that come in pieces, and looks at each byte once (Knuth, Morris and
 * Pratt).
 */
export class DelimiterMatcher {
  readonly #delimiter: Uint8Array;
  /** How much of the delimiter still matches when its byte after the i-th does not. */
  readonly #fallbacks: Uint32Array;
  #matched = 0;

  /**
   * @param delimiter at least one byte long; copied
   * @throws TypeError, RangeError
   */
  constructor(delimiter: Uint8Array) {
    checkBytes('delimiter', delimiter);
    if (delimiter.length === 0) throw outOfRange('delimiter', 'at least one byte long', delimiter);
    this.#delimiter = new Uint8Array(delimiter);
    this.#fallbacks = toFallbacks(this.#delimiter);
  }

  get lengthBytes(): number {
    return this.#delimiter.length;
  }

  /** Begins anew, after a delimiter was found or for other bytes. */
  reset(): void {
    this.#matched = 0;
  }

  /**
   * Looks on from `from`, where the last call stopped.
   *
   * @returns the position after the delimiter, or UNFINISHED
   */
  find(piece: Uint8Array, from: number): number {
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
