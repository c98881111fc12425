export { DatagramBatch, type DatagramBatchOptions } from './datagram-batch.js';
export type { DatagramError } from './datagram-records.js';
export { bindUdp, UdpEndpoint } from './udp-endpoint.js';
export type { UdpEndpointOptions, UdpHandlers, UdpTarget } from './udp-endpoint.js';
export type {
  DatagramOptions,
  MembershipOptions,
  SettableUdpSocketOptions,
  UdpOptions,
  UdpSocketOptions,
} from './udp-options.js';
export { UdpSocket, type UdpConnectOptions } from './udp-socket.js';
export type { ReceivedDatagram, SendOptions } from './single-datagram.js';
export type { SyncResult } from '../socket/handler-call.js';
