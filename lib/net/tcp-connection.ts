import { checkObject } from '../binding/validate.js';
import { abortedBefore, checkCancelTypes } from '../reactor/cancellation.js';
import { splitHostPort, type SocketAddress } from '../sys/address.js';
import {
  checkHandlers,
  SocketConnection,
  toConnectionProfile,
  type ConnectionProfile,
  type SocketConnectionOptions,
  type StreamHandlers,
} from './socket-connection.js';
import type { ConnectOptions } from './connect-race.js';
import { socketName } from './stream-core.js';
import { chooseReactor, TCP_TRAITS, type TcpOptions } from './stream-profile.js';
import type { TcpListener } from './tcp-listener.js';

export type TcpHandlers<Data = unknown> = StreamHandlers<TcpConnection<Data>>;

export interface ConnectionOptions extends SocketConnectionOptions, TcpOptions {}

/** `signal` and `timeoutMs` are for the connecting: once open they have no effect. */
export interface ConnectTarget extends ConnectionOptions, ConnectOptions {
  /** A name or an address. */
  host: string;
  port: number;
}

/** A handler-style TCP connection: made by `listen` and `connect`. */
export class TcpConnection<Data = unknown> extends SocketConnection<Data> {
  /** For `TcpListener`. */
  static accepted(fd: number, profile: ConnectionProfile): void {
    const connection = new TcpConnection(profile);
    connection.adopt(fd);
    if (connection.isOpen) connection.onOpen();
  }

  /** For `connect`. */
  static connecting<Data>(to: ConnectTarget | string, handlers: TcpHandlers<Data>): TcpConnection<Data> {
    const target: ConnectTarget = typeof to === 'string' ? splitHostPort(to) : to;
    checkObject('target', target);
    checkHandlers(handlers);
    checkCancelTypes(target);
    const hostPort = splitHostPort(target);
    const reactor = chooseReactor(target.reactor);
    const profile = toConnectionProfile(reactor, handlers, target, null, TCP_TRAITS);
    const connection = new TcpConnection<Data>(profile);
    const aborted = abortedBefore(target);
    if (aborted === null) connection.connectTo(hostPort, target);
    else connection.destroy(aborted);
    return connection;
  }

  /** Whose `accept` made it; null for one that was connected. */
  get listener(): TcpListener | null {
    return this.profile.listener as TcpListener | null;
  }

  protected addressOf(side: 'local' | 'remote'): SocketAddress | undefined {
    return socketName(side, this.fd);
  }

  /** Closes with a RST. */
  reset(): void {
    this.resetByUser();
  }
}

/**
 * Connects handler-style; returns at once, `open` tells when it is done. A failed connect is `error` and
 * `close`, without `open`.
 *
 * @param target `{ host, port, ...options }` or only `'host:port'`; `host` may be a name, whose addresses are raced
 * @throws TypeError, RangeError for wrong arguments; ERR_TRIPOLL_CLOSED
 */
export function connect<Data = unknown>(
  target: ConnectTarget | string,
  handlers: TcpHandlers<Data>,
): TcpConnection<Data> {
  return TcpConnection.connecting(target, handlers);
}
