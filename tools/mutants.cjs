'use strict';
// `npm run test:mutants`: changes the code in small ways, one at a time, and says which changes no
// test notices.
//   npm run test:mutants -- timer slab       StrykerJS over these of test/mutants/modules.json
//   npm run test:mutants -- guards           the guards of test/mutants/guards.json
//   npm run test:mutants -- guards T10 6     those whose names begin so
//   npm run test:mutants                     all: an hour or two, so not in .ci/run
// StrykerJS changes the modules where they are in the bundles: no build for a mutant, and each runs
// only the suites that concern its module. A guard is taken out in a copy in build-mutants/, which
// is built, and the test that it names must fail. What survives all the same is explained: modules'
// mutants in test/mutants/survivors.json, a guard by its own "survives". Fails for what survives
// without a reason, and for a reason of what does not survive.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { finish, root, runLine } = require('./legs.cjs');
const guards = require('../test/mutants/guards.json');
const modules = require('../test/mutants/modules.json');
const survivors = require('../test/mutants/survivors.json');

const folder = path.join(root, 'build-mutants');
const copy = path.join(folder, 'copy');
const minutes = 60_000;

// ---- modules, by StrykerJS ----

/** Another module, or what esbuild puts behind the last: the exports, for Node's eyes alone. */
const ENDS_MODULE = /^\/\/ (lib\/|Annotate the CommonJS)/;

/**
 * The file and the lines, from 1, of a module within the bundles, where esbuild writes its name
 * above it.
 */
function findModule(name) {
  const bundles = path.join(root, 'dist/bundle');
  for (const file of fs.readdirSync(bundles).filter((entry) => entry.endsWith('.js'))) {
    const lines = fs.readFileSync(path.join(bundles, file), 'utf8').split('\n');
    const starts = lines.flatMap((line, index) => (line === `// lib/${name}.ts` ? [index] : []));
    if (starts.length === 0) continue;
    const ranges = starts.map((start) => {
      const next = lines.findIndex((line, index) => index > start && ENDS_MODULE.test(line));
      // Its list of exports, which the bundler makes, comes first.
      const isListed = /^var \w+_exports\b/.test(lines[start + 1]);
      const begin = isListed ? lines.indexOf('});', start) + 1 : start + 1;
      return [begin + 1, next === -1 ? lines.length : next];
    });
    return { file: `dist/bundle/${file}`, ranges };
  }
  throw new Error(`no bundle has lib/${name}.ts: see test/mutants/modules.json`);
}

/**
 * What nobody notices waits for something that never comes: these suites are done in less. Jest
 * looks for files by itself, instead of asking two programs for each mutant.
 */
const quickly = { testTimeout: 5000, watchman: false, haste: { forceNodeFilesystemAPI: true } };

/** `tests`: how the names of whole suites, or of folders of them, begin. */
function configOf(key, { module, tests }) {
  const { file, ranges } = findModule(module);
  const suites = tests.flatMap((test) => [`${test}.js`, `${test}*.test.js`, `${test}*/**/*.test.js`]);
  return {
    // In one process for many mutants, each with the tests alone that come to its place: ten times
    // as fast as a Jest of its own for each.
    testRunner: 'jest',
    plugins: ['@stryker-mutator/jest-runner'],
    coverageAnalysis: 'perTest',
    jest: {
      configFile: 'jest.config.cjs',
      enableFindRelatedTests: false,
      config: { testMatch: suites.map((suite) => `**/out/test/${suite}`), ...quickly },
    },
    // A module may be in two parts, of which one has its exports alone.
    mutate: ranges.filter(([from, to]) => from <= to).map(([from, to]) => `${file}:${from}-${to}`),
    // Messages may change, and so no test says what they are.
    mutator: { excludedMutations: ['StringLiteral'] },
    // What is copied for each of the two that run at once: not the sources, nor what native code is
    // built in.
    ignorePatterns: [
      '/*',
      '!/dist',
      '!/out',
      '!/build',
      '/build/*',
      '!/build/Release',
      '/build/Release/*',
      '!/build/Release/tripoll.node',
      '!/test',
      '!/package.json',
      '!/jest.config.cjs',
    ],
    concurrency: 2,
    timeoutMS: 20_000,
    reporters: ['json', 'progress-append-only'],
    jsonReporter: { fileName: `build-mutants/${key}.json` },
    tempDirName: 'build-mutants/stryker',
    checkers: [],
    allowEmpty: false,
  };
}

/** A mutant by what it changes and not by where that is: lines move. */
function describeMutant(source, { location: { start, end }, replacement }) {
  const lines = source.split('\n').slice(start.line - 1, end.line);
  const before = lines[0].slice(0, start.column - 1);
  const after = lines.at(-1).slice(end.column - 1);
  return `${lines.join('\n').trim()} => ${(before + replacement + after).trim()}`.replace(/\s+/g, ' ');
}

function runModule(key) {
  const config = path.join(folder, `${key}.stryker.json`);
  const report = path.join(folder, `${key}.json`);
  fs.rmSync(report, { force: true });
  fs.writeFileSync(config, JSON.stringify(configOf(key, modules[key]), null, 2));
  runLine(`npx --no-install stryker run ${JSON.stringify(config)}`, { timeout: 240 * minutes });
  if (!fs.existsSync(report)) return { name: key, passed: 0, failed: 1, note: 'no report' };
  const [{ source, mutants }] = Object.values(JSON.parse(fs.readFileSync(report, 'utf8')).files);
  const counted = mutants.filter(({ status }) =>
    ['Killed', 'Timeout', 'RuntimeError', 'Survived', 'NoCoverage'].includes(status),
  );
  const alive = counted.filter(({ status }) => status === 'Survived' || status === 'NoCoverage');
  return judge(
    key,
    counted.length,
    alive.map((mutant) => describeMutant(source, mutant)),
  );
}

/** Of those that survived: which have a reason, and which reasons are of nothing. */
function judge(key, count, alive) {
  const reasons = survivors[key] ?? {};
  const unexplained = alive.filter((mutant) => reasons[mutant] === undefined);
  const outdated = Object.keys(reasons).filter((mutant) => !alive.includes(mutant));
  for (const mutant of alive)
    console.log(`${key}: survived: ${mutant}\n    ${reasons[mutant] ?? 'no reason is given'}`);
  for (const mutant of outdated) console.log(`${key}: does not survive, or is not there: ${mutant}`);
  return {
    name: key,
    passed: count - unexplained.length,
    failed: unexplained.length + outdated.length,
    note: `${alive.length} survived, ${alive.length - unexplained.length} of them for a reason`,
  };
}

// ---- guards ----

function runIn(command, args, options = {}) {
  return spawnSync(command, args, { cwd: copy, encoding: 'utf8', timeout: 30 * minutes, ...options });
}

/**
 * The files under version control, as they are now, and what was built of them, with its times:
 * builds are incremental.
 */
function makeCopy() {
  fs.mkdirSync(copy, { recursive: true });
  const tracked = runIn('git', ['ls-files'], { cwd: root }).stdout.split('\n').filter(Boolean);
  const built = ['build', 'dist', 'out', 'build-tsan'].filter((name) => fs.existsSync(path.join(root, name)));
  for (const name of [...tracked, ...built]) {
    if (!fs.existsSync(path.join(root, name))) continue;
    fs.cpSync(path.join(root, name), path.join(copy, name), { recursive: true, preserveTimestamps: true });
  }
  if (!fs.existsSync(path.join(copy, 'node_modules')))
    fs.symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'));
}

/** Whether the guard's test passes in the copy; null when the copy does not build. */
function passes({ file, jest, ctest, tsan }) {
  if (tsan !== undefined) return runIn('node', ['tools/tsan-tests.cjs', ...tsan]).status === 0;
  if (ctest !== undefined) {
    const jobs = String(os.availableParallelism());
    const builds =
      runIn('cmake', ['-S', '.', '-B', 'build-native', '-DTRIPOLL_NATIVE_TESTS=ON']).status === 0 &&
      runIn('cmake', ['--build', 'build-native', '--target', ctest, '--parallel', jobs]).status === 0;
    return builds ? runIn('ctest', ['--test-dir', 'build-native', '-R', `^${ctest}$`]).status === 0 : null;
  }
  const build = file.startsWith('native/') ? 'build:native' : 'build:lib';
  const builds = runIn('npm', ['run', '--silent', build]);
  if (builds.status !== 0) return null;
  return runIn('node', ['node_modules/jest/bin/jest.js', '--silent', ...jest]).status === 0;
}

/** 'killed', 'survived', or what stood in the way. */
function takeOut(guard) {
  const file = path.join(copy, guard.file);
  const before = fs.readFileSync(file, 'utf8');
  if (before.split(guard.text).length !== 2) return 'its text is not there, or more than once';
  if (passes(guard) !== true) return 'its test fails with the guard, too';
  fs.writeFileSync(
    file,
    before.replace(guard.text, () => guard.replacement),
  );
  try {
    const passed = passes(guard);
    if (passed === null) return 'does not build without it';
    return passed ? 'survived' : 'killed';
  } finally {
    fs.writeFileSync(file, before);
  }
}

function runGuards(names) {
  makeCopy();
  const wanted = guards.filter(
    ({ name }) => names.length === 0 || names.some((prefix) => `${name} `.startsWith(`${prefix} `)),
  );
  const leg = { name: 'guards', passed: 0, failed: 0 };
  for (const guard of wanted) {
    const outcome = takeOut(guard);
    const expected = guard.survives === undefined ? 'killed' : 'survived';
    leg[outcome === expected ? 'passed' : 'failed']++;
    const reason = outcome === 'survived' ? `: ${guard.survives ?? 'no reason is given'}` : '';
    console.log(`${guard.name}: ${outcome}${reason}`);
  }
  return leg;
}

function main() {
  const asked = process.argv.slice(2);
  fs.mkdirSync(folder, { recursive: true });
  if (asked[0] === 'guards') finish([runGuards(asked.slice(1))]);
  const unknown = asked.filter((key) => modules[key] === undefined);
  if (unknown.length > 0) throw new Error(`not in test/mutants/modules.json: ${unknown.join(', ')}`);
  if (!runLine('npm run --silent compile')) throw new Error('the build failed');
  const legs = (asked.length > 0 ? asked : Object.keys(modules)).map(runModule);
  if (asked.length === 0) legs.push(runGuards([]));
  finish(legs);
}

main();
