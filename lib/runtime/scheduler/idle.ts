import type { Cells } from './cells.js';
import { GROUP_WORKERS } from './layout.js';

/**
 * Who sleeps, and who searches for work of others: two bits a worker, in one word for sixteen, so
 * that a worker goes from one to the other in one step. There is no count that could be wrong after
 * a death: the bits of the dead are cleared, and that is all.
 *
 *     asleep  searching
 *        0        0      runs tasks, or looks into its own queue
 *        0        1      looks for tasks of others
 *        1        0      sleeps, or is about to: it has said so, and looks once more
 *        1        1      has been chosen to be woken: counts as searching from now on
 *
 * Only others set the second bit of a sleeper; all else a worker does itself.
 */
export class Idle {
  /** @internal */
  readonly groups: number;

  /** `words` is the index of the first word; `atOnce`: how many of the workers there are at a time. */
  constructor(
    /** @internal */ readonly cells: Cells,
    /** @internal */ readonly words: number,
    workers: number,
    /** @internal */ readonly atOnce: number,
  ) {
    this.groups = Math.ceil(workers / GROUP_WORKERS);
  }

  /**
   * Chooses a sleeper to be woken; -1 when nobody sleeps, or somebody searches: who does will find
   * the work, or look once more before it sleeps (Tokio's idle.rs, `worker_to_notify`).
   */
  chooseSleeper(): number {
    // Each failure is a step of a worker into sleep, out of it, or into or out of searching.
    for (;;) {
      let group = -1;
      let word = 0;
      for (let i = 0; i < this.groups; i++) {
        const each = this.cells.load(this.words + i);
        if (each >>> GROUP_WORKERS !== 0) return -1;
        if (each === 0 || group >= 0) continue;
        group = i;
        word = each;
      }
      if (group < 0) return -1;
      // The lowest number: the same few are kept awake under little load.
      const bit = 31 - Math.clz32(word & -word);
      const chosen = word | (1 << (bit + GROUP_WORKERS));
      if (this.cells.compareExchange(this.words + group, word, chosen) === word) {
        return group * GROUP_WORKERS + bit;
      }
    }
  }

  /**
   * False when half of the workers search already (idle.rs, `transition_worker_to_searching`).
   * Several at once may pass: the limit saves contention, nothing rests on it.
   */
  startSearching(worker: number): boolean {
    let searching = 0;
    for (let i = 0; i < this.groups; i++) {
      // Each turn clears a bit: 16 at most.
      for (let bits = this.cells.load(this.words + i) >>> GROUP_WORKERS; bits !== 0; bits &= bits - 1) {
        searching++;
      }
    }
    if (2 * searching >= this.atOnce) return false;
    this.cells.add(this.wordOf(worker), searchingBit(worker));
    return true;
  }

  /** True when nobody searches any more. */
  stopSearching(worker: number): boolean {
    const word = this.wordOf(worker);
    const bit = searchingBit(worker);
    return this.#isLast(word, this.cells.add(word, -bit) - bit);
  }

  /**
   * From now on it may be chosen by others. True when nobody searches: it must look for work once
   * more, since what came meanwhile woke nobody.
   */
  park(worker: number, isSearching: boolean): boolean {
    const word = this.wordOf(worker);
    const change = asleepBit(worker) - (isSearching ? searchingBit(worker) : 0);
    return this.#isLast(word, this.cells.add(word, change) + change);
  }

  /** True when it was chosen: it searches. */
  unpark(worker: number): boolean {
    const before = this.cells.add(this.wordOf(worker), -asleepBit(worker));
    return (before & searchingBit(worker)) !== 0;
  }

  /** Its thread is no more: it neither sleeps nor searches. */
  forget(worker: number): void {
    const word = this.wordOf(worker);
    const others = ~(asleepBit(worker) | searchingBit(worker));
    // Each failure is a step of one of sixteen workers, as above.
    for (;;) {
      const before = this.cells.load(word);
      if (this.cells.compareExchange(word, before, before & others) === before) return;
    }
  }

  /** Was chosen and has not come back yet. */
  isChosen(worker: number): boolean {
    const both = asleepBit(worker) | searchingBit(worker);
    return (this.cells.load(this.wordOf(worker)) & both) === both;
  }

  /** @internal */
  wordOf(worker: number): number {
    return this.words + Math.floor(worker / GROUP_WORKERS);
  }

  /** Whether nobody searches: `after` is what `word` has become. */
  #isLast(word: number, after: number): boolean {
    if (after >>> GROUP_WORKERS !== 0) return false;
    for (let i = this.words; i < this.words + this.groups; i++) {
      if (i !== word && this.cells.load(i) >>> GROUP_WORKERS !== 0) return false;
    }
    return true;
  }
}

function asleepBit(worker: number): number {
  return 1 << (worker % GROUP_WORKERS);
}

function searchingBit(worker: number): number {
  return 1 << ((worker % GROUP_WORKERS) + GROUP_WORKERS);
}
