import { Cells } from './cells.js';
import { Parts } from './parts.js';
import { readStats, WorkerQueue, type WorkerStats } from './worker-queue.js';

export { createScheduler, MAX_WORKERS, type SchedulerOptions } from './layout.js';
export type { WorkerQueue, WorkerStats } from './worker-queue.js';

/** Tasks that wait: what has just been so, each read by itself. */
export interface QueueLengths {
  /** In the queue of all. */
  readonly injector: number;
  /** In each worker's ring and LIFO slot. */
  readonly workers: readonly number[];
}

/**
 * Which worker runs which task, for threads that share one memory: a queue for each worker, one for
 * all (the injector), and who sleeps. It knows task ids and workers' numbers, no threads: each
 * thread makes a `Scheduler` of its own over the memory of `createScheduler`, and gives it a
 * function that wakes a worker's poller. Arguments are not checked.
 *
 * A task that was put in comes out once, in one thread. If a thread dies, what it had just taken is
 * lost here, and an id may come out twice: who knows all tasks puts those in again that nobody runs,
 * and lets each run once. docs/runtime-scheduler.md has the rules and their sources.
 */
export class Scheduler {
  /** @internal */
  readonly parts: Parts;

  /**
   * `wake` is called in this thread, with the number of a worker that is, or soon will be, in its
   * poller: it must return from there, now or when it next gets there. It may be called too often,
   * and for a worker that has just ended; it must not throw.
   *
   * @param cells a test's own
   */
  constructor(buffer: SharedArrayBuffer, wake: (worker: number) => void, cells = new Cells(buffer)) {
    this.parts = new Parts(buffer, wake, cells);
  }

  /** How many workers it was made for. */
  get workers(): number {
    return this.parts.layout.workers;
  }

  /**
   * Puts a task, 1 to 2^31 - 1, into the queue of all, from any thread, and wakes a worker if one
   * sleeps and none searches. False when that queue is full.
   */
  inject(task: number): boolean {
    if (!this.parts.injector.push(task)) return false;
    this.parts.notify();
    return true;
  }

  /**
   * A worker's own queue, for its thread. After a thread's death and `abandon`, for the thread that
   * takes its place: one thread at a time has it.
   */
  worker(worker: number): WorkerQueue {
    return new WorkerQueue(this.parts, worker);
  }

  /**
   * The worker's thread has ended, between any two steps whatever: ends its sleep or its search,
   * wakes whom it was about to wake, and gives the tasks that were in its queue, some of them twice
   * perhaps. Of any thread, one at a time; the other workers go on meanwhile.
   */
  abandon(worker: number): number[] {
    const { cells, idle, rings } = this.parts;
    idle.forget(worker);
    const tasks = rings[worker]!.drain();
    const lifoSlot = this.parts.lifoSlotOf(worker);
    const task = cells.load(lifoSlot);
    if (task !== 0) tasks.unshift(task);
    cells.store(lifoSlot, 0);
    for (let other = 0; other < rings.length; other++) if (idle.isChosen(other)) this.parts.wake(other);
    // It may have been chosen to look for what is there, or have found something and not said so.
    if (this.parts.hasWork()) this.parts.notify();
    return tasks;
  }

  /** How many tasks wait where, for any thread. */
  lengths(): QueueLengths {
    const { cells, injector, rings } = this.parts;
    const workers = rings.map((ring, worker) => {
      return ring.length() + (cells.load(this.parts.lifoSlotOf(worker)) === 0 ? 0 : 1);
    });
    return { injector: injector.length(), workers };
  }

  /** What a worker has done, for any thread; a thread that takes another's place counts on. */
  stats(worker: number): WorkerStats {
    return readStats(this.parts.statsOf(worker));
  }
}
