'use strict';
// `npm run test:asan`: the native tests, and those of Jest's suites that reach native code, under AddressSanitizer and
// UndefinedBehaviorSanitizer. Needs GCC: clang has no runtime to preload. Its last line is "N passed, N failed".
// Arguments are paths for Jest instead of the suites below, and leave the native tests out: npm run test:asan -- threads
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { buildAddon, failed, finish, isLoaded, root, runJest, suitesBut } = require('./legs.cjs');
const { runNativeTests } = require('./native-tests.cjs');

const sanitizers = 'address,undefined';
const folder = path.join(root, 'build-asan');
const addon = path.join(folder, 'build/Release/tripoll.node');
const reports = path.join(folder, 'reports');

// Not the simulation and what else tests TypeScript alone, nor what measures memory (a sanitizer keeps what is freed).
const leftOut = [
  'capabilities/',
  'examples/',
  'net/framing/',
  'net/socket/names',
  'project/',
  'reactor/simulation/',
  'timer/timing-wheel',
  'windows/',
];

/** The sanitizers' libraries, which must be in the process before node's own; [] when the addon carries none. */
function findRuntimes() {
  const { stdout = '' } = spawnSync('ldd', [addon], { encoding: 'utf8' });
  return [...stdout.matchAll(/=> (\S*\/lib(?:asan|ubsan)\.so\S*)/g)].map(([, file]) => file);
}

function sanitizerEnv(runtimes) {
  const common = ['halt_on_error=1', 'abort_on_error=1', 'print_stacktrace=1', `log_path=${reports}/report`];
  // No leak check: what JavaScript owns hangs on V8's heap, which the leak checker cannot see, and Node itself leaves
  // much to the end of the process. The native tests, without Node, do check for leaks; in Node, lifecycle/ counts fds
  // and collected objects.
  const address = [...common, 'detect_leaks=0', 'detect_stack_use_after_return=1'];
  return {
    ...process.env,
    LD_PRELOAD: runtimes.join(':'),
    TRIPOLL_PREBUILD: folder,
    ASAN_OPTIONS: address.join(':'),
    UBSAN_OPTIONS: common.join(':'),
  };
}

/** A report fails the run even where no test looks at how its child ended. */
function showReports() {
  const files = fs.existsSync(reports) ? fs.readdirSync(reports) : [];
  for (const file of files) console.error(`\n${file}\n${fs.readFileSync(path.join(reports, file), 'utf8')}`);
  return files.length;
}

function runAddonTests(patterns) {
  fs.rmSync(reports, { recursive: true, force: true });
  fs.mkdirSync(reports, { recursive: true });
  if (!buildAddon('build-asan', `TRIPOLL_SANITIZE=${sanitizers}`)) return failed('addon');
  const runtimes = findRuntimes();
  const env = sanitizerEnv(runtimes);
  if (runtimes.length === 0 || !isLoaded(env, addon, "maps.includes('libasan')"))
    return failed(
      'addon',
      'the addon is not sanitized, or Node does not load it: see findRuntimes in tools/asan-tests.cjs',
    );
  const leg = runJest(path.join(folder, 'jest.json'), ['--testTimeout=90000', ...patterns], env);
  return { ...leg, name: 'addon', failed: leg.failed + showReports() };
}

const only = process.argv.slice(2);
const legs = [runAddonTests(only.length > 0 ? only : suitesBut(...leftOut))];
if (only.length === 0) legs.push(runNativeTests(sanitizers));
finish(legs);
