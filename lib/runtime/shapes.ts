/** The names of an object, as they lie in memory: written once, and known again at a glance. */
export interface Shape {
  readonly names: readonly string[];
  readonly words: Int32Array;
  readonly hash: number;
}

/** Places of what was met last: a power of two, of 8 bits. */
export const KNOWN = 256;

/** Of no object. */
export const NO_SHAPE: Shape = { names: [], words: new Int32Array(0), hash: 0 };

/** Of these words: less than `KNOWN`. */
export function hashOf(words: Int32Array, start: number, end: number): number {
  let hash = 0;
  for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + words[i]!) | 0;
  hash ^= hash >>> 16;
  return (hash ^ (hash >>> 8)) & (KNOWN - 1);
}

/** The shapes that one thread has met last. */
export class Shapes {
  readonly #byHash: Shape[] = new Array<Shape>(KNOWN).fill(NO_SHAPE);
  readonly #byFirstName = new Map<string, Shape>();
  #lastGuess = NO_SHAPE;

  /** What an object that begins with this name looked like last; may be wrong. */
  guess(firstName: string): Shape {
    const last = this.#lastGuess;
    if (last.names[0] === firstName) return last;
    return (this.#lastGuess = this.#byFirstName.get(firstName) ?? NO_SHAPE);
  }

  /** The shape that these words are; `NO_SHAPE` when it was not met of late. */
  find(words: Int32Array, start: number, length: number, hash: number): Shape {
    const shape = this.#byHash[hash]!;
    const known = shape.words;
    if (known.length !== length) return NO_SHAPE;
    for (let i = 0; i < length; i++) if (known[i] !== words[start + i]) return NO_SHAPE;
    return shape;
  }

  /** Names that `find` does not know. */
  remember(names: readonly string[], words: Int32Array, hash: number): Shape {
    const shape = { names, words, hash };
    this.#byHash[hash] = shape;
    return shape;
  }

  /** Objects that begin as this one are like it, as a rule. */
  expect(shape: Shape): void {
    // Programs have few shapes; one that makes them for ever does not fill the memory.
    if (this.#byFirstName.size >= KNOWN) this.#byFirstName.clear();
    this.#byFirstName.set(shape.names[0]!, shape);
    this.#lastGuess = shape;
  }
}
