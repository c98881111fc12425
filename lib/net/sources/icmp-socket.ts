import { native } from '../../binding/native.js';
import { checkNames } from '../../binding/validate.js';
import { decodeInternetAddress, encodeInternetAddress } from '../../sys/sockaddr.js';
import { SOURCE_NAMES, type SourceOptions } from '../fd/fd-owner.js';
import { MessageSocket } from '../message/message-socket.js';
import { checkOneOf, ownFd } from '../fd/open-fd.js';

const { AF_INET, AF_INET6, SOCK_RAW, SOCK_DGRAM } = native.constants;
const { SOCK_CLOEXEC, SOCK_NONBLOCK, IPPROTO_ICMP = 1, IPPROTO_ICMPV6 = 58 } = native.constants;

/** Options of an `IcmpSocket`. */
export interface IcmpSocketOptions extends SourceOptions {
  /** Default `'IPv4'`. */
  family?: 'IPv4' | 'IPv6' | undefined;
  /**
   * False, the default: echo requests only, for whoever is in net.ipv4.ping_group_range; the system
   * fills in identifier and checksum, and gives back only our own replies (icmp(7)). True: all of
   * ICMP, with CAP_NET_RAW; IPv4 messages then come with their IP header, and the checksum of
   * ICMPv4 is yours (`internetChecksum`).
   */
  raw?: boolean | undefined;
}

const NAMES: Readonly<Record<keyof IcmpSocketOptions, true>> = { ...SOURCE_NAMES, family: true, raw: true };

/**
 * ICMP messages. Addresses are IP literals; a link-local one has its interface as a zone,
 * `fe80::1%2`.
 */
export class IcmpSocket extends MessageSocket<string> {
  /** @throws TypeError, RangeError; EACCES, EPERM for who may not; ERR_TRIPOLL_CLOSED */
  constructor(options: IcmpSocketOptions = {}) {
    checkNames('options', options, NAMES);
    const { family = 'IPv4', raw = false } = options;
    checkOneOf('family', family, ['IPv4', 'IPv6']);
    const isV4 = family === 'IPv4';
    const type = (raw ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
    const fd = native.socket(isV4 ? AF_INET : AF_INET6, type, isV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
    super(ownFd(fd, 'socket', options));
  }

  protected encode(address: string): Uint8Array {
    return encodeInternetAddress({ host: address, port: 0 });
  }

  protected decode(bytes: Uint8Array): string | undefined {
    const { address, scopeId = 0 } = decodeInternetAddress(bytes) ?? {};
    // So that an answer to a link-local address finds its way.
    return scopeId === 0 ? address : `${address}%${scopeId}`;
  }
}

/**
 * RFC 1071: the sum that goes into an ICMP or IP header whose own field is 0; over a right one it
 * is 0.
 */
export function internetChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  // A carry of the first fold may make one more.
  sum = (sum >>> 16) + (sum & 0xffff);
  return ~(sum + (sum >>> 16)) & 0xffff;
}
