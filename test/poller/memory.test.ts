import { expectCleanExit, runFile } from '../support/child';

test('T07 the batch survives collection, transfer and close', async () => {
  const result = await runFile('poller/memory-child', { nodeOptions: ['--expose-gc'] });
  expectCleanExit(result);
  expect(result.stdout).toBe('done\n');
});
