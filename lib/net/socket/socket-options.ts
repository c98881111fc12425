import type { ConstantName } from '../../binding/constant-names.js';
import { invalidArgType, outOfRange, unknownOptionError, unsupportedError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkBytes, checkFd, checkInteger, checkObject } from '../../binding/validate.js';
import type { SocketAddress } from '../../sys/address.js';
import { ipFromBytes } from './ip-bytes.js';
import { applyOptions, optionError, type EncodedOption } from './encoded-option.js';
import { table, type OptionKind, type OptionSpec, type SocketOptions } from './socket-option-table.js';

const MAX_INT32 = 0x7fffffff;
const MIN_INT32 = -0x80000000;
const MAX_UINT32 = 0xffffffff;
/** The longest that a typed option has is a sockaddr_in6 (28 bytes), or a name. */
const MAX_BYTES = 128;
/** optlen_max of the kernel's own users is far less; a filter program is the longest. */
const MAX_RAW_BYTES = 65_536;
const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** The name of a typed socket option. */
export type SocketOptionName = keyof SocketOptions;
/** Those that can be set. */
export type SettableSocketOptions = Omit<
  SocketOptions,
  | 'acceptConnections'
  | 'domain'
  | 'incomingNapiId'
  | 'ipMtu'
  | 'ipv6Mtu'
  | 'originalDestination'
  | 'protocol'
  | 'type'
>;

function specOf(name: unknown): OptionSpec {
  if (typeof name !== 'string') throw invalidArgType('name', 'the name of a socket option', name);
  if (!Object.hasOwn(table, name)) throw unknownOptionError(name);
  return table[name as SocketOptionName];
}

/** A constant of the system's headers; which one is missing is in the message. */
function constant(name: ConstantName): number {
  const value = native.constants[name];
  if (value === undefined) throw unsupportedError(`this platform has no ${name}`);
  return value;
}

function fromInts(...values: number[]): Uint8Array {
  return new Uint8Array(new Int32Array(values).buffer);
}

function encodeLinger(name: string, value: unknown): Uint8Array {
  if (value === null) return fromInts(0, 0);
  checkInteger(name, value, 0, MAX_INT32);
  if (value > 0) throw outOfRange(name, '0 or null, since a close that waits would hold this thread', value);
  return fromInts(1, value);
}

function encodeText(name: string, value: unknown): Uint8Array {
  if (typeof value !== 'string') throw invalidArgType(name, 'a string', value);
  const bytes = Buffer.from(`${value}\0`);
  if (bytes.length > MAX_BYTES || value.includes('\0')) throw outOfRange(name, 'a short name', value);
  return bytes;
}

function encode(name: string, kind: OptionKind, value: unknown): Uint8Array {
  switch (kind) {
    case 'boolean':
      if (typeof value !== 'boolean') throw invalidArgType(name, 'true or false', value);
      return fromInts(value ? 1 : 0);
    case 'integer':
      checkInteger(name, value, MIN_INT32, MAX_INT32);
      return fromInts(value);
    case 'unsigned':
      checkInteger(name, value, 0, MAX_UINT32);
      return fromInts(value);
    case 'linger':
      return encodeLinger(name, value);
    case 'text':
      return encodeText(name, value);
    case 'address':
      throw outOfRange('name', 'an option that can be set', name);
  }
}

/** As the kernel writes it: a sockaddr_in or a sockaddr_in6. */
function decodeAddress(bytes: Uint8Array): SocketAddress {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const port = view.getUint16(2);
  const isV4 = bytes.length < 24;
  const address = ipFromBytes(isV4 ? bytes.subarray(4, 8) : bytes.subarray(8, 24));
  return { address, port, family: isV4 ? 'IPv4' : 'IPv6' };
}

function decode(kind: OptionKind, bytes: Uint8Array): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // IP_TTL and its like may come back as one byte.
  const number = bytes.length < 4 ? (bytes[0] ?? 0) : view.getInt32(0, isLittleEndian);
  switch (kind) {
    case 'boolean':
      return number !== 0;
    case 'integer':
      return number;
    case 'unsigned':
      return number >>> 0;
    case 'linger':
      return number === 0 ? null : view.getInt32(4, isLittleEndian);
    case 'text':
      return Buffer.from(bytes).toString('utf8').split('\0', 1)[0];
    case 'address':
      return decodeAddress(bytes);
  }
}

/** An IPv6 socket may carry either family, and each has its own option. */
function originalOfV6(fd: number, bytes: Uint8Array, before: number): number {
  const { IPPROTO_IPV6, IP6T_SO_ORIGINAL_DST = 80 } = native.constants;
  const length = native.getsockopt(fd, IPPROTO_IPV6, IP6T_SO_ORIGINAL_DST, bytes);
  return length < 0 ? before : length;
}

/**
 * A typed option of any socket, by its fd.
 *
 * @throws TypeError, RangeError; ERR_TRIPOLL_UNSUPPORTED naming the constant that this platform
 * lacks; ENOPROTOOPT and what else getsockopt(2) says
 */
export function getOption<Name extends SocketOptionName>(fd: number, name: Name): SocketOptions[Name] {
  checkFd(fd);
  const { level, option, kind } = specOf(name);
  const bytes = new Uint8Array(MAX_BYTES);
  let length = native.getsockopt(fd, constant(level), constant(option), bytes);
  if (length < 0 && kind === 'address') length = originalOfV6(fd, bytes, length);
  if (length < 0) throw optionError(length, 'getsockopt', fd, name);
  return decode(kind, bytes.subarray(0, length)) as SocketOptions[Name];
}

/**
 * Sets a typed option of any socket, by its fd.
 *
 * @throws as `getOption`; EPERM where it takes a privilege (CAP_NET_ADMIN, CAP_NET_RAW)
 */
export function setOption<Name extends keyof SettableSocketOptions>(
  fd: number,
  name: Name,
  value: SettableSocketOptions[Name],
): void {
  checkFd(fd);
  applyOptions(fd, encodeOptions({ [name]: value }));
}

/**
 * Checks and encodes options, in the order in which they were given; an undefined value is left
 * out. Not to be called for none: few sockets are given options, and this module is loaded for
 * those only (tools/bundle.cjs).
 *
 * @throws TypeError, RangeError, ERR_TRIPOLL_UNSUPPORTED
 */
export function encodeOptions(options: Partial<SettableSocketOptions>): readonly EncodedOption[] {
  checkObject('socketOptions', options);
  return Object.entries(options)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => {
      const { level, option, kind, readOnly } = specOf(name);
      if (readOnly === true) throw outOfRange('name', 'an option that can be set', name);
      const bytes = encode(name, kind, value);
      return { name, level: constant(level), option: constant(option), value: bytes };
    });
}

/**
 * getsockopt(2): the option's bytes, `maxLengthBytes` of them at most.
 *
 * @throws TypeError, RangeError; what getsockopt(2) says
 */
export function getRawOption(
  fd: number,
  level: number,
  name: number,
  maxLengthBytes = MAX_BYTES,
): Uint8Array {
  checkFd(fd);
  checkInteger('level', level, MIN_INT32, MAX_INT32);
  checkInteger('name', name, MIN_INT32, MAX_INT32);
  checkInteger('maxLengthBytes', maxLengthBytes, 0, MAX_RAW_BYTES);
  const bytes = new Uint8Array(maxLengthBytes);
  const length = native.getsockopt(fd, level, name, bytes);
  if (length < 0) throw optionError(length, 'getsockopt', fd, `${level}:${name}`);
  return bytes.subarray(0, length);
}

/**
 * setsockopt(2) with the option's bytes, as the system lays them out.
 *
 * @throws TypeError, RangeError; what setsockopt(2) says
 */
export function setRawOption(fd: number, level: number, name: number, value: Uint8Array): void {
  checkFd(fd);
  checkInteger('level', level, MIN_INT32, MAX_INT32);
  checkInteger('name', name, MIN_INT32, MAX_INT32);
  checkBytes('value', value);
  const error = native.setsockopt(fd, level, name, value);
  if (error < 0) throw optionError(error, 'setsockopt', fd, `${level}:${name}`);
}
