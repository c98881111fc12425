export type { PeerCredentials } from './credentials.js';
export { PassedFds } from '../message/passed-fds.js';
export { connectUnix, UnixConnection } from './unix-connection.js';
export type { UnixConnectOptions, UnixConnectTarget, UnixHandlers } from './unix-connection.js';
export { listenUnix, UnixListener } from './unix-listener.js';
export type {
  UnixAccepted,
  UnixListenerBindOptions,
  UnixListenHandlers,
  UnixListenOptions,
  UnixListenTarget,
} from './unix-listener.js';
export type { UnixBindOptions, UnixSocketType } from './unix-socket.js';
export type { UnixAddress } from '../../sys/sockaddr.js';
export { UnixStream, type Received, type ReceiveOptions, type UnixStreamOptions } from './unix-stream.js';
export { bindUnixDatagram, UnixDatagram } from './unix-datagram.js';
export type {
  ReceivedUnixDatagram,
  ReceivedUnixMessage,
  ReceiveDatagramOptions,
  UnixDatagramHandlers,
  UnixDatagramOptions,
  UnixDatagramTarget,
} from './unix-datagram.js';
export type { SyncResult } from '../socket/handler-call.js';
