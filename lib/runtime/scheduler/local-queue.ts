import type { Cells } from './cells.js';

/**
 * How often a thief tries a ring whose head moves meanwhile. It asks for half as many each time:
 * the last of eight asks for one task, of 128.
 */
const STEAL_TRIES = 8;

/**
 * A worker's ring of tasks. Its owner pushes at the tail and pops at the head, others take from the
 * head. Positions count on for ever and wrap at 32 bits; a slot is a position without its upper
 * bits.
 *
 * A thief copies first and takes then, by one exchange of the head, as Go's scheduler does
 * (src/runtime/proc.go, runqgrab), and not in two steps, as Tokio's: a thread that is terminated in
 * between has taken nothing, and no other waits for it. What was copied counts only if the head is
 * still the same: nobody has overwritten it then, since the owner does not write between head and
 * tail. Only a thief that sleeps while exactly 2^32 tasks pass would be fooled.
 */
export class LocalQueue {
  /** Tasks that the last `stealFrom` of this ring moved. */
  stolenTasks = 0;
  /** @internal */
  readonly mask: number;

  /** `head`, `tail` and `slots` are indexes of words; `capacity` is a power of two. */
  constructor(
    /** @internal */ readonly cells: Cells,
    /** @internal */ readonly head: number,
    /** @internal */ readonly tail: number,
    /** @internal */ readonly slots: number,
    readonly capacity: number,
  ) {
    this.mask = capacity - 1;
  }

  /** Tasks in it, for any thread: what has just been so. */
  length(): number {
    // The head first: it is never behind a tail that was read later.
    const head = this.cells.load(this.head);
    const length = (this.cells.load(this.tail) - head) | 0;
    return length > this.capacity ? this.capacity : length;
  }

  /** Whether it looks empty: perhaps it just has been so. */
  get looksEmpty(): boolean {
    return this.cells.peek(this.head) === this.cells.peek(this.tail);
  }

  /** Of its owner: false when it is full. */
  push(task: number): boolean {
    const tail = this.cells.read(this.tail);
    // A head of long ago makes the ring look fuller than it is.
    if (((tail - this.cells.peek(this.head)) | 0) >= this.capacity && this.length() >= this.capacity)
      return false;
    this.cells.write(this.slots + (tail & this.mask), task);
    this.cells.store(this.tail, (tail + 1) | 0);
    return true;
  }

  /** Of its owner: 0 when it is empty. */
  pop(): number {
    // Each failure is a theft of one task at least, and nobody pushes meanwhile.
    for (let i = 0; i <= this.capacity; i++) {
      // The exchange finds out if it has moved.
      const head = i === 0 ? this.cells.peek(this.head) : this.cells.load(this.head);
      if (head === this.cells.read(this.tail)) return 0;
      const task = this.cells.read(this.slots + (head & this.mask));
      if (this.take(head, 1)) return task;
    }
    return 0;
  }

  /**
   * Of this ring's owner: takes half of the other's tasks, rounded up, and gives the first; the
   * rest is in this ring. 0 when there was nothing, or this ring is more than half full, or others
   * were faster each time. Half, and that limit, are Tokio's (queue.rs, `steal_into`).
   */
  stealFrom(victim: LocalQueue): number {
    const tail = this.cells.read(this.tail);
    if (((tail - this.cells.load(this.head)) | 0) > this.capacity >> 1) return 0;
    let most = this.capacity >> 1;
    for (let i = 0; i < STEAL_TRIES; i++) {
      const head = this.cells.load(victim.head);
      const length = (this.cells.load(victim.tail) - head) | 0;
      if (length === 0) return 0;
      const count = Math.min(length - (length >> 1), most);
      const first = this.copyFrom(victim, head, count, tail);
      // A head that was read before others took from it makes the length too large: this fails then.
      if (victim.take(head, count)) {
        if (count > 1) this.cells.store(this.tail, (tail + count - 1) | 0);
        this.stolenTasks = count;
        return first;
      }
      most = Math.max(1, count >> 1);
    }
    return 0;
  }

  /**
   * Of any thread, when the owner is no more: takes all. Thieves may be at it still: each failure
   * is a theft of theirs, and nobody pushes.
   */
  drain(): number[] {
    for (let i = 0; i <= this.capacity; i++) {
      const head = this.cells.load(this.head);
      const length = (this.cells.load(this.tail) - head) | 0;
      if (length === 0) return [];
      const tasks: number[] = [];
      for (let j = 0; j < length; j++) tasks.push(this.cells.load(this.slots + ((head + j) & this.mask)));
      if (this.take(head, length)) return tasks;
    }
    return [];
  }

  /** Takes `count` tasks off the head, if that has not moved. */
  take(head: number, count: number): boolean {
    return this.cells.compareExchange(this.head, head, (head + count) | 0) === head;
  }

  /**
   * Copies all but the first behind this ring's tail, where nobody looks yet, and gives the first.
   *
   * @internal
   */
  copyFrom(victim: LocalQueue, head: number, count: number, tail: number): number {
    for (let i = 1; i < count; i++) {
      const task = this.cells.load(victim.slots + ((head + i) & victim.mask));
      this.cells.write(this.slots + ((tail + i - 1) & this.mask), task);
    }
    return this.cells.load(victim.slots + (head & victim.mask));
  }
}
