export { copyBidirectional, type CopyOptions, type CopyResult } from './copy.js';
export { ReadHalf, WriteHalf } from './split.js';
export { connect, TcpConnection } from './tcp-connection.js';
export type { ConnectionOptions, ConnectTarget, TcpHandlers } from './tcp-connection.js';
export { listen, TcpListener } from './tcp-listener.js';
export type { Accepted, DropInfo, ListenHandlers, ListenOptions, ListenTarget } from './tcp-listener.js';
export { TcpStream, type StreamOptions } from './tcp-stream.js';
export type { Family, SocketAddress, SocketAddressInput } from '../sys/address.js';
export * from './framing/index.js';
