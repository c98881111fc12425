import { invalidArgType, outOfRange } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkBytes } from '../../binding/validate.js';

const V4_BYTES = 4;
const V6_BYTES = 16;
const V6_GROUPS = 8;
/** ::ffff:0:0/96, IPv4 within IPv6 (RFC 4291, section 2.5.5.2). */
const MAPPED_GROUP = 5;

/**
 * The bytes of an IP address, in network order, as protocols carry them (PROXY, SOCKS): 4 of IPv4,
 * 16 of IPv6. A zone, which is this host's own, is left out.
 *
 * @throws TypeError; RangeError for what is no IP address
 */
export function ipToBytes(address: string): Uint8Array {
  if (typeof address !== 'string') throw invalidArgType('address', 'a string', address);
  const [text = ''] = address.split('%', 1);
  const version = native.ipVersion(text);
  if (version === 0 || (version === 4 && text !== address))
    throw outOfRange('address', 'an IP address', address);
  if (version === 4) return Uint8Array.from(text.split('.'), Number);
  const [head = '', tail] = text.split('::');
  const [before, after] = [toBytes(head), toBytes(tail ?? '')];
  const bytes = new Uint8Array(V6_BYTES);
  bytes.set(before);
  bytes.set(after, V6_BYTES - after.length);
  return bytes;
}

/** Groups of an IPv6 address on one side of its `::`; the last may be an IPv4 address. */
function toBytes(groups: string): number[] {
  if (groups === '') return [];
  return groups.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = parseInt(group, 16);
    return [value >>> 8, value & 0xff];
  });
}

/**
 * The text of an IP address's bytes, as RFC 5952 has it: the same that this library tells.
 *
 * @param bytes 4 or 16, in network order
 * @throws TypeError, RangeError
 */
export function ipFromBytes(bytes: Uint8Array): string {
  checkBytes('bytes', bytes);
  if (bytes.length === V4_BYTES) return bytes.join('.');
  if (bytes.length !== V6_BYTES) throw outOfRange('bytes', '4 or 16 bytes', bytes.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, V6_BYTES);
  const groups = Array.from({ length: V6_GROUPS }, (_, i) => view.getUint16(i * 2));
  if (groups[MAPPED_GROUP] === 0xffff && groups.slice(0, MAPPED_GROUP).every((group) => group === 0)) {
    return `::ffff:${bytes.subarray(V6_BYTES - V4_BYTES).join('.')}`;
  }
  return shortenV6(groups.map((group) => group.toString(16)).join(':'));
}

/** The longest run of zero groups becomes `::` (RFC 5952). */
function shortenV6(text: string): string {
  const runs = text.match(/\b0(?::0)+\b/g) ?? [];
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '');
  if (longest === '') return text;
  return text.replace(new RegExp(`(?:^|:)${longest}(?::|$)`), '::');
}
