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
