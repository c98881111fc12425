// A test that is skipped says why in its name, one that says nothing is a mistake. There are two
// kinds: what a system can never have ("does not apply"), and what this machine lacks though it
// could have it ("not run here"): a tool, a privilege. tools/legs.cjs reads both from Jest's
// report; where TRIPOLL_ALL_TOOLS=1 is set, as in .ci/run, the second kind is a failure.
import { capabilities } from 'tripoll';
import { native } from '#lib/binding/native';
import { isOldWine, isWindows, isWine } from './platform.js';

export type Register = (name: string, fn?: jest.ProvidesCallback, timeoutMs?: number) => void;
export type RegisterGroup = (name: string, fn: () => void) => void;

/** `test`, or where it does not apply a skip that says why. */
export function testIf(applies: boolean, why: string): Register {
  if (applies) return test;
  return (name, fn, timeoutMs) => {
    test.skip(`${name} (does not apply: ${why})`, fn ?? ((): void => {}), timeoutMs);
  };
}

/** The same for a `describe`. */
export function describeIf(applies: boolean, why: string): RegisterGroup {
  if (applies) return describe;
  return (name, fn) => {
    describe.skip(`${name} (does not apply: ${why})`, fn);
  };
}

/**
 * `test`, or a skip that says what this machine lacks; `missing` is '' when that is nothing
 * (`missingTool`).
 */
export function testWith(missing: string): Register {
  if (missing === '') return test;
  return (name, fn, timeoutMs) => {
    test.skip(`${name} (not run here: ${missing})`, fn ?? ((): void => {}), timeoutMs);
  };
}

/** The same for a `describe`. */
export function describeWith(missing: string): RegisterGroup {
  if (missing === '') return describe;
  return (name, fn) => {
    describe.skip(`${name} (not run here: ${missing})`, fn);
  };
}

/** Of what a child is told by SIGPIPE and its like. */
export const testSignals = testIf(!isWindows, 'Windows has no signals');

/** Of what happens when no fd is left. */
export const testFewFds = testIf(
  !isWindows,
  'the number of handles of a process has no limit that can be set',
);

/** Of fds that are no sockets: pipes, files, duplicates of a number. */
export const testAnyFd = testIf(
  !isWindows,
  'Windows polls sockets only, and has neither Unix’ pipes nor duplicates of a number',
);

/** Of fds that Linux alone makes. */
export const hasLinuxFds = native.eventfdCreate !== undefined;
const NO_LINUX_FDS = 'eventfd, timerfd, inotify, pidfd and TUN are Linux’ own';
export const testLinuxFds = testIf(hasLinuxFds, NO_LINUX_FDS);
export const describeLinuxFds = describeIf(hasLinuxFds, NO_LINUX_FDS);

/** Of one listening socket that several threads accept from. */
const NO_SERVING = 'threads of Windows cannot accept from one listening socket';
export const testServing = testIf(capabilities.sharedListeners, NO_SERVING);
export const describeServing = describeIf(capabilities.sharedListeners, NO_SERVING);

/**
 * Of what Wine 8 does otherwise than Windows: a receive after a reset is an end there, no
 * ECONNRESET.
 */
export const testReset = testIf(!isOldWine, 'Wine 8 tells a reset as the end of the stream');

/** Of bytes that wait to be read when the reset comes. */
export const testResetAfterBytes = testIf(!isWine, 'Wine tells a reset before what was sent before it');

/** Of a reset after the peer's end. */
export const testLateReset = testIf(!isWine, 'Wine tells no reset after the peer’s end');

/** Of a readiness that was made up, while a socket is connecting. */
export const testConnecting = testIf(
  !isWine || isOldWine,
  'Wine 10 names the peer of a socket that is still connecting, as if it were connected',
);
