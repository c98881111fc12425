import { coded } from './errors.js';

// What a Writable hands to `_writev`.

/** One chunk, a string in its encoding. */
export interface Chunk {
  chunk: Uint8Array | string;
  encoding: BufferEncoding;
}

/**
 * Up to here Buffer.allocUnsafe takes its memory from a pool: then a copy is cheaper than a system
 * call for several buffers.
 */
const MAX_JOINED_BYTES = Buffer.poolSize >>> 1;

function lengthOf({ chunk, encoding }: Chunk): number {
  return typeof chunk === 'string' ? Buffer.byteLength(chunk, encoding) : chunk.length;
}

/** @throws ERR_INVALID_ARG_TYPE for a string that is said to be none */
export function toBytes(chunk: Uint8Array | string, encoding: BufferEncoding): Uint8Array {
  if (typeof chunk !== 'string') return chunk;
  if ((encoding as string) === 'buffer')
    throw coded(TypeError, 'ERR_INVALID_ARG_TYPE', 'Second argument must be a buffer');
  return Buffer.from(chunk, encoding);
}

function join(chunks: readonly Chunk[], bytes: number): Uint8Array {
  const joined = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const { chunk, encoding } of chunks) {
    if (typeof chunk === 'string') at += joined.write(chunk, at, encoding);
    else {
      joined.set(chunk, at);
      at += chunk.length;
    }
  }
  return joined;
}

/** Their bytes, in one piece when they are few: an answer of HTTP is a string, and an empty one. */
export function toPieces(chunks: readonly Chunk[]): Uint8Array[] {
  let bytes = 0;
  for (const chunk of chunks) bytes += lengthOf(chunk);
  return bytes <= MAX_JOINED_BYTES
    ? [join(chunks, bytes)]
    : chunks.map(({ chunk, encoding }) => toBytes(chunk, encoding));
}
