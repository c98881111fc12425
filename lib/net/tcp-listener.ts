import type { BlockList } from 'node:net';
import { systemError } from '../binding/errors.js';
import { native } from '../binding/native.js';
import { checkFunction, checkInteger, checkObject } from '../binding/validate.js';
import { parseAddress, type SocketAddress, type SocketAddressInput } from '../sys/address.js';
import { checkHandlers, type ConnectionProfile } from './socket-connection.js';
import { socketName } from './stream-core.js';
import {
  DEFAULT_BACKLOG,
  MAX_BACKLOG,
  StreamListener,
  type AcceptedStream,
  type DropHandlers,
  type DropInfo as StreamDropInfo,
  type StreamListenOptions,
} from './stream-listener.js';
import { TCP_TRAITS, type StreamProfile, type TcpOptions } from './stream-profile.js';
import { TcpConnection, type TcpHandlers } from './tcp-connection.js';
import { TcpStream } from './tcp-stream.js';

const { SOCK_STREAM = 1, SOCK_NONBLOCK = 0, SOCK_CLOEXEC = 0 } = native.constants;
const {
  SOL_SOCKET = 1,
  SO_REUSEADDR = 2,
  SO_REUSEPORT = 15,
  IPPROTO_TCP = 6,
  TCP_NODELAY = 1,
} = native.constants;
const { IPPROTO_IPV6 = 41, IPV6_V6ONLY = 26, AF_INET6 = 10 } = native.constants;

export interface ListenOptions extends StreamListenOptions, TcpOptions {
  /** SO_REUSEPORT: several sockets on one port, the system spreads the connections; default false. */
  reusePort?: boolean | undefined;
  /** A `net.BlockList`: connections from what it has are dropped. */
  blockList?: BlockList | undefined;
  /** An IPv6 listener takes no IPv4 connections; default false. */
  ipv6Only?: boolean | undefined;
}

export interface ListenTarget extends ListenOptions {
  /** An IP address; there is no implicit one. */
  host: string;
  /** 0 lets the system choose: see `localAddress`. */
  port: number;
}

export type DropInfo = StreamDropInfo<SocketAddress>;
export type ListenHandlers<Data = unknown> = TcpHandlers<Data> & DropHandlers<TcpListener, SocketAddress>;
export type Accepted = AcceptedStream<TcpStream, SocketAddress>;

/** Accepts TCP connections, for handlers (`listen`) or for promises (`TcpListener.bind`). */
export class TcpListener extends StreamListener<TcpStream, SocketAddress> {
  readonly #noDelay: boolean;
  readonly #blockList: BlockList | undefined;

  private constructor(address: SocketAddressInput, options: ListenOptions, handlers: ListenHandlers | null) {
    super({
      options,
      handlers,
      traits: TCP_TRAITS,
      open: () => {
        checkBlockList(options.blockList);
        return openListener(address, options);
      },
    });
    this.#noDelay = options.noDelay ?? true;
    this.#blockList = options.blockList;
  }

  /**
   * Listens for promises: `accept()`, or `for await (const stream of listener)`.
   *
   * @param address `'127.0.0.1:8080'`, `'[::1]:0'` or `{ host, port }`; an IP address, not a name
   * @throws (as rejection) TypeError, RangeError; EADDRINUSE, EADDRNOTAVAIL, EACCES and what else bind(2) says
   */
  static override bind(address: SocketAddressInput, options: ListenOptions = {}): Promise<TcpListener> {
    // Synchronous work under a promise, so that bad input is a rejection here too.
    return new Promise((resolve) => {
      resolve(new TcpListener(address, options, null));
    });
  }

  /** For `listen`. */
  static listening(target: ListenTarget, handlers: ListenHandlers): TcpListener {
    checkObject('target', target);
    checkHandlers(handlers);
    return new TcpListener({ host: target.host, port: target.port }, target, handlers);
  }

  protected configure(fd: number): void {
    // It may have been reset already; then the first read tells.
    if (this.#noDelay) native.setsockoptInt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  }

  protected get mayBlock(): boolean {
    return this.#blockList !== undefined;
  }

  protected isBlocked(address: SocketAddress | undefined): boolean {
    const family = address?.family === 'IPv6' ? 'ipv6' : 'ipv4';
    return address !== undefined && this.#blockList?.check(address.address, family) === true;
  }

  protected toConnection(fd: number, profile: ConnectionProfile): void {
    TcpConnection.accepted(fd, profile);
  }

  protected toStream(fd: number, profile: StreamProfile): TcpStream {
    return TcpStream.accepted(fd, profile);
  }

  protected nameOf(side: 'local' | 'remote', fd: number): SocketAddress | undefined {
    return socketName(side, fd);
  }
}

function checkBlockList(blockList: BlockList | undefined): void {
  if (blockList === undefined) return;
  checkObject('blockList', blockList);
  checkFunction('blockList.check', blockList.check);
}

function openListener(address: SocketAddressInput, options: ListenOptions): number {
  const { familyNumber, host, port, scopeId } = parseAddress(address);
  const { backlog = DEFAULT_BACKLOG, reusePort = false, ipv6Only = false } = options;
  checkInteger('backlog', backlog, 0, MAX_BACKLOG);
  const fd = native.socket(familyNumber, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw systemError(fd, 'socket');
  const steps: [string, () => number][] = [
    ['setsockopt', () => native.setsockoptInt(fd, SOL_SOCKET, SO_REUSEADDR, 1)],
    ['setsockopt', () => (reusePort ? native.setsockoptInt(fd, SOL_SOCKET, SO_REUSEPORT, 1) : 0)],
    [
      'setsockopt',
      () =>
        familyNumber === AF_INET6 ? native.setsockoptInt(fd, IPPROTO_IPV6, IPV6_V6ONLY, ipv6Only ? 1 : 0) : 0,
    ],
    ['bind', () => native.bind(fd, familyNumber, host, port, scopeId)],
    ['listen', () => native.listen(fd, backlog)],
  ];
  for (const [syscall, step] of steps) {
    const error = step();
    if (error < 0) {
      native.close(fd);
      throw systemError(error, syscall, { address: host, port });
    }
  }
  return fd;
}

/**
 * Listens handler-style: the fast path. All connections share `handlers`.
 *
 * @throws TypeError, RangeError for wrong arguments; EADDRINUSE, EADDRNOTAVAIL, EACCES and what else bind(2)
 * says; ERR_TRIPOLL_CLOSED
 */
export function listen<Data = unknown>(target: ListenTarget, handlers: ListenHandlers<Data>): TcpListener {
  return TcpListener.listening(target, handlers);
}
