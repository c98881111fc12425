import { isIP } from 'node:net';
import { capabilities } from '../../binding/capabilities.js';
import { EINVAL } from '../../binding/errnos.js';
import { errnoOf } from '../../binding/errors.js';
import { interfaceByAddress } from '../../binding/interfaces.js';
import { native } from '../../binding/native.js';
import { udpConstant } from '../../binding/native-udp.js';
import { parseAddress } from '../../sys/address.js';
import { callError } from '../errors.js';
import type { DatagramTransport } from './transport.js';

// Groups as node:dgram has them: interfaces go by an address of theirs.

const { AF_INET, IPPROTO_IP, IPPROTO_IPV6 } = native.constants;
const NO_INTERFACE = errnoOf(capabilities.platform === 'linux' ? 'ENODEV' : 'EADDRNOTAVAIL');
const ANY_V4 = '0.0.0.0';

export interface Membership {
  readonly group: string;
  readonly source?: string;
  readonly interfaceAddress: unknown;
}

/** The interface that has this address of IPv4, or is the zone of one of IPv6; 0 for any. */
function indexOf(syscall: string, interfaceAddress: unknown): number {
  if (interfaceAddress === undefined || interfaceAddress === null) return 0;
  const { familyNumber, host, scopeId } = parseAddress({ host: interfaceAddress as string, port: 0 });
  if (familyNumber !== AF_INET) return scopeId;
  if (host === ANY_V4) return 0;
  const name = interfaceByAddress(host);
  if (name === undefined) throw callError(NO_INTERFACE, syscall);
  return native.interfaceIndex(name);
}

/** Joins a group, or leaves it; binds a socket that is not bound, as node:dgram does. */
export function changeGroup(
  transport: DatagramTransport,
  syscall: string,
  joins: boolean,
  { group, source, interfaceAddress }: Membership,
): void {
  const version = isIP(group.split('%', 1)[0] ?? '');
  if (version === 0 || (source !== undefined && isIP(source) !== version)) throw callError(EINVAL, syscall);
  const any = version === 4 ? ANY_V4 : '::';
  if (!transport.isOpen) bindForGroup(transport, syscall, any);
  transport.change(syscall, () => {
    const options = { interface: indexOf(syscall, interfaceAddress), source };
    if (joins) transport.join(group, options);
    else transport.leave(group, options);
  });
}

function bindForGroup(transport: DatagramTransport, syscall: string, any: string): void {
  try {
    transport.bindTo(any, 0, reuse(true));
  } catch (error) {
    throw callError((error as { errno?: number }).errno ?? EINVAL, syscall);
  }
}

/** What libuv sets for `reuseAddr`: on a BSD it is SO_REUSEPORT that lets sockets share a port. */
export function reuse(wanted: boolean): { reuseAddress?: boolean; reusePort?: boolean } {
  if (!wanted) return {};
  const { platform } = capabilities;
  return platform === 'linux' || platform === 'win32' ? { reuseAddress: true } : { reusePort: true };
}

/** By which interface what is sent to groups leaves. */
export function setGroupInterface(transport: DatagramTransport, address: string): void {
  const syscall = 'setMulticastInterface';
  const [bare = '', zone] = address.split('%', 2);
  const version = isIP(bare);
  if (version === 0) throw callError(EINVAL, syscall);
  transport.change(syscall, () => {
    const { fd } = transport;
    const option = udpConstant(version === 4 ? 'IP_MULTICAST_IF' : 'IPV6_MULTICAST_IF') ?? 0;
    const bytes = Uint8Array.from(bare.split('.'), Number);
    const index = zone === undefined ? 0 : Math.max(0, native.interfaceIndex(zone));
    const errno =
      version === 4
        ? native.setsockopt(fd, IPPROTO_IP, option, bytes)
        : native.setsockoptInt(fd, IPPROTO_IPV6, option, index);
    if (errno < 0) throw callError(errno, syscall);
  });
}
