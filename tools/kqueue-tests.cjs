'use strict';
// `npm run test:kqueue`, on Linux: builds the addon with native/bsd/kqueue_poller.cc over the shim
// of test/support/kqueue-shim into build-kqueue/, and runs every suite with it that uses a poller.
// It shows the logic of that file, not what a kernel of macOS or a BSD does. Arguments are patterns
// for Jest, which then runs alone. Its last line is "N passed, N failed".
const path = require('node:path');
const { buildAddon, failed, finish, isLoaded, listSkipped, root, runJest, suitesBut } = require('./legs.cjs');

const folder = path.join(root, 'build-kqueue');
const addon = path.join(folder, 'build/Release/tripoll.node');
const env = { ...process.env, TRIPOLL_PREBUILD: folder };

const condition = "capabilities.backends.join() === 'kqueue,poll' && new Poller().backend === 'kqueue'";

if (process.platform !== 'linux')
  finish([failed('build', 'the shim is made of epoll: here `npm test` runs on the system itself')]);
if (!buildAddon('build-kqueue', 'TRIPOLL_KQUEUE_SHIM=ON') || !isLoaded(env, addon, condition))
  finish([failed('build', 'build-kqueue/ was not built, or Node does not load it')]);
const only = process.argv.slice(2);
// All but the fds that only Linux has, and what is about Windows.
const leg = runJest(
  path.join(folder, 'jest.json'),
  only.length > 0 ? only : suitesBut('net/fd/fd.test', 'net/sources/', 'project/', 'windows/'),
  env,
);
leg.failed += listSkipped(leg.suites);
console.log(
  'Not shown here, as the shim has only READ, WRITE and USER: the other filters of raw.Kqueue, PRIORITY, ttys,\n' +
    "fork (T24), and every kernel's own timing and quirks. `npm test` on macOS and FreeBSD shows those.",
);
finish([leg]);
