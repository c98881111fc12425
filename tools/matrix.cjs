'use strict';
// `npm run matrix`: every leg of the tests that this machine can run, one after the other, most of
// them on the addon that the package brings instead of a fresh one; then the table of
// docs/portability.md, with what was seen. Hours, for all; words select legs by their names:
//   npm run matrix -- bun nodes             these
//   npm run matrix -- bun --tests poller/   tries them with these tests, and notes nothing
//   npm run matrix -- --table               only writes the table; --check says whether it is written
// tools/matrix.json has the legs, and what each has shown when it last ran here.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { finish, root, runLine } = require('./legs.cjs');
const { unpack } = require('./packed.cjs');
const { putTable } = require('./page-table.cjs');

const list = path.join(__dirname, 'matrix.json');
/** Of the longest leg, the whole suite on four Nodes or under qemu. */
const LEG_MS = 150 * 60_000;

const legs = JSON.parse(fs.readFileSync(list, 'utf8'));

/** Runs one, whose last line is "N passed, N failed", and notes what it said, if it has run whole. */
function runLeg(leg, packed, tests) {
  console.log(`\n== ${leg.leg}`);
  const env = { ...process.env, ...(leg.packed ? { TRIPOLL_PREBUILD: packed } : {}) };
  const args = [
    'run',
    '--silent',
    leg.script,
    '--',
    ...(leg.arguments ?? []),
    ...(leg.tests === false ? [] : tests),
  ];
  const options = { cwd: root, env, encoding: 'utf8', timeout: LEG_MS, shell: process.platform === 'win32' };
  const stdio = ['ignore', 'pipe', 'inherit'];
  const { stdout, status } = spawnSync('npm', args, { ...options, stdio, maxBuffer: 2 ** 28 });
  process.stdout.write(stdout ?? '');
  const last = /^(\d+) passed, (\d+) failed\s*$/m.exec((stdout ?? '').trimEnd().split('\n').at(-1));
  const passed = Number(last?.[1] ?? (status === 0 ? 1 : 0));
  const failed = Math.max(Number(last?.[2] ?? 0), status === 0 ? 0 : 1);
  if (tests.length > 0) return { name: leg.leg, passed, failed };
  if (last !== null) leg.seen = failed === 0 ? `${passed}` : `${passed}; ${failed} failed`;
  leg.date = new Date().toISOString().slice(0, 10);
  fs.writeFileSync(list, `${JSON.stringify(legs, null, 2)}\n`);
  runLine(`npx --no-install prettier --write --log-level warn ${list}`);
  // At once: the suites of the next leg look whether the page says what the list says.
  writeTable();
  return { name: leg.leg, passed, failed };
}

function writeTable() {
  const nameOf = ({ leg, packed }) => (/^npm /.test(leg) ? `\`${leg}\`` : leg) + (packed ? ' \\*' : '');
  const head = ['leg', 'on', 'tests', 'seen on', 'it shows', 'it does not show'];
  const rows = legs.map((leg) => [nameOf(leg), leg.on, leg.seen, leg.date, leg.shows, leg.lacks]);
  putTable('matrix', [head, ...rows], 'npm run matrix -- --table');
}

/** All but the options, which have no other places. */
function parse() {
  const all = process.argv.slice(2);
  const i = all.indexOf('--tests');
  return i === -1 ? { words: all, tests: [] } : { words: all.slice(0, i), tests: all.slice(i + 1) };
}

function main() {
  const { words, tests } = parse();
  if (words.includes('--table') || words.includes('--check')) return writeTable();
  const asked = legs.filter(
    ({ script, leg }) => script && (words.length === 0 || words.some((word) => leg.includes(word))),
  );
  if (!runLine('npm run --silent compile')) throw new Error('the build failed');
  const packed = asked.some((leg) => leg.packed) ? unpack() : '';
  return finish(asked.map((leg) => runLeg(leg, packed, tests)));
}

main();
