// The stress finds those of the planted mistakes that show on real threads within seconds. The others
// are the explorer's: docs/runtime-scheduler.md says which, and why.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { within } from '../../support/deadline.js';
import { mutantNamed } from './mutants.js';
import { Stress } from './stress.js';
import { COUNT } from './stress-worker.js';

const ALL = process.env['TRIPOLL_EXPLORE'] === 'all';
const TASKS = 120_000;
const TRICKLED_TASKS = 20_000;
const DEADLINE_MS = 60_000;
/** The rarest was seen once in eight rounds. */
const MAX_ROUNDS = 100;

type Round = (mutant: string) => Promise<boolean>;

/** Whether a task came out twice, was lost or was no task. */
const isFoundInBulk: Round = async (mutant) => {
  const stress = new Stress(TASKS, mutant);
  const watch = async (): Promise<boolean> => {
    while (!stress.isOver) {
      if (stress.hasThrown || Atomics.load(stress.counts, COUNT.twice) > 0 || stress.isStuck) return true;
      if (Atomics.load(stress.counts, COUNT.claimed) >= TASKS) return false;
      await nextTurn();
    }
    return false;
  };
  try {
    void stress.inject();
    return await within(watch(), 'all tasks, or a mistake', DEADLINE_MS);
  } finally {
    await stress.end();
  }
};

/** Whether a task waits though all workers sleep. */
const isFoundByTrickle: Round = async (mutant) => {
  const stress = new Stress(TRICKLED_TASKS, mutant, 0);
  try {
    return !stress.trickle(DEADLINE_MS);
  } finally {
    await stress.end();
  }
};

const often: [string, Round][] = [
  ['take stores the head plainly', isFoundInBulk],
  ['a thief forgets the wrap', isFoundInBulk],
  ['who is about to sleep does not look once more', isFoundByTrickle],
  ['a worker says that it sleeps after it has looked', isFoundByTrickle],
  ['a worker that has looked for a moment sleeps without another look', isFoundByTrickle],
];
const seldom: [string, Round][] = [
  ['push publishes before it writes', isFoundInBulk],
  ['the injector takes a task out without an exchange', isFoundInBulk],
  ['who takes several tasks out of the injector does so without an exchange', isFoundInBulk],
];

test.each(ALL ? [...often, ...seldom] : often)(
  'a planted mistake is found on real threads: %s',
  async (name, round) => {
    expect(mutantNamed(name)).toBeDefined();
    let isFound = false;
    for (let i = 0; i < MAX_ROUNDS && !isFound; i++) isFound = await round(name);
    expect(isFound).toBe(true);
  },
  10 * DEADLINE_MS,
);

test(
  'tasks that come one by one to workers about to sleep: none is left',
  async () => {
    expect(await isFoundByTrickle('')).toBe(false);
  },
  2 * DEADLINE_MS,
);
