'use strict';
// `npm run test:kqueue`, on Linux: builds the addon with native/bsd/kqueue_poller.cc over the shim
// of test/support/kqueue-shim into build-kqueue/, and runs every suite with it but project/,
// windows/ and those of TypeScript alone. It shows the logic of that file, not what a kernel of
// macOS or a BSD does. Most run with all that other kernels do and Linux does not
// (test/support/kqueue-shim/unkind.h), the examples and those nearest to the poller without it.
// `--unkind=small-sockets,no-pollerr` has that pass alone, with these, or `--unkind=all`; other
// arguments are patterns for Jest, which then runs alone, without. Its last line is "N passed, N
// failed".
const path = require('node:path');
const legTools = require('./legs.cjs');

const { buildAddon, failed, finish, isLoaded, listSkipped, root, runJest, suitesBut, withoutAddon } =
  legTools;

const folder = path.join(root, 'build-kqueue');
const addon = path.join(folder, 'build/Release/tripoll.node');
const env = { ...process.env, TRIPOLL_PREBUILD: folder };

const condition = "capabilities.backends.join() === 'kqueue,poll' && new Poller().backend === 'kqueue'";

if (process.platform !== 'linux')
  finish([failed('build', 'the shim is made of epoll: here `npm test` runs on the system itself')]);
if (!buildAddon('build-kqueue', 'TRIPOLL_KQUEUE_SHIM=ON') || !isLoaded(env, addon, condition))
  finish([failed('build', 'build-kqueue/ was not built, or Node does not load it')]);
const UNKIND = '--unkind=';
const given = process.argv.slice(2);
const switches = given.find((argument) => argument.startsWith(UNKIND))?.slice(UNKIND.length);
const only = given.filter((argument) => !argument.startsWith(UNKIND));
// What is about this project's own files, and about Windows.
const notHere = ['project/', 'windows/', ...withoutAddon];
// What is run in the unkind pass alone: sockets and all above them, to which a poller is unkind or not.
const aboveThePoller = ['net/', 'node/', 'runtime/', 'sys/'];

function runLeg(name, patterns, added = {}) {
  const leg = runJest(path.join(folder, 'jest.json'), patterns, { ...env, ...added });
  leg.failed += listSkipped(leg.suites);
  return { ...leg, name };
}

const legs = [];
if (switches === undefined)
  legs.push(runLeg('jest', only.length > 0 ? only : suitesBut(...aboveThePoller, ...notHere)));
if (switches !== undefined || only.length === 0) {
  const patterns = only.length > 0 ? only : suitesBut('examples/', ...notHere);
  const unkind = switches ?? 'all';
  legs.push(runLeg(`jest, unkind: ${unkind}`, patterns, { TRIPOLL_UNKIND: unkind }));
}
console.log(
  'Not shown here, as the shim has only READ, WRITE and USER: the other filters of raw.Kqueue, PRIORITY, ttys,\n' +
    "fork (T24), and every kernel's own timing and quirks. `npm test` on macOS and FreeBSD shows those.",
);
finish(legs);
