// Real threads on one scheduler, every task of which is accounted for.
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { createScheduler, Scheduler } from '#lib/runtime/scheduler/scheduler';
import { within } from '../../support/deadline.js';
import { COUNT, TASK, wakeBy, type StressPlan } from './stress-worker.js';

export const WORKERS = 4;

function sharedInts(count: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(count * Int32Array.BYTES_PER_ELEMENT));
}

/** What three quarters of the tasks are born by: workers. The rest comes from the main thread. */
const BORN_SHARE = 0.75;

export class Stress {
  readonly #buffer = createScheduler({ workers: WORKERS, injectorCapacity: 1024 });
  readonly #sleep = sharedInts(WORKERS);
  readonly #waits = sharedInts(WORKERS);
  readonly #share: number;
  #isInjected = false;
  #injection = Promise.resolve();
  readonly tasks: Int32Array;
  readonly counts = sharedInts(3);
  readonly scheduler = new Scheduler(this.#buffer, wakeBy(this.#sleep));
  readonly threads: Worker[] = [];
  /** A worker has thrown: it took what is no task, say. */
  hasThrown = false;

  /**
   * @param total tasks
   * @param mutant of mutants.ts
   */
  constructor(
    readonly total: number,
    readonly mutant = '',
    bornShare = BORN_SHARE,
  ) {
    this.tasks = sharedInts(total + 1);
    this.#share = Math.floor((total * bornShare) / WORKERS);
    for (let worker = 0; worker < WORKERS; worker++) this.start(worker);
  }

  /** Its share of the tasks is born by the worker. */
  start(worker: number): void {
    const [first, last] = [worker * this.#share + 1, (worker + 1) * this.#share];
    const { tasks, counts, mutant } = this;
    const plan = { buffer: this.#buffer, sleep: this.#sleep, waits: this.#waits, worker, tasks, counts };
    const workerData: StressPlan = { ...plan, first, last, mutant };
    const thread = new Worker(path.join(__dirname, 'stress-worker.js'), { workerData });
    thread.on('error', () => (this.hasThrown = true));
    this.threads[worker] = thread;
  }

  /** The main thread's own tasks, as many in a turn as there is room for. */
  inject(): Promise<void> {
    return (this.#injection = this.#inject());
  }

  async #inject(): Promise<void> {
    let task = this.#share * WORKERS + 1;
    while (task <= this.total && !this.isOver) {
      Atomics.store(this.tasks, task, TASK.queued);
      if (this.scheduler.inject(task)) task++;
      else await nextTurn();
    }
    this.#isInjected = task > this.total;
  }

  /** By a planted mistake the injector may stay full, and tasks be lost: nothing waits beyond it. */
  get isOver(): boolean {
    return Atomics.load(this.counts, COUNT.isOver) !== 0;
  }

  /** One after the other, each when all workers are about to sleep; false when one was left. */
  trickle(deadlineMs: number): boolean {
    const endMs = performance.now() + deadlineMs;
    for (let task = 1; task <= this.total; task++) {
      Atomics.store(this.tasks, task, TASK.queued);
      this.scheduler.inject(task);
      while (Atomics.load(this.counts, COUNT.claimed) < task) {
        if (this.isStuck) return false;
        if (performance.now() > endMs) throw new Error('neither done nor stuck');
      }
    }
    return true;
  }

  async done(): Promise<void> {
    while (Atomics.load(this.counts, COUNT.claimed) < this.total && !this.isOver) await nextTurn();
  }

  /** A thread ends wherever it is, and another takes its place. */
  async replace(worker: number): Promise<void> {
    await this.threads[worker]!.terminate();
    this.scheduler.abandon(worker);
    for (let task = 1; task <= this.total; task++) {
      while (Atomics.load(this.tasks, task) === TASK.queued && !this.scheduler.inject(task)) {
        if (this.isOver) return;
        await nextTurn();
      }
    }
    if (!this.isOver) this.start(worker);
  }

  /** All workers wait, nobody has woken one, and not all is done: it will never be. */
  get isStuck(): boolean {
    const before = this.#waitsOfAll();
    if (before === '') return false;
    const { injector, workers } = this.scheduler.lengths();
    const queued = workers.reduce((sum, length) => sum + length, injector);
    const isLeft = queued > 0 || (this.#isInjected && Atomics.load(this.counts, COUNT.claimed) < this.total);
    // The same at both looks: none of them has done anything in between.
    return isLeft && this.#waitsOfAll() === before;
  }

  /** Empty when one does not wait, or has been woken. */
  #waitsOfAll(): string {
    const all: number[] = [];
    for (let worker = 0; worker < WORKERS; worker++) {
      const waits = Atomics.load(this.#waits, worker);
      if (waits % 2 === 0 || Atomics.load(this.#sleep, worker) === 1) return '';
      all.push(waits);
    }
    return all.join();
  }

  async end(): Promise<void> {
    Atomics.store(this.counts, COUNT.isOver, 1);
    for (let worker = 0; worker < WORKERS; worker++) wakeBy(this.#sleep)(worker);
    await Promise.all(this.threads.map((thread) => thread.terminate()));
    await within(this.#injection, 'the end of the injection');
  }
}
