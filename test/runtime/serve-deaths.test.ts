import { capabilities } from 'tripoll';
import { describeServing } from '../support/applies.js';
import { runFile } from '../support/child.js';
import { testSeed } from '../support/random.js';
import type { ServeDeathsPlan, ServeDeathsReport } from './serve-deaths-child.js';

/** In all; a thousand where TRIPOLL_DEATHS=1000. */
const DEATHS = Number(process.env['TRIPOLL_DEATHS'] ?? '20');
const DEADLINE_MS = 60_000 + 500 * DEATHS;

type Kind = Pick<ServeDeathsPlan, 'strategy' | 'driver' | 'name'>;
const kinds: readonly Kind[] = [
  { strategy: 'balanced', driver: 'default', name: 'greeter' },
  { strategy: 'balanced', driver: 'run', name: 'greet' },
  ...(capabilities.reusePortBalances
    ? [{ strategy: 'reuseport', driver: 'default', name: 'greet' } as const]
    : []),
];

describeServing('workers of a server that are terminated at random moments', () => {
  test.each(kinds)(
    'strategy $strategy, driver $driver: each client has its echo, or is closed',
    async (kind) => {
      const deaths = Math.ceil(DEATHS / kinds.length);
      const plan: ServeDeathsPlan = { ...kind, deaths, seed: testSeed() };
      const { stdout, ...end } = await runFile('runtime/serve-deaths-child', {
        ...{ args: [JSON.stringify(plan)], deadlineMs: DEADLINE_MS },
      });
      expect(end).toEqual({ code: 0, signal: null, timedOut: false, stderr: '' });
      const { ends, restarts, ...report } = JSON.parse(stdout) as ServeDeathsReport;
      expect(report).toEqual({ after: { echo: 20 }, leftCounted: 0, leftOpen: [] });
      expect(Object.keys(ends).filter((each) => each !== 'echo' && each !== 'closed')).toEqual([]);
      expect(ends['echo']).toBeGreaterThan(0);
      // Some moments fall on a thread that is ending already.
      expect(restarts).toBeGreaterThan(deaths / 4);
    },
    DEADLINE_MS + 5000,
  );
});
