// Real threads, and every task accounted for: each comes out once; with threads that are terminated
// at any moment each is claimed once, and nobody waits for the dead. TRIPOLL_STRESS_TASKS=10000000
// for as many as that.
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { createScheduler, Scheduler } from '#lib/runtime/scheduler/scheduler';
import { within } from '../../support/deadline.js';
import { Random, testSeed } from '../../support/random.js';
import { COUNT, TASK, wakeBy, type StressPlan } from './stress-worker.js';

const WORKERS = 4;
const DEATHS = 10;
const TASKS = Number(process.env['TRIPOLL_STRESS_TASKS'] ?? 120_000);
const DEADLINE_MS = 60_000 + TASKS / 20;

function sharedInts(count: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(count * Int32Array.BYTES_PER_ELEMENT));
}

class Stress {
  readonly #buffer = createScheduler({ workers: WORKERS, injectorCapacity: 1024 });
  readonly #sleep = sharedInts(WORKERS);
  readonly tasks = sharedInts(TASKS + 1);
  readonly counts = sharedInts(3);
  readonly scheduler = new Scheduler(this.#buffer, wakeBy(this.#sleep));
  readonly threads: Worker[] = [];

  constructor(readonly mutant = '') {
    for (let worker = 0; worker < WORKERS; worker++) this.start(worker);
  }

  /** Three quarters of the tasks are born by workers, the first half of these by one. */
  start(worker: number): void {
    const share = Math.floor((TASKS * 3) / 4 / WORKERS);
    const [first, last] = [worker * share + 1, (worker + 1) * share];
    const { tasks, counts, mutant } = this;
    const plan = { buffer: this.#buffer, sleep: this.#sleep, worker, tasks, counts, first, last, mutant };
    const workerData: StressPlan = plan;
    this.threads[worker] = new Worker(path.join(__dirname, 'stress-worker.js'), { workerData });
  }

  /** The main thread's own tasks, as many in a turn as there is room for. */
  async inject(): Promise<void> {
    for (let task = Math.floor((TASKS * 3) / 4 / WORKERS) * WORKERS + 1; task <= TASKS;) {
      Atomics.store(this.tasks, task, TASK.queued);
      if (this.scheduler.inject(task)) task++;
      else await nextTurn();
    }
  }

  async done(): Promise<void> {
    while (Atomics.load(this.counts, COUNT.claimed) < TASKS) await nextTurn();
  }

  /** A thread ends wherever it is, and another takes its place. */
  async replace(worker: number): Promise<void> {
    await this.threads[worker]!.terminate();
    this.scheduler.abandon(worker);
    for (let task = 1; task <= TASKS; task++) {
      while (Atomics.load(this.tasks, task) === TASK.queued && !this.scheduler.inject(task)) {
        await nextTurn();
      }
    }
    this.start(worker);
  }

  async end(): Promise<void> {
    Atomics.store(this.counts, COUNT.isOver, 1);
    for (let worker = 0; worker < WORKERS; worker++) wakeBy(this.#sleep)(worker);
    await Promise.all(this.threads.map((thread) => thread.terminate()));
  }
}

test(
  'every task comes out once, with four threads that push, steal and sleep',
  async () => {
    const stress = new Stress();
    try {
      await within(Promise.all([stress.inject(), stress.done()]), 'all tasks', DEADLINE_MS);
      expect(Atomics.load(stress.counts, COUNT.twice)).toBe(0);
      expect(Atomics.load(stress.counts, COUNT.claimed)).toBe(TASKS);
      expect(stress.scheduler.lengths()).toEqual({ injector: 0, workers: [0, 0, 0, 0] });
    } finally {
      await stress.end();
    }
  },
  DEADLINE_MS + 10_000,
);

test(
  'T117 every task is claimed once though threads are terminated, and none of the others is stuck',
  async () => {
    const random = new Random(testSeed());
    const stress = new Stress();
    let isDone = false;
    const killing = async (): Promise<void> => {
      for (let i = 0; i < DEATHS && !isDone; i++) {
        for (let turns = random.below(200); turns > 0; turns--) await nextTurn();
        await stress.replace(random.below(WORKERS));
      }
    };
    const all = Promise.all([stress.inject(), stress.done().then(() => (isDone = true)), killing()]);
    try {
      await within(all, 'all tasks', DEADLINE_MS);
      expect(stress.tasks.subarray(1).every((task) => task === TASK.claimed)).toBe(true);
    } finally {
      await stress.end();
    }
  },
  DEADLINE_MS + 10_000,
);
