export { DatagramBatch, type DatagramBatchOptions } from './datagram-batch.js';
export type { DatagramError } from './datagram-records.js';
export { bindUdp, UdpEndpoint, type UdpHandlers, type UdpTarget } from './udp-endpoint.js';
export type { MembershipOptions, UdpOptions, UdpSettings } from './udp-options.js';
export { UdpSocket, type ReceivedDatagram, type SendOptions, type UdpConnectOptions } from './udp-socket.js';
