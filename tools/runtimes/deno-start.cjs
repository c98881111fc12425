'use strict';
// Read before Jest in Deno. Half a second after its start Deno opens a pair of sockets, for the
// thread that waits for signals, and keeps them: whichever test ran then had left two fds open. A
// listener of a signal has them opened now.
const listener = () => {};
process.on('SIGHUP', listener).off('SIGHUP', listener);
