export { copyBidirectional, type CopyOptions, type CopyResult } from './copy.js';
export type { SocketStream } from './socket-stream.js';
export { ReadHalf, WriteHalf } from './split.js';
export { connect, TcpConnection } from './tcp-connection.js';
export type { ConnectionOptions, ConnectTarget, TcpHandlers } from './tcp-connection.js';
export { listen, TcpListener } from './tcp-listener.js';
export type {
  Accepted,
  BindOptions,
  DropInfo,
  ListenHandlers,
  ListenOptions,
  ListenTarget,
} from './tcp-listener.js';
export type { ShutdownResult } from './listener-shutdown.js';
export { TcpStream, type StreamOptions } from './tcp-stream.js';
export type { Family, SocketAddress, SocketAddressInput } from '../sys/address.js';
export * from './framing/index.js';
export { getOption, getRawOption, setOption, setRawOption } from './socket-options.js';
export type { SettableSocketOptions, SocketOptionName } from './socket-options.js';
export type { SocketOptions } from './socket-option-table.js';
export { decodeTcpInfo, tcpInfo, type TcpInfo } from './tcp-info.js';
export type { ConnectOptions } from './connect-race.js';
export type { Resolver } from './resolve.js';
export { listenFds, type ListenFd } from './listen-fds.js';
export type { AnyStream, SendfileOptions } from './tcp-extras.js';
export { allocateZeroCopy, type ZeroCopyResult } from './zero-copy.js';
export type { GivenListener } from './tcp-listener.js';
export { DatagramBatch, type DatagramBatchOptions } from './datagram-batch.js';
export type { DatagramError } from './datagram-records.js';
export { bindUdp, UdpEndpoint, type UdpHandlers, type UdpTarget } from './udp-endpoint.js';
export type { MembershipOptions, UdpOptions, UdpSettings } from './udp-options.js';
export { UdpSocket, type ReceivedDatagram, type SendOptions, type UdpConnectOptions } from './udp-socket.js';
export { AsyncFd, type AsyncFdOptions, type FdCall } from './async-fd.js';
export * from './sources/index.js';
export * from './unix/index.js';
