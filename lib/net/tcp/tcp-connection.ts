import { EINVAL } from '../../binding/errnos.js';
import { tellsPriority } from '../../binding/capabilities.js';
import { unsupportedError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkFunction, checkNames } from '../../binding/validate.js';
import { Readiness } from '../../poller/flags.js';
import { chooseReactor } from '../../reactor/choose-reactor.js';
import { abortedBefore, checkCancelTypes, type CancelOptions } from '../../reactor/cancellation.js';
import type { Reactor } from '../../reactor/reactor.js';
import { splitHostPort, type SocketAddress } from '../../sys/address.js';
import {
  checkHandlers,
  toConnectionProfile,
  type ConnectionProfile,
  CONNECTION_NAMES,
  type SocketConnectionOptions,
  type StreamHandlers,
} from '../stream/connection-profile.js';
import type { SocketHandle } from '../socket/detached.js';
import type { DetachOptions } from '../stream/detaching.js';
import { adopt, adoptReady } from '../stream/opening.js';
import { SocketConnection } from '../stream/socket-connection.js';
import { CONNECT_NAMES, ConnectRace, type ConnectOptions } from './connect-race.js';
import { withOptions } from '../socket/place.js';
import { socketName } from '../socket/socket-name.js';
import { receiveNow } from '../socket/stream-calls.js';
import { isUrgentInline, urgentInline } from '../stream/state.js';
import { TCP_TRAITS, type TcpOptions } from '../stream/stream-profile.js';
import { extrasOf } from './tcp-extras.js';
import { urgentSource } from './urgent.js';
import type { TcpStream } from './tcp-stream.js';
import type { StreamListener } from '../stream/stream-listener.js';
import { writeZeroCopy, type ZeroCopyResult } from './zero-copy.js';

const { MSG_OOB } = native.constants;
const urgentByte = new Uint8Array(1);

/** Handlers of a TCP connection; all are optional. */
export interface TcpHandlers<Data = unknown> extends StreamHandlers<TcpConnection<Data>> {
  /**
   * An urgent byte came (MSG_OOB), paused or not, ahead of the bytes before it that `data` has not
   * been given. TCP keeps one: a second that comes at once replaces it. Under the option
   * `urgentInline` it is among the bytes of `data` instead.
   */
  urgent?(connection: TcpConnection<Data>, byte: number): unknown;
}

/**
 * @throws TypeError; ERR_TRIPOLL_UNSUPPORTED for `urgent` under the kqueue of FreeBSD and NetBSD,
 * which does not tell of it
 */
export function checkTcpHandlers(handlers: unknown, reactor: Reactor | undefined): void {
  checkHandlers(handlers);
  const { urgent } = handlers as Partial<TcpHandlers>;
  if (urgent === undefined) return;
  checkFunction('handlers.urgent', urgent);
  if (!tellsPriority(chooseReactor(reactor).backend))
    throw unsupportedError('the kqueue of this system does not tell of urgent data');
}

/** Options of a handler-style TCP connection. */
export interface ConnectionOptions extends SocketConnectionOptions, TcpOptions {}

/**
 * What `connect` takes besides the place. `signal` and `timeoutMs` are for the connecting: once
 * open they have no effect.
 */
export interface ConnectTargetOptions extends ConnectionOptions, ConnectOptions {}

/** Target of a connect, and its options. */
export interface ConnectTarget extends ConnectTargetOptions {
  /** A name or an address. */
  host: string;
  /** 1 to 65535. */
  port: number;
}

/** A handler-style TCP connection: made by `listen` and `connect`. */
export class TcpConnection<Data = unknown> extends SocketConnection<Data> {
  /** @internal For `TcpListener`; `isReady`: its first bytes have come. */
  static accepted(fd: number, profile: ConnectionProfile, isReady: boolean): void {
    const connection = new TcpConnection(profile);
    if (isReady) {
      adoptReady(connection, fd);
      return;
    }
    adopt(connection, fd);
    if (connection.isOpen) connection.onOpen();
  }

  /** @internal For `lib/node`: a connected socket from elsewhere, that stays its owner's if this fails. */
  static given(fd: number, profile: ConnectionProfile): TcpConnection {
    const connection = new TcpConnection(profile);
    adopt(connection, fd, true);
    return connection;
  }

  /** @internal For `attach`. */
  static attached(
    handle: SocketHandle,
    handlers: TcpHandlers,
    options: SocketConnectionOptions,
  ): TcpConnection {
    checkNames('options', options, CONNECTION_NAMES);
    checkTcpHandlers(handlers, options.reactor);
    const reactor = chooseReactor(options.reactor);
    const profile = toConnectionProfile(reactor, handlers, options, null, TCP_TRAITS);
    return new TcpConnection(profile).attachTo(handle);
  }

  /** @internal For `connect`. */
  static connecting<Data>(
    to: ConnectTarget | string,
    handlers: TcpHandlers<Data>,
    options: ConnectTargetOptions | undefined,
  ): TcpConnection<Data> {
    const target = withOptions<ConnectTarget, string>(to, options, splitHostPort);
    checkNames('target', target, CONNECTION_NAMES, CONNECT_NAMES, { host: true, port: true });
    checkTcpHandlers(handlers, target.reactor);
    checkCancelTypes(target);
    const hostPort = splitHostPort(target);
    const reactor = chooseReactor(target.reactor);
    const profile = toConnectionProfile(reactor, handlers, target, null, TCP_TRAITS);
    const connection = new TcpConnection<Data>(profile);
    const aborted = abortedBefore(target);
    if (aborted === null) {
      connection.connectBy(new ConnectRace(connection, profile, hostPort, target));
    } else connection.destroy(aborted);
    return connection;
  }

  /** The listener that accepted it; null for one that was connected. */
  get listener(): StreamListener<TcpStream, SocketAddress> | null {
    return this.profile.listener as StreamListener<TcpStream, SocketAddress> | null;
  }

  /**
   * Gives the socket to another thread, or to another object of this one: waits until all that was
   * written is out, then this object closes without closing the socket; of the handlers `close` is
   * told. From the call on `data` gets no more bytes, also when a handler makes it: they stay in the
   * socket, and an end of our side stays ended. What is corked is let go. Options of the socket go
   * along; what this object has, as its handlers, `data`, water marks, `idleTimeoutMs` or a pause,
   * does not.
   *
   * @returns the handle for `attach`
   * @throws (as rejection) as `SocketStream.detach`; what ended the connection, which `error` tells
   * too: it may be ignored here
   */
  detach(options: DetachOptions = {}): Promise<SocketHandle<'tcp'>> {
    return this.detachAs('tcp', options);
  }

  protected addressOf(side: 'local' | 'remote'): SocketAddress | undefined {
    return socketName(side, this.fd);
  }

  // ---- what few connections need ----

  /**
   * Writes one byte as urgent data (MSG_OOB), in the order of the other writes.
   *
   * @returns as `write`
   * @throws as `write`; RangeError
   */
  sendUrgent(byte: number): boolean {
    return this.writeSource(urgentSource(byte), 1);
  }

  /**
   * Writes without the copy into the kernel (MSG_ZEROCOPY), in the order of the other writes;
   * counts nothing in `queuedBytes`. Else as `TcpStream.writeZeroCopy`.
   *
   * @param memory a view of `allocateZeroCopy`; not to be written to until the promise settles, and
   * after a rejection no more at all: the kernel may still be sending it
   * @throws (as rejection) as `TcpStream.writeZeroCopy`; what ended the connection, which `error`
   * tells too: it may be ignored here
   */
  writeZeroCopy(memory: Uint8Array, options?: CancelOptions): Promise<ZeroCopyResult> {
    return this.guarded(writeZeroCopy(this, extrasOf(this.ensureCold(), this).zeroCopy, memory, options));
  }

  /** @internal */
  override get wantsPriority(): boolean {
    const wantsUrgent = (this.profile.handlers as TcpHandlers).urgent !== undefined;
    return (wantsUrgent && !isUrgentInline(this.state)) || super.wantsPriority;
  }

  protected override onHangUp(readiness: number): number {
    if ((readiness & Readiness.PRIORITY) !== 0) this.#receiveUrgent();
    return super.onHangUp(readiness);
  }

  #receiveUrgent(): void {
    const handlers = this.profile.handlers as TcpHandlers;
    if (handlers.urgent === undefined) return;
    const received = receiveNow(this.fd, urgentByte, 1, MSG_OOB);
    const byte = urgentByte[0] ?? 0;
    if (received > 0) this.callHandler((connection: TcpConnection) => handlers.urgent?.(connection, byte));
    // Else it is still on its way, or was read past; what has failed the next read meets.
    if (received !== EINVAL || !this.profile.interest.tellsAgain || !this.getOption('urgentInline')) return;
    // Level mode would be told of it for as long as nobody reads up to it.
    this.state = urgentInline(this.state);
    this.updateInterest();
  }

  /** Closes with a RST. */
  reset(): void {
    this.resetByUser();
  }
}

/**
 * Connects handler-style; returns at once, `open` tells when it is done. A failed connect is
 * `error` and `close`, without `open`.
 *
 * @param target `{ host, port, ...options }`, or only `'host:port'` with the options behind; `host`
 * may be a name, whose addresses are raced
 * @param options for a `target` that is a string
 * @throws TypeError, RangeError for wrong arguments; ERR_TRIPOLL_CLOSED
 */
export function connect<Data = unknown>(
  target: ConnectTarget | string,
  handlers: TcpHandlers<Data>,
  options?: ConnectTargetOptions,
): TcpConnection<Data> {
  return TcpConnection.connecting(target, handlers, options);
}
