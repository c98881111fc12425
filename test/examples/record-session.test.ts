import { readFileSync } from 'node:fs';
import path from 'node:path';
import { temporaryFolder } from '../support/folders.js';
import { expectExit, runExample } from './example.js';

const folder = temporaryFolder();

describe('record-session', () => {
  test('a program in a terminal of its own, its input, its output, its exit code', async () => {
    const log = path.join(folder, 'session.log');
    const script = 'test -t 0 && test -t 1 && echo in a terminal; read line; echo "read $line"; exit 3';
    const running = runExample('record-session', [log, 'sh', '-c', script]);
    await running.printed(/in a terminal\r\n/);
    running.write('typed\n');
    await running.printed(/read typed\r\n/);
    await expectExit(running, 3, '');
    const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
    expect(lines[0]).toMatch(/^\d+ ms "in a terminal\\r\\n"$/);
    expect(lines.join('')).toContain('read typed');
  });

  test('ctrl-C goes to the program', async () => {
    const running = runExample('record-session', [
      path.join(folder, 'interrupt.log'),
      'sh',
      '-c',
      'trap "echo interrupted; exit 0" INT; echo ready; while :; do sleep 0.1; done',
    ]);
    await running.printed(/ready\r\n/);
    running.write('\x03');
    await running.printed(/interrupted\r\n/);
    await expectExit(running, 0, '');
  });

  test.each([
    [[], 2, 'usage:'],
    [['/no/such/folder/log', 'true'], 1, 'ENOENT'],
  ])('%j: exit code %i', async (args: string[], code: number, said: string) => {
    await expectExit(runExample('record-session', args), code, said);
  });
});
