// Bodies that both sides make alike, and tell by their hash.
import { createHash, type Hash } from 'node:crypto';

/** A prime: what is lost or doubled of it is no block that reads the same. */
const BLOCK_BYTES = 65_521;
const block = Buffer.alloc(BLOCK_BYTES);
for (let i = 0; i < BLOCK_BYTES; i += 32)
  block.set(
    createHash('sha256')
      .update(String(i))
      .digest()
      .subarray(0, BLOCK_BYTES - i),
    i,
  );

/** The `lengthBytes` first bytes of the block, again and again. */
export function* bodyOf(lengthBytes: number): Generator<Buffer> {
  for (let left = lengthBytes; left > 0; left -= BLOCK_BYTES)
    yield left < BLOCK_BYTES ? block.subarray(0, left) : block;
}

export const newHash = (): Hash => createHash('sha256');

/** What `bodyOf` gives, by its SHA-256 in hex. */
export function hashOfBody(lengthBytes: number): string {
  const hash = newHash();
  for (const chunk of bodyOf(lengthBytes)) hash.update(chunk);
  return hash.digest('hex');
}
