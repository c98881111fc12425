import { expectCleanExit, runFile } from '../../support/child.js';
import { testUnixMessages } from '../../support/kernel.js';

testUnixMessages(
  'T46 T50 fds that nobody took are closed when their thread is terminated, taken ones are not',
  async () => {
    const result = await runFile('net/unix/terminate-child');
    expectCleanExit(result);
    expect(result.stdout).toBe('untaken closed, taken open\n');
  },
);
