// A worker of the stress: gives birth to the tasks of its share, and runs whatever it gets, which is
// to claim it. It sleeps by Atomics.wait, as no worker of the runtime does.
import { workerData } from 'node:worker_threads';
import { Scheduler } from '#lib/runtime/scheduler/scheduler';
import { mutantNamed } from './mutants.js';

export interface StressPlan {
  readonly buffer: SharedArrayBuffer;
  readonly worker: number;
  /** A word a worker: 1 when it is to be woken. */
  readonly sleep: Int32Array;
  /** A word a worker, odd while it waits for that: one more at each beginning and end. */
  readonly waits: Int32Array;
  /** A word a task, from 1: one of `TASK`. */
  readonly tasks: Int32Array;
  /** Words of `COUNT`. */
  readonly counts: Int32Array;
  /** Its share of the tasks. */
  readonly first: number;
  readonly last: number;
  /** Of mutants.ts; '' for none. */
  readonly mutant: string;
}

export const TASK = { unborn: 0, queued: 1, claimed: 2 } as const;
export const COUNT = { claimed: 0, twice: 1, isOver: 2 } as const;

export function wakeBy(sleep: Int32Array): (worker: number) => void {
  return (worker) => {
    Atomics.store(sleep, worker, 1);
    Atomics.notify(sleep, worker);
  };
}

function run(plan: StressPlan): void {
  const { buffer, worker, sleep, waits, tasks, counts, last } = plan;
  mutantNamed(plan.mutant)?.apply();
  const queue = new Scheduler(buffer, wakeBy(sleep)).worker(worker);
  let next = plan.first;
  const spawn = (most: number): void => {
    for (let i = 0; i < most && next <= last; i++) {
      // What a predecessor has born the main thread has put in again.
      if (Atomics.load(tasks, next) === TASK.unborn) {
        Atomics.store(tasks, next, TASK.queued);
        if (!queue.push(next)) {
          Atomics.store(tasks, next, TASK.unborn);
          return;
        }
      }
      next++;
    }
  };
  while (Atomics.load(counts, COUNT.isOver) === 0) {
    spawn(64);
    for (let task = queue.next(); task !== 0; task = queue.next()) {
      const before = Atomics.compareExchange(tasks, task, TASK.queued, TASK.claimed);
      Atomics.add(counts, before === TASK.queued ? COUNT.claimed : COUNT.twice, 1);
      spawn(task % 3);
      if (Atomics.load(counts, COUNT.isOver) !== 0) return;
    }
    if (next > last && queue.park()) {
      Atomics.add(waits, worker, 1);
      Atomics.wait(sleep, worker, 0);
      Atomics.add(waits, worker, 1);
      Atomics.store(sleep, worker, 0);
      queue.unparked();
    }
  }
}

if (workerData !== null) run(workerData as StressPlan);
