import type { BlockList } from 'node:net';
import { ENOTSUP } from '../../binding/errnos.js';
import { systemError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkInteger } from '../../binding/validate.js';
import { parseAddress, type SocketAddressInput } from '../../sys/address.js';
import { applyOptions, type EncodedOption } from '../socket/encoded-option.js';
import { prepareListenerFd } from './given-fd.js';
import type { StreamListenOptions } from '../stream/listen-options.js';
import { DEFAULT_BACKLOG, MAX_BACKLOG } from '../stream/stream-listener.js';
import type { TcpOptions } from '../stream/stream-profile.js';

const { SOCK_STREAM, SOCK_NONBLOCK, SOCK_CLOEXEC } = native.constants;
// SO_EXCLUSIVEADDRUSE: Windows only. There SO_REUSEADDR would let any process take over a port that
// is in use.
const { SOL_SOCKET, SO_REUSEADDR, SO_REUSEPORT, SO_EXCLUSIVEADDRUSE } = native.constants;
const { IPPROTO_TCP, TCP_NODELAY } = native.constants;
const { IPPROTO_IPV6, IPV6_V6ONLY, AF_INET6 } = native.constants;

/** Options of a TCP listener, in both styles. */
export interface ListenOptions extends StreamListenOptions, TcpOptions {
  /**
   * SO_REUSEPORT: several sockets on one port, the system spreads the connections; default false.
   * ENOTSUP on Windows.
   */
  reusePort?: boolean | undefined;
  /** A `net.BlockList`: connections from what it has are dropped. */
  blockList?: BlockList | undefined;
  /** An IPv6 listener takes no IPv4 connections; default false. */
  ipv6Only?: boolean | undefined;
}

/**
 * A new socket that listens.
 *
 * @throws TypeError, RangeError; what socket(2), setsockopt(2), bind(2), listen(2) say
 */
export function openListener(
  address: SocketAddressInput,
  options: ListenOptions,
  socketOptions: readonly EncodedOption[],
): number {
  const { familyNumber, host, port, scopeId } = parseAddress(address);
  const { backlog = DEFAULT_BACKLOG, reusePort = false, ipv6Only = false, noDelay = true } = options;
  checkInteger('backlog', backlog, 0, MAX_BACKLOG);
  const fd = native.socket(familyNumber, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw systemError(fd, 'socket');
  const steps: [string, () => number][] = [
    ['setsockopt', () => native.setsockoptInt(fd, SOL_SOCKET, SO_EXCLUSIVEADDRUSE ?? SO_REUSEADDR, 1)],
    ['setsockopt', () => (reusePort ? setReusePort(fd) : 0)],
    [
      'setsockopt',
      () =>
        familyNumber === AF_INET6 ? native.setsockoptInt(fd, IPPROTO_IPV6, IPV6_V6ONLY, ipv6Only ? 1 : 0) : 0,
    ],
    // Inherited by connections on most systems: see `TcpListener.configure`.
    ['setsockopt', () => (noDelay ? native.setsockoptInt(fd, IPPROTO_TCP, TCP_NODELAY, 1) : 0)],
    ['setsockopt', () => (applyOptions(fd, socketOptions), 0)],
    ['bind', () => native.bind(fd, familyNumber, host, port, scopeId)],
    ['listen', () => native.listen(fd, backlog)],
  ];
  try {
    for (const [syscall, step] of steps) {
      const error = step();
      if (error < 0) throw systemError(error, syscall, { address: host, port });
    }
  } catch (error) {
    native.close(fd);
    throw error;
  }
  return fd;
}

function setReusePort(fd: number): number {
  if (SO_REUSEPORT === undefined) return ENOTSUP;
  return native.setsockoptInt(fd, SOL_SOCKET, SO_REUSEPORT, 1);
}

/**
 * A socket that listens already, which stays the caller's until the listener is made.
 *
 * @throws as `prepareListenerFd`
 */
export function takeListener(fd: number, socketOptions: readonly EncodedOption[]): number {
  prepareListenerFd(fd);
  applyOptions(fd, socketOptions);
  return fd;
}
