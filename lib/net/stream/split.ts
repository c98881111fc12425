import type { CancelOptions } from '../../reactor/cancellation.js';

/** What the halves ask of their stream. */
interface Whole {
  read(buffer: Uint8Array, options?: CancelOptions): Promise<number>;
  write(buffer: Uint8Array, options?: CancelOptions): Promise<number>;
  writeAll(buffer: Uint8Array, options?: CancelOptions): Promise<number>;
  end(): void;
}

/** The reading half of a split stream. */
export class ReadHalf {
  readonly #stream: Whole;
  readonly #onClose: () => void;

  /** @internal */
  constructor(stream: Whole, onClose: () => void) {
    this.#stream = stream;
    this.#onClose = onClose;
  }

  /** As `TcpStream.read`. */
  read(buffer: Uint8Array, options?: CancelOptions): Promise<number> {
    return this.#stream.read(buffer, options);
  }

  /**
   * Done with reading: the stream closes when its other half is done too. Bytes that nobody has
   * read by then make the system reset the connection, which can cost the peer the last of what was
   * written: read to the end first.
   */
  close(): void {
    this.#onClose();
  }

  /** Closes it, as `using` does at the end of its block. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** The writing half of a split stream. */
export class WriteHalf {
  readonly #stream: Whole;
  readonly #onClose: () => void;

  /** @internal */
  constructor(stream: Whole, onClose: () => void) {
    this.#stream = stream;
    this.#onClose = onClose;
  }

  /** As `TcpStream.write`. */
  write(buffer: Uint8Array, options?: CancelOptions): Promise<number> {
    return this.#stream.write(buffer, options);
  }

  /** As `TcpStream.writeAll`. */
  writeAll(buffer: Uint8Array, options?: CancelOptions): Promise<number> {
    return this.#stream.writeAll(buffer, options);
  }

  /** Ends our side when all writes are done; the stream closes when its other half is done too. */
  close(): void {
    this.#stream.end();
    this.#onClose();
  }

  /** Closes it, as `using` does at the end of its block. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** Both halves of a stream, for two owners. */
export function splitStream(
  stream: Whole,
  onBothClosed: () => void,
): { reader: ReadHalf; writer: WriteHalf } {
  const open = new Set(['reader', 'writer']);
  const done = (half: string) => {
    open.delete(half);
    if (open.size === 0) onBothClosed();
  };
  return {
    reader: new ReadHalf(stream, () => done('reader')),
    writer: new WriteHalf(stream, () => done('writer')),
  };
}
