import type { SocketConnectionOptions } from './socket-connection.js';
import type { StreamListenOptions } from './stream-listener.js';

type OwnNames = Exclude<keyof StreamListenOptions, keyof SocketConnectionOptions>;

/** Names of `StreamListenOptions` besides those of its connections. */
export const LISTEN_NAMES: Readonly<Record<OwnNames, true>> = {
  backlog: true,
  maxConnections: true,
  socketOptions: true,
  acceptedSocketOptions: true,
};

/** Of a listener for promises, whose options have it. */
export const DROP_NAME = { drop: true } as const;
