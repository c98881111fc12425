import { closedError, errnoOf, errnosOf, stateError, systemError } from '../binding/errors.js';
import { native } from '../binding/native.js';
import { checkFunction, checkInteger, checkObject } from '../binding/validate.js';
import type { BlockList } from 'node:net';
import { Interest, Mode } from '../poller/flags.js';
import type { EventHandler } from '../reactor/event-handler.js';
import { toProfile } from '../reactor/context.js';
import type { Reactor } from '../reactor/reactor.js';
import type { Registration } from '../reactor/registration.js';
import { parseAddress, type SocketAddress, type SocketAddressInput } from '../sys/address.js';
import { toIdleTracker } from './idle-tracker.js';
import { checkCancel, watchCancel, type CancelOptions } from '../reactor/cancellation.js';
import { socketName } from './stream-core.js';
import { chooseReactor, toStreamProfile, type StreamProfile } from './stream-profile.js';
import {
  checkHandlers,
  TcpConnection,
  toConnectionProfile,
  toSettings,
  type ConnectionOptions,
  type ConnectionProfile,
  type TcpHandlers,
} from './tcp-connection.js';
import { TcpStream } from './tcp-stream.js';

/** The system clamps it (net.core.somaxconn, 4096 by default since Linux 5.4). */
const DEFAULT_BACKLOG = 4096;
const MAX_BACKLOG = 0x7fffffff;
/** Connections of one event before others get their turn; the level brings us back. */
const ACCEPTS_PER_EVENT = 64;
/** How long a listener rests that got no fd: as nginx does (accept_mutex_delay is 500, Go waits up to 1000). */
const BACK_OFF_MS = 100;

const {
  SOCK_STREAM = 1,
  SOCK_DGRAM = 2,
  SOCK_NONBLOCK = 0,
  SOCK_CLOEXEC = 0,
  AF_INET = 2,
} = native.constants;
const {
  SOL_SOCKET = 1,
  SO_REUSEADDR = 2,
  SO_REUSEPORT,
  // Windows only. There SO_REUSEADDR would let any process take over a port that is in use.
  SO_EXCLUSIVEADDRUSE,
  IPPROTO_TCP = 6,
  TCP_NODELAY = 1,
} = native.constants;
const { IPPROTO_IPV6 = 41, IPV6_V6ONLY = 26, AF_INET6 = 10 } = native.constants;

const EAGAIN = errnoOf('EAGAIN');
/** This connection is gone; the next may be well (T41, accept(2)). */
const TRY_NEXT = errnosOf(
  ...[
    'ECONNABORTED',
    'EPROTO',
    'EINTR',
    'ENETDOWN',
    'ENOPROTOOPT',
    'EHOSTDOWN',
    'EHOSTUNREACH',
    'ENETUNREACH',
  ],
  // A firewall's refusal, and two that not every system has.
  ...['EPERM', 'EOPNOTSUPP', 'ENONET'],
);
/** Nothing is wrong with the listener, but there is no room (T40). */
const NO_ROOM = errnosOf('EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM');

export interface ListenOptions extends ConnectionOptions {
  /** Default 4096. */
  backlog?: number | undefined;
  /** SO_REUSEPORT: several sockets on one port, the system spreads the connections; default false. ENOTSUP on Windows. */
  reusePort?: boolean | undefined;
  /** More connections than this at a time are accepted only to be closed, and told to `drop`. Default: no limit. */
  maxConnections?: number | undefined;
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

/** Why a connection was dropped before its `open`. */
export interface DropInfo {
  /** `'no-fd'`: the process or the system had no file descriptor, or no memory, left. */
  readonly reason: 'no-fd' | 'max-connections' | 'blocked';
  /** The peer, where it is still known. */
  readonly address: SocketAddress | undefined;
  /** With `'no-fd'`: what accept(2) said. */
  readonly error?: Error;
}

export interface ListenHandlers<Data = unknown> extends TcpHandlers<Data> {
  /** A connection was accepted only to be closed. */
  drop?(listener: TcpListener, info: DropInfo): void;
}

export interface Accepted {
  readonly stream: TcpStream;
  /** The peer; undefined when it has gone already. */
  readonly address: SocketAddress | undefined;
}

interface PendingAccept {
  resolve(accepted: Accepted): void;
  reject(error: unknown): void;
  stopWatch: (() => void) | null;
}

/** Accepts TCP connections, for handlers (`listen`) or for promises (`TcpListener.bind`). */
export class TcpListener implements EventHandler {
  readonly reactor: Reactor;
  #fd = -1;
  readonly #registration: Registration;
  readonly #handlers: ListenHandlers | null;
  /** Of the connections; a promise-style listener has none for handlers. */
  readonly #profile: StreamProfile | ConnectionProfile;
  readonly #noDelay: boolean;
  readonly #maxConnections: number;
  readonly #blockList: BlockList | undefined;
  /** Kept to be given up when there is no other, so that a peer can be turned away (T40). */
  #spareFd = -1;
  #resting = false;
  #waiting: PendingAccept[] = [];
  #connections = 0;

  private constructor(address: SocketAddressInput, options: ListenOptions, handlers: ListenHandlers | null) {
    checkObject('options', options);
    this.reactor = chooseReactor(options.reactor);
    this.#handlers = handlers;
    // Those that only connections with handlers heed are looked at all the same.
    if (handlers === null) toSettings(options);
    this.#profile =
      handlers === null
        ? toStreamProfile(this.reactor, toIdleTracker(this.reactor, options), this)
        : toConnectionProfile(this.reactor, handlers, options, this);
    this.#noDelay = options.noDelay ?? true;
    this.#maxConnections = options.maxConnections ?? Infinity;
    if (options.maxConnections !== undefined) {
      checkInteger('maxConnections', options.maxConnections, 0, Number.MAX_SAFE_INTEGER);
    }
    this.#blockList = options.blockList;
    if (options.blockList !== undefined) {
      checkObject('blockList', options.blockList);
      checkFunction('blockList.check', options.blockList.check);
    }
    this.#fd = openListener(address, options);
    try {
      const interest = handlers === null ? 0 : Interest.READABLE;
      this.#registration = this.reactor.registerAs(
        this.#fd,
        interest,
        this,
        toProfile({ mode: Mode.LEVEL, priority: 0 }),
      );
    } catch (error) {
      native.close(this.#fd);
      throw error;
    }
    this.#spareFd = openSpare();
  }

  /**
   * Listens for promises: `accept()`, or `for await (const stream of listener)`.
   *
   * @param address `'127.0.0.1:8080'`, `'[::1]:0'` or `{ host, port }`; an IP address, not a name
   * @throws (as rejection) TypeError, RangeError; EADDRINUSE, EADDRNOTAVAIL, EACCES and what else bind(2) says
   */
  static bind(address: SocketAddressInput, options: ListenOptions = {}): Promise<TcpListener> {
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

  /** Where it listens; undefined once closed. */
  get localAddress(): SocketAddress | undefined {
    return socketName(native.getsockname, this.#fd);
  }

  get closed(): boolean {
    return this.#fd < 0;
  }

  /** Its connections that are open. */
  get connections(): number {
    return this.#connections;
  }

  /** For `TcpConnection`. */
  connectionClosed(): void {
    this.#connections--;
  }

  // ---- accepting ----

  /**
   * The next connection. Several may wait at once; they are served in order.
   *
   * @throws (as rejection) ERR_TRIPOLL_CLOSED; EMFILE, ENFILE, ENOBUFS, ENOMEM; ERR_TRIPOLL_STATE on a listener with
   * handlers; ABORT_ERR, ERR_TRIPOLL_TIMEOUT, by which no connection is lost
   */
  // Async, so that a wrong option is a rejection too.
  async accept(options: CancelOptions = {}): Promise<Accepted> {
    checkCancel(options);
    if (this.closed) throw closedError('TcpListener');
    if (this.#handlers !== null) throw stateError('accept() on a listener with handlers');
    return new Promise((resolve, reject) => {
      const waiting: PendingAccept = { resolve, reject, stopWatch: null };
      this.#waiting.push(waiting);
      if (options.signal !== undefined || options.timeoutMs !== undefined) {
        waiting.stopWatch = watchCancel(options, this.reactor, (error) => {
          this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
          reject(error);
        });
      }
      this.#updateInterest();
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TcpStream, void, void> {
    while (!this.closed) {
      let accepted: Accepted;
      try {
        accepted = await this.accept();
      } catch (error) {
        // Closed while we waited: that is the end of the loop, not its failure.
        if (this.closed) return;
        throw error;
      }
      yield accepted.stream;
    }
  }

  onReady(): void {
    // Only now that a connection waits for nobody: who accepts in a loop asks again before the next turn.
    if (!this.#wantsMore) this.#updateInterest();
    for (let i = 0; i < ACCEPTS_PER_EVENT && this.#wantsMore; i++) {
      const fd = native.accept4(this.#fd, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) this.#take(fd);
      else if (fd === EAGAIN) break;
      else if (!TRY_NEXT.has(fd)) {
        this.#onAcceptError(fd);
        return;
      }
    }
  }

  get #wantsMore(): boolean {
    return this.#fd >= 0 && !this.#resting && (this.#handlers !== null || this.#waiting.length > 0);
  }

  #take(fd: number): void {
    if (this.#isUnwanted(fd)) return;
    // It may have been reset already; then the first read tells.
    if (this.#noDelay) native.setsockoptInt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    this.#connections++;
    if (this.#handlers !== null) {
      TcpConnection.accepted(fd, this.#profile as ConnectionProfile);
      return;
    }
    const waiting = this.#waiting.shift();
    waiting?.stopWatch?.();
    const stream = TcpStream.accepted(fd, this.#profile);
    waiting?.resolve({ stream, address: stream.remoteAddress });
  }

  #isUnwanted(fd: number): boolean {
    if (this.#connections >= this.#maxConnections) {
      this.#drop(fd, { reason: 'max-connections', address: socketName(native.getpeername, fd) });
      return true;
    }
    if (this.#blockList === undefined) return false;
    const address = socketName(native.getpeername, fd);
    const family = address?.family === 'IPv6' ? 'ipv6' : 'ipv4';
    if (address === undefined) return false;
    try {
      if (!this.#blockList.check(address.address, family)) return false;
    } catch (error) {
      // Who cannot be judged is kept out, and the listener is as good as before.
      native.fatalException(error);
    }
    this.#drop(fd, { reason: 'blocked', address });
    return true;
  }

  #drop(fd: number, info: DropInfo): void {
    native.close(fd);
    this.#tellDrop(info);
  }

  #tellDrop(info: DropInfo): void {
    try {
      this.#handlers?.drop?.(this, info);
    } catch (error) {
      // The listener is as good as before.
      native.fatalException(error);
    }
  }

  #onAcceptError(errno: number): void {
    const error = systemError(errno, 'accept');
    if (!NO_ROOM.has(errno)) {
      this.#fail(error);
      return;
    }
    this.#turnAway(error);
    this.#rejectWaiting(error);
    // The one who was told may have closed it.
    if (this.closed) return;
    // Under level mode an unaccepted connection fires for ever: rest, and look again (T40).
    this.#resting = true;
    this.#updateInterest();
    this.reactor
      .setTimer(BACK_OFF_MS, () => {
        this.#resting = false;
        if (this.#spareFd < 0 && !this.closed) this.#spareFd = openSpare();
        this.#updateInterest();
      })
      .unref();
  }

  /** Gives up the spare fd, so that at least one peer learns that there is no room. */
  #turnAway(error: Error): void {
    if (this.#spareFd < 0) return;
    native.close(this.#spareFd);
    const fd = native.accept4(this.#fd, SOCK_NONBLOCK | SOCK_CLOEXEC);
    const address = fd < 0 ? undefined : socketName(native.getpeername, fd);
    if (fd >= 0) native.close(fd);
    this.#spareFd = openSpare();
    if (fd >= 0) this.#tellDrop({ reason: 'no-fd', address, error });
  }

  /** The interest follows what is wanted: nobody waits, nothing is accepted. */
  #updateInterest(): void {
    if (this.#fd < 0) return;
    const interest = this.#wantsMore ? Interest.READABLE : 0;
    if (interest !== this.#registration.interest) this.#registration.setInterest(interest);
  }

  // ---- the end ----

  onError(error: unknown): void {
    this.#fail(error as Error);
  }

  onReactorClose(): void {
    this.close();
  }

  /** The listening socket itself is broken. */
  #fail(error: Error): void {
    this.#end(error);
    // A handler-style listener has nobody who waits.
    if (this.#handlers !== null) native.fatalException(error);
  }

  /** Stops listening; connections live on. Who waits is rejected with ERR_TRIPOLL_CLOSED. May be called twice. */
  close(): void {
    this.#end(closedError('TcpListener'));
  }

  #end(reason: Error): void {
    if (this.#fd < 0) return;
    const lost = this.#registration.active ? !this.#registration.deregister() : !this.reactor.closed;
    if (lost) native.disownFd(this.#fd);
    else native.close(this.#fd);
    this.#fd = -1;
    if (this.#spareFd >= 0) native.close(this.#spareFd);
    this.#spareFd = -1;
    this.#rejectWaiting(reason);
  }

  #rejectWaiting(reason: Error): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { reject, stopWatch } of waiting) {
      stopWatch?.();
      reject(reason);
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  /** Keeps the process alive (the default). */
  ref(): this {
    this.#registration.ref();
    return this;
  }

  unref(): this {
    this.#registration.unref();
    return this;
  }
}

function openListener(address: SocketAddressInput, options: ListenOptions): number {
  const { familyNumber, host, port, scopeId } = parseAddress(address);
  const { backlog = DEFAULT_BACKLOG, reusePort = false, ipv6Only = false } = options;
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

function setReusePort(fd: number): number {
  if (SO_REUSEPORT === undefined) return errnoOf('ENOTSUP');
  return native.setsockoptInt(fd, SOL_SOCKET, SO_REUSEPORT, 1);
}

/** -1 where there is none to spare; then the back-off alone must do. */
function openSpare(): number {
  return native.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
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
