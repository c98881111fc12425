/**
 * Words of memory that threads share. All that the scheduler and the table of tasks do to such
 * memory they do here, one method a step, so that a test can put its own class in this one's place
 * and try every order of the steps of several threads (test/runtime/scheduler/explorer.ts).
 *
 * `Atomics` are sequentially consistent (ECMA-262, "Memory Model"). `read` and `write` are plain:
 * nobody else writes a word that is read so, and what is written so is published by a `store` or a
 * `compareExchange` that follows.
 */
export class Cells {
  readonly #words: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
  }

  /** The value. */
  load(index: number): number {
    return Atomics.load(this.#words, index);
  }

  /** Sets the value. */
  store(index: number, value: number): void {
    Atomics.store(this.#words, index, value);
  }

  /** The value before, which is `expected` if it was exchanged. */
  compareExchange(index: number, expected: number, value: number): number {
    return Atomics.compareExchange(this.#words, index, expected, value);
  }

  /** The value before; the sum wraps at 32 bits. */
  add(index: number, value: number): number {
    return Atomics.add(this.#words, index, value);
  }

  /** Sets the value; gives the one before. */
  exchange(index: number, value: number): number {
    return Atomics.exchange(this.#words, index, value);
  }

  /** Sets these bits. */
  or(index: number, bits: number): void {
    Atomics.or(this.#words, index, bits);
  }

  /**
   * Of a word that others write: what has been so, perhaps long ago, and in no order with other
   * words. For who looks again, or exchanges it only if it is still so. It costs a tenth of a load,
   * which up to V8 of Node 20 is a call.
   */
  peek(index: number): number {
    return this.#words[index]!;
  }

  /** Of a word that no other thread writes. */
  read(index: number): number {
    return this.#words[index]!;
  }

  /** Seen by others for certain after this thread's next atomic operation. */
  write(index: number, value: number): void {
    this.#words[index] = value;
  }
}
