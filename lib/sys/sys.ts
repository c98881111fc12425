import type { Constants } from '../binding/constant-names.js';
import { native } from '../binding/native.js';
import { invalidArgType } from '../binding/errors.js';
import { checkBytes, checkFd, checkFlags, checkInteger, checkObject } from '../binding/validate.js';
import { terminalCalls } from './terminal.js';
import { parseAddress, type SocketAddress, type SocketAddressInput, toSocketAddress } from './address.js';

const MAX_INT32 = 0x7fffffff;
const MIN_INT32 = -0x80000000;

function checkInt(name: string, value: unknown): asserts value is number {
  checkInteger(name, value, MIN_INT32, MAX_INT32);
}

/** Returns the length, which is by default all from `offset` on. */
function checkRange(buffer: unknown, offset: unknown, length: unknown): number {
  checkBytes('buffer', buffer);
  checkInteger('offset', offset, 0, buffer.byteLength);
  const rest = buffer.byteLength - offset;
  if (length === undefined) return rest;
  checkInteger('length', length, 0, rest);
  return length;
}

function checkBuffers(buffers: unknown): asserts buffers is readonly Uint8Array[] {
  if (!Array.isArray(buffers)) throw invalidArgType('buffers', 'an array of Uint8Arrays', buffers);
  buffers.forEach((buffer, index) => {
    checkBytes(`buffers[${index}]`, buffer);
  });
}

function constantsOfPlatform(): Constants {
  const { constants, kqueueConstants, terminalConstants } = native;
  return { ...constants, ...terminalConstants, ...kqueueConstants };
}

/**
 * The system's calls under their own names. Each returns `n >= 0` or a negative errno
 * (`-sys.errno.EAGAIN`) and throws only on wrong arguments (TypeError, RangeError). An fd that was
 * opened here is closed here, with `sys.close`; what a thread leaves open is closed at its end.
 */
export const sys = {
  /** Positive errno values of this platform, by name. */
  errno: native.errnos,
  /**
   * Constants of this platform's headers, by name (`AF_INET`, `SOCK_STREAM`, `EPOLLIN`,
   * `EVFILT_READ`, ...).
   */
  constants: constantsOfPlatform(),

  /** socket(2): the new fd. */
  socket(domain: number, type: number, protocol = 0): number {
    checkInt('domain', domain);
    checkFlags('type', type);
    checkInt('protocol', protocol);
    return native.socket(domain, type, protocol);
  },

  /** bind(2), to an IP literal. */
  bind(fd: number, address: SocketAddressInput): number {
    checkFd(fd);
    const { familyNumber, host, port, scopeId } = parseAddress(address);
    return native.bind(fd, familyNumber, host, port, scopeId);
  },

  /** bind(2), to an address of any family: the bytes of its `sockaddr`. */
  bindBytes(fd: number, address: Uint8Array): number {
    checkFd(fd);
    checkBytes('address', address);
    return native.bindBytes(fd, address);
  },

  /** connect(2), to an address of any family: the bytes of its `sockaddr`. */
  connectBytes(fd: number, address: Uint8Array): number {
    checkFd(fd);
    checkBytes('address', address);
    return native.connectBytes(fd, address);
  },

  /** listen(2); the system clamps the backlog (net.core.somaxconn). */
  listen(fd: number, backlog: number): number {
    checkFd(fd);
    checkInteger('backlog', backlog, 0, MAX_INT32);
    return native.listen(fd, backlog);
  },

  /** accept4(2): the new fd; `flags` as of SOCK_NONBLOCK and SOCK_CLOEXEC. */
  accept4(fd: number, flags: number): number {
    checkFd(fd);
    checkFlags('flags', flags);
    return native.accept4(fd, flags);
  },

  /** connect(2), to an IP literal. */
  connect(fd: number, address: SocketAddressInput): number {
    checkFd(fd);
    const { familyNumber, host, port, scopeId } = parseAddress(address);
    return native.connect(fd, familyNumber, host, port, scopeId);
  },

  /** recv(2) into `buffer` from `offset`. */
  recv(fd: number, buffer: Uint8Array, offset = 0, length?: number, flags = 0): number {
    checkFd(fd);
    const bytes = checkRange(buffer, offset, length);
    checkFlags('flags', flags);
    return native.recv(fd, buffer, offset, bytes, flags);
  },

  /** send(2), always with MSG_NOSIGNAL. */
  send(fd: number, buffer: Uint8Array, offset = 0, length?: number, flags = 0): number {
    checkFd(fd);
    const bytes = checkRange(buffer, offset, length);
    checkFlags('flags', flags);
    return native.send(fd, buffer, offset, bytes, flags);
  },

  /** read(2). */
  read(fd: number, buffer: Uint8Array, offset = 0, length?: number): number {
    checkFd(fd);
    return native.read(fd, buffer, offset, checkRange(buffer, offset, length));
  },

  /** write(2). */
  write(fd: number, buffer: Uint8Array, offset = 0, length?: number): number {
    checkFd(fd);
    return native.write(fd, buffer, offset, checkRange(buffer, offset, length));
  },

  /** writev(2); of more than 64 buffers the first 64 are written. */
  writev(fd: number, buffers: readonly Uint8Array[]): number {
    checkFd(fd);
    checkBuffers(buffers);
    return native.writev(fd, buffers, 0, buffers.length);
  },

  /**
   * fcntl(2) with a command that takes an integer (F_GETFL, F_SETFL, F_GETFD, F_SETFD, F_DUPFD*);
   * else -EINVAL.
   */
  fcntl(fd: number, command: number, argument = 0): number {
    checkFd(fd);
    checkInt('command', command);
    checkFlags('argument', argument);
    return native.fcntl(fd, command, argument);
  },

  /** pipe2(2): fills `out` with the read end and the write end. */
  pipe2(out: number[], flags = 0): number {
    checkFlags('flags', flags);
    return native.pipe2(flags, out);
  },

  /** socketpair(2): fills `out` with the two ends. */
  socketpair(out: number[], domain: number, type: number, protocol = 0): number {
    checkInt('domain', domain);
    checkFlags('type', type);
    checkInt('protocol', protocol);
    return native.socketpair(domain, type, protocol, out);
  },

  /** shutdown(2). */
  shutdown(fd: number, how: number): number {
    checkFd(fd);
    checkInt('how', how);
    return native.shutdown(fd, how);
  },

  /** close(2), once: EINTR counts as closed, since another try could close a stranger's fd. */
  close(fd: number): number {
    checkFd(fd);
    return native.close(fd);
  },

  /** getsockname(2): fills `out`. */
  getsockname(fd: number, out: Partial<SocketAddress>): number {
    checkFd(fd);
    checkObject('out', out);
    return fillAddress(native.getsockname, fd, out);
  },

  /** getpeername(2): fills `out`. */
  getpeername(fd: number, out: Partial<SocketAddress>): number {
    checkFd(fd);
    checkObject('out', out);
    return fillAddress(native.getpeername, fd, out);
  },

  /** setsockopt(2) with an integer or with the option's bytes. */
  setsockopt(fd: number, level: number, name: number, value: number | Uint8Array): number {
    checkFd(fd);
    checkInt('level', level);
    checkInt('name', name);
    if (typeof value === 'number') {
      checkFlags('value', value);
      return native.setsockoptInt(fd, level, name, value);
    }
    checkBytes('value', value);
    return native.setsockopt(fd, level, name, value);
  },

  /** getsockopt(2) into `out`: returns how many bytes the option has. */
  getsockopt(fd: number, level: number, name: number, out: Uint8Array): number {
    checkFd(fd);
    checkInt('level', level);
    checkInt('name', name);
    checkBytes('out', out);
    return native.getsockopt(fd, level, name, out);
  },

  ...terminalCalls,
};

type FillName = (fd: number, out: object) => number;

function fillAddress(fill: FillName, fd: number, out: Partial<SocketAddress>): number {
  const name = { family: 0, address: '', port: 0, scopeId: 0 };
  const error = fill(fd, name);
  if (error === 0) Object.assign(out, toSocketAddress(name));
  return error;
}
