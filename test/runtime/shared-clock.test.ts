import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { sharedNowMs } from '#lib/runtime/shared-clock';
import { until, untilSync } from '../support/deadline.js';
import { Turn } from './shared-clock-turn.js';

/** What is told apart by it takes 5 ms at least (`STEAL_AFTER_MS`). */
const MAX_OFF_MS = 2;
/** An exchange that takes longer says too little: on a busy machine it is made again. */
const MAX_EXCHANGE_MS = 2;
const DEADLINE_MS = 60_000;

test(
  'all threads of a server have one clock',
  async () => {
    const memory = new SharedArrayBuffer(16);
    const turn = new Int32Array(memory, 0, 2);
    const answer = new Float64Array(memory, 8, 1);
    const worker = new Worker(path.join(__dirname, 'shared-clock-worker.js'), { workerData: memory });
    try {
      await until(() => Atomics.load(turn, Turn.ANSWERED) === Turn.READY, 'the worker', DEADLINE_MS);
      let [asked, before, after] = [Turn.READY as number, 0, Infinity];
      untilSync(
        () => {
          before = sharedNowMs();
          Atomics.store(turn, Turn.ASKED, asked + 1);
          Atomics.notify(turn, Turn.ASKED);
          Atomics.wait(turn, Turn.ANSWERED, asked, DEADLINE_MS);
          after = sharedNowMs();
          asked++;
          return after - before < MAX_EXCHANGE_MS;
        },
        'a short exchange',
        DEADLINE_MS,
      );
      expect(Atomics.load(turn, Turn.ANSWERED)).toBe(asked);
      expect(answer[0]).toBeGreaterThan(before - MAX_OFF_MS);
      expect(answer[0]).toBeLessThan(after + MAX_OFF_MS);
    } finally {
      Atomics.store(turn, Turn.ASKED, Turn.END);
      Atomics.notify(turn, Turn.ASKED);
      await worker.terminate();
    }
  },
  2 * DEADLINE_MS,
);
