import { native } from '../binding/native.js';
import { invalidArgType, outOfRange } from '../binding/errors.js';
import { zoneIndexOf } from './interface-index.js';

const MAX_PORT = 65535;
const AF_INET = native.constants['AF_INET'] ?? 2;
const AF_INET6 = native.constants['AF_INET6'] ?? 10;

/** The address family of an IP address. */
export type Family = 'IPv4' | 'IPv6';

/** A socket's name: what `localAddress` and `remoteAddress` give. */
export interface SocketAddress {
  /** An IPv4 or IPv6 literal. */
  readonly address: string;
  /** 0 to 65535. */
  readonly port: number;
  /** The family of `address`. */
  readonly family: Family;
  /** The interface of a link-local IPv6 address, by its index. */
  readonly scopeId?: number;
}

/**
 * `'127.0.0.1:80'`, `'[fe80::1%eth0]:80'`, the parts, or what `remoteAddress` and its like have
 * given.
 */
export type SocketAddressInput = string | { readonly host: string; readonly port: number } | SocketAddress;

/** As native calls want it. */
export interface ParsedAddress {
  readonly familyNumber: number;
  readonly host: string;
  /** 0 to 65535. */
  readonly port: number;
  readonly scopeId: number;
}

export interface HostPort {
  readonly host: string;
  /** 0 to 65535. */
  readonly port: number;
}

function checkPort(port: unknown): asserts port is number {
  if (typeof port !== 'number') throw invalidArgType('port', 'a number', port);
  if (!Number.isInteger(port) || port < 0 || port > MAX_PORT)
    throw outOfRange('port', 'from 0 to 65535', port);
}

/** The host of a `SocketAddress`, whose zone is a field of its own; undefined for what is none. */
function withZone(input: object): string | undefined {
  const { address, scopeId = 0 } = input as Partial<SocketAddress>;
  return scopeId === 0 || typeof address !== 'string' ? address : `${address}%${scopeId}`;
}

/**
 * Splits `'host:port'` or `'[v6]:port'`; there is no implicit host or port.
 *
 * @throws TypeError, RangeError
 */
export function splitHostPort(address: unknown): HostPort {
  if (typeof address === 'object' && address !== null) {
    const { host = withZone(address), port } = address as Partial<HostPort>;
    if (typeof host !== 'string') throw invalidArgType('host', 'a string', host);
    if (host === '') throw outOfRange('host', 'an address or a name', host);
    checkPort(port);
    return { host, port };
  }
  if (typeof address !== 'string') throw invalidArgType('address', `'host:port' or { host, port }`, address);
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined) throw outOfRange('address', `'host:port' or '[v6]:port'`, address);
  const port = Number(match?.[3]);
  checkPort(port);
  return { host, port };
}

/** What `splitHostPort` takes. */
export function joinHostPort(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

/**
 * An IP literal with its port, for native code. An IPv6 address may have a zone (RFC 4007): an
 * interface's index or name, as `fe80::1%2` or `fe80::1%eth0`.
 *
 * @throws TypeError; RangeError for a host name, which only `connect` resolves, and for a zone that
 * is none or has no place there; ENODEV for a zone that names no interface
 */
export function parseAddress(input: unknown): ParsedAddress {
  const { host, port } = splitHostPort(input);
  const at = host.indexOf('%');
  const bare = at < 0 ? host : host.slice(0, at);
  const version = native.ipVersion(bare);
  if (version === 0 || (version === 4 && at >= 0)) throw outOfRange('host', 'an IP address', host);
  return {
    familyNumber: version === 4 ? AF_INET : AF_INET6,
    host: bare,
    port,
    scopeId: at < 0 ? 0 : zoneIndexOf(host.slice(at + 1)),
  };
}

export function isIpLiteral(host: string): boolean {
  return native.ipVersion(host.split('%', 1)[0] ?? '') !== 0;
}

/** From what native code fills in. */
export function toSocketAddress(name: {
  family: number;
  /** An IPv4 or IPv6 literal. */
  address: string;
  /** 0 to 65535. */
  port: number;
  scopeId: number;
}): SocketAddress {
  const { address, port, scopeId } = name;
  const family = name.family === AF_INET6 ? 'IPv6' : 'IPv4';
  return scopeId === 0 ? { address, port, family } : { address, port, family, scopeId };
}
