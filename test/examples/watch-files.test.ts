import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { native } from '#lib/binding/native';
import { describeIf } from '../support/applies.js';
import { within } from '../support/deadline.js';
import { expectExit, runExample } from './example.js';
import { temporaryFolder } from '../support/folders.js';

const folder = temporaryFolder();

describeIf(native.inotifyInit !== undefined, 'the system has no inotify(7)')('watch-files', () => {
  test('what other programs do to files is told, until SIGINT', async () => {
    const running = runExample('watch-files', [folder]);
    await running.printed(/^watching /m);
    execFileSync('sh', ['-c', 'echo hello > one; mv one two; mkdir deep; rm two'], { cwd: folder });
    await running.printed(/^DELETE .*two$/m);
    const at = (name: string): string => path.join(folder, name);
    const lines = running
      .output()
      .split('\n')
      .map((line) => line.replace(/ \(rename \d+\)/, ''));
    for (const line of [
      `CREATE ${at('one')}`,
      `MODIFY ${at('one')}`,
      `CLOSE_WRITE ${at('one')}`,
      `MOVED_FROM ${at('one')}`,
      `MOVED_TO ${at('two')}`,
      `CREATE ${at('deep')}`,
    ]) {
      expect(lines).toContain(line);
    }
    const cookies = [...running.output().matchAll(/rename (\d+)/g)].map((match) => match[1]);
    expect(cookies.length).toBe(2);
    expect(cookies[0]).toBe(cookies[1]);
    running.interrupt();
    await expectExit(running, 0, '');
  });

  test.each([
    [[], 2, 'usage:'],
    [['/no/such/file'], 1, 'ENOENT'],
  ])('%j: exit code %i', async (args: string[], code: number, said: string) => {
    const running = runExample('watch-files', args);
    expect((await within(running.exited, 'exit')).code).toBe(code);
    expect(running.errors()).toContain(said);
  });
});
