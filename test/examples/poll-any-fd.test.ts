import { appendFileSync } from 'node:fs';
import path from 'node:path';
import { makeFifo } from '../support/fifo.js';
import { within } from '../support/deadline.js';
import { expectExit, runExample, runExampleInTerminal } from './example.js';
import { temporaryFolder } from '../support/folders.js';
import { testWithTools } from '../support/tools.js';

const folder = temporaryFolder();
const fifo = makeFifo(path.join(folder, 'fifo'));

test('standard input is no terminal: it watches the FIFO alone, until SIGINT', async () => {
  const running = runExample('poll-any-fd', [fifo]);
  await running.printed(/^watching fifo;/m);
  appendFileSync(fifo, 'hello\n');
  await running.printed(/^fifo: hello$/m);
  // One writer has come and gone; the next is heard as well.
  appendFileSync(fifo, 'again\n');
  await running.printed(/^fifo: again$/m);
  running.interrupt();
  await expectExit(running, 0, '');
});

const terminalTest = testWithTools('script');

terminalTest('it watches a terminal too, and leaves its flags as they were', async () => {
  // The shell around it looks at the flags of its standard input before and after (O_NONBLOCK is
  // 04000).
  const flags = 'grep flags /proc/self/fdinfo/0;';
  const running = runExampleInTerminal('poll-any-fd', [fifo], flags, flags);
  await running.printed(/watching fifo and tty;/);
  running.write('typed\n');
  await running.printed(/tty: typed/);
  appendFileSync(fifo, 'hello\n');
  await running.printed(/fifo: hello/);
  running.write('\u0004'); // ctrl-D: the end
  await expectExit(running, 0);
  const [before, after, ...rest] = [...running.output().matchAll(/flags:\s*(\d+)/g)].map((match) => match[1]);
  expect(rest).toEqual([]);
  expect(after).toBe(before);
  expect(parseInt(after ?? '0', 8) & 0o4000).toBe(0);
});

terminalTest('ctrl-C in the terminal restores them as well', async () => {
  const flags = 'grep flags /proc/self/fdinfo/0;';
  const running = runExampleInTerminal('poll-any-fd', [fifo], `trap : INT; ${flags}`, flags);
  await running.printed(/watching fifo and tty;/);
  running.write('\u0003');
  await within(running.exited, 'exit');
  const [before, after] = [...running.output().matchAll(/flags:\s*(\d+)/g)].map((match) => match[1]);
  expect(before).toBeDefined();
  expect(after).toBe(before);
});

test.each([[[]], [['--help']]])('%j: usage', async (args: string[]) => {
  await expectExit(runExample('poll-any-fd', args), 2, 'usage:');
});

test('a regular file cannot be waited for: it says so', async () => {
  const running = runExample('poll-any-fd', [path.join(__dirname, 'poll-any-fd.test.js')]);
  const exit = await within(running.exited, 'exit');
  expect(exit.code).not.toBe(0);
  expect(running.errors()).toContain('EPERM');
});
