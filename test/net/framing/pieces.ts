import type { Random } from '../../support/random.js';

export const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** Cut at random places: mostly into bits, now and then not at all. */
export function cut(bytes: Uint8Array, random: Random): Uint8Array[] {
  const most = random.pick([1, 2, 3, 7, 50, 5000, bytes.length + 1]);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + 1 + random.below(most));
    pieces.push(bytes.slice(at, end));
    at = end;
  }
  return pieces;
}

/**
 * Gives its pieces, one a read (less when the buffer is smaller), and then the end. Notes the
 * buffers that it was lent.
 */
export class PieceSource {
  readonly buffers = new Set<ArrayBufferLike>();
  reads = 0;
  #pieces: Uint8Array[];

  constructor(
    pieces: readonly Uint8Array[],
    /** What takes the place of the end. */
    readonly atEnd: () => Promise<number> = () => Promise.resolve(0),
  ) {
    this.#pieces = [...pieces];
  }

  get largestBuffer(): number {
    return Math.max(...[...this.buffers].map((buffer) => buffer.byteLength));
  }

  read(buffer: Uint8Array): Promise<number> {
    this.reads++;
    this.buffers.add(buffer.buffer);
    const piece = this.#pieces.shift();
    if (piece === undefined) return this.atEnd();
    // What a view of an earlier read shows now is the reader's mistake to make.
    buffer.fill(0xdb);
    buffer.set(piece.subarray(0, buffer.length));
    if (piece.length > buffer.length) this.#pieces.unshift(piece.subarray(buffer.length));
    return Promise.resolve(Math.min(piece.length, buffer.length));
  }
}
