'use strict';
// `npm run test:windows`: the suite on Windows, by way of Wine. Cross-builds the addon (mingw),
// fetches node.exe from npm, makes a Wine prefix, runs Jest there, and ends with "N passed, N
// failed". What does not apply is listed with its reason; a test that is skipped without one counts
// as failed. On Windows itself `npm test` does all that matters.
//   npm run test:windows                      Wine 10 with Windows' Node 20 and 24; where there is
//                                             no Wine 10, Wine 8 with Node 20
//   npm run test:windows -- --wine 8          that Wine
//   npm run test:windows -- --node 24         that Node alone; `newest`: that the Wine can run
//   npm run test:windows -- net -t T17        other arguments go to Jest, which then runs alone
// Needs (Debian): apt-get install --no-install-recommends g++-mingw-w64-x86-64-posix cmake, and
// debootstrap for Wine 10 (tools/wine.cjs), or wine64.
// TRIPOLL_PREBUILD: an unpacked package, whose addon is taken instead of a fresh one.
// TRIPOLL_CACHE: where prefixes, node.exe and Wine 10 are kept; default .cache
const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');
const {
  buildByCmake,
  failed,
  finish,
  isThere,
  listSkipped,
  readReport,
  root,
  runLine,
} = require('./legs.cjs');
const { NODES, fetchNode, programsOf, startNode, wines } = require('./wine.cjs');

const build = path.join(root, 'build-windows');
// Wine sees through symbolic links, and would find the addon of this system: these are copies.
const stage = path.join(build, 'stage');
const minutes = 60_000;
const cmakeOptions = [
  `-DCMAKE_TOOLCHAIN_FILE=${path.join(root, 'cmake/mingw-w64.cmake')}`,
  // This build is where the warnings of -Wall -Wextra -Wpedantic -Wconversion are errors.
  '-DCMAKE_COMPILE_WARNING_AS_ERROR=ON',
];

/**
 * Of test/: what is not about the addon, or cannot be on Windows. Jest leaves it out by
 * jest.config.cjs.
 */
const LEFT_OUT = require('../test/not-on-windows.json');

/** A missing tool is told first, with the package that it comes in. */
function need(command, hint) {
  if (!isThere(command))
    fail(`${command} was not found (Debian: apt-get install --no-install-recommends ${hint})`);
}

function fail(message) {
  finish([failed('start', message)]);
}

/** The Wine that is asked for, or the newest that can be had here. */
function chooseWine(wanted) {
  const known = wines().filter(({ version }) => wanted === undefined || String(version) === wanted);
  if (known.length === 0) fail(`--wine ${wanted}: 8 or 10`);
  for (const wine of known) {
    if (wine.missing === '' && wine.install()) return wine;
    console.log(`Not under Wine ${wine.version}: ${wine.missing || 'it could not be installed'}`);
  }
  return fail('there is no Wine');
}

function chooseNodes(wanted, wine) {
  const nodes = NODES.filter(({ leastWine }) => wine.version >= leastWine);
  if (wanted === undefined) return nodes;
  if (wanted === 'newest') return nodes.slice(-1);
  const chosen = nodes.filter(({ version }) => version.split('.')[0] === wanted);
  if (chosen.length === 0)
    fail(`--node ${wanted}: Wine ${wine.version} runs 20${nodes.length > 1 ? ' and 24' : ''}`);
  return chosen;
}

function takeAddon() {
  const packed = process.env.TRIPOLL_PREBUILD;
  if (packed) return path.join(packed, 'prebuilds/win32-x64/tripoll.node');
  if (!buildByCmake(build, ...cmakeOptions)) fail('the cross build failed');
  return path.join(build, 'tripoll.node');
}

function fillStage(addon) {
  fs.rmSync(stage, { recursive: true, force: true });
  fs.mkdirSync(stage, { recursive: true });
  for (const name of [
    'bin',
    'dist',
    'out/test',
    'package.json',
    'jest.config.cjs',
    'test/not-on-windows.json',
    'test/capabilities/recorded.json',
    'tools/test-tools.json',
  ]) {
    fs.cpSync(path.join(root, name), path.join(stage, name), { recursive: true });
  }
  fs.symlinkSync(path.join(root, 'node_modules'), path.join(stage, 'node_modules'));
  const prebuilds = path.join(stage, 'prebuilds/win32-x64');
  fs.mkdirSync(prebuilds, { recursive: true });
  fs.copyFileSync(addon, path.join(prebuilds, 'tripoll.node'));
}

function runJest(start, name, exe, patterns) {
  const report = path.join(stage, 'jest.json');
  fs.rmSync(report, { force: true });
  const args = [
    ...[exe, 'node_modules/jest/bin/jest.js', '--ci', '--runInBand', '--testTimeout=60000'],
    ...['--json', '--outputFile=jest.json'],
    ...patterns,
  ];
  const { ok, stderr } = start(args, { timeout: 40 * minutes, show: false });
  console.log(stderr);
  const leg = readReport(report, ok);
  leg.failed += listSkipped(leg.suites);
  return { ...leg, name };
}

/** The native tests: programs that say how many passed, in their last line. */
function runNativeTests(start) {
  const folder = `${build}-native`;
  if (!buildByCmake(folder, '-DTRIPOLL_NATIVE_TESTS=ON', ...cmakeOptions)) return failed('native');
  const total = { name: 'native', passed: 0, failed: 0 };
  const programs = fs
    .readdirSync(path.join(folder, 'test/native'))
    .filter((name) => name.endsWith('_test.exe'));
  for (const name of programs) {
    const { ok, stdout } = start([path.join(folder, 'test/native', name)]);
    const said = /(\d+) passed, (\d+) failed\s*$/.exec(stdout);
    total.passed += Number(said?.[1] ?? 0);
    total.failed += ok ? 0 : Math.max(1, Number(said?.[2] ?? 0));
  }
  if (programs.length === 0) total.failed++;
  return total;
}

/** `--wine` and `--node`; all else is Jest's. */
function parse() {
  const options = { wine: { type: 'string' }, node: { type: 'string' } };
  const { values, tokens } = parseArgs({ options, strict: false, allowPositionals: true, tokens: true });
  const ours = new Set();
  for (const { kind, name, index, inlineValue } of tokens) {
    if (kind !== 'option' || options[name] === undefined) continue;
    ours.add(index);
    if (inlineValue === false) ours.add(index + 1);
  }
  return { ...values, patterns: process.argv.slice(2).filter((_, index) => !ours.has(index)) };
}

function main() {
  const { wine: wantedWine, node: wantedNode, patterns } = parse();
  if (process.platform === 'win32') fail('this is for other systems: on Windows, npm test');
  need('cmake', 'cmake');
  need('x86_64-w64-mingw32-g++-posix', 'g++-mingw-w64-x86-64-posix');
  const wine = chooseWine(wantedWine);
  const nodes = chooseNodes(wantedNode, wine);
  if (!runLine('npm run --silent build:ts')) fail('the build failed');
  fillStage(takeAddon());
  // .ci/run waits for it: others may build in this folder now.
  console.log('staged');
  const start = programsOf(wine, stage);
  const legs = nodes.map((node) => {
    const exe = fetchNode(node);
    startNode(start, exe);
    return runJest(start, `Wine ${wine.version}, Node ${node.version}`, exe, patterns);
  });
  console.log('\nLeft out:');
  for (const [name, why] of Object.entries(LEFT_OUT)) console.log(`- test/${name}*: ${why}`);
  if (patterns.length === 0) legs.push(runNativeTests(start));
  finish(legs);
}

try {
  main();
} catch (error) {
  fail(error.message);
}
