'use strict';
// `npm run test:asan`: the native tests, and those of Jest's suites that reach native code, under
// AddressSanitizer and UndefinedBehaviorSanitizer. Needs GCC: clang has no runtime to preload. Its
// last line is "N passed, N failed". Arguments are paths for Jest instead of the suites below, and
// leave the native tests out: npm run test:asan -- threads
const { finish, suitesBut, withoutAddon } = require('./legs.cjs');
const { runNativeTests } = require('./native-tests.cjs');
const { runSanitized } = require('./sanitizers.cjs');

const sanitizers = 'address,undefined';

// Not what tests TypeScript alone, nor what measures memory (a sanitizer keeps what is freed).
const leftOut = ['capabilities/', 'examples/', 'net/socket/names', 'project/', 'windows/', ...withoutAddon];

function toEnv(report) {
  const common = ['halt_on_error=1', 'abort_on_error=1', 'print_stacktrace=1', `log_path=${report}`];
  // No leak check: what JavaScript owns hangs on V8's heap, which the leak checker cannot see, and
  // Node itself leaves much to the end of the process. The native tests, without Node, do check for
  // leaks; in Node, lifecycle/ counts fds and collected objects.
  const address = [...common, 'detect_leaks=0', 'detect_stack_use_after_return=1'];
  return { ASAN_OPTIONS: address.join(':'), UBSAN_OPTIONS: common.join(':') };
}

const only = process.argv.slice(2);
const patterns = only.length > 0 ? only : suitesBut(...leftOut);
const legs = [runSanitized({ build: 'build-asan', sanitizers, library: 'libasan', toEnv, patterns })];
if (only.length === 0) legs.push(runNativeTests(sanitizers));
finish(legs);
