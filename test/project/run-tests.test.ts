// `npm test` on a machine without the tools that tests start: it passes, and says what it left out
// and why.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../support/child.js';
import { temporaryFolder } from '../support/folders.js';

// Each starts a Jest of its own.
jest.setTimeout(60_000);

/** Of one suite that has tests with and without a tool, in a PATH that holds nothing. */
function runWithoutTools(allTools: string): { status: number | null; lines: string[] } {
  const args = ['tools/run-tests.cjs', '--no-build', '--runInBand', 'examples/syslog-sink'];
  const { status, stdout } = spawnSync(process.execPath, args, {
    cwd: packageRoot,
    encoding: 'utf8',
    env: { ...process.env, PATH: temporaryFolder(), TRIPOLL_ALL_TOOLS: allTools },
    timeout: 60_000,
  });
  return { status, lines: stdout.trim().split('\n') };
}

const listed = [
  '2 skipped for want of a tool:',
  '- logger is not installed: apt-get install bsdutils:',
  '    what logger(1) sends is printed, and the socket goes with it',
  '    it takes over the socket of one that was killed, not of one that lives',
];

test('what a missing tool leaves out is listed by its reason, and fails nothing', () => {
  const { status, lines } = runWithoutTools('');
  expect(lines).toEqual([...listed, '', 'jest: 1 passed, 0 failed (2 skipped)', '1 passed, 0 failed']);
  expect(status).toBe(0);
});

test('where all tools have to be there, each test that was left out has failed', () => {
  const { status, lines } = runWithoutTools('1');
  expect(lines.slice(0, listed.length)).toEqual(listed);
  expect(lines.at(-1)).toBe('1 passed, 2 failed');
  expect(status).toBe(1);
});

test('.ci/run installs what tests start, and has them fail without it', () => {
  const script = readFileSync(path.join(packageRoot, '.ci/run'), 'utf8');
  expect(script).toMatch(/^export TRIPOLL_ALL_TOOLS=1$/m);
  expect(script).toContain('tools/test-tools.json');
});
