import { invalidArgType, outOfRange, type TripollError } from '../../binding/errors.js';
import { checkUdp, nativeUdp } from '../../binding/native-udp.js';
import { checkBytes, checkInteger, checkNames } from '../../binding/validate.js';
import { parseAddress, type SocketAddress, type SocketAddressInput } from '../../sys/address.js';
import { DatagramRecords } from './datagram-records.js';

/** What one system call takes (`kDatagramsPerCall`); more gain little. */
const DEFAULT_CAPACITY = 64;
/** What sendmmsg(2) itself would take at most (UIO_MAXIOV). */
const MAX_CAPACITY = 1024;
/** An Ethernet frame's payload fits, and so does a page's half. */
const DEFAULT_SLOT_BYTES = 2048;
/** A datagram has at most 65507 bytes over IPv4; what the kernel has put together (GRO), 65535. */
const MAX_SLOT_BYTES = 65536;
const MAX_SEGMENT_BYTES = 65535;
/** `MAX_SEGMENT_BYTES` and more do not fit a datagram. */
const MAX_BYTE = 255;
const POISON = 0xdb;

/** Sizes of a `DatagramBatch`. */
export interface DatagramBatchOptions {
  /** Datagrams it can hold, 1 to 1024; default 64. */
  capacity?: number | undefined;
  /** Bytes for each, 1 to 65536; default 2048. What is longer is truncated. */
  slotBytes?: number | undefined;
}

/**
 * Reusable memory for many datagrams, to receive into (`recvMany`) and to send from (`sendMany`): a
 * slot for each one's bytes, and what is known of it. Nothing is allocated for a datagram, but for
 * the strings of an address when `address` is called, and a view when `payload`'s length changes.
 *
 * What was received can be sent back as it is: each datagram goes to who sent it.
 */
export class DatagramBatch {
  /** How many datagrams it can hold. */
  readonly capacity: number;
  /** How many bytes there are for each. */
  readonly slotBytes: number;
  readonly #records: DatagramRecords;
  readonly #payload: Uint8Array;
  readonly #slots: (Uint8Array | undefined)[];
  readonly #views: (Uint8Array | undefined)[];
  #count = 0;
  #settled = 0;
  #failed = 0;

  /** @throws TypeError, RangeError; ERR_TRIPOLL_UNSUPPORTED */
  constructor(options: DatagramBatchOptions = {}) {
    checkUdp();
    checkNames('options', options, { capacity: true, slotBytes: true });
    const { capacity = DEFAULT_CAPACITY, slotBytes = DEFAULT_SLOT_BYTES } = options;
    checkInteger('capacity', capacity, 1, MAX_CAPACITY);
    checkInteger('slotBytes', slotBytes, 1, MAX_SLOT_BYTES);
    this.capacity = capacity;
    this.slotBytes = slotBytes;
    this.#records = new DatagramRecords(capacity);
    this.#payload = new Uint8Array(capacity * slotBytes);
    this.#slots = new Array<Uint8Array | undefined>(capacity).fill(undefined);
    this.#views = new Array<Uint8Array | undefined>(capacity).fill(undefined);
  }

  /** Whether it is one: a brand, which neither another realm nor a look-alike has. */
  static isBatch(value: unknown): value is DatagramBatch {
    return typeof value === 'object' && value !== null && #records in value;
  }

  /** How many datagrams are in it: the received ones, or those to be sent. */
  get count(): number {
    return this.#count;
  }

  /** After `sendMany`: how many are done, from the first on: sent, or failed. */
  get settled(): number {
    return this.#settled;
  }

  /** After `sendMany`: how many could not be sent; `errorOf` says why. */
  get failed(): number {
    return this.#failed;
  }

  #check(index: number): void {
    if (index >>> 0 !== index || index >= this.#count) {
      throw outOfRange('index', `a whole number below ${this.#count}, the batch's count`, index);
    }
  }

  // ---- what a datagram has ----

  /**
   * Its bytes: a view of the slot, good until the batch is used again. The same object while the
   * length is.
   */
  payload(index: number): Uint8Array {
    this.#check(index);
    const length = this.#records.lengthBytes(index);
    let view = this.#views[index];
    if (view?.length !== length) {
      const start = index * this.slotBytes;
      this.#views[index] = view = this.#payload.subarray(start, start + Math.min(length, this.slotBytes));
    }
    return view;
  }

  /** The whole slot, to be filled. */
  slot(index: number): Uint8Array {
    this.#check(index);
    const start = index * this.slotBytes;
    return (this.#slots[index] ??= this.#payload.subarray(start, start + this.slotBytes));
  }

  /** How many bytes of its slot are the datagram's. */
  lengthBytes(index: number): number {
    this.#check(index);
    return this.#records.lengthBytes(index);
  }

  /**
   * Sender of a datagram, or receiver of one to send; undefined for the peer of a connected socket.
   */
  address(index: number): SocketAddress | undefined {
    this.#check(index);
    return this.#records.address(index);
  }

  /**
   * The bytes of that IP address, in network order: 4 of IPv4, 16 of IPv6, none for the peer of a
   * connected socket. A view, good until the batch is used again.
   */
  addressBytes(index: number): Uint8Array {
    this.#check(index);
    return this.#records.addressBytes(index);
  }

  /** Whether it has the address, port and zone of another batch's datagram: no string is made. */
  isSameAddress(index: number, other: DatagramBatch, otherIndex: number): boolean {
    checkBatch('other', other);
    this.#check(index);
    other.#check(otherIndex);
    return this.#records.isSameAddress(index, other.#records, otherIndex);
  }

  /**
   * A number, 0 to 2^32 - 1, that is the same for the same address, port and zone: to find a sender
   * in a Map. Others may have it too, on purpose: `isSameAddress` decides.
   */
  addressHash(index: number): number {
    this.#check(index);
    return this.#records.addressHash(index);
  }

  /** Whether it was longer than the slot, and its end is lost. */
  isTruncated(index: number): boolean {
    this.#check(index);
    return this.#records.isTruncated(index);
  }

  /**
   * The length it had, more than `lengthBytes` when it was truncated. Where the system does not
   * tell: the same.
   */
  wireBytes(index: number): number {
    this.#check(index);
    return this.#records.wireBytes(index);
  }

  /**
   * When above 0, the payload is several datagrams of this length, the last may be shorter. Needs
   * `udpGro`.
   */
  segmentBytes(index: number): number {
    this.#check(index);
    return this.#records.segmentBytes(index);
  }

  /** The address of ours that it was sent to. Needs `receivePacketInfo`. */
  destination(index: number): string | undefined {
    this.#check(index);
    return this.#records.destination(index);
  }

  /** The interface it came by. Needs `receivePacketInfo`. */
  interfaceIndex(index: number): number | undefined {
    this.#check(index);
    return this.#records.interfaceIndex(index);
  }

  /** The type of service (IPv4) or traffic class (IPv6). Needs `receiveTos`. */
  tos(index: number): number | undefined {
    this.#check(index);
    return this.#records.tos(index);
  }

  /**
   * Its lowest two bits: 0 no ECN, 1 ECT(1), 2 ECT(0), 3 congestion experienced (RFC 3168). Needs
   * `receiveTos`.
   */
  ecn(index: number): number | undefined {
    const tos = this.tos(index);
    return tos === undefined ? undefined : tos & 0b11;
  }

  /** The time to live, or the hop limit. Needs `receiveTtl`. */
  ttl(index: number): number | undefined {
    this.#check(index);
    return this.#records.ttl(index);
  }

  /** When the system received it, in nanoseconds since 1970. Needs `receiveTimestamps`. */
  timestampNs(index: number): bigint | undefined {
    this.#check(index);
    return this.#records.timestampNs(index);
  }

  /** After `sendMany`: why it could not be sent, or null. */
  errorOf(index: number): TripollError | null {
    this.#check(index);
    return this.#records.sendError(index);
  }

  // ---- filling it ----

  /** Empties it. */
  clear(): this {
    this.#count = 0;
    this.#settled = 0;
    this.#failed = 0;
    return this;
  }

  /**
   * Adds a datagram of this length, whose `slot(index)` you fill.
   *
   * @param address where it goes; none on a connected socket
   * @returns its index, or -1 when the batch is full
   * @throws RangeError when it is longer than a slot, or the address no IP address with port
   */
  add(lengthBytes: number, address?: SocketAddressInput): number {
    checkInteger('lengthBytes', lengthBytes, 0, this.slotBytes);
    if (this.#count === this.capacity) return -1;
    const index = this.#count;
    this.#records.begin(index, lengthBytes);
    if (address !== undefined) this.#records.setAddress(index, address);
    this.#count++;
    return index;
  }

  /** Adds a copy of `payload`; false when the batch is full. */
  push(payload: Uint8Array, address?: SocketAddressInput): boolean {
    checkBytes('payload', payload);
    const index = this.add(payload.length, address);
    if (index < 0) return false;
    this.slot(index).set(payload);
    return true;
  }

  /**
   * Changes how many bytes of its slot are sent, 0 to `slotBytes`.
   *
   * @throws RangeError
   */
  setLengthBytes(index: number, lengthBytes: number): void {
    this.#check(index);
    checkInteger('lengthBytes', lengthBytes, 0, this.slotBytes);
    this.#records.setLengthBytes(index, lengthBytes);
  }

  /**
   * Changes where it goes.
   *
   * @throws TypeError, RangeError
   */
  setAddress(index: number, address: SocketAddressInput): void {
    this.#check(index);
    this.#records.setAddress(index, address);
  }

  /** The address of another batch's datagram: for answers, without a string being made. */
  copyAddress(index: number, from: DatagramBatch, fromIndex: number): void {
    checkBatch('from', from);
    this.#check(index);
    from.#check(fromIndex);
    this.#records.copyAddress(index, from.#records, fromIndex);
  }

  /**
   * Sends the payload as datagrams of this length, the last may be shorter; 0: as one. Where the
   * system can (Linux UDP_SEGMENT, 64 of them, all within the path's MTU), in one go, else one
   * after the other.
   */
  setSegmentBytes(index: number, segmentBytes: number): void {
    this.#check(index);
    checkInteger('segmentBytes', segmentBytes, 0, MAX_SEGMENT_BYTES);
    this.#records.setSegmentBytes(index, segmentBytes);
  }

  /** For this datagram, in place of the socket's `tos`. */
  setTos(index: number, tos: number): void {
    this.#check(index);
    checkInteger('tos', tos, 0, MAX_BYTE);
    this.#records.setTos(index, tos);
  }

  /** For this datagram, in place of the socket's `ttl`. */
  setTtl(index: number, ttl: number): void {
    this.#check(index);
    checkInteger('ttl', ttl, 1, MAX_BYTE);
    this.#records.setTtl(index, ttl);
  }

  /**
   * Sends this one from an address of ours; `interfaceIndex` 0 leaves that to the address's zone,
   * or to the routes.
   *
   * @throws TypeError, RangeError, also when the zone is another interface; ENODEV for a zone that
   * names none
   */
  setSource(index: number, address: string, interfaceIndex = 0): void {
    this.#check(index);
    checkInteger('interfaceIndex', interfaceIndex, 0, MAX_INDEX);
    this.#records.setSource(index, parseAddress({ host: address, port: 0 }), interfaceIndex);
  }

  /**
   * Sends the answer from the address, and by the interface, that the datagram came to. Needs
   * `receivePacketInfo`.
   */
  replyFromDestination(index: number): void {
    this.#check(index);
    this.#records.replyFromDestination(index);
  }

  /** Forgets how far an earlier `sendMany` came: the next one sends all of it. */
  rewind(): this {
    this.#settled = 0;
    this.#failed = 0;
    return this;
  }

  // ---- for the sockets ----

  /** @internal Fills it; returns how many came, or -errno. */
  receiveFrom(fd: number, options: number): number {
    this.clear();
    const { bytes } = this.#records;
    const { slotBytes, capacity } = this;
    const received = nativeUdp.udpReceive(fd, bytes, this.#payload, slotBytes, 0, capacity, options);
    this.#count = Math.max(0, received);
    return received;
  }

  /** @internal The errno, negative, that came after what was received; 0 for none. */
  get errnoAfter(): number {
    return -this.#records.errorAfter;
  }

  /** @internal Sends what has not been sent; returns how many were dealt with now, or -errno. */
  sendTo(fd: number, options: number): number {
    const first = this.#settled;
    const count = this.#count - first;
    if (count === 0) return 0;
    const { bytes } = this.#records;
    const done = nativeUdp.udpSend(fd, bytes, this.#payload, this.slotBytes, first, count, options);
    if (done > 0) this.#settled += done;
    this.#failed += this.#records.failed;
    return done;
  }

  /** @internal How many of the last `done` that `sendTo` dealt with were too long. */
  countTooLong(done: number): number {
    return done <= 0 ? 0 : this.#records.countTooLong(this.#settled - done, done);
  }

  /** @internal */
  get cannotSegment(): boolean {
    return this.#records.cannotSegment;
  }

  /** System calls that the last receive or send took. */
  get calls(): number {
    return this.#records.calls;
  }

  /** @internal False when somebody transferred its memory away. */
  get intact(): boolean {
    return this.#payload.length > 0;
  }

  /** @internal Debug runs make it plain that a kept payload is not the borrower's. */
  poison(): void {
    this.#payload.fill(POISON);
  }
}

const MAX_INDEX = 0x7fffffff;

/** @throws TypeError */
export function checkBatch(name: string, value: unknown): asserts value is DatagramBatch {
  if (!DatagramBatch.isBatch(value)) throw invalidArgType(name, 'a DatagramBatch', value);
}
