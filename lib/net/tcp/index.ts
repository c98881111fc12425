// The entry tripoll/tcp: what the core bundle has, so that an import loads no more than a require.
export { connect, TcpConnection } from './tcp-connection.js';
export type {
  ConnectionOptions,
  ConnectTarget,
  ConnectTargetOptions,
  TcpHandlers,
} from './tcp-connection.js';
export { listen, TcpListener } from './tcp-listener.js';
export type {
  Accepted,
  BindOptions,
  DropInfo,
  GivenListener,
  ListenHandlers,
  ListenTarget,
} from './tcp-listener.js';
export type { ListenOptions } from './open-listener.js';
export { TcpStream, type StreamOptions } from './tcp-stream.js';
