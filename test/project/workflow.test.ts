// One job of the workflow is required on GitHub. A job that it does not need could fail unseen.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '../../..');
const lines = readFileSync(join(root, '.github/workflows/ci.yml'), 'utf8').split('\n');

/** The lines of the block under `key`, which stands at `indent`. */
function blockOf(source: readonly string[], key: string, indent: number): string[] {
  const margin = ' '.repeat(indent);
  const start = source.findIndex((line) => line.trimEnd() === `${margin}${key}:`);
  expect(start).toBeGreaterThanOrEqual(0);
  const rest = source.slice(start + 1);
  const end = rest.findIndex((line) => /\S/.test(line) && !line.startsWith(`${margin} `));
  return end === -1 ? rest : rest.slice(0, end);
}

function namesAt(source: readonly string[], indent: number): string[] {
  const name = new RegExp(`^ {${indent}}([\\w-]+):`);
  return source.map((line) => name.exec(line)?.[1]).filter((found) => found !== undefined);
}

const jobs = blockOf(lines, 'jobs', 0);
const required = blockOf(jobs, 'ci-passed', 2);

test('ci-passed needs every other job, and nothing else', () => {
  const others = namesAt(jobs, 2).filter((name) => name !== 'ci-passed');
  expect(others.length).toBeGreaterThan(0);
  const needs = required
    .map((line) => /^ {4}needs: \[(.*)\]$/.exec(line)?.[1])
    .find((found) => found !== undefined);
  expect(needs?.split(', ').sort()).toEqual(others.sort());
});

test('ci-passed runs also when a job failed, and then fails', () => {
  expect(required).toContain('    if: always()');
  const check = required.find((line) => line.includes('needs.*.result')) ?? '';
  for (const result of ['failure', 'cancelled', 'skipped']) expect(check).toContain(`'${result}'`);
});

test('it runs every part of .ci/run', () => {
  const script = readFileSync(join(root, '.ci/run'), 'utf8');
  const parts = /^all_parts='(.*)'$/m.exec(script)?.[1];
  const matrix = blockOf(jobs, 'parts', 2).find((line) => /^ {8}part: /.test(line));
  expect(matrix?.trim()).toBe(`part: [${parts?.split(' ').join(', ')}]`);
});

test('every job has a time limit', () => {
  for (const name of namesAt(jobs, 2)) {
    expect([name, namesAt(blockOf(jobs, name, 2), 4)]).toEqual([
      name,
      expect.arrayContaining(['timeout-minutes']),
    ]);
  }
});
