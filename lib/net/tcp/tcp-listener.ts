import type { BlockList } from 'node:net';
import { native } from '../../binding/native.js';
import { checkFunction, checkObject } from '../../binding/validate.js';
import { splitHostPort, type SocketAddress, type SocketAddressInput } from '../../sys/address.js';
import type { ConnectionProfile } from '../stream/connection-profile.js';
import { openListener, takeListener, type ListenOptions } from './open-listener.js';
import type { SocketHandle } from '../socket/detached.js';
import type { SettableSocketOptions } from '../socket/socket-options.js';
import { withOptions } from '../socket/place.js';
import { socketName } from '../socket/socket-name.js';
import { StreamListener, type AcceptedStream } from '../stream/stream-listener.js';
import type {
  DropHandlers,
  DropInfo as StreamDropInfo,
  StreamListenOptions,
} from '../stream/listen-options.js';
import { TCP_TRAITS, type StreamProfile } from '../stream/stream-profile.js';
import { checkTcpHandlers, TcpConnection, type TcpHandlers } from './tcp-connection.js';
import { TcpStream } from './tcp-stream.js';

const { IPPROTO_TCP, TCP_NODELAY, TCP_DEFER_ACCEPT } = native.constants;
/** An option's value, an int. */
const FLAG = new Uint8Array(4);

const NAMES: Readonly<
  Record<Exclude<keyof ListenOptions, keyof StreamListenOptions> | keyof ListenPlace, true>
> = {
  noDelay: true,
  reusePort: true,
  blockList: true,
  ipv6Only: true,
  host: true,
  port: true,
  fd: true,
};
type ListenPlace = Pick<ListenTarget, 'host' | 'port' | 'fd'>;

/** A listening socket that is there already, as from systemd. */
export interface GivenListener {
  /** A listening TCP socket, the listener's own from here on. */
  fd: number;
}

/** Where, and how, `listen` listens: an address, or a socket that listens already. */
export type ListenTarget = ListenOptions &
  (
    | {
        /** An IP address; there is no implicit one. */
        host: string;
        /** 0 lets the system choose: see `localAddress`. */
        port: number;
        fd?: undefined;
      }
    // As of `TcpListener.fromFd`.
    | { fd: number; host?: undefined; port?: undefined }
  );

/** Options of `TcpListener.bind`. */
export type BindOptions = ListenOptions & DropHandlers<TcpListener, SocketAddress>;
/** Why a TCP connection was dropped before its `open`. */
export type DropInfo = StreamDropInfo<SocketAddress>;
/** Handlers of `listen`: those of its connections, and `drop`. */
export type ListenHandlers<Data = unknown> = TcpHandlers<Data> & DropHandlers<TcpListener, SocketAddress>;
/** What `TcpListener.accept` gives. */
export type Accepted = AcceptedStream<TcpStream, SocketAddress>;

/** Accepts TCP connections, for handlers (`listen`) or for promises (`TcpListener.bind`). */
export class TcpListener extends StreamListener<TcpStream, SocketAddress, TcpConnection> {
  readonly #noDelay: boolean;
  /**
   * Whether connections have TCP_NODELAY from the listener, as on Linux and the BSDs; null: not
   * known yet.
   */
  #inheritsNoDelay: boolean | null = null;
  /** Whether what is accepted has bytes already (TCP_DEFER_ACCEPT); null: not known yet. */
  #defersAccept: boolean | null = null;
  readonly #blockList: BlockList | undefined;

  private constructor(
    where: SocketAddressInput | GivenListener,
    options: BindOptions,
    handlers: ListenHandlers | null,
  ) {
    super({
      options,
      handlers,
      isGiven: isGivenListener(where),
      names: NAMES,
      traits: TCP_TRAITS,
      open: (socketOptions) => {
        checkBlockList(options.blockList);
        return isGivenListener(where)
          ? takeListener(where.fd, socketOptions)
          : openListener(where, options, socketOptions);
      },
    });
    this.#noDelay = options.noDelay ?? true;
    this.#blockList = options.blockList;
  }

  /**
   * Listens for promises: `accept()`, or `for await (const stream of listener)`.
   *
   * @param address `'127.0.0.1:8080'`, `'[::1]:0'` or `{ host, port }`; an IP address, not a name
   * @throws (as rejection) TypeError, RangeError; EADDRINUSE, EADDRNOTAVAIL, EACCES and what else
   * bind(2) says
   */
  static override bind(address: SocketAddressInput, options: BindOptions = {}): Promise<TcpListener> {
    // Synchronous work under a promise, so that bad input is a rejection here too.
    return new Promise((resolve) => {
      resolve(new TcpListener(address, options, null));
    });
  }

  /**
   * The same on a TCP socket that listens already: it is checked, made non-blocking, and closed
   * with the listener. `backlog`, `reusePort` and `ipv6Only` do nothing.
   *
   * @throws (as rejection) TypeError; RangeError for what is no listening TCP socket; EBADF,
   * ENOTSOCK; EEXIST when this reactor has it already. The fd is still the caller's then.
   */
  static fromFd(fd: number, options: BindOptions = {}): Promise<TcpListener> {
    return new Promise((resolve) => {
      resolve(new TcpListener({ fd }, options, null));
    });
  }

  /** @internal For `attach`. */
  static attached(fd: number, options: BindOptions): TcpListener {
    return new TcpListener({ fd }, options, null);
  }

  /** @internal For `listen`. */
  static listening(
    place: ListenTarget | string,
    handlers: ListenHandlers,
    options: ListenOptions | undefined,
  ): TcpListener {
    const target = withOptions<ListenTarget, string>(place, options, splitHostPort);
    checkTcpHandlers(handlers, target.reactor);
    const where = isGivenListener(target) ? { fd: target.fd } : { host: target.host, port: target.port };
    return new TcpListener(where, target, handlers);
  }

  /**
   * Sets a typed option, as `setOption` of its fd.
   *
   * @throws as that; ERR_TRIPOLL_CLOSED
   */
  override setOption<Name extends keyof SettableSocketOptions>(
    name: Name,
    value: SettableSocketOptions[Name],
  ): void {
    super.setOption(name, value);
    this.#inheritsNoDelay = null;
    this.#defersAccept = null;
  }

  /**
   * Gives the listening socket to another thread, or to another object of this one: this object
   * closes without closing it. Connections that nobody has accepted are still in its backlog; those
   * of this listener stay where they are. Who waits in `accept` is rejected. The options of this
   * object, as `maxConnections` or `noDelay`, do not go along.
   *
   * @returns the handle for `attach`
   * @throws (as rejection) ERR_TRIPOLL_CLOSED
   */
  // Async: also that it is closed is a rejection.
  async detach(): Promise<SocketHandle<'tcp-listener'>> {
    return Promise.resolve(this.detachAs('tcp-listener', {}));
  }

  protected override configure(fd: number): void {
    if (!this.#noDelay || this.#inheritsNoDelay === true) return;
    // Asked of the first connection: a system call less for each of the others.
    this.#inheritsNoDelay ??= isSet(fd, TCP_NODELAY);
    // It may have been reset already; then the first read tells.
    if (!this.#inheritsNoDelay) native.setsockoptInt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  }

  protected override get mayBlock(): boolean {
    return this.#blockList !== undefined;
  }

  protected override isBlocked(address: SocketAddress | undefined): boolean {
    const family = address?.family === 'IPv6' ? 'ipv6' : 'ipv4';
    return address !== undefined && this.#blockList?.check(address.address, family) === true;
  }

  protected toConnection(fd: number, profile: ConnectionProfile): void {
    this.#defersAccept ??= TCP_DEFER_ACCEPT !== undefined && isSet(this.fd, TCP_DEFER_ACCEPT);
    TcpConnection.accepted(fd, profile, this.#defersAccept);
  }

  protected toStream(fd: number, profile: StreamProfile): TcpStream {
    return TcpStream.accepted(fd, profile);
  }

  protected nameOf(side: 'local' | 'remote', fd: number): SocketAddress | undefined {
    return socketName(side, fd);
  }
}

function isSet(fd: number, name: number): boolean {
  return native.getsockopt(fd, IPPROTO_TCP, name, FLAG) > 0 && FLAG.some((byte) => byte !== 0);
}

function checkBlockList(blockList: BlockList | undefined): void {
  if (blockList === undefined) return;
  checkObject('blockList', blockList);
  checkFunction('blockList.check', blockList.check);
}

function isGivenListener(where: unknown): where is GivenListener {
  return (where as Partial<GivenListener> | null | undefined)?.fd !== undefined;
}

/**
 * Listens handler-style: the fast path. All connections share `handlers`.
 *
 * @param target `{ host, port, ...options }`, `{ fd, ...options }`, or only `'host:port'` with the
 * options behind
 * @param options for a `target` that is a string
 * @throws TypeError, RangeError for wrong arguments; EADDRINUSE, EADDRNOTAVAIL, EACCES and what
 * else bind(2) says; ERR_TRIPOLL_CLOSED
 */
export function listen<Data = unknown>(
  target: ListenTarget | string,
  handlers: ListenHandlers<Data>,
  options?: ListenOptions,
): TcpListener {
  return TcpListener.listening(target, handlers, options);
}
