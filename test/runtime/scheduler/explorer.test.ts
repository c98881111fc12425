// Every order of steps of small cases, and what each planted mistake does to them.
// TRIPOLL_EXPLORE=all visits the large cases too, for some minutes.
import { Random, testSeed } from '../../support/random.js';
import { injectorCase, overflowCase, ringCase, schedulerCase } from './cases.js';
import { explore, walk, type Case } from './explorer.js';
import { MUTANTS } from './mutants.js';

interface Named {
  readonly what: string;
  readonly make: () => Case;
}

const SMALL: readonly Named[] = [
  {
    what: 'ring: owner and a thief',
    make: () => ringCase({ capacity: 4, owner: [1, 2, 3, 0, 4, 5, 0, 0], thieves: [2] }),
  },
  {
    what: 'ring: owner and two thieves',
    make: () => ringCase({ capacity: 2, owner: [1, 2, 0, 3, 0], thieves: [1, 1] }),
  },
  {
    what: 'injector: one producer, one consumer, once around and more',
    make: () => injectorCase({ capacity: 2, producers: [[1, 2, 3]], consumers: [3] }),
  },
  {
    what: 'injector: two producers, one place, one consumer',
    make: () => injectorCase({ capacity: 2, filled: [9], producers: [[1], [2]], consumers: [1] }),
  },
  {
    what: 'injector: full, two consumers',
    make: () => injectorCase({ capacity: 2, filled: [8, 9], producers: [[1, 2]], consumers: [1, 1] }),
  },
  {
    what: 'injector: two producers, one dies, or the consumer',
    make: () =>
      injectorCase({ capacity: 2, filled: [9], producers: [[1], [2]], consumers: [1], areMortal: true }),
  },
  {
    what: 'injector: full, one of two consumers dies, or the producer',
    make: () =>
      injectorCase({ capacity: 2, filled: [8, 9], producers: [[1]], consumers: [1, 1], areMortal: true }),
  },
  {
    what: 'injector: one takes two at once, one takes one',
    make: () => injectorCase({ capacity: 2, filled: [8, 9], producers: [[1]], consumers: [1], takers: [2] }),
  },
  {
    what: 'injector: two take two at once',
    make: () =>
      injectorCase({ capacity: 4, filled: [7, 8, 9], producers: [], consumers: [], takers: [2, 2] }),
  },
  {
    what: 'injector: one takes two at once, one takes one, one of them or the producer dies',
    make: () =>
      injectorCase({
        ...{ capacity: 2, filled: [8, 9], producers: [[1]], consumers: [1], takers: [2] },
        areMortal: true,
      }),
  },
  { what: 'overflow against a thief and a consumer', make: () => overflowCase(5, 2, 1) },
  { what: 'park against inject', make: () => schedulerCase({ workers: 1, injectors: [[1, 2]] }) },
  {
    what: 'park against two that inject',
    make: () => schedulerCase({ workers: 1, injectors: [[1], [2]] }),
  },
  {
    what: 'two workers: steal, sleep, wake',
    make: () => schedulerCase({ workers: 2, starts: { 0: [1, 2, 3] } }),
  },
  {
    what: 'two workers: a task has two children',
    make: () => schedulerCase({ workers: 2, starts: { 0: [1] }, children: { 1: [2, 3] } }),
  },
  {
    what: 'two workers: one is full, and has a task that is its newest',
    make: () => schedulerCase({ workers: 2, starts: { 0: [1, 2] }, bounds: { 0: 0 } }),
  },
  {
    what: 'two workers: one is full, and has taken more than that',
    make: () => schedulerCase({ workers: 2, filled: [1, 2], bounds: { 0: 1 } }),
  },
  {
    what: 'two workers: one that searches dies',
    make: () => schedulerCase({ workers: 2, starts: { 0: [1] }, mortal: [1] }),
  },
  {
    what: 'two workers: one dies, whatever it does, then work comes',
    make: () => schedulerCase({ workers: 2, late: [1], mortal: [0] }),
  },
  {
    what: 'two workers: one that has work dies',
    make: () => schedulerCase({ workers: 2, starts: { 0: [1] }, mortal: [0] }),
  },
];

const LARGE: readonly Named[] = [
  {
    what: 'injector: two producers, two consumers',
    make: () => injectorCase({ capacity: 2, filled: [9], producers: [[1], [2]], consumers: [1, 1] }),
  },
  { what: 'overflow of more against a thief and a consumer', make: () => overflowCase(7, 2, 2) },
  { what: 'two workers against inject', make: () => schedulerCase({ workers: 2, injectors: [[1]] }) },
  {
    what: 'two workers: a thief dies',
    make: () => schedulerCase({ workers: 2, starts: { 0: [1, 2] }, mortal: [1] }),
  },
  {
    what: 'two workers: one that is stolen from dies',
    make: () => schedulerCase({ workers: 2, starts: { 0: [1, 2] }, mortal: [0] }),
  },
  {
    what: 'two workers of two groups',
    make: () => schedulerCase({ workers: 17, awake: [0, 16], injectors: [[1]] }),
  },
];

/** Too large to be visited whole: for ways by chance. */
const WALKS: readonly Named[] = [
  {
    what: 'ring: owner and three thieves',
    make: () => ringCase({ capacity: 4, owner: [1, 2, 3, 4, 0, 5, 6, 0, 7, 8, 0, 0], thieves: [3, 3, 3] }),
  },
  {
    what: 'injector: three producers, three consumers, one dies',
    make: () =>
      injectorCase({
        capacity: 4,
        producers: [
          [1, 2, 3],
          [4, 5, 6],
          [7, 8, 9],
        ],
        consumers: [3, 3, 3],
        areMortal: true,
      }),
  },
  {
    what: 'injector: two producers, two consumers, two that take some',
    make: () =>
      injectorCase({
        capacity: 4,
        producers: [
          [1, 2, 3],
          [4, 5, 6],
        ],
        consumers: [2, 2],
        takers: [3, 3],
      }),
  },
  {
    what: 'three workers, two that inject',
    make: () =>
      schedulerCase({
        workers: 3,
        injectors: [
          [1, 2],
          [3, 4],
        ],
        starts: { 0: [5, 6, 7] },
      }),
  },
  {
    what: 'overflow against steal',
    make: () =>
      schedulerCase({ workers: 2, ringCapacity: 2, injectorCapacity: 2, starts: { 0: [1, 2, 3, 4, 5, 6] } }),
  },
  {
    what: 'three workers, one dies',
    make: () => schedulerCase({ workers: 3, injectors: [[1, 2, 3]], starts: { 1: [4, 5] }, mortal: [0] }),
  },
  {
    what: 'two workers, one dies',
    make: () => schedulerCase({ workers: 2, injectors: [[1, 2]], mortal: [0] }),
  },
  {
    what: 'two workers, one that pushes dies',
    make: () => schedulerCase({ workers: 2, starts: { 0: [1, 2, 3] }, mortal: [0] }),
  },
  { what: 'a worker and who injects', make: () => schedulerCase({ workers: 1, injectors: [[1, 2, 3]] }) },
];

const all = process.env['TRIPOLL_EXPLORE'] === 'all';

describe('every order of steps', () => {
  test.each(all ? [...SMALL, ...LARGE] : SMALL)(
    '$what',
    ({ what, make }) => {
      const { states, ends, failure } = explore(make(), 10_000_000);
      expect(failure).toBe('');
      expect(ends).toBeGreaterThan(0);
      if (all) console.log(`${what}: ${states} states, ${ends} ends`);
    },
    600_000,
  );
});

/** What happens on so many ways by chance: the first failure, or ''. */
function walkAll(ways: number, cases = WALKS): string {
  const random = new Random(testSeed());
  for (let i = 0; i < ways; i++) {
    const failure = failureOf(() => walk(cases[i % cases.length]!.make(), random));
    if (failure !== '') return failure;
  }
  return '';
}

/** A thread that goes round in circles is found out as well. */
function failureOf(run: () => string): string {
  try {
    return run();
  } catch (error) {
    return String(error);
  }
}

test('ways by chance through larger cases, by a seed', () => {
  expect(walkAll(160)).toBe('');
}, 120_000);

/** Among the first states, or a thread goes round in circles. */
function isFound(given: Case): boolean {
  const failure = failureOf(() => explore(given, 30_000).failure);
  return failure !== '' && !failure.includes('more than 30000 states');
}

describe('a planted mistake is found', () => {
  test.each(MUTANTS)(
    'by every order of steps: $name',
    ({ apply, foundBy: [by] }) => {
      const takeBack = apply();
      try {
        const cases = [...SMALL, ...LARGE].filter(({ what }) => all || what === by);
        const found = cases.find(({ make }) => isFound(make()));
        expect(found).toBeDefined();
      } finally {
        takeBack();
      }
    },
    120_000,
  );

  test.each(MUTANTS)(
    'on ways by chance: $name',
    ({ apply, foundBy: [, by] }) => {
      const takeBack = apply();
      try {
        const cases = WALKS.filter(({ what }) => all || what === by);
        expect(walkAll(2000, cases)).not.toBe('');
      } finally {
        takeBack();
      }
    },
    120_000,
  );
});
