import { ERRNO_SHIFT, READINESS_MASK } from './flags.js';

export const WORDS_PER_EVENT = 3;

/**
 * The batch that a `wait` filled: read it before the next one overwrites it. Only the first `n`
 * events count, `n` being what `wait` returned.
 */
export class Events {
  /** slot, generation, readiness of each event in turn; the poller's own memory. */
  readonly words: Uint32Array;

  constructor(words: Uint32Array) {
    this.words = words;
  }

  /** How many events one `wait` can fill. */
  get capacity(): number {
    return this.words.length / WORDS_PER_EVENT;
  }

  /** The slot that the fd was added with. */
  slot(index: number): number {
    return this.#word(index, 0);
  }

  /** The generation that the fd was added with. */
  generation(index: number): number {
    return this.#word(index, 1);
  }

  /** Flags of `Readiness`. */
  readiness(index: number): number {
    return this.#word(index, 2) & READINESS_MASK;
  }

  /** The negative errno that the system told with this event, or 0. */
  errno(index: number): number {
    return 0 - (this.#word(index, 2) >>> ERRNO_SHIFT); // not -0
  }

  #word(index: number, word: number): number {
    return this.words[index * WORDS_PER_EVENT + word] ?? 0;
  }
}
