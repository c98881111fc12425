import { frameTooLongError, outOfRange, unexpectedEndError } from '../../binding/errors.js';
import { checkBytes, checkInteger, checkNames } from '../../binding/validate.js';
import type { CancelOptions } from '../../reactor/cancellation.js';
import { DEFAULT_MAX_LENGTH_BYTES } from './delimited-decoder.js';
import { DelimiterMatcher } from './delimiter-matcher.js';
import { UNFINISHED } from './frame-decoder.js';
import { checkEncoding, decodeText, LF, withoutCr, type Line, type LineEncoding } from './line-decoder.js';
import { MORE, ReadAhead, type ByteSource } from './read-ahead.js';

/** The most that one connection may cost, as with frames that have a length prefix. */
const DEFAULT_MAX_BUFFERED_BYTES = 1024 * 1024;
const MAX_BYTES = 0x7fffffff;

/** Options of a `BufferedReader`. */
export interface BufferedReaderOptions {
  /**
   * Most bytes that `readExactly(lengthBytes)`, `peek` and `unread` keep in this reader's memory: 1
   * to 2147483647; default 1048576. A length that came from the peer is checked against it, before
   * anything is allocated.
   */
  maxBufferedBytes?: number | undefined;
}

/** Options of `BufferedReader.readUntil`. */
export interface ReadUntilOptions extends CancelOptions {
  /** Longest result, without the delimiter: 1 to 2147483647; default 65536. */
  maxLengthBytes?: number | undefined;
}

const UNTIL_NAMES: Readonly<Record<keyof ReadUntilOptions, true>> = {
  maxLengthBytes: true,
  signal: true,
  timeoutMs: true,
};

/** Options of `BufferedReader.readLine`. */
export interface ReadLineOptions<
  Encoding extends LineEncoding | undefined = LineEncoding | undefined,
> extends ReadUntilOptions {
  /** Longest line without its LF, 1 to 2147483647; a CR before the LF counts. Default 65536. */
  maxLengthBytes?: number | undefined;
  /** Gives the line as a string; what is not valid UTF-8 becomes U+FFFD. Default: as bytes. */
  encoding?: Encoding;
}

/**
 * Reads lines, counted bytes and chunks of one stream in any order: what a protocol of lines and
 * bodies (HTTP, RESP, SMTP) needs. Reading ahead, it needs few reads of the source, whose bytes are
 * its own from the first call on. What it gives is the caller's own memory, but for `peek`. One
 * call at a time; it closes nothing.
 *
 * A call that rejects takes no bytes: aborted, too late, too long or at the end of the stream, what
 * has come is there for the next call. It is itself a source, for a `FrameReader` or another
 * reader.
 */
export class BufferedReader implements ByteSource {
  readonly #ahead: ReadAhead;
  readonly #maxBufferedBytes: number;
  #lineMatcher: DelimiterMatcher | null = null;

  /**
   * @param source read by nobody else from the first call on; it stays the caller's to close
   * @throws TypeError, RangeError
   */
  constructor(source: ByteSource, options: BufferedReaderOptions = {}) {
    this.#ahead = new ReadAhead(source);
    checkNames('options', options, { maxBufferedBytes: true });
    const { maxBufferedBytes = DEFAULT_MAX_BUFFERED_BYTES } = options;
    checkInteger('maxBufferedBytes', maxBufferedBytes, 1, MAX_BYTES);
    this.#maxBufferedBytes = maxBufferedBytes;
  }

  /** Number of bytes that have come and were not taken. */
  get bufferedBytes(): number {
    return this.#ahead.buffer.length;
  }

  /**
   * Reads a line that ends with LF or CRLF, without these; a CR elsewhere is a character as any
   * other.
   *
   * @param options the source must know `signal` and `timeoutMs`, as `TcpStream` does; so for all
   * calls
   * @returns null at the end of the stream
   * @throws (as rejection) ERR_TRIPOLL_FRAME_TOO_LONG; ERR_TRIPOLL_UNEXPECTED_END when the stream
   * ends without LF; ERR_TRIPOLL_BUSY while another call waits; TypeError, RangeError; ABORT_ERR,
   * ERR_TRIPOLL_TIMEOUT; what the source's `read` rejects with
   */
  readLine<Encoding extends LineEncoding | undefined = undefined>(
    options: ReadLineOptions<Encoding> = {},
  ): Promise<Line<Encoding> | null> {
    try {
      checkNames('options', options, UNTIL_NAMES, { encoding: true });
      const { encoding } = options;
      checkEncoding(encoding);
      this.#lineMatcher ??= new DelimiterMatcher(LF);
      return this.#readUntil(this.#lineMatcher, options, (lengthBytes) => {
        const { bytes } = this.#ahead.buffer;
        const end = withoutCr(bytes, 0, lengthBytes);
        const line = encoding === undefined ? bytes.slice(0, end) : decodeText(bytes, 0, end, encoding);
        return line as Line<Encoding>;
      });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Reads up to the delimiter, and gives what is before it; the delimiter is taken and left out.
   *
   * @param delimiter at least one byte long
   * @returns null at the end of the stream
   * @throws (as rejection) ERR_TRIPOLL_FRAME_TOO_LONG; ERR_TRIPOLL_UNEXPECTED_END when the stream
   * ends without the delimiter; as `readLine`
   */
  readUntil(delimiter: Uint8Array, options: ReadUntilOptions = {}): Promise<Uint8Array | null> {
    try {
      checkNames('options', options, UNTIL_NAMES);
      return this.#readUntil(new DelimiterMatcher(delimiter), options, (lengthBytes) =>
        this.#ahead.buffer.bytes.slice(0, lengthBytes),
      );
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Reads as many bytes as were asked for, not fewer: into memory that grows as they come, or into
   * `buffer`, which may be longer than `maxBufferedBytes`.
   *
   * @param lengthBytes 0 to `maxBufferedBytes`
   * @returns the bytes; `buffer` itself, if one was given
   * @throws (as rejection) ERR_TRIPOLL_UNEXPECTED_END when the stream ends before, also if no byte
   * came (`peek(1)` tells whether it has ended); RangeError; as `readLine`
   */
  readExactly(lengthBytes: number, options?: CancelOptions): Promise<Uint8Array>;
  /** The same into the caller's memory, which is written to until the promise settles. */
  readExactly<Bytes extends Uint8Array>(buffer: Bytes, options?: CancelOptions): Promise<Bytes>;
  readExactly(wanted: number | Uint8Array, options?: CancelOptions): Promise<Uint8Array> {
    try {
      if (typeof wanted !== 'number') {
        checkBytes('buffer', wanted);
        return this.#readFull(wanted, options);
      }
      this.#checkLength(wanted);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#ahead.read(() => {
      const { buffer, ended } = this.#ahead;
      if (buffer.length >= wanted) return buffer.take(wanted);
      if (ended) throw unexpectedEndError(buffer.length);
      return MORE;
    }, options);
  }

  /**
   * Reads what there is, at least a byte, into the start of `buffer`: what has come already, else
   * by one read of the source.
   *
   * @param buffer at least one byte long; it is written to until the promise settles
   * @returns how many bytes came; 0 at the end of the stream
   * @throws (as rejection) TypeError, RangeError; as `readLine`
   */
  read(buffer: Uint8Array, options?: CancelOptions): Promise<number> {
    try {
      checkBytes('buffer', buffer);
      if (buffer.length === 0) throw outOfRange('buffer', 'at least one byte long', buffer);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#ahead.readInto(buffer, 1, options);
  }

  /**
   * Waits for bytes, and shows them without taking them.
   *
   * @param lengthBytes 0 to `maxBufferedBytes`
   * @returns a view, valid until the next call of this reader; shorter than `lengthBytes` only when
   * the stream ends before
   * @throws (as rejection) RangeError; as `readLine`
   */
  peek(lengthBytes: number, options?: CancelOptions): Promise<Uint8Array> {
    try {
      this.#checkLength(lengthBytes);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#ahead.read(() => {
      const { buffer, ended } = this.#ahead;
      return buffer.length >= lengthBytes || ended ? buffer.bytes.subarray(0, lengthBytes) : MORE;
    }, options);
  }

  /**
   * Puts bytes back in front of what comes next. They need not have been read from here.
   *
   * @param bytes copied
   * @throws TypeError; RangeError when more than `maxBufferedBytes` would be kept; ERR_TRIPOLL_BUSY
   * while a call waits
   */
  unread(bytes: Uint8Array): void {
    checkBytes('bytes', bytes);
    this.#ahead.checkIdle();
    const room = this.#maxBufferedBytes - this.bufferedBytes;
    if (bytes.length > room) throw outOfRange('bytes', `at most ${Math.max(0, room)} bytes long`, bytes);
    this.#ahead.buffer.prepend(bytes);
  }

  /**
   * Takes what has come already, for who reads on from the source itself.
   *
   * @returns the caller's own memory; empty when nothing is left
   * @throws ERR_TRIPOLL_BUSY while a call waits
   */
  takeBuffered(): Uint8Array {
    this.#ahead.checkIdle();
    return this.#ahead.buffer.take(this.bufferedBytes);
  }

  /**
   * Iterates over the chunks as they come, each in memory of its own, until the end of the stream.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array, undefined, CancelOptions | undefined> {
    const take = (): IteratorResult<Uint8Array, undefined> | typeof MORE => {
      const { buffer, ended } = this.#ahead;
      if (buffer.length > 0) return { done: false, value: buffer.take(buffer.length) };
      return ended ? { done: true, value: undefined } : MORE;
    };
    return {
      next: (options?: CancelOptions) => this.#ahead.read(take, options),
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  #checkLength(lengthBytes: number): void {
    checkInteger('lengthBytes', lengthBytes, 0, this.#maxBufferedBytes);
  }

  async #readFull(buffer: Uint8Array, options: CancelOptions | undefined): Promise<Uint8Array> {
    const { length } = buffer;
    const received = await this.#ahead.readInto(buffer, length, options);
    if (received === length) return buffer;
    this.#ahead.buffer.prepend(buffer.subarray(0, received));
    throw unexpectedEndError(received);
  }

  /** `toResult`: of as many bytes from the front of the buffer. */
  #readUntil<Result>(
    matcher: DelimiterMatcher,
    options: ReadUntilOptions,
    toResult: (lengthBytes: number) => Result,
  ): Promise<Result | null> {
    const { maxLengthBytes = DEFAULT_MAX_LENGTH_BYTES, signal, timeoutMs } = options;
    checkInteger('maxLengthBytes', maxLengthBytes, 1, MAX_BYTES);
    // The source is given what it knows.
    const cancel = signal === undefined && timeoutMs === undefined ? undefined : { signal, timeoutMs };
    let scanned = 0;
    return this.#ahead.read(() => {
      const { buffer, ended } = this.#ahead;
      const end = matcher.find(buffer.bytes, scanned);
      scanned = buffer.length;
      if (end !== UNFINISHED) {
        const lengthBytes = end - matcher.lengthBytes;
        if (lengthBytes > maxLengthBytes) throw frameTooLongError(maxLengthBytes);
        const result = toResult(lengthBytes);
        buffer.consume(end);
        return result;
      }
      // At least a byte is still to come.
      if (scanned >= maxLengthBytes + matcher.lengthBytes) throw frameTooLongError(maxLengthBytes);
      if (!ended) return MORE;
      if (scanned > 0) throw unexpectedEndError(scanned);
      return null;
    }, cancel);
  }
}
