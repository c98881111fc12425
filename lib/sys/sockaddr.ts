import { isUint8Array } from 'node:util/types';
import { errnoOf, invalidArgType, outOfRange, systemError } from '../binding/errors.js';
import { native } from '../binding/native.js';
import { parseAddress, toSocketAddress, type SocketAddress, type SocketAddressInput } from './address.js';

// Addresses as the system has them: the bytes of a struct sockaddr.

const { AF_UNIX, AF_NETLINK = 16, AF_PACKET = 17, AF_VSOCK = 40, AF_CAN = 29 } = native.constants;
const { SOCKADDR_FAMILY_OFFSET = 0, SOCKADDR_FAMILY_BYTES = 2 } = native.constants;
const { SUN_PATH_OFFSET = 2, SUN_PATH_BYTES = 108, SOCKADDR_STORAGE_BYTES = 128 } = native.constants;

/** No address: an unnamed socket's. */
export const NO_ADDRESS = new Uint8Array(0);
/** What any address fits into. */
export const MAX_ADDRESS_BYTES = SOCKADDR_STORAGE_BYTES;

const ENAMETOOLONG = errnoOf('ENAMETOOLONG');
/** sockaddr_nl, sockaddr_ll, sockaddr_vm, sockaddr_can: of Linux alone, by its headers. */
const NETLINK_BYTES = 12;
const PACKET_BYTES = 20;
const VSOCK_BYTES = 16;
const CAN_BYTES = 24;
const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

function newAddress(family: number, length: number): DataView {
  const view = new DataView(new ArrayBuffer(length));
  if (SOCKADDR_FAMILY_BYTES === 1) view.setUint8(SOCKADDR_FAMILY_OFFSET, family);
  else view.setUint16(SOCKADDR_FAMILY_OFFSET, family, isLittleEndian);
  return view;
}

function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer);
}

/** A Unix socket's path or abstract name: as text, or as bytes where it is no UTF-8. */
export type UnixAddress = string | Uint8Array;

/** As it is now: bytes are the caller's, who may change them. */
export function copiedAddress(address: UnixAddress): UnixAddress {
  return isUint8Array(address) ? Buffer.from(address) : address;
}

/** A leading U+FEFF is a part of a name, and no mark of its encoding. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** For messages, and for fields that are text: what is no UTF-8 becomes U+FFFD. */
export function unixAddressText(address: UnixAddress): string {
  return typeof address === 'string' ? address : decoder.decode(address);
}

/** The name's bytes; of a name that was given as such, themselves. @throws TypeError */
function unixNameBytes(address: unknown): Uint8Array {
  if (typeof address === 'string') return Buffer.from(address);
  if (!isUint8Array(address)) throw invalidArgType('path', 'a string or a Uint8Array', address);
  return address;
}

/**
 * A path, or a name of the abstract namespace, which begins with a NUL; copied.
 *
 * @param syscall whose argument it is to be, for the error
 * @throws TypeError; RangeError for an empty path or a NUL within; ENAMETOOLONG beyond what a
 * `sockaddr_un` holds
 */
export function encodeUnixAddress(address: unknown, syscall = 'bind'): Uint8Array {
  const name = unixNameBytes(address);
  const isAbstract = name[0] === 0;
  if (name.length === 0 || (!isAbstract && name.includes(0))) {
    throw outOfRange('path', 'a path without a NUL, or an abstract name that begins with one', address);
  }
  // A path ends with a NUL, an abstract name where its length says.
  const length = isAbstract ? name.length : name.length + 1;
  if (length > SUN_PATH_BYTES) {
    const error = systemError(ENAMETOOLONG, syscall, { address: unixAddressText(name) });
    error.message += ` (${name.length} bytes, a socket's path has at most ${SUN_PATH_BYTES - 1})`;
    throw error;
  }
  const bytes = bytesOf(newAddress(AF_UNIX, SUN_PATH_OFFSET + length));
  bytes.set(name, SUN_PATH_OFFSET);
  return bytes;
}

/** Whether an address is of AF_UNIX; an unnamed socket's has no more than that. */
export function isUnixAddress(bytes: Uint8Array): boolean {
  if (bytes.length < SOCKADDR_FAMILY_OFFSET + SOCKADDR_FAMILY_BYTES) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const family =
    SOCKADDR_FAMILY_BYTES === 1
      ? view.getUint8(SOCKADDR_FAMILY_OFFSET)
      : view.getUint16(SOCKADDR_FAMILY_OFFSET, isLittleEndian);
  return family === AF_UNIX;
}

/**
 * The bytes of the path, or of an abstract name with its leading NUL; none for an unnamed socket. A
 * view.
 */
function nameWithin(bytes: Uint8Array): Uint8Array {
  const name = bytes.subarray(SUN_PATH_OFFSET);
  const end = name[0] === 0 ? -1 : name.indexOf(0);
  return end < 0 ? name : name.subarray(0, end);
}

/** The path, an abstract name with its leading NUL, or `''` for an unnamed socket. */
export function decodeUnixAddress(bytes: Uint8Array): string {
  return decoder.decode(nameWithin(bytes));
}

/** The same as the system has it, which a name that is no UTF-8 needs. */
export function unixAddressBytes(bytes: Uint8Array): Buffer {
  return Buffer.from(nameWithin(bytes));
}

/**
 * An internet address.
 *
 * @throws TypeError, RangeError
 */
export function encodeInternetAddress(input: SocketAddressInput): Uint8Array {
  const { familyNumber, host, port, scopeId } = parseAddress(input);
  const out = new Uint8Array(MAX_ADDRESS_BYTES);
  const length = native.toSockaddr(familyNumber, host, port, scopeId, out);
  if (length < 0) throw systemError(length, 'inet_pton', { address: host });
  return out.subarray(0, length);
}

/** Undefined for another family. */
export function decodeInternetAddress(bytes: Uint8Array): SocketAddress | undefined {
  const name = { family: 0, address: '', port: 0, scopeId: 0 };
  return native.fromSockaddr(bytes, name) < 0 ? undefined : toSocketAddress(name);
}

/** The Unix name of a socket or of its peer; undefined when there is none to be had. */
export function unixName(fd: number, side: 'local' | 'remote'): string | undefined {
  const address = socketAddressBytes(fd, side);
  return address === undefined ? undefined : decodeUnixAddress(address);
}

/** The same as bytes. */
export function unixNameAsBytes(fd: number, side: 'local' | 'remote'): Buffer | undefined {
  const address = socketAddressBytes(fd, side);
  return address === undefined ? undefined : unixAddressBytes(address);
}

/** A socket's `sockaddr`, or its peer's; undefined when there is none to be had. */
export function socketAddressBytes(fd: number, side: 'local' | 'remote'): Uint8Array | undefined {
  if (fd < 0) return undefined;
  const out = new Uint8Array(MAX_ADDRESS_BYTES);
  const length = native.nameBytes(fd, side === 'local' ? 0 : 1, out);
  return length < 0 ? undefined : out.subarray(0, length);
}

/**
 * netlink(7): `portId` 0 is the kernel, or to `bind` one of its choice; `groups` a mask of the
 * first 32.
 */
export function encodeNetlinkAddress(portId: number, groups: number): Uint8Array {
  const view = newAddress(AF_NETLINK, NETLINK_BYTES);
  view.setUint32(4, portId, isLittleEndian);
  view.setUint32(8, groups, isLittleEndian);
  return bytesOf(view);
}

export function decodeNetlinkAddress(bytes: Uint8Array): { portId: number; groups: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { portId: view.getUint32(4, isLittleEndian), groups: view.getUint32(8, isLittleEndian) };
}

/** packet(7). */
export interface PacketAddress {
  /** The interface's number, as of if_nametoindex(3). */
  readonly interfaceIndex: number;
  /** ETH_P_*, in the host's order. */
  readonly protocol: number;
  /** The hardware address, 6 bytes on Ethernet. */
  readonly hardwareAddress: Uint8Array;
  /** PACKET_HOST 0, BROADCAST 1, MULTICAST 2, OTHERHOST 3, OUTGOING 4; of what was received. */
  readonly packetType: number;
}

export function encodePacketAddress(
  /** The interface's number, as of if_nametoindex(3). */
  interfaceIndex: number,
  protocol: number,
  hardwareAddress: Uint8Array = NO_ADDRESS,
): Uint8Array {
  const view = newAddress(AF_PACKET, PACKET_BYTES);
  view.setUint16(2, protocol);
  view.setInt32(4, interfaceIndex, isLittleEndian);
  view.setUint8(11, hardwareAddress.length);
  const bytes = bytesOf(view);
  bytes.set(hardwareAddress, 12);
  return bytes;
}

export function decodePacketAddress(bytes: Uint8Array): PacketAddress {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    protocol: view.getUint16(2),
    interfaceIndex: view.getInt32(4, isLittleEndian),
    packetType: view.getUint8(10),
    hardwareAddress: bytes.slice(12, 12 + view.getUint8(11)),
  };
}

/** vsock(7): a virtual machine's id and a port. */
export function encodeVsockAddress(contextId: number, port: number): Uint8Array {
  const view = newAddress(AF_VSOCK, VSOCK_BYTES);
  view.setUint32(4, port, isLittleEndian);
  view.setUint32(8, contextId, isLittleEndian);
  return bytesOf(view);
}

/** SocketCAN: an interface's number, 0 for all of them. */
export function encodeCanAddress(interfaceIndex: number): Uint8Array {
  const view = newAddress(AF_CAN, CAN_BYTES);
  view.setInt32(4, interfaceIndex, isLittleEndian);
  return bytesOf(view);
}
