'use strict';
// Builds and runs test/native/*_test.cc by CMake and ctest. Alone: node tools/native-tests.cjs
// [--sanitize=address,undefined]
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const tools = require('./test-tools.json');
const { buildByCmake, failed, finish, root, run } = require('./legs.cjs');

/**
 * Adds up the last line of each program, "N passed, N failed"; one that fails without saying so
 * counts as a failure.
 */
function count(junit) {
  let passed = 0;
  let failed = 0;
  for (const [program, status] of junit.matchAll(/<testcase [^>]*status="(\w+)"[\s\S]*?<\/testcase>/g)) {
    const said = /(\d+) passed, (\d+) failed\s*<\/system-out>/.exec(program);
    passed += Number(said?.[1] ?? 0);
    failed += status === 'run' ? Number(said?.[2] ?? 1) : Math.max(Number(said?.[2] ?? 0), 1);
  }
  return { passed, failed };
}

/** A newcomer may have no CMake; in CI a leg that did not run must not look green. */
function withoutCmake() {
  const { install, packages } = tools[process.platform] ?? tools.linux;
  const reason = `cmake is not installed: ${install} ${packages.cmake}`;
  if (process.env.CI) return failed('native', reason);
  return { name: 'native', passed: 0, failed: 0, notRun: [{ name: 'test/native/*_test.cc', reason }] };
}

function folderOf(sanitize) {
  return sanitize === '' ? 'build-native' : `build-native-${sanitize.replace(/\W/g, '-')}`;
}

/** Returns what ran. `options` are CMake's, `filter` is ctest's. */
function runNativeTests(sanitize = '', { build = folderOf(sanitize), options = [], filter = [] } = {}) {
  if (spawnSync('cmake', ['--version']).status !== 0) return withoutCmake();
  const junit = path.join(root, build, 'junit.xml');
  fs.rmSync(junit, { force: true });
  if (!buildByCmake(build, '-DTRIPOLL_NATIVE_TESTS=ON', `-DTRIPOLL_SANITIZE=${sanitize}`, ...options))
    return failed('native');
  // Without the size ctest would cut off the line that is counted.
  const flags = [
    '--output-on-failure',
    '--no-tests=error',
    '--test-output-size-passed',
    '1000000',
    ...filter,
  ];
  const ok = run('ctest', ['--test-dir', build, ...flags, '--output-junit', junit]);
  const counted = count(fs.existsSync(junit) ? fs.readFileSync(junit, 'utf8') : '');
  // ctest's word counts above its report's: a run that it calls bad has at least one failure.
  return {
    name: 'native',
    passed: counted.passed,
    failed: ok ? counted.failed : Math.max(counted.failed, 1),
  };
}

module.exports = { runNativeTests };

if (require.main === module) {
  const flag = process.argv.slice(2).find((argument) => argument.startsWith('--sanitize='));
  finish([runNativeTests(flag?.slice('--sanitize='.length))]);
}
