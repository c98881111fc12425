// What this system's kernel has and others lack: found by trying, so that no test assumes a system.
import { capabilities } from 'tripoll';
import { sys } from 'tripoll/raw';
import { encodeUnixAddress } from '#lib/sys/sockaddr';
import { describeIf, testIf } from './applies.js';
import { isWindows } from './platform.js';

const { AF_INET, AF_UNIX, SOCK_STREAM, SOCK_SEQPACKET, SOCK_CLOEXEC } = sys.constants;

function tries(family: number, type: number, call: (fd: number) => number): boolean {
  const fd = sys.socket(family, type | SOCK_CLOEXEC);
  if (fd < 0) return false;
  const result = call(fd);
  sys.close(fd);
  return result >= 0;
}

/** Linux and Windows have all of 127/8; elsewhere 127.0.0.1 is alone. */
export const hasManyLoopbacks = tries(AF_INET, SOCK_STREAM, (fd) => sys.bind(fd, '127.0.0.2:0'));
/** Not Windows before 10 1803, nor Wine. */
export const hasUnixSockets = tries(AF_UNIX, SOCK_STREAM, () => 0);
export const NO_UNIX_SOCKETS = 'this system has no AF_UNIX: a socket of it is refused';
/** Of Unix sockets, what is not on Windows. */
export const NO_UNIX_MESSAGES =
  'Windows’ Unix sockets are streams: no datagrams, pairs, fds, permission bits, names that are no UTF-8';
export const testUnixMessages = testIf(capabilities.unixMessages, NO_UNIX_MESSAGES);
export const describeUnixMessages = describeIf(capabilities.unixMessages, NO_UNIX_MESSAGES);

/** Names without a file: Linux. */
export const hasAbstractNames =
  !isWindows &&
  tries(AF_UNIX, SOCK_STREAM, (fd) =>
    sys.bindBytes(fd, encodeUnixAddress(`\0tripoll-probe-${process.pid}-${performance.now()}`)),
  );
/** Of names of Unix sockets. */
export const NAME_KINDS = hasAbstractNames ? ['path', 'abstract'] : ['path'];
/** Not macOS. */
export const hasSeqpacket = !isWindows && tries(AF_UNIX, SOCK_SEQPACKET, () => 0);

export const testLoopbacks = testIf(hasManyLoopbacks, 'of 127/8 this system has 127.0.0.1 alone');
export const testAbstract = testIf(hasAbstractNames, 'this system has no abstract names');
export const NO_SEQPACKET = 'this system has no AF_UNIX SOCK_SEQPACKET';
export const testSeqpacket = testIf(hasSeqpacket, NO_SEQPACKET);

/** What a pair of Unix streams takes until it would block: 200 KB on Linux, much less on the BSDs. */
export function streamRoomBytes(): number {
  const pair: number[] = [];
  sys.socketpair(pair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | sys.constants.SOCK_NONBLOCK);
  const [writer = -1] = pair;
  const zeros = new Uint8Array(4096);
  let bytes = 0;
  for (let sent = sys.write(writer, zeros); sent > 0; sent = sys.write(writer, zeros)) bytes += sent;
  for (const fd of pair) sys.close(fd);
  return bytes;
}

const switches = new Set((process.env['TRIPOLL_UNKIND'] ?? '').split(','));

/**
 * Whether the imitation of another kernel does this (test/support/kqueue-shim/unkind.h); for what
 * cannot be found out by trying.
 */
export function isUnkind(name: string): boolean {
  return switches.has(name) || switches.has('all');
}

const isLinux = capabilities.platform === 'linux';

/** What poll(2) tells here, where systems differ (T19, T09). */
export const pollTells = {
  errors: isLinux && !isUnkind('no-pollerr') && !isUnkind('hang-up-at-half-close'),
  strangers: isLinux && !isUnkind('no-inodes'),
};
