import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { within } from '../support/deadline.js';
import { runExample, runExampleInTerminal, type Example } from './example.js';

const folder = mkdtempSync(path.join(tmpdir(), 'tripoll-'));
const fifo = path.join(folder, 'fifo');
execFileSync('mkfifo', [fifo]);
afterAll(() => rmSync(folder, { recursive: true }));

let example: Example | undefined;
afterEach(() => example?.kill());

test('standard input is no terminal: it watches the FIFO alone, until SIGINT', async () => {
  const running = runExample('poll-any-fd', [fifo]);
  example = running;
  await running.printed(/^watching fifo;/m);
  appendFileSync(fifo, 'hello\n');
  await running.printed(/^fifo: hello$/m);
  // One writer has come and gone; the next is heard as well.
  appendFileSync(fifo, 'again\n');
  await running.printed(/^fifo: again$/m);
  running.interrupt();
  expect(await within(running.exited, 'exit')).toEqual({ code: 0, signal: null });
  expect(running.errors()).toBe('');
});

const hasScript = spawnSync('script', ['--version']).error === undefined;
const terminalTest = hasScript
  ? test
  : (name: string, run: () => Promise<void>): void => test.skip(`${name} (script(1) is not installed)`, run);

terminalTest('it watches a terminal too, and leaves its flags as they were', async () => {
  // The shell around it looks at the flags of its standard input before and after (O_NONBLOCK is 04000).
  const flags = 'grep flags /proc/self/fdinfo/0;';
  const running = runExampleInTerminal('poll-any-fd', [fifo], flags, flags);
  example = running;
  await running.printed(/watching fifo and tty;/);
  running.write('typed\n');
  await running.printed(/tty: typed/);
  appendFileSync(fifo, 'hello\n');
  await running.printed(/fifo: hello/);
  running.write('\u0004'); // ctrl-D: the end
  expect(await within(running.exited, 'exit')).toEqual({ code: 0, signal: null });
  const [before, after, ...rest] = [...running.output().matchAll(/flags:\s*(\d+)/g)].map((match) => match[1]);
  expect(rest).toEqual([]);
  expect(after).toBe(before);
  expect(parseInt(after ?? '0', 8) & 0o4000).toBe(0);
});

terminalTest('ctrl-C in the terminal restores them as well', async () => {
  const flags = 'grep flags /proc/self/fdinfo/0;';
  const running = runExampleInTerminal('poll-any-fd', [fifo], `trap : INT; ${flags}`, flags);
  example = running;
  await running.printed(/watching fifo and tty;/);
  running.write('\u0003');
  await within(running.exited, 'exit');
  const [before, after] = [...running.output().matchAll(/flags:\s*(\d+)/g)].map((match) => match[1]);
  expect(before).toBeDefined();
  expect(after).toBe(before);
});

test.each([[[]], [['--help']]])('%j: usage', async (args: string[]) => {
  const running = runExample('poll-any-fd', args);
  expect(await within(running.exited, 'exit')).toEqual({ code: 2, signal: null });
  expect(running.errors()).toContain('usage:');
});

test('a regular file cannot be waited for: it says so', async () => {
  const running = runExample('poll-any-fd', [path.join(__dirname, 'poll-any-fd.test.js')]);
  const exit = await within(running.exited, 'exit');
  expect(exit.code).not.toBe(0);
  expect(running.errors()).toContain('EPERM');
});
