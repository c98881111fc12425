// Every order of steps of threads that stay awake between their rounds: no wake is lost.
import { WakeWord } from '#lib/reactor/wake-word';
import { Random, testSeed } from '../../support/random.js';
import { awakeCase, type AwakePlan } from './awake-cases.js';
import { explore, walk } from './explorer.js';

const SMALL: readonly (AwakePlan & { readonly what: string })[] = [
  { what: 'a worker and who spawns', workers: 1, spawners: [[1]], looks: 0 },
  { what: 'the same, two tasks', workers: 1, spawners: [[1, 2]], looks: 0 },
  { what: 'the same, and the worker spins', workers: 1, spawners: [[1, 2]], looks: 1 },
];

/** For ways by chance. */
const LARGE: typeof SMALL = [
  { what: 'two that spawn', workers: 1, spawners: [[1, 2], [3]], looks: 2 },
  { what: 'two workers that spin', workers: 2, spawners: [[1, 2, 3]], looks: 2 },
];

const all = process.env['TRIPOLL_EXPLORE'] === 'all';

test.each(all ? SMALL : SMALL.slice(0, 1))(
  'every order of steps: $what',
  ({ what, ...plan }) => {
    const { states, ends, failure } = explore(awakeCase(plan), 10_000_000);
    expect(failure).toBe('');
    expect(ends).toBeGreaterThan(0);
    if (all) console.log(`${what}: ${states} states, ${ends} ends`);
  },
  600_000,
);

test.each(LARGE)(
  'ways by chance, by a seed: $what',
  (plan) => {
    const random = new Random(testSeed());
    for (let i = 0; i < 100; i++) expect(walk(awakeCase(plan), random)).toBe('');
  },
  120_000,
);

// The right code with one mistake each.
const MISTAKES: readonly (readonly [
  name: string,
  method: 'wake' | 'hold' | 'release',
  wrong: (this: WakeWord) => boolean,
])[] = [
  [
    'who is about to sleep does not look whether it was woken',
    'release',
    function () {
      this.exchange(0);
      return false;
    },
  ],
  [
    'a wake looks first, and writes then',
    'wake',
    function () {
      const isIdle = this.load() === 0;
      if (isIdle) this.exchange(1);
      return isIdle;
    },
  ],
  [
    'it looks whether it was woken, and says that it sleeps then',
    'release',
    function () {
      const wasWoken = this.load() === 1;
      if (!wasWoken) this.exchange(0);
      return wasWoken;
    },
  ],
];

describe('a planted mistake is found', () => {
  test.each(MISTAKES)('%s', (_, method, wrong) => {
    const right = WakeWord.prototype[method];
    WakeWord.prototype[method] = wrong;
    try {
      expect(explore(awakeCase(SMALL[0]!), 30_000).failure).toContain('all sleep');
    } finally {
      WakeWord.prototype[method] = right;
    }
  });
});
