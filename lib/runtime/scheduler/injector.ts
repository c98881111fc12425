import type { Cells } from './cells.js';

/**
 * How often an operation tries again after another thread's was faster: each failure is a success
 * of another, so that a thousand in a row do not happen. It says then that the queue is full, or
 * empty.
 */
const MAX_TRIES = 1000;

/**
 * The queue that all threads put tasks into and all workers take from: a ring with a bound.
 *
 * A slot has a task, above 0, or the number of the round, from 0 down, in which it waits for one: a
 * round is once around the ring. One exchange of a slot puts a task into it, one takes it out; head
 * and tail follow, and whoever finds one behind moves it on. So a thread that ends between two
 * steps leaves nothing that another would wait for. The number of the round stops a producer that
 * has slept: in another round it finds another number. (Vyukov's bounded queue has such numbers
 * beside the values, and stops for good when a thread dies between the two.)
 */
export class Injector {
  /** @internal */
  readonly mask: number;
  /** @internal Bits of a position below its round. */
  readonly shift: number;

  /** `head`, `tail` and `slots` are indexes of words; `capacity` is a power of two, 2 or more. */
  constructor(
    /** @internal */ readonly cells: Cells,
    /** @internal */ readonly head: number,
    /** @internal */ readonly tail: number,
    /** @internal */ readonly slots: number,
    readonly capacity: number,
  ) {
    this.mask = capacity - 1;
    this.shift = 31 - Math.clz32(capacity);
  }

  /** Tasks in it: what has just been so. */
  length(): number {
    const head = this.cells.load(this.head);
    const length = (this.cells.load(this.tail) - head) | 0;
    return length > this.capacity ? this.capacity : length;
  }

  /** The same, perhaps of long ago: for who looks again before it sleeps. */
  peekLength(): number {
    const length = (this.cells.peek(this.tail) - this.cells.peek(this.head)) | 0;
    return length < 0 || length > this.capacity ? this.length() : length;
  }

  /** Of any thread: false when it is full. */
  push(task: number): boolean {
    for (let i = 0; i < MAX_TRIES; i++) {
      // In another round the exchange finds another number.
      const tail = i === 0 ? this.cells.peek(this.tail) : this.cells.load(this.tail);
      const slot = this.slots + (tail & this.mask);
      const empty = this.emptyAt(tail);
      const found = this.cells.compareExchange(slot, empty, task);
      if (found === empty) {
        this.cells.compareExchange(this.tail, tail, (tail + 1) | 0);
        return true;
      }
      if (this.isFullAt(tail, slot, found, empty)) return false;
    }
    return false;
  }

  /**
   * The slot of the tail was not empty: is the queue full? If it is not, the tail is moved on, or
   * was read too long ago.
   *
   * @internal
   */
  isFullAt(tail: number, slot: number, found: number, empty: number): boolean {
    if (found > 0) {
      if (((tail - this.cells.load(this.head)) | 0) >= this.capacity) return true;
      // The round before has been taken: a task that is here now is of this one, or a later.
      if (this.cells.load(slot) > 0) this.cells.compareExchange(this.tail, tail, (tail + 1) | 0);
    } else if (this.cells.load(this.tail) === tail) {
      // The number of an older round: `pop` says how that can be.
      this.cells.compareExchange(slot, found, empty);
    }
    return false;
  }

  /**
   * Of any thread: 0 when it is empty, or has just been so. Takes a task out of a round of its own,
   * unless it sleeps between two steps while the queue goes once around and the same task is put
   * into the same slot, which needs that it was put in twice: `push` mends the slot then.
   */
  pop(): number {
    for (let i = 0; i < MAX_TRIES; i++) {
      const head = this.cells.peek(this.head);
      if (head === this.cells.peek(this.tail)) return 0;
      const task = this.cells.load(this.slots + (head & this.mask));
      // Else what was read may be of a later round.
      if (this.cells.load(this.head) !== head) continue;
      const isTaken = this.#take(head, task);
      // Also when another has taken it, and perhaps ended before it came to this.
      this.cells.compareExchange(this.head, head, (head + 1) | 0);
      if (isTaken) return task;
    }
    return 0;
  }

  /**
   * Takes up to `most` tasks: gives the first, and `keep` gets the others. 0 as of `pop`. As many
   * `pop`s, but that the head is looked at, and moved on, once.
   */
  popSome(most: number, keep: (task: number) => void): number {
    const head = this.cells.peek(this.head);
    const count = Math.min(most, (this.cells.peek(this.tail) - head) | 0);
    if (count <= 1) return this.pop();
    const found: number[] = [];
    for (let i = 0; i < count; i++) found.push(this.cells.load(this.slots + ((head + i) & this.mask)));
    if (this.cells.load(this.head) !== head) return this.pop();
    let taken = 0;
    while (taken < count && this.#take((head + taken) | 0, found[taken]!)) taken++;
    if (taken === 0) return this.pop();
    // If others have found it behind they move it on, one by one.
    this.cells.compareExchange(this.head, head, (head + taken) | 0);
    for (let i = 1; i < taken; i++) keep(found[i]!);
    return found[0]!;
  }

  #take(position: number, task: number): boolean {
    const slot = this.slots + (position & this.mask);
    const next = this.emptyAt((position + this.capacity) | 0);
    return task > 0 && this.cells.compareExchange(slot, task, next) === task;
  }

  /** What the slot of this position has while it waits for a task. 0 in the first round. */
  emptyAt(position: number): number {
    return (0 - (position >>> this.shift)) | 0;
  }
}
