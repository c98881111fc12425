import { native } from '#lib/binding/native';
import { expectCleanExit, runFile } from '../support/child';
import { testSeed } from '../support/random';

interface Summary {
  works: boolean;
  untested: string[];
  calls: number;
  thrown: boolean;
}

test('T54 every export survives any value in any argument', async () => {
  const seed = testSeed();
  const result = await runFile('native/exports-child', { args: [String(seed), '4000'], deadlineMs: 60_000 });
  const lines = result.stdout.trim().split('\n');
  // The last line tells where it ended.
  expect({ ...result, seed, stdout: lines.at(-1)?.slice(0, 1) }).toMatchObject({
    code: 0,
    signal: null,
    timedOut: false,
    stderr: '',
    stdout: '{',
  });
  const summary = JSON.parse(lines.at(-1) ?? '{}') as Summary;
  expect(summary).toMatchObject({ works: true, untested: [], thrown: true });
  expect(summary.calls).toBeGreaterThan(10_000);
  expectCleanExit(result);
  const functions = Object.entries(native).filter(([, value]) => typeof value === 'function');
  expect(lines.slice(0, -2).sort()).toEqual(functions.map(([name]) => name).sort());
});
