export { copyBidirectional, type CopyOptions, type CopyResult } from './copy/copy.js';
export type { SocketStream } from './stream/socket-stream.js';
export { ReadHalf, WriteHalf } from './stream/split.js';
export { connect, TcpConnection } from './tcp/tcp-connection.js';
export type { ConnectionOptions, ConnectTarget, TcpHandlers } from './tcp/tcp-connection.js';
export { listen, TcpListener } from './tcp/tcp-listener.js';
export type {
  Accepted,
  BindOptions,
  DropInfo,
  ListenHandlers,
  ListenOptions,
  ListenTarget,
} from './tcp/tcp-listener.js';
export type { ShutdownResult } from './stream/listener-shutdown.js';
export { TcpStream, type StreamOptions } from './tcp/tcp-stream.js';
export type { Family, SocketAddress, SocketAddressInput } from '../sys/address.js';
export * from './framing/index.js';
export { getOption, getRawOption, setOption, setRawOption } from './socket/socket-options.js';
export type { SettableSocketOptions, SocketOptionName } from './socket/socket-options.js';
export type { SocketOptions } from './socket/socket-option-table.js';
export { decodeTcpInfo, tcpInfo, type TcpInfo } from './tcp/tcp-info.js';
export type { ConnectOptions } from './tcp/connect-race.js';
export type { Resolver } from './socket/resolve.js';
export { listenFds, type ListenFd } from './socket/listen-fds.js';
export type { AnyStream, SendfileOptions } from './stream/transfer.js';
export { allocateZeroCopy, type ZeroCopyResult } from './tcp/zero-copy.js';
export type { GivenListener } from './tcp/tcp-listener.js';
export { DatagramBatch, type DatagramBatchOptions } from './udp/datagram-batch.js';
export type { DatagramError } from './udp/datagram-records.js';
export { bindUdp, UdpEndpoint, type UdpHandlers, type UdpTarget } from './udp/udp-endpoint.js';
export type { MembershipOptions, UdpOptions, UdpSettings } from './udp/udp-options.js';
export {
  UdpSocket,
  type ReceivedDatagram,
  type SendOptions,
  type UdpConnectOptions,
} from './udp/udp-socket.js';
export { AsyncFd, type AsyncFdOptions, type FdCall } from './fd/async-fd.js';
export * from './sources/index.js';
export * from './unix/index.js';
