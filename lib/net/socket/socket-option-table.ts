import type { ConstantName } from '../../binding/constant-names.js';
import type { SocketAddress } from '../../sys/address.js';

/**
 * The common socket options by name. Linux means: that system alone. Where this platform's headers
 * lack an option's constant, its use throws ERR_TRIPOLL_UNSUPPORTED. Source: socket(7), ip(7),
 * ipv6(7), tcp(7), udp(7).
 */
export interface SocketOptions {
  // ---- SOL_SOCKET ----
  /** SO_REUSEADDR; all systems. */
  reuseAddress: boolean;
  /**
   * SO_REUSEPORT: set on each socket before bind; Linux, macOS, BSD (where only Linux spreads
   * connections).
   */
  reusePort: boolean;
  /** SO_BROADCAST; all systems. */
  broadcast: boolean;
  /** SO_KEEPALIVE; all systems. */
  keepAlive: boolean;
  /** SO_OOBINLINE: urgent bytes stay in the stream; all systems. */
  urgentInline: boolean;
  /** SO_DONTROUTE; all systems. */
  doNotRoute: boolean;
  /**
   * SO_LINGER: 0, a close resets; or null, off. Set to no more than 0: close(2) would hold this
   * thread for so long, although the socket is non-blocking (socket(7)), and WinSock refuses it;
   * all systems.
   */
  lingerSeconds: number | null;
  /** SO_RCVBUF; Linux doubles what is set; all systems. */
  receiveBufferBytes: number;
  /** SO_SNDBUF; Linux doubles what is set; all systems. */
  sendBufferBytes: number;
  /** SO_RCVBUFFORCE: above net.core.rmem_max, with CAP_NET_ADMIN; to be set only; Linux. */
  receiveBufferForceBytes: number;
  /** SO_SNDBUFFORCE: above net.core.wmem_max, with CAP_NET_ADMIN; to be set only; Linux. */
  sendBufferForceBytes: number;
  /** SO_RCVLOWAT: readable only from so many bytes on; Unix. */
  receiveLowWaterMarkBytes: number;
  /** SO_BINDTODEVICE: an interface's name, '' for any; needs CAP_NET_RAW to change; Linux. */
  bindToDevice: string;
  /** SO_MARK, for routing and filters; needs CAP_NET_ADMIN or CAP_NET_RAW; Linux. */
  mark: number;
  /** SO_PRIORITY, 0 to 6, more with CAP_NET_ADMIN; Linux. */
  priority: number;
  /**
   * SO_INCOMING_CPU: the CPU that took the last packet; set on a reusePort listener: prefer it
   * there; Linux.
   */
  incomingCpu: number;
  /** SO_INCOMING_NAPI_ID, to be read only; Linux 4.12. */
  incomingNapiId: number;
  /** SO_BUSY_POLL: microseconds; raising it needs CAP_NET_ADMIN; Linux. */
  busyPollUs: number;
  /** SO_PREFER_BUSY_POLL; Linux 5.11. */
  preferBusyPoll: boolean;
  /** SO_ZEROCOPY: allows MSG_ZEROCOPY; Linux 4.14. */
  zeroCopy: boolean;
  /** SO_MAX_PACING_RATE: bytes a second, 2^32 - 1 is no limit; Linux. */
  maxPacingRateBytes: number;
  /** SO_TYPE, to be read only: `sys.constants.SOCK_STREAM` and others; all systems. */
  type: number;
  /** SO_DOMAIN, to be read only: `sys.constants.AF_INET` and others; Linux, FreeBSD. */
  domain: number;
  /** SO_PROTOCOL, to be read only; Linux, FreeBSD. */
  protocol: number;
  /** SO_ACCEPTCONN, to be read only: whether it listens; all systems. */
  acceptConnections: boolean;

  // ---- TCP ----
  /** TCP_NODELAY; all systems. */
  tcpNoDelay: boolean;
  /** TCP_CORK: holds partial segments back for at most 200 ms; Linux. */
  tcpCork: boolean;
  /** TCP_QUICKACK: not lasting, the kernel may leave it again; Linux. */
  tcpQuickAck: boolean;
  /** TCP_MAXSEG; Unix. */
  tcpMaxSegmentBytes: number;
  /**
   * TCP_KEEPIDLE: silence before the first probe; Linux, FreeBSD, Windows (macOS: TCP_KEEPALIVE).
   */
  tcpKeepIdleSeconds: number;
  /** TCP_KEEPINTVL: between probes; all systems. */
  tcpKeepIntervalSeconds: number;
  /** TCP_KEEPCNT: unanswered probes that end it; all systems. */
  tcpKeepCount: number;
  /** TCP_USER_TIMEOUT: how long bytes may stay unacknowledged, 0 is the system's own; Linux. */
  tcpUserTimeoutMs: number;
  /** TCP_SYNCNT: how often a SYN is sent again; Linux. */
  tcpSynCount: number;
  /**
   * TCP_DEFER_ACCEPT: accept only what has sent bytes, waiting so long; rounded up by the kernel;
   * Linux. A connection with handlers is then read as it is accepted: a request that is answered
   * and closed at once costs a fifth less.
   */
  tcpDeferAcceptSeconds: number;
  /** TCP_FASTOPEN on a listener: how many may wait; Linux, FreeBSD, macOS (0 or 1). */
  tcpFastOpen: number;
  /** TCP_FASTOPEN_CONNECT: the first write goes out with the SYN; before connect; Linux 4.11. */
  tcpFastOpenConnect: boolean;
  /** TCP_NOTSENT_LOWAT: writable only below so many unsent bytes; Linux, macOS. */
  tcpNotSentLowWaterMarkBytes: number;
  /** TCP_WINDOW_CLAMP; Linux. */
  tcpWindowClampBytes: number;
  /** TCP_LINGER2: in FIN-WAIT-2; Linux. */
  tcpFinWaitSeconds: number;
  /** TCP_CONGESTION: the name of the algorithm; Linux, FreeBSD. */
  tcpCongestion: string;
  /** TCP_THIN_LINEAR_TIMEOUTS; Linux. */
  tcpThinLinearTimeouts: boolean;
  /** TCP_SAVE_SYN, on a listener; Linux. */
  tcpSaveSyn: boolean;

  // ---- IP ----
  /** IP_TOS, with ECN in its two low bits; all systems. */
  ipTos: number;
  /** IP_TTL, 1 to 255; all systems. */
  ipTtl: number;
  /** IP_MINTTL: drops what has less; Linux, FreeBSD. */
  ipMinTtl: number;
  /** IP_TRANSPARENT: sockets on addresses of others; needs CAP_NET_ADMIN; Linux. */
  ipTransparent: boolean;
  /** IP_FREEBIND: binds to an address that is not here yet; Linux. */
  ipFreeBind: boolean;
  /** IP_BIND_ADDRESS_NO_PORT: bind with port 0 leaves the port to connect; Linux 4.2. */
  ipBindAddressNoPort: boolean;
  /** IP_LOCAL_PORT_RANGE: low port + (high port << 16), 0 is the system's; Linux 6.3. */
  ipLocalPortRange: number;
  /** IP_MTU of a connected socket, to be read only; Linux, Windows. */
  ipMtu: number;
  /** IP_MTU_DISCOVER: 0 never to 3 probe; Linux. */
  ipMtuDiscover: number;
  /**
   * SO_ORIGINAL_DST: where a redirected connection was going, IPv4 or IPv6, to be read only; Linux,
   * netfilter.
   */
  originalDestination: SocketAddress;
  /** IP_RECVERR: ICMP errors come to the error queue; Linux. */
  ipReceiveErrors: boolean;
  /** IP_PKTINFO, of datagrams; Linux, macOS, Windows. */
  ipPacketInfo: boolean;
  /** IP_RECVTOS, of datagrams; Linux, macOS, FreeBSD, Windows. */
  ipReceiveTos: boolean;
  /** IP_RECVTTL, of datagrams; Linux, macOS, FreeBSD, Windows. */
  ipReceiveTtl: boolean;
  /** IP_RECVORIGDSTADDR; Linux. */
  ipReceiveOriginalDestination: boolean;
  /** IP_MULTICAST_TTL; all systems. */
  ipMulticastTtl: number;
  /** IP_MULTICAST_LOOP; all systems. */
  ipMulticastLoop: boolean;
  /** IP_MULTICAST_ALL: false gives only the groups that this socket joined; Linux. */
  ipMulticastAll: boolean;

  // ---- IPv6 ----
  /** IPV6_V6ONLY; all systems. */
  ipv6Only: boolean;
  /** IPV6_TCLASS, with ECN in its two low bits; Unix. */
  ipv6TrafficClass: number;
  /** IPV6_UNICAST_HOPS, -1 is the system's own; all systems. */
  ipv6UnicastHops: number;
  /** IPV6_MULTICAST_HOPS; all systems. */
  ipv6MulticastHops: number;
  /** IPV6_MULTICAST_LOOP; all systems. */
  ipv6MulticastLoop: boolean;
  /** IPV6_TRANSPARENT; needs CAP_NET_ADMIN; Linux. */
  ipv6Transparent: boolean;
  /** IPV6_FREEBIND; Linux 4.15. */
  ipv6FreeBind: boolean;
  /** IPV6_MTU of a connected socket, to be read only; Linux. */
  ipv6Mtu: number;
  /** IPV6_MTU_DISCOVER; Linux. */
  ipv6MtuDiscover: number;
  /** IPV6_RECVERR; Linux. */
  ipv6ReceiveErrors: boolean;
  /** IPV6_RECVPKTINFO; all systems but Windows. */
  ipv6ReceivePacketInfo: boolean;
  /** IPV6_RECVTCLASS; Linux, macOS, FreeBSD. */
  ipv6ReceiveTrafficClass: boolean;
  /** IPV6_RECVHOPLIMIT; Linux, macOS, FreeBSD. */
  ipv6ReceiveHopLimit: boolean;

  // ---- UDP ----
  /** UDP_SEGMENT: one send becomes datagrams of this size, 0 is off; Linux 4.18. */
  udpSegmentBytes: number;
  /** UDP_GRO: datagrams of one sender may come as one; Linux 5.0. */
  udpGro: boolean;
  /** UDP_CORK; Linux. */
  udpCork: boolean;
}

export type OptionKind = 'boolean' | 'integer' | 'unsigned' | 'linger' | 'text' | 'address';

export interface OptionSpec {
  /** Names of constants. */
  readonly level: ConstantName;
  readonly option: ConstantName;
  readonly kind: OptionKind;
  readonly readOnly?: boolean;
}

type Row = readonly [option: ConstantName, kind: OptionKind, access?: 'read-only'];

function level<Rows extends Record<string, Row>>(
  name: ConstantName,
  rows: Rows,
): Record<keyof Rows, OptionSpec> {
  const specs = Object.entries(rows).map(([key, [option, kind, access]]) => [
    key,
    { level: name, option, kind, readOnly: access === 'read-only' },
  ]);
  return Object.fromEntries(specs) as Record<keyof Rows, OptionSpec>;
}

/** Where each option is, and how its value is laid out. */
export const table: Readonly<Record<keyof SocketOptions, OptionSpec>> = Object.freeze({
  ...level('SOL_SOCKET', {
    reuseAddress: ['SO_REUSEADDR', 'boolean'],
    reusePort: ['SO_REUSEPORT', 'boolean'],
    broadcast: ['SO_BROADCAST', 'boolean'],
    keepAlive: ['SO_KEEPALIVE', 'boolean'],
    urgentInline: ['SO_OOBINLINE', 'boolean'],
    doNotRoute: ['SO_DONTROUTE', 'boolean'],
    lingerSeconds: ['SO_LINGER', 'linger'],
    receiveBufferBytes: ['SO_RCVBUF', 'integer'],
    sendBufferBytes: ['SO_SNDBUF', 'integer'],
    receiveBufferForceBytes: ['SO_RCVBUFFORCE', 'integer'],
    sendBufferForceBytes: ['SO_SNDBUFFORCE', 'integer'],
    receiveLowWaterMarkBytes: ['SO_RCVLOWAT', 'integer'],
    bindToDevice: ['SO_BINDTODEVICE', 'text'],
    mark: ['SO_MARK', 'unsigned'],
    priority: ['SO_PRIORITY', 'integer'],
    incomingCpu: ['SO_INCOMING_CPU', 'integer'],
    incomingNapiId: ['SO_INCOMING_NAPI_ID', 'unsigned', 'read-only'],
    busyPollUs: ['SO_BUSY_POLL', 'integer'],
    preferBusyPoll: ['SO_PREFER_BUSY_POLL', 'boolean'],
    zeroCopy: ['SO_ZEROCOPY', 'boolean'],
    maxPacingRateBytes: ['SO_MAX_PACING_RATE', 'unsigned'],
    type: ['SO_TYPE', 'integer', 'read-only'],
    domain: ['SO_DOMAIN', 'integer', 'read-only'],
    protocol: ['SO_PROTOCOL', 'integer', 'read-only'],
    acceptConnections: ['SO_ACCEPTCONN', 'boolean', 'read-only'],
  }),
  ...level('IPPROTO_TCP', {
    tcpNoDelay: ['TCP_NODELAY', 'boolean'],
    tcpCork: ['TCP_CORK', 'boolean'],
    tcpQuickAck: ['TCP_QUICKACK', 'boolean'],
    tcpMaxSegmentBytes: ['TCP_MAXSEG', 'integer'],
    tcpKeepIdleSeconds: ['TCP_KEEPIDLE', 'integer'],
    tcpKeepIntervalSeconds: ['TCP_KEEPINTVL', 'integer'],
    tcpKeepCount: ['TCP_KEEPCNT', 'integer'],
    tcpUserTimeoutMs: ['TCP_USER_TIMEOUT', 'unsigned'],
    tcpSynCount: ['TCP_SYNCNT', 'integer'],
    tcpDeferAcceptSeconds: ['TCP_DEFER_ACCEPT', 'integer'],
    tcpFastOpen: ['TCP_FASTOPEN', 'integer'],
    tcpFastOpenConnect: ['TCP_FASTOPEN_CONNECT', 'boolean'],
    tcpNotSentLowWaterMarkBytes: ['TCP_NOTSENT_LOWAT', 'unsigned'],
    tcpWindowClampBytes: ['TCP_WINDOW_CLAMP', 'integer'],
    tcpFinWaitSeconds: ['TCP_LINGER2', 'integer'],
    tcpCongestion: ['TCP_CONGESTION', 'text'],
    tcpThinLinearTimeouts: ['TCP_THIN_LINEAR_TIMEOUTS', 'boolean'],
    tcpSaveSyn: ['TCP_SAVE_SYN', 'boolean'],
  }),
  ...level('IPPROTO_IP', {
    ipTos: ['IP_TOS', 'integer'],
    ipTtl: ['IP_TTL', 'integer'],
    ipMinTtl: ['IP_MINTTL', 'integer'],
    ipTransparent: ['IP_TRANSPARENT', 'boolean'],
    ipFreeBind: ['IP_FREEBIND', 'boolean'],
    ipBindAddressNoPort: ['IP_BIND_ADDRESS_NO_PORT', 'boolean'],
    ipLocalPortRange: ['IP_LOCAL_PORT_RANGE', 'unsigned'],
    ipMtu: ['IP_MTU', 'integer', 'read-only'],
    ipMtuDiscover: ['IP_MTU_DISCOVER', 'integer'],
    ipReceiveErrors: ['IP_RECVERR', 'boolean'],
    ipPacketInfo: ['IP_PKTINFO', 'boolean'],
    ipReceiveTos: ['IP_RECVTOS', 'boolean'],
    ipReceiveTtl: ['IP_RECVTTL', 'boolean'],
    ipReceiveOriginalDestination: ['IP_RECVORIGDSTADDR', 'boolean'],
    ipMulticastTtl: ['IP_MULTICAST_TTL', 'integer'],
    ipMulticastLoop: ['IP_MULTICAST_LOOP', 'boolean'],
    ipMulticastAll: ['IP_MULTICAST_ALL', 'boolean'],
    originalDestination: ['SO_ORIGINAL_DST', 'address', 'read-only'],
  }),
  ...level('IPPROTO_IPV6', {
    ipv6Only: ['IPV6_V6ONLY', 'boolean'],
    ipv6TrafficClass: ['IPV6_TCLASS', 'integer'],
    ipv6UnicastHops: ['IPV6_UNICAST_HOPS', 'integer'],
    ipv6MulticastHops: ['IPV6_MULTICAST_HOPS', 'integer'],
    ipv6MulticastLoop: ['IPV6_MULTICAST_LOOP', 'boolean'],
    ipv6Transparent: ['IPV6_TRANSPARENT', 'boolean'],
    ipv6FreeBind: ['IPV6_FREEBIND', 'boolean'],
    ipv6Mtu: ['IPV6_MTU', 'integer', 'read-only'],
    ipv6MtuDiscover: ['IPV6_MTU_DISCOVER', 'integer'],
    ipv6ReceiveErrors: ['IPV6_RECVERR', 'boolean'],
    ipv6ReceivePacketInfo: ['IPV6_RECVPKTINFO', 'boolean'],
    ipv6ReceiveTrafficClass: ['IPV6_RECVTCLASS', 'boolean'],
    ipv6ReceiveHopLimit: ['IPV6_RECVHOPLIMIT', 'boolean'],
  }),
  ...level('IPPROTO_UDP', {
    udpSegmentBytes: ['UDP_SEGMENT', 'integer'],
    udpGro: ['UDP_GRO', 'boolean'],
    udpCork: ['UDP_CORK', 'boolean'],
  }),
});
