import { EMSGSIZE } from '../../binding/errnos.js';
import { outOfRange, systemError, type TripollError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { HEADER_WORDS, nativeUdp, RECORD_WORDS, udpLayout } from '../../binding/native-udp.js';
import {
  parseAddress,
  toSocketAddress,
  type ParsedAddress,
  type SocketAddress,
  type SocketAddressInput,
} from '../../sys/address.js';

// Words of the header.
const FAILED = 0;
const ERROR = 1;
const NO_SEGMENTS = 2;
const CALLS = 3;

// Words of a record.
export const LENGTH = udpLayout('length');
const WIRE_LENGTH = udpLayout('wire_length');
const FLAGS = udpLayout('flags');
const RECORD_ERROR = udpLayout('error');
const SEGMENT_BYTES = udpLayout('segment_bytes');
const SENT_BYTES = udpLayout('sent_bytes');
const TOS = udpLayout('tos');
const TTL = udpLayout('ttl');
const PEER = udpLayout('peer');
const LOCAL = udpLayout('local');
const TIME_S = udpLayout('time_s');
const TIME_S_HIGH = udpLayout('time_s_high');
const TIME_NS = udpLayout('time_ns');
const ERROR_ORIGIN = udpLayout('error_origin');
const ERROR_KIND = udpLayout('error_kind');
const ERROR_INFO = udpLayout('error_info');
/** Within an endpoint: the interface of a local one. */
const SCOPE_ID = 2;
const ADDRESS = 3;
const ENDPOINT_WORDS = 7;
const { AF_INET, AF_INET6 } = native.constants;
/** By family. */
const ADDRESS_BYTES: Readonly<Record<number, number>> = { [AF_INET]: 4, [AF_INET6]: 16 };

const TRUNCATED = udpLayout('FLAG_TRUNCATED');
const CONTROL_TRUNCATED = udpLayout('FLAG_CONTROL_TRUNCATED');
const HAS_TOS = udpLayout('FLAG_HAS_TOS');
const HAS_TTL = udpLayout('FLAG_HAS_TTL');
const HAS_LOCAL = udpLayout('FLAG_HAS_LOCAL');
const HAS_TIME = udpLayout('FLAG_HAS_TIME');
const SEND_TOS = udpLayout('FLAG_SEND_TOS');
const SEND_TTL = udpLayout('FLAG_SEND_TTL');
const SEND_LOCAL = udpLayout('FLAG_SEND_LOCAL');

const NS_PER_S = 1_000_000_000n;

/** Which of a record's two endpoints. */
const PEER_SIDE = 0;
const LOCAL_SIDE = 1;

/**
 * A header and `capacity` records, which native code fills and reads: what is known of each
 * datagram besides its bytes. Indices are the caller's to check.
 */
export class DatagramRecords {
  readonly bytes: Uint8Array;
  readonly #words: Uint32Array;
  /** The text that was parsed last, and the record that has it: a sender's destinations repeat. */
  #parsedText: string | null = null;
  #parsed: DatagramRecords | null = null;
  /** The address that was made last. */
  #made: SocketAddress | null = null;
  readonly #madeFrom = new Uint32Array(ENDPOINT_WORDS);

  constructor(capacity: number) {
    this.#words = new Uint32Array(HEADER_WORDS + capacity * RECORD_WORDS);
    this.bytes = new Uint8Array(this.#words.buffer);
  }

  #at(index: number): number {
    return HEADER_WORDS + index * RECORD_WORDS;
  }

  #get(index: number, word: number): number {
    return this.#words[HEADER_WORDS + index * RECORD_WORDS + word] as number;
  }

  #set(index: number, word: number, value: number): void {
    this.#words[HEADER_WORDS + index * RECORD_WORDS + word] = value;
  }

  // ---- what the last call did ----

  /** The bytes of the datagrams that were sent. */
  get failed(): number {
    return this.#words[FAILED] as number;
  }

  /** The errno, positive, that came after the datagrams that were received; 0 for none. */
  get errorAfter(): number {
    return this.#words[ERROR] as number;
  }

  get cannotSegment(): boolean {
    return this.#words[NO_SEGMENTS] !== 0;
  }

  /** How many system calls it took. */
  get calls(): number {
    return this.#words[CALLS] as number;
  }

  // ---- a record ----

  /** A datagram to be sent, with nothing but its length. */
  begin(index: number, lengthBytes: number): void {
    const at = this.#at(index);
    this.#words.fill(0, at, at + LOCAL + ENDPOINT_WORDS);
    this.#words[at + LENGTH] = lengthBytes;
  }

  lengthBytes(index: number): number {
    return this.#get(index, LENGTH);
  }

  setLengthBytes(index: number, lengthBytes: number): void {
    this.#set(index, LENGTH, lengthBytes);
    this.#set(index, SENT_BYTES, 0);
  }

  wireBytes(index: number): number {
    return this.#get(index, WIRE_LENGTH);
  }

  isTruncated(index: number): boolean {
    return (this.#get(index, FLAGS) & TRUNCATED) !== 0;
  }

  isControlTruncated(index: number): boolean {
    return (this.#get(index, FLAGS) & CONTROL_TRUNCATED) !== 0;
  }

  segmentBytes(index: number): number {
    return this.#get(index, SEGMENT_BYTES);
  }

  setSegmentBytes(index: number, segmentBytes: number): void {
    this.#set(index, SEGMENT_BYTES, segmentBytes);
    this.#set(index, SENT_BYTES, 0);
  }

  tos(index: number): number | undefined {
    return (this.#get(index, FLAGS) & HAS_TOS) === 0 ? undefined : this.#get(index, TOS);
  }

  setTos(index: number, tos: number): void {
    this.#set(index, TOS, tos);
    this.#set(index, FLAGS, this.#get(index, FLAGS) | SEND_TOS);
  }

  ttl(index: number): number | undefined {
    return (this.#get(index, FLAGS) & HAS_TTL) === 0 ? undefined : this.#get(index, TTL);
  }

  setTtl(index: number, ttl: number): void {
    this.#set(index, TTL, ttl);
    this.#set(index, FLAGS, this.#get(index, FLAGS) | SEND_TTL);
  }

  /** Nanoseconds since 1970, of the system's clock. */
  timestampNs(index: number): bigint | undefined {
    if ((this.#get(index, FLAGS) & HAS_TIME) === 0) return undefined;
    const seconds = (BigInt(this.#get(index, TIME_S_HIGH)) << 32n) | BigInt(this.#get(index, TIME_S));
    return seconds * NS_PER_S + BigInt(this.#get(index, TIME_NS));
  }

  /** Negative; 0 when it was sent. */
  errno(index: number): number {
    return -this.#get(index, RECORD_ERROR);
  }

  // ---- addresses ----

  address(index: number): SocketAddress | undefined {
    const at = this.#at(index) + PEER;
    if (this.#made !== null && this.#isMade(at)) return this.#made;
    const address = this.#endpoint(index, PEER_SIDE);
    if (address === undefined) return undefined;
    this.#madeFrom.set(this.#words.subarray(at, at + ENDPOINT_WORDS));
    this.#made = Object.freeze(address);
    return address;
  }

  #isMade(at: number): boolean {
    for (let i = 0; i < ENDPOINT_WORDS; i++) {
      if (this.#words[at + i] !== this.#madeFrom[i]) return false;
    }
    return true;
  }

  #endpoint(index: number, side: number): SocketAddress | undefined {
    const name = { family: 0, address: '', port: 0, scopeId: 0 };
    return nativeUdp.udpGetAddress(this.bytes, index, side, name) < 0 ? undefined : toSocketAddress(name);
  }

  setAddress(index: number, input: SocketAddressInput): void {
    if (typeof input !== 'string') {
      this.#write(index, PEER_SIDE, parseAddress(input));
      return;
    }
    if (input !== this.#parsedText) {
      const parsed = parseAddress(input);
      this.#parsed ??= new DatagramRecords(1);
      this.#parsed.#write(0, PEER_SIDE, parsed);
      // Not a zone: the interface of that name may be another one next time.
      this.#parsedText = input.includes('%') ? null : input;
    }
    if (this.#parsed !== null) this.copyAddress(index, this.#parsed, 0);
  }

  #write(index: number, side: number, parsed: ParsedAddress): void {
    const { familyNumber, host, port, scopeId } = parsed;
    const error = nativeUdp.udpSetAddress(this.bytes, index, side, familyNumber, host, port, scopeId);
    if (error < 0) throw systemError(error, 'inet_pton', { address: host, port });
  }

  /** No string is made. */
  copyAddress(index: number, from: DatagramRecords, fromIndex: number): void {
    const at = this.#at(index) + PEER;
    const source = from.#at(fromIndex) + PEER;
    for (let i = 0; i < ENDPOINT_WORDS; i++) this.#words[at + i] = from.#words[source + i] as number;
  }

  /** The sender's IP address: a view. Empty for none. */
  addressBytes(index: number): Uint8Array {
    const at = this.#at(index) + PEER;
    const length = ADDRESS_BYTES[this.#words[at] as number] ?? 0;
    const start = (at + ADDRESS) * Uint32Array.BYTES_PER_ELEMENT;
    return this.bytes.subarray(start, start + length);
  }

  isSameAddress(index: number, other: DatagramRecords, otherIndex: number): boolean {
    const [at, otherAt] = [this.#at(index) + PEER, other.#at(otherIndex) + PEER];
    // What is behind an IPv4 address is left over from another.
    for (let i = this.#endpointWords(at) - 1; i >= 0; i--) {
      if (this.#words[at + i] !== other.#words[otherAt + i]) return false;
    }
    return true;
  }

  /** FNV-1a, a word at a time. */
  addressHash(index: number): number {
    const at = this.#at(index) + PEER;
    let hash = 0x811c9dc5;
    for (let i = this.#endpointWords(at) - 1; i >= 0; i--) {
      hash = Math.imul(hash ^ (this.#words[at + i] as number), 0x01000193);
    }
    return (hash ^ (hash >>> 15)) >>> 0;
  }

  #endpointWords(at: number): number {
    return ADDRESS + (ADDRESS_BYTES[this.#words[at] as number] ?? 0) / Uint32Array.BYTES_PER_ELEMENT;
  }

  /** The address it was sent to, of ours. */
  destination(index: number): string | undefined {
    if ((this.#get(index, FLAGS) & HAS_LOCAL) === 0) return undefined;
    return this.#endpoint(index, LOCAL_SIDE)?.address;
  }

  interfaceIndex(index: number): number | undefined {
    return (this.#get(index, FLAGS) & HAS_LOCAL) === 0 ? undefined : this.#get(index, LOCAL + SCOPE_ID);
  }

  /**
   * Sends from this address of ours, by this interface (0: that of the address's zone, or the
   * route's).
   *
   * @throws RangeError when the zone is another interface
   */
  setSource(index: number, parsed: ParsedAddress, interfaceIndex: number): void {
    const { scopeId } = parsed;
    if (scopeId > 0 && interfaceIndex > 0 && scopeId !== interfaceIndex) {
      throw outOfRange('interfaceIndex', `${scopeId}, the zone of the address`, interfaceIndex);
    }
    this.#write(index, LOCAL_SIDE, parsed);
    if (interfaceIndex > 0) this.#set(index, LOCAL + SCOPE_ID, interfaceIndex);
    this.#set(index, FLAGS, this.#get(index, FLAGS) | SEND_LOCAL);
  }

  /** Answers from where the datagram came to. */
  replyFromDestination(index: number): void {
    const flags = this.#get(index, FLAGS);
    if ((flags & HAS_LOCAL) !== 0) this.#set(index, FLAGS, flags | SEND_LOCAL);
  }

  // ---- errors ----

  /** How many of the records, which were sent, were too long for it. */
  countTooLong(first: number, count: number): number {
    if (this.failed === 0) return 0;
    let tooLong = 0;
    for (let i = first; i < first + count; i++) if (this.errno(i) === EMSGSIZE) tooLong++;
    return tooLong;
  }

  /** Why a datagram of a batch was not sent; null when it was. */
  sendError(index: number): TripollError | null {
    const errno = this.errno(index);
    if (errno === 0) return null;
    const { address, port } = this.address(index) ?? {};
    return systemError(errno, 'sendmsg', { address, port });
  }

  /** What the error queue says in the first `count` records. */
  queuedErrors(count: number): DatagramError[] {
    return Array.from({ length: count }, (_, index) => this.#queuedError(index));
  }

  #queuedError(index: number): DatagramError {
    const { address, port } = this.address(index) ?? {};
    const kind = this.#get(index, ERROR_KIND);
    const origin = ORIGINS[this.#get(index, ERROR_ORIGIN)] ?? 'none';
    const error = systemError(this.errno(index), 'sendmsg', { address, port });
    const reporter = this.destination(index);
    return Object.assign(error, {
      origin,
      ...(origin === 'local' ? {} : { icmpType: kind >>> 8, icmpCode: kind & 0xff }),
      ...(reporter === undefined ? {} : { reporter }),
      ...(this.#get(index, ERROR_INFO) === 0 ? {} : { mtuBytes: this.#get(index, ERROR_INFO) }),
    });
  }
}

/** SO_EE_ORIGIN_*, linux/errqueue.h. */
const ORIGINS = ['none', 'local', 'icmp', 'icmp6'] as const;

/**
 * An error that came back after a datagram had been sent, and the destination that it concerns
 * (IP_RECVERR).
 */
export interface DatagramError extends TripollError {
  /** `'local'`: this system's own. */
  readonly origin: 'none' | 'local' | 'icmp' | 'icmp6';
  /** Type of the ICMP message that told of it (RFC 792, RFC 4443). */
  readonly icmpType?: number;
  /** Code of that ICMP message. */
  readonly icmpCode?: number;
  /** Reporter of the error: a router, or the peer itself. */
  readonly reporter?: string;
  /** With EMSGSIZE: what would have passed. */
  readonly mtuBytes?: number;
}
