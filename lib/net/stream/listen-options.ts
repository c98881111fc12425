import type { SettableSocketOptions } from '../socket/socket-options.js';
import type { SocketConnectionOptions } from './connection-profile.js';

/** Options of listeners of any family, in both styles. */
export interface StreamListenOptions extends SocketConnectionOptions {
  /** Default 4096. */
  backlog?: number | undefined;
  /**
   * More connections than this at a time are accepted only to be closed, and told to `drop`.
   * Default: no limit.
   */
  maxConnections?: number | undefined;
  /**
   * Options of the listening socket, set before bind, in this order; on Linux connections inherit
   * most of them.
   */
  socketOptions?: Partial<SettableSocketOptions> | undefined;
  /**
   * Options of each connection, set when it has been accepted; one that refuses an option is
   * dropped.
   */
  acceptedSocketOptions?: Partial<SettableSocketOptions> | undefined;
}

type OwnNames = Exclude<keyof StreamListenOptions, keyof SocketConnectionOptions>;

/** Names of `StreamListenOptions` besides those of its connections. */
export const LISTEN_NAMES: Readonly<Record<OwnNames, true>> = {
  backlog: true,
  maxConnections: true,
  socketOptions: true,
  acceptedSocketOptions: true,
};

/** The name of the option of a listener for promises. */
export const DROP_NAME = { drop: true } as const;

/** Why a connection was dropped before its `open`. */
export interface DropInfo<Address> {
  /** `'no-fd'`: the process or the system had no file descriptor, or no memory, left. */
  readonly reason: 'no-fd' | 'max-connections' | 'blocked' | 'socket-option';
  /** The peer, where it is still known. */
  readonly address: Address | undefined;
  /**
   * With `'no-fd'` what accept(2) said, with `'socket-option'` (of `acceptedSocketOptions`) what
   * setsockopt(2) said.
   */
  readonly error?: Error;
}

/**
 * What a listener calls besides the handlers of its connections: one of `listen` among its
 * handlers, of `bind` among its options.
 */
export interface DropHandlers<Listener, Address> {
  /** A connection was accepted only to be closed. */
  drop?(listener: Listener, info: DropInfo<Address>): void;
}
