import { errnosOf, invalidArgType, systemError, unsupportedError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { nativeUdp, udpConstant } from '../../binding/native-udp.js';
import { checkInteger, checkObject } from '../../binding/validate.js';
import type { Reactor } from '../../reactor/reactor.js';
import { parseAddress } from '../../sys/address.js';
import { interfaceIndexOf } from '../socket/interface-index.js';

const { AF_INET6, SOL_SOCKET, IPPROTO_IP, IPPROTO_IPV6 } = native.constants;
const { SO_REUSEADDR, SO_REUSEPORT, SO_EXCLUSIVEADDRUSE, SO_BROADCAST, SO_RCVBUF, SO_SNDBUF, IPV6_V6ONLY } =
  native.constants;

const MAX_INT32 = 0x7fffffff;
const MAX_BYTE = 255;

/** What can be set at any time; platform differences stand with each. */
export interface UdpSettings {
  /** SO_BROADCAST: may send to broadcast addresses. */
  broadcast?: boolean | undefined;
  /** IP_TTL, IPV6_UNICAST_HOPS: 1 to 255. */
  ttl?: number | undefined;
  /**
   * IP_TOS, IPV6_TCLASS: 0 to 255; its lowest two bits are ECN (RFC 3168). Windows takes it on IPv4 alone, and by default
   * leaves it out of the packets.
   */
  tos?: number | undefined;
  /** SO_RCVBUF; Linux doubles it, and holds it below net.core.rmem_max. */
  recvBufferBytes?: number | undefined;
  /** SO_SNDBUF; likewise, wmem_max. */
  sendBufferBytes?: number | undefined;
  /** IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS: 0 to 255, 1 by the system's default. */
  multicastTtl?: number | undefined;
  /** IP_MULTICAST_LOOP: whether our own host hears what we send to a group; true by the system's default. */
  multicastLoopback?: boolean | undefined;
  /** IP_MULTICAST_IF: by which interface multicasts leave, by its name or number. */
  multicastInterface?: string | number | undefined;
  /** IP_PKTINFO: each datagram tells its destination and interface. */
  recvPacketInfo?: boolean | undefined;
  /** IP_RECVTOS: each datagram tells its type of service and ECN. */
  recvTos?: boolean | undefined;
  /** IP_RECVTTL: each datagram tells its time to live. */
  recvTtl?: boolean | undefined;
  /** SO_TIMESTAMPNS: each datagram tells when the system received it. */
  timestamps?: boolean | undefined;
  /**
   * IP_RECVERR (Linux): errors that come back as ICMP are told with the destination that they concern, by
   * `receiveError()` or the handler `error`. Without it only a connected socket hears of them, by its next call.
   */
  recvErrors?: boolean | undefined;
  /**
   * UDP_GRO (Linux 5.0): the system may put datagrams of one sender together, see `segmentBytes`; make slots 65536
   * bytes long.
   */
  gro?: boolean | undefined;
  /**
   * `sendMany` hands datagrams in a row that have one destination and one length (the last may be shorter) to the
   * system as one message (UDP_SEGMENT), where it can; on the wire they are the same. Default true.
   */
  coalesce?: boolean | undefined;
}

/** Options that a UDP socket is opened with, in both styles. */
export interface UdpOptions extends UdpSettings {
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
}

type Step = readonly [name: string, level: number, option: number | undefined, value: number | Uint8Array];

const flag = (value: boolean): number => (value ? 1 : 0);

function booleanOf(name: string, value: unknown): boolean | undefined {
  if (value !== undefined && typeof value !== 'boolean') throw invalidArgType(name, 'a boolean', value);
  return value;
}

/** Collects what is to be set, checked. */
class Steps {
  readonly list: Step[] = [];
  readonly #v6: boolean;
  readonly #options: UdpOptions;

  constructor(familyNumber: number, options: UdpOptions) {
    this.#v6 = familyNumber === AF_INET6;
    this.#options = options;
  }

  boolean(name: keyof UdpOptions, level: number, option: number | undefined): this {
    const value = booleanOf(name, this.#options[name]);
    if (value !== undefined) this.list.push([name, level, option, flag(value)]);
    return this;
  }

  number(name: keyof UdpOptions, level: number, option: number | undefined, low: number, high: number): this {
    const value: unknown = this.#options[name];
    if (value === undefined) return this;
    checkInteger(name, value, low, high);
    this.list.push([name, level, option, value]);
    return this;
  }

  /** What both families have. An IPv6 socket that takes IPv4 too needs both. */
  ip(name: keyof UdpOptions, v4: string, v6: string, range?: readonly [number, number]): this {
    const families: [number, string][] = [[IPPROTO_IP, v4]];
    if (this.#v6) families.push([IPPROTO_IPV6, v6]);
    for (const [level, option] of families) {
      if (range === undefined) this.boolean(name, level, udpConstant(option));
      else this.number(name, level, udpConstant(option), ...range);
    }
    return this;
  }

  /** IPv6's tells of IPv4 too, in the form that the senders' addresses have there. */
  packetInfo(): this {
    return this.#v6
      ? this.boolean('recvPacketInfo', IPPROTO_IPV6, udpConstant('IPV6_RECVPKTINFO'))
      : this.boolean('recvPacketInfo', IPPROTO_IP, udpConstant('IP_PKTINFO'));
  }

  multicastInterface(): this {
    const chosen = this.#options.multicastInterface;
    if (chosen === undefined) return this;
    const index = interfaceIndexOf(chosen);
    // ip_mreqn: group, address, index.
    const request = new Uint8Array(new Int32Array([0, 0, index]).buffer);
    this.list.push(['multicastInterface', IPPROTO_IP, udpConstant('IP_MULTICAST_IF'), request]);
    if (this.#v6) {
      this.list.push(['multicastInterface', IPPROTO_IPV6, udpConstant('IPV6_MULTICAST_IF'), index]);
    }
    return this;
  }
}

/**
 * What the kqueue systems and Windows say of an IPv4 option on an IPv6 socket, which does without it there; ENODEV of an
 * interface without IPv4.
 */
const NOT_THERE = errnosOf('ENOPROTOOPT', 'EINVAL', 'ENODEV');

/** Sets them in turn. */
function run(fd: number, isV6: boolean, steps: readonly Step[]): void {
  for (const [name, level, option, value] of steps) {
    const isExtra = isV6 && level === IPPROTO_IP;
    if (isExtra && option === undefined) continue;
    if (option === undefined) throw unsupportedError(`${name} does not exist on this platform`);
    const error =
      typeof value === 'number'
        ? native.setsockoptInt(fd, level, option, value)
        : native.setsockopt(fd, level, option, value);
    if (error < 0 && !(isExtra && NOT_THERE.has(error))) {
      const refused = systemError(error, 'setsockopt');
      refused.message += ` (${name})`;
      throw refused;
    }
  }
}

function settingsOf(familyNumber: number, options: UdpOptions): readonly Step[] {
  booleanOf('coalesce', options.coalesce);
  const byte = [0, MAX_BYTE] as const;
  return new Steps(familyNumber, options)
    .boolean('broadcast', SOL_SOCKET, SO_BROADCAST)
    .number('recvBufferBytes', SOL_SOCKET, SO_RCVBUF, 1, MAX_INT32)
    .number('sendBufferBytes', SOL_SOCKET, SO_SNDBUF, 1, MAX_INT32)
    .boolean('timestamps', SOL_SOCKET, udpConstant('SO_TIMESTAMPNS'))
    .boolean('gro', udpConstant('SOL_UDP') ?? 0, udpConstant('UDP_GRO'))
    .ip('ttl', 'IP_TTL', 'IPV6_UNICAST_HOPS', [1, MAX_BYTE])
    .ip('tos', 'IP_TOS', 'IPV6_TCLASS', byte)
    .ip('multicastTtl', 'IP_MULTICAST_TTL', 'IPV6_MULTICAST_HOPS', byte)
    .ip('multicastLoopback', 'IP_MULTICAST_LOOP', 'IPV6_MULTICAST_LOOP')
    .multicastInterface()
    .packetInfo()
    .ip('recvTos', 'IP_RECVTOS', 'IPV6_RECVTCLASS')
    .ip('recvTtl', 'IP_RECVTTL', 'IPV6_RECVHOPLIMIT')
    .ip('recvErrors', 'IP_RECVERR', 'IPV6_RECVERR').list;
}

/** @throws TypeError, RangeError; ERR_TRIPOLL_UNSUPPORTED; what setsockopt(2) says */
export function applySettings(fd: number, familyNumber: number, settings: UdpSettings): void {
  checkObject('settings', settings);
  run(fd, familyNumber === AF_INET6, settingsOf(familyNumber, settings));
}

/** All of them, before bind. */
export function applyOptions(fd: number, familyNumber: number, options: UdpOptions): void {
  const isV6 = familyNumber === AF_INET6;
  const before = new Steps(familyNumber, options)
    .boolean('reuseAddress', SOL_SOCKET, SO_REUSEADDR)
    .boolean('reusePort', SOL_SOCKET, SO_REUSEPORT);
  const only = booleanOf('ipv6Only', options.ipv6Only) ?? false;
  // Windows only: else any process could take over the port, by SO_REUSEADDR.
  if (SO_EXCLUSIVEADDRUSE !== undefined && options.reuseAddress !== true)
    before.list.push(['reuseAddress', SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1]);
  run(fd, isV6, before.list);
  if (isV6) run(fd, isV6, [['ipv6Only', IPPROTO_IPV6, IPV6_V6ONLY, flag(only)]]);
  run(fd, isV6, settingsOf(familyNumber, options));
  // On Linux a socket else hears the groups that others of this host have joined (ip(7), IP_MULTICAST_ALL). An old
  // kernel that lacks the IPv6 one says so, and remains as it is.
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
  /** Name or number of the interface; default: what the routes say. */
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
  checkObject('options', options);
  const { source } = options;
  const parsed = parseAddress({ host: group as string, port: 0 });
  const sender = source === undefined ? '' : parseAddress({ host: source, port: 0 }).host;
  let name = `MCAST_${kind}_GROUP`;
  if (source !== undefined) name = `MCAST_${kind}_SOURCE${kind.endsWith('BLOCK') ? '' : '_GROUP'}`;
  const option = udpConstant(name);
  if (option === undefined) throw unsupportedError(`${name} does not exist on this platform`);
  const index = options.interface === undefined ? 0 : interfaceIndexOf(options.interface);
  const error = nativeUdp.udpMembership(fd, option, index, parsed.familyNumber, parsed.host, sender);
  if (error < 0) throw systemError(error, 'setsockopt', { address: parsed.host });
}
