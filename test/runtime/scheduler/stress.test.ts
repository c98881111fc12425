// Real threads, and every task accounted for: each comes out once; with threads that are terminated
// at any moment each is claimed once, and nobody waits for the dead. TRIPOLL_STRESS_TASKS=10000000
// for as many as that.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { within } from '../../support/deadline.js';
import { Random, testSeed } from '../../support/random.js';
import { Stress, WORKERS } from './stress.js';
import { COUNT, TASK } from './stress-worker.js';

const DEATHS = 10;
const TASKS = Number(process.env['TRIPOLL_STRESS_TASKS'] ?? 120_000);
const DEADLINE_MS = 60_000 + TASKS / 20;

test(
  'every task comes out once, with four threads that push, steal and sleep',
  async () => {
    const stress = new Stress(TASKS);
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
    const stress = new Stress(TASKS);
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
