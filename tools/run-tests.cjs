'use strict';
// `npm test`: builds, runs every leg that this machine can run, and ends with one line, "N passed, N failed", over all of them.
// Arguments go to Jest, which then runs alone: npm test -- reactor -t T07
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { runNativeTests } = require('./native-tests.cjs');

const root = path.join(__dirname, '..');
const jestArguments = process.argv.slice(2);

function finish(legs) {
  console.log('');
  for (const { name, passed, failed, note } of legs) {
    console.log(`${name}: ${passed} passed, ${failed} failed${note ? ` (${note})` : ''}`);
  }
  const sum = (key) => legs.reduce((total, leg) => total + leg[key], 0);
  const failed = sum('failed');
  console.log(`${sum('passed')} passed, ${failed} failed`);
  process.exit(failed === 0 && sum('passed') > 0 ? 0 : 1);
}

/** tsc leaves the output of a deleted test behind, and Jest would go on running it. */
function removeStaleTests(folder = path.join(root, 'out/test')) {
  if (!fs.existsSync(folder)) return;
  for (const entry of fs.readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const compiled = path.join(entry.parentPath ?? entry.path, entry.name);
    if (!compiled.endsWith('.test.js')) continue;
    const source = path.join(root, 'test', path.relative(folder, compiled).replace(/js$/, 'ts'));
    if (!fs.existsSync(source)) fs.rmSync(compiled);
  }
}

function build() {
  // One string: with a shell, npm is found on Windows too.
  return spawnSync('npm run --silent compile', { cwd: root, shell: true, stdio: 'inherit' }).status === 0;
}

function runJest() {
  const report = path.join(root, 'out/jest.json');
  fs.rmSync(report, { force: true });
  const jest = path.join(path.dirname(require.resolve('jest/package.json')), 'bin/jest.js');
  const args = [
    jest,
    '--json',
    `--outputFile=${report}`,
    ...(process.env.CI ? ['--ci'] : []),
    ...jestArguments,
  ];
  // Without its --json on stdout; a run that hangs is a failure, not a wait for ever.
  const stdio = ['ignore', 'ignore', 'inherit'];
  const ok = spawnSync(process.execPath, args, { cwd: root, stdio, timeout: 30 * 60_000 }).status === 0;
  if (!fs.existsSync(report)) return { name: 'jest', passed: 0, failed: 1, note: 'no report' };
  const result = JSON.parse(fs.readFileSync(report, 'utf8'));
  const bad = result.numFailedTests + result.numRuntimeErrorTestSuites;
  const skipped = result.numPendingTests + result.numTodoTests;
  return {
    name: 'jest',
    passed: result.numPassedTests,
    failed: ok ? bad : Math.max(bad, 1),
    note: skipped > 0 ? `${skipped} skipped` : '',
  };
}

function runCtest() {
  const { passed, failed, missing } = runNativeTests();
  if (missing === undefined) return { name: 'native', passed, failed };
  // A newcomer may have no CMake; in CI a leg that did not run must not look green.
  return {
    name: 'native',
    passed,
    failed: process.env.CI ? 1 : 0,
    note: `not run: ${missing} was not found`,
  };
}

if (!build()) finish([{ name: 'build', passed: 0, failed: 1 }]);
removeStaleTests();
const legs = [runJest()];
if (jestArguments.length === 0) legs.push(runCtest());
finish(legs);
