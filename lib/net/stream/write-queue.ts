import { EINTR } from '../../binding/errnos.js';
import { native } from '../../binding/native.js';
import { errnosOf, outOfRange, systemError } from '../../binding/errors.js';
import type { QueuedFds } from '../message/outgoing-fds.js';
import { sendNow } from '../socket/stream-calls.js';

/** As many buffers as one vectored write takes; the native side has the same bound. */
export const MAX_VECTORS = 64;
const NO_BYTES = new Uint8Array(0);
/**
 * Small writes share blocks, since each would else take some 400 bytes beside its own (F20). A
 * block is as large as what waits before it, within these bounds: what is spare is at most half of
 * the memory, and few blocks hold many bytes.
 */
const MIN_BLOCK_BYTES = 512;
const MAX_BLOCK_BYTES = 64 * 1024;
/**
 * What an entry takes beside its bytes, as measured (F20), and how many of them are taken for
 * nothing.
 */
const ENTRY_BYTES = 400;
const FREE_ENTRIES = MAX_VECTORS;
/**
 * Nothing was sent, and the stream is as good as before: too long a message, too many fds on their
 * way.
 */
export const REFUSED_WHOLE = errnosOf('EMSGSIZE', 'ETOOMANYREFS');

/** A promise that waits for its bytes to be written. */
export interface WriteOperation {
  /** Settle when all is written, or with the first bytes. */
  readonly all: boolean;
  written: number;
  resolve(written: number): void;
  reject(error: unknown): void;
}

/**
 * A way of writing other than the bytes of a buffer: sends from `written` on, and returns how many
 * bytes went out, 0 when there are no more, or -errno of the socket. What it throws rejects its own
 * promise, and leaves the stream be unless some of it is out.
 */
export type WriteSource = (fd: number, written: number) => number;

interface Entry {
  readonly source: WriteSource | null;
  readonly bytes: Uint8Array;
  /**
   * The length of `bytes` when they came: their owner may have transferred them away since (T07).
   */
  readonly capacity: number;
  /** How many of them are to be written. */
  length: number;
  offset: number;
  /** Settled by the last entry, where it has several. */
  readonly operation: WriteOperation | null;
  readonly endsOperation: boolean;
  /** Null when they are out. */
  fds: QueuedFds | null;
  /** Its part of `queuedBytes` while no byte of it is out; of copies only what came first. */
  readonly countedBytes: number;
}

const NO_NAME = new Uint8Array(0);

/** What could not be written at once, in order. Its owner bounds `queuedBytes`. */
export class WriteQueue {
  queuedBytes = 0;
  #entries: Entry[] = [];
  #head = 0;
  readonly #messages: boolean;

  /** @param messages one write for each buffer, since several together would be one message */
  constructor(messages = false) {
    this.#messages = messages;
  }

  get isEmpty(): boolean {
    return this.#head === this.#entries.length;
  }

  /** What the entries take beside their bytes, where they are many: its owner counts it too. */
  get overheadBytes(): number {
    return Math.max(0, this.#entries.length - this.#head - FREE_ENTRIES) * ENTRY_BYTES;
  }

  /** Bytes that stay as they are until they are written. */
  push(bytes: Uint8Array, operation: WriteOperation | null, fds: QueuedFds | null = null): void {
    this.#push(bytes, bytes.length, operation, true, fds);
  }

  /** Several buffers of one operation, from `offset` of the first on. */
  pushAll(buffers: readonly Uint8Array[], offset: number, operation: WriteOperation | null): void {
    buffers.forEach((buffer, i) => {
      const bytes = i === 0 ? buffer.subarray(offset) : buffer;
      this.#push(bytes, bytes.length, operation, i === buffers.length - 1, null);
    });
  }

  /** A copy of `bytes`, behind what was copied before if that is last. */
  append(bytes: Uint8Array): void {
    const tail = this.#entries.at(-1);
    let rest = bytes;
    // A block has room; what is the caller's is full, and so is the copy of a message.
    if (tail !== undefined && tail.length < tail.capacity) {
      rest = this.#fill(tail, bytes);
      if (rest.length === 0) return;
    }
    const { length } = rest;
    const spacious = Math.max(MIN_BLOCK_BYTES, Math.min(MAX_BLOCK_BYTES, this.queuedBytes));
    // Not filled with zeros: what lies beyond `length` is never sent.
    const block = Buffer.allocUnsafeSlow(this.#messages ? length : Math.max(length, spacious));
    block.set(rest);
    this.#push(block, length, null, true, null);
  }

  /** Puts in as much as fits; returns the rest. */
  #fill(block: Entry, bytes: Uint8Array): Uint8Array {
    const taken = Math.min(bytes.length, block.capacity - block.length);
    block.bytes.set(bytes.subarray(0, taken), block.length);
    block.length += taken;
    this.queuedBytes += taken;
    return bytes.subarray(taken);
  }

  #push(
    bytes: Uint8Array,
    length: number,
    operation: WriteOperation | null,
    endsOperation: boolean,
    fds: QueuedFds | null,
  ): void {
    this.#entries.push({
      source: null,
      ...{ bytes, capacity: bytes.length, length, offset: 0 },
      ...{ operation, endsOperation, fds, countedBytes: length },
    });
    this.queuedBytes += length;
  }

  /**
   * What is written by a function of its own, `total` bytes at most; `countedBytes`: what it adds
   * to `queuedBytes` while it waits.
   */
  pushSource(
    source: WriteSource,
    total: number,
    operation: WriteOperation | null,
    countedBytes: number,
  ): void {
    this.#entries.push({
      source,
      ...{ bytes: NO_BYTES, capacity: 0, length: total, offset: 0 },
      ...{ operation, endsOperation: true, fds: null, countedBytes },
    });
    this.queuedBytes += countedBytes;
  }

  /**
   * One write of as much as there is: the bytes written, or -errno. To be called while not empty.
   *
   * @throws RangeError when bytes that wait have been detached; what a source throws half-way
   */
  writeOnce(fd: number): number {
    const first = this.#entries[this.#head];
    if (first === undefined) return 0;
    if (first.source !== null) return this.#writeSource(fd, first, first.source);
    const count = Math.min(this.#entries.length - this.#head, this.#messages ? 1 : MAX_VECTORS);
    if (first.fds !== null) return this.#writeFds(fd, first, first.fds);
    const written =
      count === 1
        ? sendNow(fd, intact(first), first.offset, first.length - first.offset)
        : native.sendv(fd, this.#vectors(count), first.offset, MAX_VECTORS);
    if (written < 0) return this.#refused(first, written);
    this.#consume(written);
    return written;
  }

  /** What a write failed with; 0 if that was its own promise's affair alone, or nothing. */
  #refused(first: Entry, errno: number): number {
    if (errno === EINTR) return 0;
    if (first.operation === null || first.offset > 0 || !REFUSED_WHOLE.has(errno)) return errno;
    this.#dropFirst(first);
    first.operation.reject(systemError(errno, 'write'));
    return 0;
  }

  /** Its fds go out with its first byte, and with nothing before it. */
  #writeFds(fd: number, first: Entry, fds: QueuedFds): number {
    const written = native.sendMessage(fd, intact(first), 0, first.length, fds.words, NO_NAME);
    if (written > 0) {
      fds.close();
      first.fds = null;
      this.#consume(written);
    }
    return written < 0 ? this.#refused(first, written) : written;
  }

  /** Takes back what no byte was written of; false when it is too late, or gone. */
  remove(operation: WriteOperation): boolean {
    const isIts = (entry: Entry): boolean => entry.operation === operation;
    const waiting = this.#entries.slice(this.#head);
    const own = waiting.filter(isIts);
    if (own.length === 0 || own.some(({ offset }) => offset > 0)) return false;
    this.#entries = waiting.filter((entry) => !isIts(entry));
    this.#head = 0;
    for (const { fds, countedBytes } of own) {
      fds?.close();
      this.queuedBytes -= countedBytes;
    }
    return true;
  }

  /** Rejects whoever waits, and forgets the bytes. */
  clear(error: unknown): void {
    const entries = this.#entries.slice(this.#head);
    this.#entries = [];
    this.#head = 0;
    this.queuedBytes = 0;
    for (const { operation, fds } of entries) {
      fds?.close();
      operation?.reject(error);
    }
  }

  #vectors(count: number): Uint8Array[] {
    const vectors: Uint8Array[] = [];
    for (let i = 0; i < count; i++) {
      const entry = this.#entries[this.#head + i];
      // Fds need a call of their own. A source, or a detached one, is for a later call to refuse,
      // when those before it are out.
      if (entry === undefined || entry.source !== null || entry.fds !== null) break;
      if (i > 0 && entry.bytes.length !== entry.capacity) break;
      const bytes = intact(entry);
      vectors.push(entry.length === entry.capacity ? bytes : bytes.subarray(0, entry.length));
    }
    return vectors;
  }

  #writeSource(fd: number, entry: Entry, source: WriteSource): number {
    const { operation } = entry;
    let written: number;
    try {
      written = source(fd, entry.offset);
    } catch (error) {
      if (entry.offset > 0) throw error;
      this.#dropFirst(entry);
      operation?.reject(error);
      return 0;
    }
    if (written < 0) return this.#refused(entry, written);
    entry.offset += written;
    if (operation !== null) operation.written += written;
    if (written > 0 && entry.offset < entry.length) return written;
    this.#dropFirst(entry);
    operation?.resolve(entry.offset);
    return written;
  }

  /** Drops the first entry: no byte of it is out, or all of its source's are. */
  #dropFirst(first: Entry): void {
    this.#head++;
    first.fds?.close();
    this.queuedBytes -= first.countedBytes;
    this.#compact();
  }

  #consume(written: number): void {
    let left = written;
    for (let entry = this.#entries[this.#head]; entry !== undefined; entry = this.#entries[this.#head]) {
      // Its bytes are its own to send.
      if (entry.source !== null) break;
      const taken = Math.min(left, entry.length - entry.offset);
      entry.offset += taken;
      left -= taken;
      this.queuedBytes -= taken;
      const { operation } = entry;
      if (operation !== null) operation.written += taken;
      const complete = entry.offset === entry.length;
      if (!complete && (operation === null || operation.all || taken === 0)) break;
      // A partial write gives the rest of its buffer back to its caller.
      this.queuedBytes -= entry.length - entry.offset;
      this.#head++;
      if (entry.endsOperation) operation?.resolve(operation.written);
    }
    this.#compact();
  }

  /** Drops what has been written, when it is the larger half: amortised O(1). */
  #compact(): void {
    if (this.#head * 2 <= this.#entries.length) return;
    this.#entries.splice(0, this.#head);
    this.#head = 0;
  }
}

/** A detached buffer has no bytes: without this look its write would count as done. */
function intact({ bytes, capacity }: Entry): Uint8Array {
  if (bytes.length !== capacity) throw outOfRange('buffer', 'left alone while its write waits', bytes);
  return bytes;
}
