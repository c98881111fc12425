import { testWithTools } from '../support/tools.js';
import { expectExit, runExample, runExampleInTerminal } from './example.js';

const ESCAPE = '\x1b';

/** Tasks of each worker, by what it printed last. */
const sharesOf = (output: string): number[] =>
  [...output.matchAll(/^worker \d+ did (\d+)/gm)].map(([, count]) => Number(count));

test('all work is done once, and a worker that has none takes from the other', async () => {
  const running = runExample('work-stealing', ['2', '200']);
  await expectExit(running, 0, '');
  const output = running.output();
  expect(output).toMatch(/^\d+ primes by 200 tasks in \d+ ms$/m);
  expect(output.match(/, out of its own queue$/gm)).toHaveLength(1);
  const shares = sharesOf(output);
  expect(shares.reduce((sum, share) => sum + share, 0)).toBe(200);
  expect(Math.min(...shares)).toBeGreaterThan(0);
  // No terminal: lines, which a log takes.
  expect(output).toMatch(/^worker 0: \d+ tasks, \d+ queued, \d+ stolen; worker 1: /m);
  expect(output).not.toContain(ESCAPE);
});

testWithTools('script')('in a terminal the table is drawn over itself', async () => {
  const running = runExampleInTerminal('work-stealing', ['1', '20']);
  await expectExit(running, 0);
  const output = running.output();
  expect(output).toContain(`worker  tasks  queued  steals  stolen  busy`);
  expect(output).toContain(`${ESCAPE}[2A`);
  expect(sharesOf(output)).toEqual([20]);
});

test.each([[['0']], [['2', 'many']], [['2', '3', '4']]])('%j: usage', async (args) => {
  await expectExit(runExample('work-stealing', args), 2, 'usage:');
});
