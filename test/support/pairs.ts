// Two fds that lead to each other, on any system: Windows has neither pipe(2) nor AF_UNIX pairs,
// there it is a pair of TCP sockets over the loopback.
import { sys } from 'tripoll/raw';
import { isWindows } from './platform.js';

const { O_NONBLOCK, O_CLOEXEC, SOCK_NONBLOCK, SOCK_CLOEXEC } = sys.constants;
const { AF_INET, AF_UNIX, SOCK_STREAM, F_SETFL } = sys.constants;

/** What `sys.socketpair` makes stream pairs of here. */
export const PAIR_DOMAIN = isWindows ? AF_INET : AF_UNIX;

/** `sys.socketpair` of streams: fills `out`; `flags` as of SOCK_NONBLOCK and SOCK_CLOEXEC. */
export function openSocketPair(out: number[], flags = 0): number {
  return sys.socketpair(out, PAIR_DOMAIN, SOCK_STREAM | flags);
}

function openListener(): { fd: number; port: number } {
  const fd = sys.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC);
  const name: { port?: number } = {};
  if (sys.bind(fd, '127.0.0.1:0') < 0 || sys.listen(fd, 1) < 0 || sys.getsockname(fd, name) < 0)
    return { fd: -1, port: 0 };
  return { fd, port: name.port ?? 0 };
}

/**
 * A pair of which the first has this number, which is free: sockets are opened until one gets it.
 */
function openPairAt(wanted: number, out: number[]): number {
  let listener = openListener();
  if (listener.fd === wanted) {
    const second = openListener();
    sys.close(listener.fd);
    listener = second;
  }
  const others: number[] = [];
  let first = sys.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC);
  for (; first !== wanted && others.length < 200; first = sys.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC))
    others.push(first);
  for (const fd of others) sys.close(fd);
  const error = sys.connect(first, { host: '127.0.0.1', port: listener.port });
  const second = sys.accept4(listener.fd, SOCK_NONBLOCK | SOCK_CLOEXEC);
  sys.close(listener.fd);
  sys.fcntl(first, F_SETFL, O_NONBLOCK);
  out.push(first, second);
  return error < 0 ? error : Math.min(0, second);
}

/**
 * A pipe whose read end has a number that is free: on Unix the lowest that is, on Windows by
 * trying.
 */
export function openPipeAt(wanted: number, out: number[], flags = 0): number {
  return isWindows ? openPairAt(wanted, out) : openPipe(out, flags);
}

/**
 * `sys.pipe2`, or on Windows what comes nearest: fills `out` with the read end and the write end.
 */
export function openPipe(out: number[], flags = 0): number {
  if (!isWindows) return sys.pipe2(out, flags);
  const nonblocking = (flags & O_NONBLOCK) === 0 ? 0 : SOCK_NONBLOCK;
  return openSocketPair(out, nonblocking | ((flags & O_CLOEXEC) === 0 ? 0 : SOCK_CLOEXEC));
}

/** Reads until there is no more, and says how much there was. */
export function drain(fd: number): number {
  const buffer = new Uint8Array(4096);
  let total = 0;
  for (;;) {
    const count = sys.read(fd, buffer);
    if (count <= 0) return total;
    total += count;
  }
}
