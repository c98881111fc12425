'use strict';
// `npm run test:kqueue`, on Linux: builds the addon with native/bsd/kqueue_poller.cc over the shim of
// test/support/kqueue-shim into build-kqueue/, and runs with it every suite that uses a poller, and the C++ tests of both.
// It shows the logic of that file, not what a kernel of macOS or a BSD does. Arguments are patterns for Jest, which
// then runs alone. Its last line is "N passed, N failed".
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
/** The addon is build/Release in it: node-gyp-build looks there when TRIPOLL_PREBUILD names the folder. */
const folder = path.join(root, 'build-kqueue');
const env = { ...process.env, TRIPOLL_PREBUILD: folder };

// All of test/ but what reads the sources, and the C++ tests, which are built below.
const suites = [
  'capabilities',
  'context',
  'examples',
  'lifecycle',
  'native',
  'names',
  'net',
  'net-framing',
  'net-life',
  'options',
  'poller',
  'raw',
  'reactor',
  'simulation',
  'tcp-extras',
  'threads',
  'timer',
  'timers',
  'udp',
  'unix',
];

function run(command, args, options = {}) {
  const started = spawnSync(command, args, { cwd: root, stdio: 'inherit', timeout: 30 * 60_000, ...options });
  if (started.error !== undefined) console.error(`${command}: ${started.error.message}`);
  return started.status === 0;
}

/** One string: with a shell, npm finds the tools of the package. */
function build() {
  const addon = 'cmake-js compile --log-level error --out build-kqueue/build --CDTRIPOLL_KQUEUE_SHIM=ON';
  return run(`npm run --silent build:ts && npx --no-install ${addon}`, [], {
    shell: true,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** Whether a Node that is started like this has that addon: else all below would prove nothing. */
function isLoaded() {
  const script = `
    const { capabilities, Poller } = require('tripoll');
    const maps = require('node:fs').readFileSync('/proc/self/maps', 'utf8');
    const addon = maps.includes(process.argv[1]) && capabilities.backends.join() === 'kqueue,poll';
    process.exit(addon && new Poller().backend === 'kqueue' ? 0 : 1);
  `;
  return run(process.execPath, ['-e', script, path.join(folder, 'build/Release/tripoll.node')], { env });
}

/** What was skipped, by its name, which tells why. */
function printSkipped(result) {
  const names = new Set();
  for (const { name, assertionResults } of result.testResults) {
    const file = path.relative(path.join(root, 'out/test'), name);
    for (const { status, fullName } of assertionResults) {
      if (status === 'pending') names.add(`  ${file.replace(/\.js$/, '')}: ${fullName}`);
    }
  }
  if (names.size > 0)
    console.log(
      `Does not apply here (no epoll in this addon, nor what else only Linux has):\n${[...names].join('\n')}`,
    );
  console.log(
    'Not shown here, as the shim has only READ, WRITE and USER: the other filters of raw.Kqueue, PRIORITY, ttys,\n' +
      "fork (T24), and every kernel's own timing and quirks. `npm test` on macOS and FreeBSD shows those.",
  );
}

function runJest(patterns) {
  const report = path.join(folder, 'jest.json');
  fs.rmSync(report, { force: true });
  const jest = path.join(path.dirname(require.resolve('jest/package.json')), 'bin/jest.js');
  const args = [jest, '--json', `--outputFile=${report}`, ...(process.env.CI ? ['--ci'] : []), ...patterns];
  const ok = run(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
  if (!fs.existsSync(report)) return { name: 'jest', passed: 0, failed: 1 };
  const result = JSON.parse(fs.readFileSync(report, 'utf8'));
  printSkipped(result);
  const failed = result.numFailedTests + result.numRuntimeErrorTestSuites;
  return { name: 'jest', passed: result.numPassedTests, failed: ok ? failed : Math.max(failed, 1) };
}

function finish(legs) {
  for (const { name, passed, failed } of legs) console.log(`${name}: ${passed} passed, ${failed} failed`);
  const sum = (key) => legs.reduce((total, leg) => total + leg[key], 0);
  console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
  process.exit(sum('failed') === 0 && sum('passed') > 0 ? 0 : 1);
}

const only = process.argv.slice(2);
if (process.platform !== 'linux') {
  console.error('the shim is made of epoll: here `npm test` runs on the system itself');
  finish([{ name: 'build', passed: 0, failed: 1 }]);
}
if (!build() || !isLoaded()) {
  console.error('build-kqueue/ was not built, or Node does not load it');
  finish([{ name: 'build', passed: 0, failed: 1 }]);
}
finish([runJest(only.length > 0 ? only : suites.map((name) => `/out/test/${name}/`))]);
