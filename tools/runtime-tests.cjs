'use strict';
// The suite on other runtimes than the Node that builds it, on Linux x64, each with a last line "N
// passed, N failed". The first three take the addon that `npm run build:native` has made, or the one
// of the unpacked package that TRIPOLL_PREBUILD names:
//   npm run test:nodes    Node 20, 22, 24 and 26; words like 22 choose some of them
//   npm run test:bun      Bun, what can run there
//   npm run test:deno     Deno, likewise
//   npm run test:musl     Bun for musl, with the package's addon for musl
//   npm run test:arm64    Node for arm64 under qemu, with an addon of its own, or that package's; and
//                         native tests
// Further arguments are Jest's: npm run test:nodes -- 22 reactor -t T07. The runtimes come from npm,
// by the lock files of tools/runtimes, into .cache (TRIPOLL_CACHE). What a runtime leaves out, what
// does not apply, and what differs (tools/runtimes/differences.json) is listed with its reason.
const fs = require('node:fs');
const path = require('node:path');
const hosts = require('./hosts.cjs');
const legs = require('./legs.cjs');
const { runNativeTests } = require('./native-tests.cjs');
const { unpack } = require('./packed.cjs');

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

/** An error's stack does not begin with its message in Bun, so that Jest prints none there. */
function tellingMessage(messages, details) {
  const [{ matcherResult, message } = {}] = details;
  return matcherResult?.message ?? message ?? messages[0];
}

/**
 * The failures that are known to be the runtime's own doing: they are listed with their reason, and
 * count neither as passed nor as failed. Returns how many, and what is known and did not happen.
 */
function listDifferences(suites, known) {
  const explained = [];
  const unexplained = [];
  const seen = new Set();
  for (const { name: file, assertionResults } of suites) {
    for (const { status, fullName, failureMessages, failureDetails } of assertionResults) {
      if (status !== 'failed') continue;
      const name = `${file.split('/out/test/').pop()} ${fullName}`;
      const reasons = explainedBy(known, name, failureMessages);
      for (const { why, part } of reasons) seen.add(`${why}: ${part}`);
      if (reasons.length > 0) explained.push({ name, reason: reasons[0].why });
      else unexplained.push({ name, reason: tellingMessage(failureMessages, failureDetails) });
    }
  }
  if (explained.length > 0) console.log('\nWhat differs here:');
  legs.listByReason(explained);
  if (unexplained.length > 0) console.log('\nWhat failed:');
  legs.listByReason(unexplained);
  // What a race decides may pass, too.
  const certain = known.filter(({ sometimes = false }) => !sometimes);
  const all = certain.flatMap(({ why, tests }) => tests.map((part) => `${why}: ${part}`));
  return { count: explained.length, stale: all.filter((entry) => !seen.has(entry)) };
}

/** A runtime may be like another, and differ in more. */
function differencesOf(name) {
  const { like, leftOut = {}, differs = [] } = differences[name] ?? {};
  if (like === undefined) return { leftOut, differs };
  const other = differencesOf(like);
  return { leftOut: { ...other.leftOut, ...leftOut }, differs: [...other.differs, ...differs] };
}

/** By Jest, which runs on all of them; `before` is what it wants there. */
function runSuites(name, command, patterns, { before = [], env = {}, timeout } = {}) {
  const { leftOut, differs } = differencesOf(name);
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

/** Like Bun's; its libraries are in the environment that tests start their children with. */
function runMusl(patterns) {
  const reason = hosts.withoutMusl();
  if (reason !== '') return [failed('start', `musl was not found (Debian: ${reason})`)];
  const packed = process.env.TRIPOLL_PREBUILD || unpack(['linux-x64-musl']);
  const { command, env } = hosts.muslX64();
  const ours = { ...env, TRIPOLL_PREBUILD: packed };
  const [bun] = command;
  const addon = path.join(packed, 'prebuilds/linux-x64/tripoll.musl.node');
  if (!legs.isLoaded({ ...process.env, ...ours }, addon, "maps.includes('linux-musl/libc.so')", bun))
    return [failed('start', 'Bun for musl does not load the addon')];
  const started = [bun, '--preload', path.join(lockFiles, 'bun-start.cjs')];
  return [runSuites('musl', started, patterns, { before: ['--runInBand'], env: ours })];
}

/** A program that starts node for arm64, for whoever asks for process.execPath too. */
function wrapNode(folder) {
  const [wrapper, setter] = ['node', 'set-exec-path.cjs'].map((name) => path.join(folder, name));
  fs.writeFileSync(setter, `process.execPath = ${JSON.stringify(wrapper)};\n`);
  const command = hosts.nodeForArm64().map((part) => `'${part}'`);
  fs.writeFileSync(wrapper, `#!/bin/sh\nexec ${command.join(' ')} -r '${setter}' "$@"\n`, { mode: 0o755 });
  return wrapper;
}

const CROSS_COMPILER = 'aarch64-linux-gnu-g++';

/** What arm64's tests cannot do without: with all of it, ''. */
function withoutArm64Tools() {
  return (
    hosts.withoutArm64() || (legs.isThere(CROSS_COMPILER) ? '' : 'apt-get install g++-aarch64-linux-gnu')
  );
}

function runArm64(patterns) {
  const reason = withoutArm64Tools();
  if (reason !== '')
    return [failed('start', `a tool was not found (Debian: ${reason} libc6-dev-arm64-cross)`)];
  const folder = path.join(root, 'build-arm64');
  const toolchain = `CMAKE_TOOLCHAIN_FILE=${path.join(root, 'cmake/aarch64-linux.cmake')}`;
  const packed = process.env.TRIPOLL_PREBUILD;
  if (!packed && !legs.buildAddon('build-arm64', toolchain)) return [failed('build')];
  fs.mkdirSync(folder, { recursive: true });
  const node = wrapNode(folder);
  const env = { TRIPOLL_PREBUILD: packed || folder, TRIPOLL_SLOWNESS: '10' };
  const addon = packed ? 'prebuilds/linux-arm64/tripoll.glibc.node' : 'build/Release/tripoll.node';
  const file = path.join(env.TRIPOLL_PREBUILD, addon);
  if (!legs.isLoaded({ ...process.env, ...env }, file, "process.arch === 'arm64'", node))
    return [failed('build', `Node for arm64 does not load ${file}`)];
  const before = ['--testTimeout=200000'];
  const leg = runSuites('arm64', [node], patterns, { before, env, timeout: 120 * 60_000 });
  if (patterns.length > 0) return [leg];
  console.log('- left out: native kqueue_*_test.cc: the imitation is made of epoll_pwait2, which qemu lacks');
  const filter = ['--exclude-regex', '^kqueue_'];
  const build = 'build-native-arm64';
  return [leg, runNativeTests('', { build, options: [`-D${toolchain}`], filter })];
}

const RUNS = { nodes: runNodes, bun: runBun, deno: runDeno, musl: runMusl, arm64: runArm64 };

const [kind, ...rest] = process.argv.slice(2);
finish(RUNS[kind](rest));
