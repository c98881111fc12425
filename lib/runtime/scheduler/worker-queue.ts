import type { Cells } from './cells.js';
import type { LocalQueue } from './local-queue.js';
import type { Parts } from './parts.js';

/**
 * Tasks from the LIFO slot in a row: two tasks that wake each other would else keep all others
 * waiting. This and the rules below are Tokio's: tokio/src/runtime/scheduler/multi_thread/worker.rs
 * (MAX_LIFO_POLLS_PER_TICK) and stats.rs.
 */
const MAX_LIFO_POLLS = 3;

// How many tasks of its own a worker takes before it looks into the injector, where tasks would
// else wait for as long as workers have enough of their own. As many as take 200 µs by the mean of
// the tasks so far; 61 while that is not known.
const TARGET_INTERVAL_US = 200;
const FIRST_INTERVAL = 61;
const MIN_INTERVAL = 2;
const MAX_INTERVAL = 127;
/** What the newest task counts in the mean. */
const MEAN_WEIGHT = 0.1;

/** What a worker has done so far, in tasks if not said otherwise. */
export interface WorkerStats {
  /** Taken to be run. */
  readonly polls: number;
  /** How often it took from another worker's queue. */
  readonly steals: number;
  /** Taken so. */
  readonly stolenTasks: number;
  /** How often it went to sleep. */
  readonly parks: number;
  /** Moved from its queue to the queue of all, because its own was full. */
  readonly overflowedTasks: number;
  /** It looks into the queue of all once in so many. */
  readonly injectorInterval: number;
}

const POLLS = 0;
const STEALS = 1;
const STOLEN = 2;
const PARKS = 3;
const OVERFLOWED = 4;
const INTERVAL = 5;

/** In shared memory, as doubles: a count of 32 bits wraps within an hour. */
export function readStats(stats: Float64Array): WorkerStats {
  return {
    polls: stats[POLLS]!,
    steals: stats[STEALS]!,
    stolenTasks: stats[STOLEN]!,
    parks: stats[PARKS]!,
    overflowedTasks: stats[OVERFLOWED]!,
    injectorInterval: stats[INTERVAL]!,
  };
}

/**
 * A worker's queue, for its own thread alone: a ring, and before it a slot for the newest task, the
 * LIFO slot, which others cannot take from.
 *
 *     for (;;) {
 *       while ((task = queue.next()) !== 0) run(task);    // and every so often a look at the poller
 *       if (queue.park()) { wait in the poller; queue.unparked(); }
 *     }
 */
export class WorkerQueue {
  /** Told that `count` tasks were taken from another's queue, of which `task` comes next; null: nobody is. */
  onSteal: ((victim: number, count: number, task: number) => void) | null = null;
  readonly #parts: Parts;
  readonly #cells: Cells;
  readonly #worker: number;
  readonly #ring: LocalQueue;
  readonly #lifoSlot: number;
  readonly #stats: Float64Array;
  #lifoPolls = 0;
  /** Since the last look into the injector. */
  #ticks = 0;
  #interval = FIRST_INTERVAL;
  #meanUs = TARGET_INTERVAL_US / FIRST_INTERVAL;
  /** Since `tune`. */
  #polls = 0;
  #isSearching = false;
  #isParked = false;
  #random: number;
  readonly #keep = (task: number): void => void this.#ring.push(task);

  /** @internal Made by `Scheduler.worker`. */
  constructor(parts: Parts, worker: number) {
    this.#parts = parts;
    this.#cells = parts.cells;
    this.#worker = worker;
    this.#ring = parts.rings[worker]!;
    this.#lifoSlot = parts.lifoSlotOf(worker);
    this.#stats = parts.statsOf(worker);
    this.#stats[INTERVAL] = FIRST_INTERVAL;
    // Workers begin their searches at different others. Any number but 0 will do.
    this.#random = Math.imul(worker + 1, 0x9e3779b1) | 1;
  }

  /** What this worker has done. */
  get stats(): WorkerStats {
    return readStats(this.#stats);
  }

  /**
   * Puts a task, 1 to 2^31 - 1, in: the newest comes out first, three times in a row at most.
   * When the ring is full, half of it moves to the queue of all; false when that is full too.
   */
  push(task: number): boolean {
    if (this.#lifoPolls >= MAX_LIFO_POLLS) return this.#pushToRing(task);
    const before = this.#cells.read(this.#lifoSlot);
    if (before !== 0 && !this.#pushToRing(before)) return false;
    this.#cells.write(this.#lifoSlot, task);
    return true;
  }

  /**
   * The task to run next; 0 when none was found: then `park`, soon, since a worker that has
   * searched keeps others asleep until it has said that it sleeps.
   */
  next(): number {
    if (++this.#ticks >= this.#interval) {
      this.#ticks = 0;
      const injected = this.#parts.injector.pop();
      if (injected !== 0) return this.#takeFromAll(injected);
    }
    const newest = this.#cells.read(this.#lifoSlot);
    if (newest !== 0) {
      this.#cells.write(this.#lifoSlot, 0);
      this.#lifoPolls++;
      return this.#found(newest);
    }
    const own = this.#ring.pop();
    return this.#takeFromAll(own !== 0 ? own : this.#takeBatch());
  }

  /**
   * This worker waits for a moment without sleeping, and asks `hasWork`: then nobody else is woken
   * for what comes. False when enough others search. `next`, `park` or `rest` end it.
   */
  search(): boolean {
    this.#isSearching ||= this.#parts.idle.startSearching(this.#worker);
    return this.#isSearching;
  }

  /** Whether there seems to be a task that this worker can take; `park` finds out. */
  hasWork(): boolean {
    return this.#cells.read(this.#lifoSlot) !== 0 || this.#parts.seemsToHaveWork();
  }

  /**
   * Says that this worker is about to wait, and looks once more whether it should: true when it may
   * wait in its poller, false when there is something to do. Call `unparked` after the wait.
   */
  park(): boolean {
    if (this.#cells.read(this.#lifoSlot) !== 0 || this.#ring.length() !== 0) return false;
    this.#isParked = true;
    const isLast = this.#parts.idle.park(this.#worker, this.#isSearching);
    this.#isSearching = false;
    // Who still searches sees what came meanwhile; only the last must look for it (worker.rs,
    // transition_to_parked).
    if (isLast && this.#parts.hasWork()) {
      this.unparked();
      return false;
    }
    this.#stats[PARKS]!++;
    return true;
  }

  /** The wait is over, whatever ended it. Does nothing if this worker had not parked. */
  unparked(): void {
    if (!this.#isParked) return;
    this.#isParked = false;
    this.#isSearching = this.#parts.idle.unpark(this.#worker);
  }

  /**
   * This worker takes nothing for a while, though there may be something: it does not search any
   * more, others can take all that it has, and one that sleeps is woken for that. (What it took out
   * of the injector it has put into its ring without a word: it was to run that itself.)
   */
  rest(): void {
    const newest = this.#cells.read(this.#lifoSlot);
    // In this order: a thread that ends in between leaves it twice, not never.
    if (newest !== 0 && this.#pushToRing(newest)) this.#cells.write(this.#lifoSlot, 0);
    if (this.#isSearching) {
      this.#isSearching = false;
      this.#parts.idle.stopSearching(this.#worker);
    }
    if (this.#parts.hasWork()) this.#parts.notify();
  }

  /**
   * Says how long the tasks ran that `next` has given since the last call, in microseconds in all:
   * once a turn, say. The mean, in which a task counts a tenth, decides how often the queue of all
   * is looked at.
   */
  tune(busyUs: number): void {
    if (this.#polls === 0) return;
    // So many tasks of this mean, one after the other (stats.rs, end_processing_scheduled_tasks).
    const weight = 1 - (1 - MEAN_WEIGHT) ** this.#polls;
    this.#meanUs = weight * (busyUs / this.#polls) + (1 - weight) * this.#meanUs;
    this.#polls = 0;
    const interval = Math.floor(TARGET_INTERVAL_US / this.#meanUs);
    this.#interval = Math.max(MIN_INTERVAL, Math.min(MAX_INTERVAL, interval));
    this.#stats[INTERVAL] = this.#interval;
  }

  #pushToRing(task: number): boolean {
    if (!this.#ring.push(task) && !this.#overflow(task)) return false;
    this.#parts.notify();
    return true;
  }

  /** The ring is full: moves its older half to the injector, and the task behind it. */
  #overflow(task: number): boolean {
    const { injector } = this.#parts;
    if (injector.length() >= injector.capacity) return false;
    const half = this.#ring.capacity >> 1;
    const head = this.#cells.load(this.#ring.head);
    const isFull = ((this.#cells.read(this.#ring.tail) - head) | 0) >= this.#ring.capacity;
    // Or else a thief was here: there is room now, since nobody else pushes.
    if (!isFull || !this.#ring.take(head, half)) return this.#ring.push(task);
    let moved = 0;
    while (moved < half && injector.push(this.#taken(head, moved))) moved++;
    this.#stats[OVERFLOWED]! += moved;
    // The injector is full meanwhile: the rest comes back, behind the newer half.
    for (let i = moved; i < half; i++) this.#ring.push(this.#taken(head, i));
    return (moved === half && injector.push(task)) || this.#ring.push(task);
  }

  /** Still in its slot: only `push` of this ring writes there, at most what was read before. */
  #taken(head: number, i: number): number {
    return this.#cells.read(this.#ring.slots + ((head + i) & this.#ring.mask));
  }

  /** Not from the LIFO slot; 0: from others, if they have something. */
  #takeFromAll(task: number): number {
    this.#lifoPolls = 0;
    return task !== 0 ? this.#found(task) : this.#steal();
  }

  /**
   * One task of the injector, and as many more into the empty ring as are this worker's share, half
   * a ring at most (worker.rs, next_task).
   */
  #takeBatch(): number {
    const { injector, layout } = this.#parts;
    const length = injector.peekLength();
    if (length === 0) return 0;
    const share = Math.floor(length / layout.atOnce) + 1;
    const count = Math.min(share, this.#ring.capacity >> 1);
    return injector.popSome(count, this.#keep);
  }

  #steal(): number {
    const { rings, idle, injector } = this.#parts;
    if (!this.#isSearching) {
      if (!idle.startSearching(this.#worker)) return 0;
      this.#isSearching = true;
    }
    const start = this.#nextRandom() % rings.length;
    for (let i = 0; i < rings.length; i++) {
      const victim = (start + i) % rings.length;
      if (victim === this.#worker) continue;
      const task = this.#ring.stealFrom(rings[victim]!);
      if (task === 0) continue;
      this.#stats[STEALS]!++;
      this.#stats[STOLEN]! += this.#ring.stolenTasks;
      this.onSteal?.(victim, this.#ring.stolenTasks, task);
      return this.#found(task);
    }
    // What came while the others were asked.
    const task = injector.pop();
    return task === 0 ? 0 : this.#found(task);
  }

  /** The last that stops searching wakes another: there may be more (worker.rs, run_task). */
  #found(task: number): number {
    this.#polls++;
    this.#stats[POLLS]!++;
    if (this.#isSearching) {
      this.#isSearching = false;
      if (this.#parts.idle.stopSearching(this.#worker)) this.#parts.notify();
    }
    return task;
  }

  /** xorshift32 (Marsaglia, "Xorshift RNGs", 2003). */
  #nextRandom(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    return x >>> 0;
  }
}
