import { errnosOf, outOfRange, systemError, unsupportedError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { nativeUdp, udpConstant } from '../../binding/native-udp.js';
import { checkBoolean, checkInteger, checkNames } from '../../binding/validate.js';
import type { Reactor } from '../../reactor/reactor.js';
import { parseAddress, type ParsedAddress } from '../../sys/address.js';
import { interfaceIndexOf } from '../../sys/interface-index.js';
import { optionError } from '../socket/encoded-option.js';
import type { SocketOptions } from '../socket/socket-option-table.js';
import { getOption, setOption, type SettableSocketOptions } from '../socket/socket-options.js';

const { AF_INET6, SOL_SOCKET, IPPROTO_IP, IPPROTO_IPV6 } = native.constants;
const { SO_REUSEADDR, SO_REUSEPORT, SO_EXCLUSIVEADDRUSE, IPV6_V6ONLY } = native.constants;

const MAX_BYTE = 255;
const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/**
 * Options that both families have, under names that do not ask for the family: on an IPv6 socket
 * IPv6's is set, and IPv4's too where the system lets an IPv6 socket have it. Where this platform
 * lacks one its use throws ERR_TRIPOLL_UNSUPPORTED.
 */
export interface DatagramOptions {
  /** IP_TTL, IPV6_UNICAST_HOPS: 1 to 255. */
  ttl: number;
  /**
   * IP_TOS, IPV6_TCLASS: 0 to 255; its lowest two bits are ECN (RFC 3168). Windows takes it on IPv4
   * alone, and by default leaves it out of the packets.
   */
  tos: number;
  /** IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS: 0 to 255, 1 by the system's default. */
  multicastTtl: number;
  /**
   * IP_MULTICAST_LOOP: whether our own host hears what we send to a group; true by the system's
   * default.
   */
  multicastLoop: boolean;
  /**
   * IP_MULTICAST_IF: by which interface multicasts leave, by its name or index. IPv4's can be set
   * only.
   */
  multicastInterface: string | number;
  /** IP_PKTINFO: each datagram tells its destination and interface. */
  receivePacketInfo: boolean;
  /** IP_RECVTOS: each datagram tells its type of service and ECN. */
  receiveTos: boolean;
  /** IP_RECVTTL: each datagram tells its time to live. */
  receiveTtl: boolean;
  /** SO_TIMESTAMPNS: each datagram tells when the system received it; Linux. */
  receiveTimestamps: boolean;
  /**
   * IP_RECVERR (Linux): errors that come back as ICMP are told with the destination that they
   * concern, by `receiveError()` or the handler `error`. Without it only a connected socket hears
   * of them.
   */
  receiveErrors: boolean;
}

/** The options of a UDP socket by name: those that all sockets have, and its own. */
export interface UdpSocketOptions extends SocketOptions, DatagramOptions {}
/** Those that can be set. */
export type SettableUdpSocketOptions = SettableSocketOptions & DatagramOptions;

/** Options that a UDP socket is opened with, in both styles. */
export interface UdpOptions {
  /** Default `Reactor.default`. */
  reactor?: Reactor | undefined;
  /** SO_REUSEADDR; default false: on Linux and Windows two such sockets could share a port. */
  reuseAddress?: boolean | undefined;
  /** SO_REUSEPORT: several sockets on one port, the system spreads the senders; default false. */
  reusePort?: boolean | undefined;
  /** IPV6_V6ONLY; default false: an IPv6 socket takes IPv4 too, as `::ffff:a.b.c.d`. */
  ipv6Only?: boolean | undefined;
  /** Closes the socket when nothing was received or sent for this long, 1 and more. */
  idleTimeoutMs?: number | undefined;
  /**
   * `sendMany` hands datagrams in a row that have one destination and one length (the last may be
   * shorter) to the system as one message (UDP_SEGMENT), where it can; on the wire they are the
   * same. Default true.
   */
  coalesce?: boolean | undefined;
  /** Set before bind, in this order. */
  socketOptions?: Partial<SettableUdpSocketOptions> | undefined;
}

/** Names of `UdpOptions`. */
export const UDP_OPTION_NAMES: Readonly<Record<keyof UdpOptions, true>> = {
  reactor: true,
  reuseAddress: true,
  reusePort: true,
  ipv6Only: true,
  idleTimeoutMs: true,
  coalesce: true,
  socketOptions: true,
};

// ---- options by name ----

interface Spec {
  readonly v4: string;
  readonly v6: string;
  /** A range of integers, or how else the value looks. */
  readonly kind: 'boolean' | 'interface' | readonly [low: number, high: number];
  /** IPv6's tells of IPv4 too, in the form that the senders' addresses have there. */
  readonly v6Alone?: boolean;
}

const BYTE = [0, MAX_BYTE] as const;

const table: Readonly<Record<keyof DatagramOptions, Spec>> = {
  ttl: { v4: 'IP_TTL', v6: 'IPV6_UNICAST_HOPS', kind: [1, MAX_BYTE] },
  tos: { v4: 'IP_TOS', v6: 'IPV6_TCLASS', kind: BYTE },
  multicastTtl: { v4: 'IP_MULTICAST_TTL', v6: 'IPV6_MULTICAST_HOPS', kind: BYTE },
  multicastLoop: { v4: 'IP_MULTICAST_LOOP', v6: 'IPV6_MULTICAST_LOOP', kind: 'boolean' },
  multicastInterface: { v4: 'IP_MULTICAST_IF', v6: 'IPV6_MULTICAST_IF', kind: 'interface' },
  receivePacketInfo: { v4: 'IP_PKTINFO', v6: 'IPV6_RECVPKTINFO', kind: 'boolean', v6Alone: true },
  receiveTos: { v4: 'IP_RECVTOS', v6: 'IPV6_RECVTCLASS', kind: 'boolean' },
  receiveTtl: { v4: 'IP_RECVTTL', v6: 'IPV6_RECVHOPLIMIT', kind: 'boolean' },
  receiveTimestamps: { v4: 'SO_TIMESTAMPNS', v6: 'SO_TIMESTAMPNS', kind: 'boolean', v6Alone: true },
  receiveErrors: { v4: 'IP_RECVERR', v6: 'IPV6_RECVERR', kind: 'boolean' },
};

function specOf(name: string): Spec | undefined {
  return Object.hasOwn(table, name) ? table[name as keyof DatagramOptions] : undefined;
}

function levelOf(option: string): number {
  if (option.startsWith('SO_')) return SOL_SOCKET;
  return option.startsWith('IPV6_') ? IPPROTO_IPV6 : IPPROTO_IP;
}

/** @throws TypeError, RangeError; ENODEV */
function toNumber(name: string, kind: Spec['kind'], value: unknown): number {
  if (kind === 'interface') return interfaceIndexOf(value);
  if (kind === 'boolean') return flagOf(name, value);
  checkInteger(name, value, ...kind);
  return value;
}

function flagOf(name: string, value: unknown): number {
  checkBoolean(name, value);
  return value ? 1 : 0;
}

/**
 * What the kqueue systems and Windows say of an IPv4 option on an IPv6 socket, which does without
 * it there; ENODEV of an interface without IPv4.
 */
const NOT_THERE = errnosOf('ENOPROTOOPT', 'EINVAL', 'ENODEV');

function setOne(fd: number, name: string, option: string, { kind }: Spec, number: number): number {
  const constant = udpConstant(option);
  if (constant === undefined) throw unsupportedError(`${name}: this platform has no ${option}`);
  const level = levelOf(option);
  if (kind !== 'interface' || level === IPPROTO_IPV6) {
    return native.setsockoptInt(fd, level, constant, number);
  }
  // ip_mreqn: group, address, index.
  const request = new Uint8Array(new Int32Array([0, 0, number]).buffer);
  return native.setsockopt(fd, level, constant, request);
}

/** As `setOption` of sockets, and with the names of `DatagramOptions`. */
export function setUdpOption(fd: number, familyNumber: number, name: string, value: unknown): void {
  const spec = specOf(name);
  if (spec === undefined) {
    setOption(fd, name as keyof SettableSocketOptions, value as never);
    return;
  }
  const isV6 = familyNumber === AF_INET6;
  const number = toNumber(name, spec.kind, value);
  const error = setOne(fd, name, isV6 ? spec.v6 : spec.v4, spec, number);
  if (error < 0) throw optionError(error, 'setsockopt', fd, name);
  if (!isV6 || spec.v6Alone === true || udpConstant(spec.v4) === undefined) return;
  const extra = setOne(fd, name, spec.v4, spec, number);
  if (extra < 0 && !NOT_THERE.has(extra)) throw optionError(extra, 'setsockopt', fd, name);
}

/** As `getOption` of sockets, and with the names of `DatagramOptions`. */
export function getUdpOption(fd: number, familyNumber: number, name: string): unknown {
  const spec = specOf(name);
  if (spec === undefined) return getOption(fd, name as keyof SocketOptions);
  const option = familyNumber === AF_INET6 ? spec.v6 : spec.v4;
  const constant = udpConstant(option);
  if (constant === undefined) throw unsupportedError(`${name}: this platform has no ${option}`);
  if (option === 'IP_MULTICAST_IF') throw unsupportedError(`${name} of an IPv4 socket can be set only`);
  const out = new Uint8Array(4);
  const length = native.getsockopt(fd, levelOf(option), constant, out);
  if (length < 0) throw optionError(length, 'getsockopt', fd, name);
  // IP_TTL and its like may come back as one byte.
  const number = length < 4 ? (out[0] ?? 0) : new DataView(out.buffer).getInt32(0, isLittleEndian);
  return spec.kind === 'boolean' ? number !== 0 : number;
}

/** Names of the options by which datagrams come with control data. */
const CONTROL: ReadonlySet<string> = new Set<keyof UdpSocketOptions>([
  'receivePacketInfo',
  'ipPacketInfo',
  'ipv6ReceivePacketInfo',
  'receiveTos',
  'ipReceiveTos',
  'ipv6ReceiveTrafficClass',
  'receiveTtl',
  'ipReceiveTtl',
  'ipv6ReceiveHopLimit',
  'receiveTimestamps',
  'udpGro',
]);
const ERRORS: ReadonlySet<string> = new Set<keyof UdpSocketOptions>([
  'receiveErrors',
  'ipReceiveErrors',
  'ipv6ReceiveErrors',
]);

/**
 * Whether an option means that datagrams come with control data, or that the error queue is in use.
 */
export function meaningOf(name: string): 'control' | 'errors' | 'other' {
  if (CONTROL.has(name)) return 'control';
  return ERRORS.has(name) ? 'errors' : 'other';
}

/**
 * Sets what comes before bind, but for `socketOptions`.
 *
 * @throws TypeError; ERR_TRIPOLL_UNSUPPORTED; what setsockopt(2) says
 */
export function prepareToBind(fd: number, familyNumber: number, options: UdpOptions): void {
  const isV6 = familyNumber === AF_INET6;
  const { reuseAddress, reusePort, ipv6Only = false } = options;
  const set = (name: string, level: number, option: number | undefined, value: unknown): void => {
    const number = flagOf(name, value);
    if (option === undefined) throw unsupportedError(`${name} does not exist on this platform`);
    const error = native.setsockoptInt(fd, level, option, number);
    if (error < 0) throw optionError(error, 'setsockopt', fd, name);
  };
  if (reuseAddress !== undefined) set('reuseAddress', SOL_SOCKET, SO_REUSEADDR, reuseAddress);
  if (reusePort !== undefined) set('reusePort', SOL_SOCKET, SO_REUSEPORT, reusePort);
  // Windows only: else any process could take over the port, by SO_REUSEADDR.
  const isShared = reuseAddress === true || options.socketOptions?.reuseAddress === true;
  if (SO_EXCLUSIVEADDRUSE !== undefined && !isShared) {
    set('reuseAddress', SOL_SOCKET, SO_EXCLUSIVEADDRUSE, true);
  }
  flagOf('ipv6Only', ipv6Only);
  if (isV6) set('ipv6Only', IPPROTO_IPV6, IPV6_V6ONLY, ipv6Only);
  // On Linux a socket else hears the groups that others of this host have joined (ip(7),
  // IP_MULTICAST_ALL). An old kernel that lacks the IPv6 one says so, and remains as it is.
  const all = isV6 ? udpConstant('IPV6_MULTICAST_ALL') : udpConstant('IP_MULTICAST_ALL');
  if (all !== undefined) native.setsockoptInt(fd, isV6 ? IPPROTO_IPV6 : IPPROTO_IP, all, 0);
}

/** Whether the system can cut a payload into datagrams (UDP_SEGMENT). */
export function canSegment(fd: number): boolean {
  const [level, option] = [udpConstant('SOL_UDP'), udpConstant('UDP_SEGMENT')];
  if (level === undefined || option === undefined) return false;
  return native.setsockoptInt(fd, level, option, 0) === 0;
}

// ---- multicast ----

/** A group that a socket joins or leaves. */
export interface MembershipOptions {
  /**
   * Name or index of the interface; default: the zone of `group` or `source`, else what the routes
   * say.
   */
  interface?: string | number | undefined;
  /** Only what this address sends to the group (IP_ADD_SOURCE_MEMBERSHIP). */
  source?: string | undefined;
}

type MembershipKind = 'JOIN' | 'LEAVE' | 'BLOCK' | 'UNBLOCK';

/** Joins or leaves a group, or blocks one of its senders (RFC 3678). */
export function changeMembership(
  fd: number,
  kind: MembershipKind,
  group: unknown,
  options: MembershipOptions,
): void {
  checkNames('options', options, { interface: true, source: true });
  const { source } = options;
  const parsed = parseAddress({ host: group as string, port: 0 });
  const sender = source === undefined ? null : parseAddress({ host: source, port: 0 });
  if (sender !== null && sender.familyNumber !== parsed.familyNumber) {
    throw outOfRange('source', `an address of the group's family`, source);
  }
  let name = `MCAST_${kind}_GROUP`;
  if (sender !== null) name = `MCAST_${kind}_SOURCE${kind.endsWith('BLOCK') ? '' : '_GROUP'}`;
  const option = udpConstant(name);
  if (option === undefined) throw unsupportedError(`${name} does not exist on this platform`);
  const index = membershipInterface(options, parsed, sender);
  const { familyNumber, host } = parsed;
  const error = nativeUdp.udpMembership(fd, option, index, familyNumber, host, sender?.host ?? '');
  if (error < 0) throw systemError(error, 'setsockopt', { address: host });
}

/**
 * The interface that the option, the group's zone and the source's agree on; 0 is the routes'
 * choice.
 */
function membershipInterface(
  options: MembershipOptions,
  group: ParsedAddress,
  sender: ParsedAddress | null,
): number {
  const chosen = options.interface === undefined ? 0 : interfaceIndexOf(options.interface);
  const named = [chosen, group.scopeId, sender?.scopeId ?? 0].filter((index) => index > 0);
  const [index = 0] = named;
  if (named.some((other) => other !== index)) {
    throw outOfRange('interface', `the one of the group's and the source's zones`, named);
  }
  return index;
}
