// Wakes a reactor of the main thread, as each plan that it is sent says. It answers 'done', or
// 'lost' when a wake was not heard.
import { parentPort } from 'node:worker_threads';
import { type SharedWaker, Waker } from 'tripoll';

export interface WakePlan {
  /**
   * storm: as fast as it can. lockstep: the next when the last was heard. each: every waker once.
   */
  readonly kind: 'storm' | 'lockstep' | 'each';
  readonly wakers: readonly SharedWaker[];
  readonly wakes: number;
  /** Of `counts` and `heard`: this thread's. */
  readonly index: number;
  /** Wakes so far; raised before each. */
  readonly counts: Int32Array;
  /** What the main thread has heard. */
  readonly heard: Int32Array;
  /** Nobody begins before its first is 1. */
  readonly gate: Int32Array;
}

const DEADLINE_MS = 10_000;

function storm({ wakes, index, counts }: WakePlan, waker: Waker): string {
  for (let i = 0; i < wakes; i++) {
    Atomics.add(counts, index, 1);
    waker.wake();
  }
  return 'done';
}

function lockstep({ wakes, index, counts, heard }: WakePlan, waker: Waker): string {
  for (let i = 0; i < wakes; i++) {
    Atomics.add(counts, index, 1);
    waker.wake();
    // What is told of may be what was heard before this wake, for another's.
    while (Atomics.load(heard, index) <= i)
      if (Atomics.wait(heard, index, i, DEADLINE_MS) === 'timed-out') return 'lost';
  }
  return 'done';
}

function each({ index, counts }: WakePlan, wakers: readonly Waker[]): string {
  for (const waker of wakers) {
    Atomics.add(counts, index, 1);
    waker.wake();
  }
  return 'done';
}

function carryOut(plan: WakePlan): string {
  const wakers = plan.wakers.map((shared) => Waker.from(shared));
  Atomics.wait(plan.gate, 0, 0);
  if (plan.kind === 'each') return each(plan, wakers);
  return (plan.kind === 'storm' ? storm : lockstep)(plan, wakers[0]!);
}

parentPort?.on('message', (plan: WakePlan) => parentPort?.postMessage(carryOut(plan)));
