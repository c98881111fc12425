'use strict';
// `npm run test:tsan`, on Linux: the native tests, and Jest's suites that have threads (the watcher
// driver, wakers, workers), under ThreadSanitizer: what looks at the watcher's lock and the
// poller's. Needs GCC, and setarch of util-linux: this ThreadSanitizer knows where memory lies only
// while addresses are not chosen at random. Its last line is "N passed, N failed". Arguments are
// paths for Jest instead of the suites below, and leave the native tests out: npm run test:tsan --
// wakers
const { spawnSync } = require('node:child_process');
const { failed, finish } = require('./legs.cjs');
const { runNativeTests } = require('./native-tests.cjs');
const { runSanitized } = require('./sanitizers.cjs');

// Not lifecycle/workers, which counts fds, among them those of the reports, and bounds how long a
// child may take.
const suites = [
  '/out/test/threads/',
  '/out/test/reactor/native-drivers',
  '/out/test/reactor/drivers',
  '/out/test/reactor/run.test',
];

/**
 * What opens an fd. ThreadSanitizer thinks of its number as of memory, and libuv closes by a system
 * call of its own, unseen.
 */
const OPENS =
  /^(socket|socketpair|accept4?|pipe2?|eventfd|epoll_create1?|dup[23]?|open(64)?|timerfd_create|signalfd)$/;

/** A report ends no process: all of a run are seen at once, and each that is ours fails it. */
function toEnv(report) {
  return { TSAN_OPTIONS: ['halt_on_error=0', 'exitcode=0', `log_path=${report}`].join(':') };
}

/**
 * Whether the addon made one of the accesses, by itself or by a library's function. Node's binary
 * knows nothing of ThreadSanitizer: the locks and atomics by which V8, Node and libuv order what
 * they do between threads are not seen, so what they alone do is reported without a reason. In
 * place of a list of suppressions, which would also hide what the addon does when it is called by a
 * frame of theirs.
 */
function isOurs(report) {
  const accesses = report.split('\n\n').filter((part) => / of size \d+ at /.test(part));
  const stacks = accesses.map((access) => [...access.matchAll(/^\s*#\d+ (\S+) .*\((\S+?)\+0x/gm)]);
  if (stacks.some(([first]) => OPENS.test(first?.[1] ?? ''))) return false;
  return stacks.some(
    (stack) =>
      stack.find(([, , module]) => !/^lib(tsan|c|stdc\+\+|gcc_s)\b/.test(module))?.[2] === 'tripoll.node',
  );
}

/** Whether addresses are random in this process; it starts itself again where they are. */
function isAgain() {
  if (process.env.TRIPOLL_TSAN === '1') return false;
  const env = { ...process.env, TRIPOLL_TSAN: '1' };
  const args = ['-R', process.execPath, require.main.filename, ...process.argv.slice(2)];
  const { status, error } = spawnSync('setarch', args, { env, stdio: 'inherit' });
  if (error !== undefined) finish([failed('addon', `setarch (util-linux): ${error.message}`)]);
  process.exitCode = status ?? 1;
  return true;
}

function main() {
  if (process.platform !== 'linux') finish([failed('addon', 'this leg is for Linux')]);
  if (isAgain()) return;
  const only = process.argv.slice(2);
  const patterns = only.length > 0 ? only : suites;
  const legs = [
    runSanitized({ build: 'build-tsan', sanitizers: 'thread', library: 'libtsan', toEnv, patterns, isOurs }),
  ];
  if (only.length === 0) legs.push(runNativeTests('thread'));
  finish(legs);
}

main();
