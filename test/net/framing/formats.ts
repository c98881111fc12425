import type { FrameDecoder } from '#lib/net/framing/frame-decoder';
import { DelimiterDecoder } from '#lib/net/framing/delimiter-decoder';
import { LengthPrefixedDecoder } from '#lib/net/framing/length-prefixed-decoder';
import { LineDecoder } from '#lib/net/framing/line-decoder';
import type { Random } from '../../support/random.js';
import { bytesOf, concat } from './pieces.js';

/**
 * One format with a reference of its own: naive, over the whole stream at once, and sharing no
 * code.
 */
export interface Format {
  readonly name: string;
  readonly maxLengthBytes: number;
  open(options?: { maxLengthBytes?: number; copy?: boolean }): FrameDecoder<Uint8Array>;
  /** A frame's payload that the format can carry. */
  payload(random: Random): Uint8Array;
  encode(payload: Uint8Array, random: Random): Uint8Array;
  /** All whole frames, and the bytes that are left. */
  decode(stream: Uint8Array): { frames: Uint8Array[]; rest: Uint8Array };
}

function randomBytes(random: Random, most: number, alphabet?: readonly number[]): Uint8Array {
  const length = random.pick([0, 1, 2, random.below(20), random.below(most + 1), most]);
  return Uint8Array.from({ length }, () =>
    alphabet === undefined ? random.below(256) : random.pick(alphabet),
  );
}

function delimited(stream: Uint8Array, delimiter: string): { frames: Uint8Array[]; rest: Uint8Array } {
  const parts = Buffer.from(stream).toString('latin1').split(delimiter);
  const rest = bytesOf(parts.pop() ?? '');
  return { frames: parts.map(bytesOf), rest };
}

/** Without the delimiter in it, also not together with the delimiter that follows. */
function withoutDelimiter(payload: Uint8Array, delimiter: string): Uint8Array {
  const text = Buffer.from(payload).toString('latin1');
  return payload.slice(0, (text + delimiter).indexOf(delimiter));
}

const lines: Format = {
  name: 'lines',
  maxLengthBytes: 300,
  open: (options) => new LineDecoder({ maxLengthBytes: 300, ...options }),
  payload: (random) => {
    const bytes = randomBytes(random, 299, random.below(2) === 0 ? [...bytesOf('ab\r')] : undefined);
    const text = Buffer.from(bytes).toString('latin1').replaceAll('\n', ' ').replace(/\r$/, ' ');
    return bytesOf(text);
  },
  encode: (payload, random) => concat([payload, bytesOf(random.pick(['\n', '\r\n']))]),
  decode: (stream) => {
    const { frames, rest } = delimited(stream, '\n');
    return { frames: frames.map((line) => (line.at(-1) === 13 ? line.slice(0, -1) : line)), rest };
  },
};

function delimiters(delimiter: string): Format {
  return {
    name: `delimiter ${JSON.stringify(delimiter)}`,
    maxLengthBytes: 300,
    open: (options) => new DelimiterDecoder(bytesOf(delimiter), { maxLengthBytes: 300, ...options }),
    // Made of the delimiter's own bytes: near misses everywhere.
    payload: (random) => withoutDelimiter(randomBytes(random, 300, [...bytesOf(`${delimiter}x`)]), delimiter),
    encode: (payload) => concat([payload, bytesOf(delimiter)]),
    decode: (stream) => delimited(stream, delimiter),
  };
}

interface PrefixCase {
  readonly lengthBytes: 1 | 2 | 3 | 4 | 'varint';
  readonly byteOrder?: 'big' | 'little';
  readonly includesPrefix?: boolean;
}

function encodeLength(length: number, { lengthBytes, byteOrder }: PrefixCase): Uint8Array {
  if (lengthBytes === 'varint') {
    const groups = length
      .toString(2)
      .padStart(Math.max(1, Math.ceil(length.toString(2).length / 7)) * 7, '0')
      .match(/.{7}/g)!
      .reverse();
    return Uint8Array.from(groups, (bits, i) => parseInt(`${i < groups.length - 1 ? 1 : 0}${bits}`, 2));
  }
  const buffer = Buffer.alloc(lengthBytes);
  if (byteOrder === 'little') buffer.writeUIntLE(length, 0, lengthBytes);
  else buffer.writeUIntBE(length, 0, lengthBytes);
  return new Uint8Array(buffer);
}

function readLength(
  stream: Buffer,
  at: number,
  { lengthBytes, byteOrder }: PrefixCase,
): [number, number] | null {
  if (lengthBytes === 'varint') {
    const last = stream.subarray(at).findIndex((byte) => byte < 128);
    if (last === -1) return null;
    const bits = [...stream.subarray(at, at + last + 1)]
      .reverse()
      .map((b) => (b & 127).toString(2).padStart(7, '0'));
    return [parseInt(bits.join(''), 2), last + 1];
  }
  if (stream.length - at < lengthBytes) return null;
  const length =
    byteOrder === 'little' ? stream.readUIntLE(at, lengthBytes) : stream.readUIntBE(at, lengthBytes);
  return [length, lengthBytes];
}

function prefixed(shape: PrefixCase): Format {
  const own = shape.includesPrefix === true && shape.lengthBytes !== 'varint' ? shape.lengthBytes : 0;
  const maxLengthBytes = shape.lengthBytes === 1 ? 255 - own : 700;
  return {
    name: `length prefix ${JSON.stringify(shape)}`,
    maxLengthBytes,
    open: (options) => new LengthPrefixedDecoder({ ...shape, maxLengthBytes, ...options }),
    payload: (random) => randomBytes(random, maxLengthBytes),
    encode: (payload) => concat([encodeLength(payload.length + own, shape), payload]),
    decode: (bytes) => {
      const stream = Buffer.from(bytes);
      const frames: Uint8Array[] = [];
      let at = 0;
      for (let head = readLength(stream, at, shape); head !== null; head = readLength(stream, at, shape)) {
        const [length, size] = head;
        const end = at + size + length - own;
        if (end > stream.length) break;
        frames.push(bytes.slice(at + size, end));
        at = end;
      }
      return { frames, rest: bytes.slice(at) };
    },
  };
}

export const formats: readonly Format[] = [
  lines,
  ...['\0', '\r\n', '\r\n\r\n', 'aab', 'abab', 'aaa', 'abcabd'].map(delimiters),
  prefixed({ lengthBytes: 1 }),
  prefixed({ lengthBytes: 1, includesPrefix: true }),
  prefixed({ lengthBytes: 2, byteOrder: 'big' }),
  prefixed({ lengthBytes: 2, byteOrder: 'little', includesPrefix: true }),
  prefixed({ lengthBytes: 3, byteOrder: 'big' }),
  prefixed({ lengthBytes: 4, byteOrder: 'little' }),
  prefixed({ lengthBytes: 4, byteOrder: 'big', includesPrefix: true }),
  prefixed({ lengthBytes: 'varint' }),
];
