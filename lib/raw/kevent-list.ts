import { capabilities } from '../binding/capabilities.js';
import { unsupportedError } from '../binding/errors.js';
import { native, type NativeBinding } from '../binding/native.js';
import { checkFlags, checkInteger, checkObject } from '../binding/validate.js';

/** kqueue's part of the addon. @throws ERR_TRIPOLL_UNSUPPORTED where the system has none */
export function kqueueBinding(): Required<NativeBinding> {
  if (native.kqueue === undefined)
    throw unsupportedError(`Kqueue does not exist on ${capabilities.platform}`);
  return native as Required<NativeBinding>;
}

/** One `struct kevent`; see kqueue(2). */
export interface Kevent {
  /** What the filter watches: an fd, a pid, a signal's number, a timer's name. */
  ident: number;
  /** EVFILT_*. */
  filter: number;
  /** EV_*. */
  flags?: number;
  /** NOTE_*, of the filter's own. */
  fflags?: number;
  /**
   * What the filter says of the event, or is asked for: bytes, a period, an exit status; see
   * kqueue(2).
   */
  data?: number;
  /** Comes back with each event: 0 to 2^53 - 1. */
  udata?: number;
}

type Field = 'ident' | 'filter' | 'flags' | 'fflags' | 'data' | 'udata';

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/**
 * A list of `struct kevent` in this system's own layout, which native code tells (32 bytes each on
 * macOS, 64 on FreeBSD): what `Kqueue.kevent` reads its changes from, or writes its events into.
 */
export class KeventList {
  /** The memory of all of them. */
  readonly bytes: Uint8Array;
  /** How many events it holds. */
  readonly capacity: number;
  readonly #view: DataView;
  readonly #layout: Readonly<Record<string, number>>;

  /**
   * @param capacity how many it holds, 1 to 1024.
   *
   * @throws TypeError, RangeError, ERR_TRIPOLL_UNSUPPORTED
   */
  constructor(capacity: number) {
    this.#layout = kqueueBinding().keventLayout;
    checkInteger('capacity', capacity, 1, this.#layout['most'] ?? 0);
    this.capacity = capacity;
    this.bytes = new Uint8Array(capacity * this.eventBytes);
    this.#view = new DataView(this.bytes.buffer);
  }

  /** sizeof(struct kevent). */
  get eventBytes(): number {
    return this.#layout['bytes'] ?? 0;
  }

  /** The bytes of the first `count`: a change list. */
  first(count: number): Uint8Array {
    checkInteger('count', count, 0, this.capacity);
    return this.bytes.subarray(0, count * this.eventBytes);
  }

  /** Replaces one; fields that are left out are 0. @throws TypeError, RangeError */
  set(index: number, kevent: Kevent): void {
    checkObject('kevent', kevent);
    const { ident, filter, flags = 0, fflags = 0, data = 0, udata = 0 } = kevent;
    checkInteger('index', index, 0, this.capacity - 1);
    checkInteger('ident', ident, 0, Number.MAX_SAFE_INTEGER);
    checkInteger('filter', filter, -0x8000, 0x7fff);
    checkInteger('flags', flags, 0, 0xffff);
    checkFlags('fflags', fflags);
    checkInteger('data', data, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    checkInteger('udata', udata, 0, Number.MAX_SAFE_INTEGER);
    this.bytes.fill(0, index * this.eventBytes, (index + 1) * this.eventBytes);
    const values: Record<Field, number> = { ident, filter, flags, fflags, data, udata };
    for (const [field, value] of Object.entries(values)) this.#write(index, field as Field, value);
  }

  /** Replaces one, from the first on, and returns their bytes. */
  fill(...kevents: Kevent[]): Uint8Array {
    kevents.forEach((kevent, index) => {
      this.set(index, kevent);
    });
    return this.first(kevents.length);
  }

  /** What the filter of this event watches. */
  ident(index: number): number {
    return Number(this.#read(index, 'ident'));
  }

  /** EVFILT_* of this event. */
  filter(index: number): number {
    // Signed but on NetBSD, whose filters are small: as a signed number they are all themselves.
    return Number(BigInt.asIntN(8 * this.#bytesOf('filter'), this.#read(index, 'filter')));
  }

  /** EV_* of this event. */
  flags(index: number): number {
    return Number(this.#read(index, 'flags'));
  }

  /** NOTE_* of this event. */
  fflags(index: number): number {
    return Number(this.#read(index, 'fflags'));
  }

  /** For EV_ERROR an errno or 0. Beyond 2^53 it is rounded. */
  data(index: number): number {
    return Number(BigInt.asIntN(64, this.#read(index, 'data')));
  }

  /** The number that was given with the change, 0 to 2^53 - 1. */
  udata(index: number): number {
    return Number(this.#read(index, 'udata'));
  }

  #bytesOf(field: Field): number {
    return this.#layout[`${field}Bytes`] ?? 0;
  }

  #offsetOf(index: number, field: Field): number {
    checkInteger('index', index, 0, this.capacity - 1);
    return index * this.eventBytes + (this.#layout[`${field}Offset`] ?? 0);
  }

  #read(index: number, field: Field): bigint {
    const at = this.#offsetOf(index, field);
    const size = this.#bytesOf(field);
    if (size === 8) return this.#view.getBigUint64(at, LITTLE_ENDIAN);
    return BigInt(
      size === 4 ? this.#view.getUint32(at, LITTLE_ENDIAN) : this.#view.getUint16(at, LITTLE_ENDIAN),
    );
  }

  #write(index: number, field: Field, value: number): void {
    const at = this.#offsetOf(index, field);
    const size = this.#bytesOf(field);
    if (size === 8) this.#view.setBigInt64(at, BigInt(value), LITTLE_ENDIAN);
    else if (size === 4) this.#view.setUint32(at, value, LITTLE_ENDIAN);
    else this.#view.setUint16(at, value, LITTLE_ENDIAN);
  }
}
