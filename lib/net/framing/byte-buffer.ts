const EMPTY = new Uint8Array(0);
/** The first memory that is allocated: most messages fit. */
const FIRST_BYTES = 256;
/** A larger memory is given up when less than a quarter of it was used. */
const KEPT_BYTES = 64 * 1024;

/**
 * Bytes in one piece, in memory of their own: added at the back, taken from the front. However
 * small the pieces are that are added and taken, each byte is moved a constant number of times on
 * average.
 */
export class ByteBuffer {
  #memory: Uint8Array = EMPTY;
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  /** A view of all the bytes, valid until some are added. */
  get bytes(): Uint8Array {
    return this.#memory.subarray(this.#start, this.#end);
  }

  /**
   * Memory behind the bytes, to be written into and then added by `commit`.
   *
   * @param maxBytes the most that this buffer will hold, if bytes are never taken one by one: it
   * allocates no more
   */
  reserve(count: number, maxBytes = Infinity): Uint8Array {
    if (this.#memory.length - this.#end < count) this.#makeRoom(count, maxBytes);
    return this.#memory.subarray(this.#end, this.#end + count);
  }

  commit(count: number): void {
    this.#end += count;
  }

  append(bytes: Uint8Array, maxBytes = Infinity): void {
    this.reserve(bytes.length, maxBytes).set(bytes);
    this.commit(bytes.length);
  }

  prepend(bytes: Uint8Array): void {
    if (bytes.length > this.#start) this.#makeRoomInFront(bytes.length);
    this.#start -= bytes.length;
    this.#memory.set(bytes, this.#start);
  }

  consume(count: number): void {
    this.#start += count;
    if (this.#start === this.#end) this.clear();
  }

  /**
   * Moves bytes from the front to the start of `target`, as many as there are and fit in. Returns
   * how many.
   */
  moveTo(target: Uint8Array): number {
    const count = Math.min(this.length, target.length);
    target.set(this.#memory.subarray(this.#start, this.#start + count));
    this.consume(count);
    return count;
  }

  /** Moves `count` bytes from the front into memory of the caller's. */
  take(count: number): Uint8Array {
    const taken = new Uint8Array(this.#memory.subarray(this.#start, this.#start + count));
    this.consume(count);
    return taken;
  }

  /** Views that were given before stay as they are until bytes are added. */
  clear(): void {
    if (this.#memory.length > KEPT_BYTES && this.#end < this.#memory.length / 4) this.#memory = EMPTY;
    this.#start = this.#end = 0;
  }

  #makeRoom(count: number, maxBytes: number): void {
    const live = this.bytes;
    const needed = live.length + count;
    if (needed <= this.#memory.length && this.#start >= live.length) {
      // As many bytes have been taken as are moved.
      this.#memory.copyWithin(0, this.#start, this.#end);
    } else {
      // As much free memory as is moved.
      const roomy = Math.min(needed + live.length, maxBytes);
      const memory = new Uint8Array(Math.max(FIRST_BYTES, needed, roomy));
      memory.set(live);
      this.#memory = memory;
    }
    this.#end = live.length;
    this.#start = 0;
  }

  #makeRoomInFront(count: number): void {
    const live = this.bytes;
    const neededBytes = live.length + count;
    const memory = new Uint8Array(2 * neededBytes);
    memory.set(live, memory.length - live.length);
    this.#memory = memory;
    this.#start = memory.length - live.length;
    this.#end = memory.length;
  }
}
