'use strict';
// What the legs of the tests have in common: running commands and Jest, reading its report, and the
// last lines.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const root = path.join(__dirname, '..');
/** What is fetched once and kept: other runtimes, compilers, what they have built. */
const cache = path.resolve(root, process.env.TRIPOLL_CACHE || '.cache');

/** Whether the command ended well. One that hangs is a failure, not a wait for ever. */
function run(command, args, options = {}) {
  const started = spawnSync(command, args, { cwd: root, stdio: 'inherit', timeout: 30 * 60_000, ...options });
  if (started.error !== undefined) console.error(`${command}: ${started.error.message}`);
  return started.status === 0;
}

/** Whether the PATH has it. */
const isThere = (command) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;

/** By a shell, which finds npm on Windows too. */
function runLine(line, options = {}) {
  return run(line, [], { shell: true, ...options });
}

/**
 * npm ci of the lock file in `from`, which tells integrity, into the cache; nothing when that very
 * one is there. Returns node_modules. `flags`: --force for packages of another system.
 */
function install(name, from, ...flags) {
  const folder = path.join(cache, name);
  const modules = path.join(folder, 'node_modules');
  const stamp = path.join(modules, '.installed');
  const lock = fs.readFileSync(path.join(from, 'package-lock.json'), 'utf8');
  if (fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8') === lock) return modules;
  fs.mkdirSync(folder, { recursive: true });
  for (const file of ['package.json', 'package-lock.json'])
    fs.copyFileSync(path.join(from, file), path.join(folder, file));
  const line = ['npm ci --loglevel=error --ignore-scripts --no-audit --no-fund', ...flags].join(' ');
  if (!runLine(line, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] }))
    throw new Error(`${line} failed in ${folder}`);
  fs.writeFileSync(stamp, lock);
  return modules;
}

function buildByCmake(folder, ...options) {
  const jobs = String(os.availableParallelism());
  return (
    run('cmake', ['-S', '.', '-B', folder, '--log-level=NOTICE', ...options]) &&
    run('cmake', ['--build', folder, '--parallel', jobs, '--', '--quiet'])
  );
}

/**
 * An addon of its own, by cmake-js; `folder` is what TRIPOLL_PREBUILD has to name
 * (lib/binding/load-addon.ts).
 */
function buildAddon(folder, option) {
  const compile = `cmake-js compile --log-level error --out ${folder}/build --CD${option}`;
  const stdio = ['ignore', 'ignore', 'inherit'];
  return runLine(`npm run --silent build:ts && npx --no-install ${compile}`, { stdio });
}

/**
 * Whether a Node that is started like this has that addon, and `condition` holds in it: else its
 * tests prove nothing.
 */
function isLoaded(env, addon, condition, node = process.execPath) {
  const script = `
    const { capabilities, Poller } = require('tripoll');
    const maps = require('node:fs').readFileSync('/proc/self/maps', 'utf8');
    process.exit(maps.includes(process.argv[1]) && (${condition}) ? 0 : 1);
  `;
  return run(node, ['-e', script, addon], { env });
}

/**
 * Suites of TypeScript alone, as beginnings of their names: they open no poller and no socket, so that
 * a leg with another addon, or with another system below it, has nothing to add to `npm test`.
 */
const withoutAddon = [
  'net/framing/(buffered-reader-fuzz|byte-buffer|decoders|delimiter-matcher|fuzz|length-prefix)',
  'net/stream/state',
  'reactor/simulation/',
  'runtime/scheduler/explorer',
  'timer/timing-wheel',
];

/**
 * A pattern for Jest: all of test/ but what begins as these do. A new folder is run unless somebody
 * leaves it out.
 */
function suitesBut(...leftOut) {
  return leftOut.length === 0 ? [] : [`/out/test/(?!${leftOut.join('|')})`];
}

/**
 * Jest's leg by its report, and all that the report has of the tests; `ok`: whether Jest ended
 * well.
 */
function readReport(report, ok) {
  if (!fs.existsSync(report)) return { name: 'jest', passed: 0, failed: 1, note: 'no report', suites: [] };
  const result = JSON.parse(fs.readFileSync(report, 'utf8'));
  const bad = result.numFailedTests + result.numRuntimeErrorTestSuites;
  const skipped = result.numPendingTests + result.numTodoTests;
  return {
    name: 'jest',
    passed: result.numPassedTests,
    failed: ok ? bad : Math.max(bad, 1),
    note: skipped > 0 ? `${skipped} skipped` : '',
    notRun: skippedIn(result.testResults).filter(({ kind }) => kind === 'not run here'),
    suites: result.testResults,
  };
}

/**
 * The skipped tests of suites, each with the kind and the reason in its name
 * (test/support/applies.ts); a kind of null is a mistake. What Jest's -t leaves out is skipped as
 * well: then nothing is known.
 */
function skippedIn(suites) {
  if (process.argv.includes('-t')) return [];
  return suites
    .flatMap((suite) => suite.assertionResults)
    .filter(({ status }) => status === 'pending' || status === 'todo')
    .map(({ fullName }) => {
      const marked = /^(.*?) ?\((does not apply|not run here): ((?:[^()]|\(.*?\))*)\)(.*)$/s.exec(fullName);
      if (marked === null) return { kind: null, name: fullName };
      const [, before, kind, reason, after] = marked;
      return { kind, name: before + after, reason };
    });
}

function listByReason(skipped) {
  const byReason = new Map();
  for (const { name, reason } of skipped) byReason.set(reason, (byReason.get(reason) ?? new Set()).add(name));
  for (const [reason, names] of byReason) console.log([`- ${reason}:`, ...names].join('\n    '));
}

/** Lists the tests that do not apply; returns how many tell no reason: a mistake. */
function listSkipped(suites) {
  const skipped = skippedIn(suites);
  const unexplained = skipped.filter(({ kind }) => kind === null);
  for (const { name } of unexplained) console.log(`skipped without a reason: ${name}`);
  const notApplying = skipped.filter(({ kind }) => kind === 'does not apply');
  if (notApplying.length > 0) console.log('\nWhat does not apply:');
  listByReason(notApplying);
  return unexplained.length;
}

/** Runs Jest, by the runtime of `command`, without its --json on stdout. */
function runJest(report, args, env = process.env, command = [process.execPath], timeout = 30 * 60_000) {
  fs.rmSync(report, { force: true });
  const jest = path.join(path.dirname(require.resolve('jest/package.json')), 'bin/jest.js');
  const ci = process.env.CI ? ['--ci'] : [];
  const [program, ...before] = command;
  const all = [...before, jest, '--json', `--outputFile=${report}`, ...ci, ...args];
  return readReport(report, run(program, all, { env, stdio: ['ignore', 'ignore', 'inherit'], timeout }));
}

/** What a leg that could not even start counts as. */
function failed(name, message) {
  if (message !== undefined) console.error(message);
  return { name, passed: 0, failed: 1 };
}

/**
 * Lists what was not run for want of a tool or a privilege; where all must be there, each is a
 * failure: returns how many.
 */
function listNotRun(legs) {
  const notRun = legs.flatMap((leg) => leg.notRun ?? []);
  if (notRun.length === 0) return 0;
  console.log(`\n${notRun.length} skipped for want of a tool:`);
  listByReason(notRun);
  return process.env.TRIPOLL_ALL_TOOLS === '1' ? notRun.length : 0;
}

/** Ends the process. The last line is what .ci/run reads. */
function finish(legs) {
  const missed = listNotRun(legs);
  console.log('');
  for (const { name, passed, failed, note } of legs) {
    console.log(`${name}: ${passed} passed, ${failed} failed${note ? ` (${note})` : ''}`);
  }
  const sum = (key) => legs.reduce((total, leg) => total + leg[key], 0);
  if (missed > 0) console.log(`${missed} failed, as TRIPOLL_ALL_TOOLS=1 says that nothing is missing`);
  const bad = sum('failed') + missed;
  console.log(`${sum('passed')} passed, ${bad} failed`);
  process.exit(bad === 0 && sum('passed') > 0 ? 0 : 1);
}

module.exports = {
  buildAddon,
  buildByCmake,
  cache,
  failed,
  finish,
  install,
  isLoaded,
  isThere,
  listByReason,
  listSkipped,
  readReport,
  root,
  run,
  runJest,
  runLine,
  suitesBut,
  withoutAddon,
};
