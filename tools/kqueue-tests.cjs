'use strict';
// `npm run test:kqueue`, on Linux: builds the addon with native/bsd/kqueue_poller.cc over the shim of
// test/support/kqueue-shim into build-kqueue/, and runs every suite with it that uses a poller.
// It shows the logic of that file, not what a kernel of macOS or a BSD does. Arguments are patterns for Jest, which
// then runs alone. Its last line is "N passed, N failed".
const path = require('node:path');
const { failed, finish, listSkipped, root, run, runJest, runLine, suitesBut } = require('./legs.cjs');

/** The addon is build/Release in it: node-gyp-build looks there when TRIPOLL_PREBUILD names the folder. */
const folder = path.join(root, 'build-kqueue');
const env = { ...process.env, TRIPOLL_PREBUILD: folder };

function build() {
  const addon = 'cmake-js compile --log-level error --out build-kqueue/build --CDTRIPOLL_KQUEUE_SHIM=ON';
  const stdio = ['ignore', 'ignore', 'inherit'];
  return runLine(`npm run --silent build:ts && npx --no-install ${addon}`, { stdio });
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

if (process.platform !== 'linux')
  finish([failed('build', 'the shim is made of epoll: here `npm test` runs on the system itself')]);
if (!build() || !isLoaded())
  finish([failed('build', 'build-kqueue/ was not built, or Node does not load it')]);
const only = process.argv.slice(2);
// All but the fds that only Linux has, and what is about Windows.
const leg = runJest(
  path.join(folder, 'jest.json'),
  only.length > 0 ? only : suitesBut('sources', 'windows'),
  env,
);
leg.failed += listSkipped(leg.suites);
console.log(
  'Not shown here, as the shim has only READ, WRITE and USER: the other filters of raw.Kqueue, PRIORITY, ttys,\n' +
    "fork (T24), and every kernel's own timing and quirks. `npm test` on macOS and FreeBSD shows those.",
);
finish([leg]);
