/** Slots are reused at once by number, so a generation tells apart who lived there (T01). */
const GENERATIONS = 2 ** 32;

export interface Token {
  readonly slot: number;
  readonly generation: number;
}

/**
 * A table whose index is half of a token. A removed slot is not given out again before `recycle`:
 * within a batch a number means one thing.
 */
export class Slab<T> {
  /** By slot; the dispatch loop reads it directly. */
  readonly slots: (T | undefined)[] = [];
  size = 0;
  readonly #generations: number[] = [];
  readonly #free: number[] = [];
  readonly #retired: number[] = [];

  /** The token under which the next `set` must be. */
  reserve(): Token {
    const slot = this.#free.pop() ?? this.slots.length;
    if (slot === this.slots.length) {
      this.slots.push(undefined);
      this.#generations.push(0);
    }
    return { slot, generation: this.#generations[slot] ?? 0 };
  }

  set(token: Token, value: T): void {
    this.slots[token.slot] = value;
    this.size++;
  }

  /** Gives back a reserved slot that was never set, as if it had never been asked for (T08). */
  rollback(token: Token): void {
    this.#free.push(token.slot);
  }

  remove(slot: number): void {
    if (this.slots[slot] === undefined) return;
    this.slots[slot] = undefined;
    this.#generations[slot] = ((this.#generations[slot] ?? 0) + 1) % GENERATIONS;
    this.#retired.push(slot);
    this.size--;
  }

  /** After a batch: what was removed during it may be given out again. */
  recycle(): void {
    for (const slot of this.#retired) this.#free.push(slot);
    this.#retired.length = 0;
  }
}
