import type { BlockList } from 'node:net';
import { capabilities } from '../../binding/capabilities.js';
import { invalidArgType, outOfRange, unsupportedError } from '../../binding/errors.js';
import { checkNames, type Names } from '../../binding/validate.js';
import { Mode } from '../../poller/flags.js';
import type { Reactor } from '../../reactor/reactor.js';
import { encodeOptions, type SettableSocketOptions } from '../../net/socket/socket-options.js';
import type { UnixAddress } from '../../sys/sockaddr.js';

/** How connections come to the workers. */
export type Strategy = 'reuseport' | 'exclusive' | 'balanced';

/** Options of `Runtime.serve`, wherever it listens. */
export interface ServeOptions {
  /**
   * How connections come to the workers. `'reuseport'`: a listening socket for each, among which
   * the system spreads connections by a hash of their addresses; Linux, TCP. `'exclusive'`: one
   * socket, of whose pollers the system wakes few; Linux' epoll, with `driver: 'run'`.
   * `'balanced'`: one socket, and who accepts gives the connection to the worker that has fewest.
   * Default: `'balanced'`.
   */
  strategy?: Strategy | undefined;
  /** Of each listening socket; default 4096. */
  backlog?: number | undefined;
  /** Of all workers; more are accepted only to be closed. Default: no limit. */
  maxConnections?: number | undefined;
  /** Options of the listening sockets, set before bind, in this order. */
  socketOptions?: Partial<SettableSocketOptions> | undefined;
  /** Options of each connection; one that refuses an option is dropped. */
  acceptedSocketOptions?: Partial<SettableSocketOptions> | undefined;
  /** With handlers: our side stays open after the peer's end, until `end()`; default false. */
  allowHalfOpen?: boolean | undefined;
  /** With handlers: `write` returns false above it; default 65536. */
  highWaterMarkBytes?: number | undefined;
  /** With handlers: `drain` comes at or below it; default a quarter of the high one. */
  lowWaterMarkBytes?: number | undefined;
  /** With handlers: more queued bytes destroy the connection; default 16 MiB. */
  maxQueuedBytes?: number | undefined;
  /** Connections that are idle for so long are destroyed; default never. */
  idleTimeoutMs?: number | undefined;
}

/** Where `serve` listens for TCP, and how. */
export interface ServeTcpOptions extends ServeOptions {
  /** An IP address. */
  host: string;
  /** 0 lets the system choose: one port for all workers. See `server.address`. */
  port: number;
  /** Not here. */
  path?: undefined;
  /** TCP_NODELAY of connections; default true. */
  noDelay?: boolean | undefined;
  /** An IPv6 listener takes no IPv4 connections; default false. */
  ipv6Only?: boolean | undefined;
  /** A `net.BlockList`: connections from what it has are dropped. Later rules count but in Deno. */
  blockList?: BlockList | undefined;
}

/** Where `serve` listens on a Unix socket, and how. */
export interface ServeUnixOptions extends ServeOptions {
  /** A path, or `'\0name'` for the abstract namespace (Linux). It is unlinked at the end. */
  path: UnixAddress;
  /** Not here. */
  host?: undefined;
  /** Not here. */
  port?: undefined;
  /** Permission bits of the socket's file; default: what umask leaves. */
  mode?: number | undefined;
  /** A socket's file that nobody listens on is unlinked first; default false. */
  unlinkStale?: boolean | undefined;
}

/** Either. */
export type ServeTarget = ServeTcpOptions | ServeUnixOptions;

const COMMON: Readonly<Record<keyof ServeOptions, true>> = {
  ...{ strategy: true, backlog: true, maxConnections: true, socketOptions: true },
  ...{ acceptedSocketOptions: true, allowHalfOpen: true, highWaterMarkBytes: true },
  ...{ lowWaterMarkBytes: true, maxQueuedBytes: true, idleTimeoutMs: true },
};
const TCP: Names = { host: true, port: true, path: true, noDelay: true, ipv6Only: true, blockList: true };
const UNIX: Names = { path: true, host: true, port: true, mode: true, unlinkStale: true };

export function isUnixTarget(target: ServeTarget): target is ServeUnixOptions {
  return target.path !== undefined;
}

/** The names, and what the listeners of this thread do not look at. @throws TypeError, RangeError */
export function checkServe(target: unknown): asserts target is ServeTarget {
  checkNames('options', target, COMMON, TCP, UNIX);
  checkNames('options', target, COMMON, isUnixTarget(target as ServeTarget) ? UNIX : TCP);
  const { path, host, port, acceptedSocketOptions } = target as Partial<ServeTarget>;
  if (path !== undefined && (host !== undefined || port !== undefined))
    throw invalidArgType('options', 'a path, or a host and a port', target);
  if (acceptedSocketOptions !== undefined) encodeOptions(acceptedSocketOptions);
}

/**
 * @param runs whether workers are under `run()`
 * @throws RangeError; ERR_TRIPOLL_UNSUPPORTED
 */
export function chooseStrategy(target: ServeTarget, reactor: Reactor, runs: boolean): Strategy {
  const { strategy = 'balanced' } = target;
  if (!capabilities.sharedListeners)
    throw unsupportedError('threads of this system cannot accept from one listening socket');
  if (strategy === 'reuseport') {
    if (isUnixTarget(target)) throw unsupportedError('a Unix socket has no SO_REUSEPORT');
    if (!capabilities.reusePortBalances)
      throw unsupportedError('SO_REUSEPORT of this system does not spread connections');
  } else if (strategy === 'exclusive') {
    if (!supportsExclusive(reactor))
      throw unsupportedError(`the ${reactor.backend} of this system has no EXCLUSIVE`);
    if (!runs)
      throw unsupportedError(`'exclusive' needs workers under run(): new Runtime({ driver: 'run' })`);
  } else if (strategy !== 'balanced')
    throw outOfRange('strategy', `'reuseport', 'exclusive' or 'balanced'`, strategy);
  return strategy;
}

export function supportsExclusive(reactor: Reactor): boolean {
  return reactor.supports(Mode.LEVEL | Mode.EXCLUSIVE);
}
