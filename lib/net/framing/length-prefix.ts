import { invalidFrameError, outOfRange } from '../../binding/errors.js';
import { checkInteger, checkNames } from '../../binding/validate.js';

/** A varint of more would be above 2^35: longer than any frame. */
const MAX_VARINT_BYTES = 5;
const MAX_FRAME_BYTES = 0x7fffffff;

/** The form of the length that stands before a frame. */
export interface LengthPrefixOptions {
  /**
   * Size of the length, or `'varint'`: 7 bits a byte, the lowest first, as Protocol Buffers have
   * it; 5 bytes at most. Default 4.
   */
  lengthBytes?: 1 | 2 | 3 | 4 | 'varint' | undefined;
  /** Byte order of a length that is no varint; default `'big'`, network byte order. */
  byteOrder?: 'big' | 'little' | undefined;
  /** Whether the length counts its own bytes too; not with a varint. Default false. */
  includesPrefix?: boolean | undefined;
}

/** Names of `LengthPrefixOptions`. */
export const PREFIX_NAMES: Readonly<Record<keyof LengthPrefixOptions, true>> = {
  lengthBytes: true,
  byteOrder: true,
  includesPrefix: true,
};

/** Only these of the options of an object that has a prefix. */
export function toPrefixOptions(options: LengthPrefixOptions): LengthPrefixOptions {
  const { lengthBytes, byteOrder, includesPrefix } = options;
  return { lengthBytes, byteOrder, includesPrefix };
}

/** Reads one form of length prefix, byte by byte, and writes it. */
export class LengthPrefix {
  /** Longest frame that it can announce; never more than 2147483647. */
  readonly maxLengthBytes: number;
  /** Number of bytes read of the present prefix; it stays until `reset`. */
  bytesRead = 0;
  readonly #sizeBytes: number;
  readonly #isVarint: boolean;
  readonly #isBig: boolean;
  readonly #ownBytes: number;
  #value = 0;

  /** @throws TypeError, RangeError */
  constructor(options: LengthPrefixOptions = {}) {
    checkNames('options', options, PREFIX_NAMES);
    const { lengthBytes = 4, byteOrder = 'big', includesPrefix = false } = options;
    this.#isVarint = lengthBytes === 'varint';
    if (lengthBytes !== 'varint') checkInteger('lengthBytes', lengthBytes, 1, 4);
    if (byteOrder !== 'big' && byteOrder !== 'little')
      throw outOfRange('byteOrder', `'big' or 'little'`, byteOrder);
    if (includesPrefix && this.#isVarint)
      throw outOfRange('includesPrefix', 'false with a varint', includesPrefix);
    this.#sizeBytes = lengthBytes === 'varint' ? MAX_VARINT_BYTES : lengthBytes;
    this.#isBig = byteOrder === 'big';
    this.#ownBytes = includesPrefix ? this.#sizeBytes : 0;
    const most = this.#isVarint ? MAX_FRAME_BYTES : 2 ** (8 * this.#sizeBytes) - 1 - this.#ownBytes;
    this.maxLengthBytes = Math.min(MAX_FRAME_BYTES, most);
  }

  /** Forgets the prefix that was read, or has begun: the next byte is a new one's first. */
  reset(): void {
    this.bytesRead = 0;
    this.#value = 0;
  }

  /**
   * Takes the prefix's next byte.
   *
   * @returns the frame's length once that was the last one, else -1
   * @throws ERR_TRIPOLL_INVALID_FRAME when it is no length
   */
  read(byte: number): number {
    const index = this.bytesRead++;
    // Not by shifts, which are of 32 bits with a sign.
    if (this.#isVarint) this.#value += (byte & 0x7f) * 2 ** (7 * index);
    else if (this.#isBig) this.#value = this.#value * 256 + byte;
    else this.#value += byte * 2 ** (8 * index);
    const isLast = this.#isVarint ? byte < 0x80 : this.bytesRead === this.#sizeBytes;
    if (!isLast) {
      if (this.bytesRead === this.#sizeBytes)
        throw invalidFrameError('a varint length is longer than 5 bytes');
      return -1;
    }
    if (this.#value < this.#ownBytes)
      throw invalidFrameError('a length that includes its prefix is less than that');
    return this.#value - this.#ownBytes;
  }

  /**
   * Makes the prefix of a frame of `lengthBytes`.
   *
   * @throws TypeError, RangeError when the prefix cannot hold the length
   */
  encode(lengthBytes: number): Uint8Array {
    checkInteger("the frame's length", lengthBytes, 0, this.maxLengthBytes);
    return this.#isVarint ? encodeVarint(lengthBytes) : this.#encodeFixed(lengthBytes + this.#ownBytes);
  }

  #encodeFixed(value: number): Uint8Array {
    const bytes = new Uint8Array(this.#sizeBytes);
    for (let i = 0; i < bytes.length; i++) {
      // An element takes the lowest 8 bits.
      bytes[this.#isBig ? bytes.length - 1 - i : i] = value / 2 ** (8 * i);
    }
    return bytes;
  }
}

function encodeVarint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return new Uint8Array([...bytes, rest]);
    bytes.push((rest & 0x7f) | 0x80);
  }
}
