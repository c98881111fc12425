import { runFile } from '../support/child.js';
import { testSeed } from '../support/random.js';
import type { TerminatePlan, TerminateReport } from './terminate-child.js';

const WORKERS = 150;
const DEADLINE_MS = 120_000;

async function terminate(plan: Omit<TerminatePlan, 'seed' | 'workers' | 'atATime'>): Promise<void> {
  const seed = testSeed() + (plan.mainRuns ? 1 : 0);
  const args = [JSON.stringify({ ...plan, seed, workers: WORKERS, atATime: 4 } satisfies TerminatePlan)];
  const result = await runFile('threads/terminate-child', { args, deadlineMs: DEADLINE_MS });
  const { code, signal, timedOut, stderr, stdout } = result;
  expect({ code, signal, timedOut, stderr }).toEqual({ code: 0, signal: null, timedOut: false, stderr: '' });
  const { codes, moments, ...report } = JSON.parse(stdout) as TerminateReport;
  expect(report).toEqual({ errors: [], leftOpen: [], wakerWorks: true });
  // A terminated worker exits with 1, one that had not yet begun with 0.
  const { 0: before = 0, 1: amid = 0 } = codes;
  expect(before + amid).toBe(WORKERS);
  expect(before).toBeLessThanOrEqual(moments['at once'] ?? 0);
  expect(Object.keys(moments)).toHaveLength(4);
}

describe(`T50 ${2 * WORKERS} workers with traffic, terminated at random moments`, () => {
  test(
    'half of them beside a main thread that is under run(), whose waker they wake',
    () => terminate({ mainRuns: true }),
    DEADLINE_MS + 5000,
  );

  test(
    'half of them where only workers have the addon',
    () => terminate({ mainRuns: false }),
    DEADLINE_MS + 5000,
  );
});
