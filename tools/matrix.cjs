'use strict';
// `npm run matrix`: every leg of the tests that this machine can run, one after the other, most of
// them on the addon that the package brings instead of a fresh one; then the table of
// docs/portability.md, with what was seen. Hours, for all; words select legs by their names:
//   npm run matrix -- bun nodes      these
//   npm run matrix -- --table        only writes the table; --check says whether it is written
// tools/matrix.json has the legs, and what each has shown when it last ran here.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { finish, root, runLine } = require('./legs.cjs');
const { putTable } = require('./page-table.cjs');

const list = path.join(__dirname, 'matrix.json');
/** Of the longest leg, the whole suite on four Nodes or under qemu. */
const LEG_MS = 150 * 60_000;

const legs = JSON.parse(fs.readFileSync(list, 'utf8'));

/** Of the packed package, with the addons of all systems: what an install would have put there. */
function unpack() {
  const folder = path.join(root, 'out/packed');
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  const line = `npm pack --silent --ignore-scripts --pack-destination ${JSON.stringify(folder)}`;
  if (!runLine('npm run --silent prebuild:all') || !runLine(line))
    throw new Error('the package was not packed');
  const [tarball] = fs.readdirSync(folder);
  spawnSync('tar', ['-xzf', tarball], { cwd: folder, stdio: 'inherit' });
  return path.join(folder, 'package');
}

/** Runs one, whose last line is "N passed, N failed", and notes what it said. */
function runLeg(leg, packed) {
  console.log(`\n== ${leg.leg}`);
  const env = { ...process.env, ...(leg.packed ? { TRIPOLL_PREBUILD: packed } : {}) };
  const args = ['run', '--silent', leg.script, '--', ...(leg.arguments ?? [])];
  const options = { cwd: root, env, encoding: 'utf8', timeout: LEG_MS, shell: process.platform === 'win32' };
  const stdio = ['ignore', 'pipe', 'inherit'];
  const { stdout, status } = spawnSync('npm', args, { ...options, stdio, maxBuffer: 2 ** 28 });
  process.stdout.write(stdout ?? '');
  const last = /^(\d+) passed, (\d+) failed\s*$/m.exec((stdout ?? '').trimEnd().split('\n').at(-1));
  const passed = Number(last?.[1] ?? (status === 0 ? 1 : 0));
  const failed = Math.max(Number(last?.[2] ?? 0), status === 0 ? 0 : 1);
  if (last !== null) leg.seen = failed === 0 ? `${passed}` : `${passed}; ${failed} failed`;
  leg.date = new Date().toISOString().slice(0, 10);
  fs.writeFileSync(list, `${JSON.stringify(legs, null, 2)}\n`);
  return { name: leg.leg, passed, failed };
}

function writeTable() {
  const nameOf = ({ leg, packed }) => (/^npm /.test(leg) ? `\`${leg}\`` : leg) + (packed ? ' \\*' : '');
  const head = ['leg', 'on', 'tests', 'seen on', 'it shows', 'it does not show'];
  const rows = legs.map((leg) => [nameOf(leg), leg.on, leg.seen, leg.date, leg.shows, leg.lacks]);
  putTable('matrix', [head, ...rows], 'npm run matrix -- --table');
}

const words = process.argv.slice(2);
if (words.includes('--table') || words.includes('--check')) writeTable();
else {
  const asked = legs.filter(
    ({ script, leg }) => script && (words.length === 0 || words.some((word) => leg.includes(word))),
  );
  const packed = asked.some((leg) => leg.packed) ? unpack() : '';
  const results = asked.map((leg) => runLeg(leg, packed));
  writeTable();
  finish(results);
}
