import { Duplex, type DuplexOptions } from 'node:stream';
import { findEnds, type ByteEnds, type FoundEnds } from './byte-ends.js';

type Done = (error?: Error | null) => void;

/** As much as node:net reads at a time. */
const READ_BYTES = 64 * 1024;

/**
 * A Duplex over promises: one read at a time while bytes are wanted, and one write, so that each
 * side holds the other back.
 */
export class SourceDuplex extends Duplex {
  readonly #ends: FoundEnds;
  readonly #controller = new AbortController();
  #buffer: Uint8Array | null = null;

  /** @throws TypeError */
  constructor(stream: ByteEnds, unread: Uint8Array | undefined, options: DuplexOptions) {
    const ends = findEnds(stream);
    super({
      allowHalfOpen: false,
      ...options,
      ...(ends.read === undefined ? { readable: false } : {}),
      ...(ends.writeAll === undefined ? { writable: false } : {}),
    });
    this.#ends = ends;
    if (unread !== undefined && unread.length > 0) this.push(Buffer.from(unread));
  }

  /** @internal */
  override _read(): void {
    void this.#readOnce();
  }

  async #readOnce(): Promise<void> {
    const buffer = (this.#buffer ??= new Uint8Array(READ_BYTES));
    let received: number;
    try {
      received = await this.#ends.read!(buffer, { signal: this.#controller.signal });
    } catch (error) {
      if (!this.destroyed) this.destroy(error as Error);
      return;
    }
    if (this.destroyed) return;
    // Streams keep what they are given; the next read writes over the buffer.
    const chunk = received === 0 ? null : Buffer.from(buffer.subarray(0, received));
    // Outside of the promise, which would take for its own what a listener throws.
    process.nextTick(() => this.push(chunk));
  }

  /** @internal */
  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: Done): void {
    settle(() => this.#ends.writeAll!(chunk, { signal: this.#controller.signal }), done);
  }

  /** @internal */
  override _final(done: Done): void {
    settle(() => this.#ends.end?.(), done);
  }

  /** @internal */
  override _destroy(error: Error | null, done: Done): void {
    this.#controller.abort();
    settle(
      () => this.#ends.close?.(),
      (closing) => done(error ?? closing),
    );
  }
}

/** @param done is called outside of the promise, which would take for its own what it throws */
function settle(call: () => unknown, done: Done): void {
  const called = (async () => {
    await call();
  })();
  called.then(
    () => process.nextTick(done),
    (error: unknown) => process.nextTick(done, error as Error),
  );
}
