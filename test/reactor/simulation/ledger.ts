/** What one call handed over to be sent. */
export interface Segment {
  readonly bytes: Uint8Array;
  /** How much of it goes out: known once the call has settled, or from the start when it is all. */
  length: number | null;
}

/**
 * The reference model of one direction of a connection: what one end handed over, in order, and
 * what the other end got of it. Bytes arrive once, in order, and with an orderly end all of them.
 */
export class Ledger {
  /** What was wrong, the first of it. */
  fault: string | null = null;
  receivedBytes = 0;
  readonly #segments: Segment[] = [];
  /** Up to here it has been compared. */
  #at = 0;
  #offset = 0;
  /** Received, while it is not known yet how much of a segment was sent. */
  #unchecked: Uint8Array[] = [];
  /** No segment after the last will ever be sent. */
  #isCut = false;

  /** `all`: every byte of it is to arrive, unless the connection breaks. */
  push(bytes: Uint8Array, all: boolean): Segment {
    const segment: Segment = { bytes, length: all ? bytes.length : null };
    this.#segments.push(segment);
    return segment;
  }

  /** The latest was refused, and is not sent. */
  withdraw(segment: Segment): void {
    this.settle(segment, 0);
  }

  settle(segment: Segment, length: number): void {
    segment.length = length;
    this.#compare();
  }

  /**
   * The sender has failed in the middle: what it had handed over may or may not arrive, as far as
   * it fits.
   */
  cut(): void {
    this.#isCut = true;
  }

  receive(bytes: Uint8Array): void {
    this.receivedBytes += bytes.length;
    this.#unchecked.push(bytes.slice());
    this.#compare();
  }

  /** After an orderly end: is something missing? Called when all calls have settled. */
  checkComplete(): void {
    this.#compare();
    const handedOver = this.#segments.reduce((sum, { length }) => sum + (length ?? NaN), 0);
    if (this.#isCut || handedOver === this.receivedBytes) return;
    this.#fail(`${handedOver} bytes were sent before an orderly end, ${this.receivedBytes} arrived`);
  }

  #compare(): void {
    while (this.#unchecked.length > 0 && this.fault === null) {
      const segment = this.#segments[this.#at];
      if (segment === undefined) {
        this.#fail(`${this.#unchecked[0]?.length} bytes arrived that nobody sent`);
        return;
      }
      if (segment.length === null && !this.#isCut) return;
      this.#compareWith(segment);
    }
  }

  #compareWith(segment: Segment): void {
    const [first] = this.#unchecked;
    if (first === undefined) return;
    const end = segment.length ?? segment.bytes.length;
    if (this.#offset > end) {
      this.#fail(`${this.#offset} bytes arrived of segment ${this.#at}, whose call says that it sent ${end}`);
      return;
    }
    const expected = segment.bytes.subarray(this.#offset, end);
    const count = Math.min(expected.length, first.length);
    if (Buffer.compare(first.subarray(0, count), expected.subarray(0, count)) !== 0) {
      this.#fail(
        `at ${this.receivedBytes} bytes: not what was sent at ${this.#offset} of segment ${this.#at}`,
      );
      return;
    }
    this.#offset += count;
    if (this.#offset === end) {
      this.#at++;
      this.#offset = 0;
    }
    if (count === first.length) this.#unchecked.shift();
    else this.#unchecked[0] = first.subarray(count);
  }

  #fail(what: string): void {
    this.fault ??= what;
  }
}
