// RESP2, Redis' protocol: commands from bytes, replies to bytes. It knows no socket. Bytes are
// latin1 strings here, a character each: keys and values of any content, without a Buffer for each.

/** Of a bulk string; Redis' own is 512 MB. */
const MAX_BULK_BYTES = 64 * 1024 * 1024;
/** Of all arguments of a command. */
const MAX_COMMAND_BYTES = 2 * MAX_BULK_BYTES;
/** Of an inline command, or of a line that gives a length: as Redis. */
const MAX_LINE_BYTES = 64 * 1024;
/** As Redis. */
const MAX_ARGUMENTS = 1024 * 1024;
/** What a value that comes in pieces is given at first. */
const FIRST_BULK_BYTES = 16 * 1024;

const CR = 0x0d;
const LF = 0x0a;
const ASTERISK = 0x2a;
const DOLLAR = 0x24;
const MINUS = 0x2d;
const NOTHING = Buffer.alloc(0);

/** What a client has done wrong; the message is Redis'. */
export class ProtocolError extends Error {}

/** A number of up to nine digits from a line; NaN where it is none. */
function toInteger(bytes: Buffer, from: number, to: number): number {
  const start = bytes[from] === MINUS ? from + 1 : from;
  if (to === start || to - start > 9) return NaN;
  let value = 0;
  for (let i = start; i < to; i++) {
    const digit = (bytes[i] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return NaN;
    value = value * 10 + digit;
  }
  return start === from ? value : -value;
}

/** The words of an inline command; a word may be quoted, with \n, \t, \" and \xHH in "double". */
function splitWords(line: string): string[] {
  const words: string[] = [];
  const word = /\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s"']+))(?=\s|$)/sy;
  const end = line.trimEnd().length;
  while (word.lastIndex < end) {
    const match = word.exec(line);
    if (match === null) throw new ProtocolError('Protocol error: unbalanced quotes in request');
    const [, double, single, plain] = match;
    if (double !== undefined) words.push(unescape(double));
    else words.push(single?.replaceAll("\\'", "'") ?? plain ?? '');
  }
  return words;
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' };

function unescape(text: string): string {
  return text.replaceAll(/\\(?:x([0-9a-f]{2})|.)/gis, (escape: string, hex: string | undefined) => {
    const character = escape.slice(1);
    return hex === undefined ? (ESCAPES[character] ?? character) : String.fromCharCode(parseInt(hex, 16));
  });
}

/**
 * Takes commands out of chunks, however they are cut. What is left of a chunk is copied: it may be
 * lent. It keeps a command's arguments as they come, so no byte is looked at twice but those of a
 * line.
 */
export class CommandParser {
  /** Where the next byte of `take`'s chunk is. */
  position = 0;
  #bytes: Buffer = NOTHING;
  /** How many arguments of the command are to come. */
  #missing = 0;
  #words: string[] = [];
  #commandBytes = 0;
  /** Of the argument that is coming; -1: its line has not come. */
  #bulkBytes = -1;
  /** An argument that comes in pieces, and how much of it is there. */
  #bulk: Buffer = NOTHING;
  #received = 0;
  /** The beginning of a line. */
  #line: Buffer = NOTHING;

  /** Begins a chunk, of which `next` takes commands. */
  begin(chunk: Buffer): void {
    this.#bytes = this.#line.length === 0 ? chunk : Buffer.concat([this.#line, chunk]);
    this.#line = NOTHING;
    this.position = 0;
  }

  /** What `next` has not used of the chunk. */
  rest(): Buffer {
    return this.#bytes.subarray(this.position);
  }

  /**
   * The next command, or null when the chunk has no more.
   *
   * @throws ProtocolError: nothing can be understood after it
   */
  next(): readonly string[] | null {
    for (;;) {
      if (this.#missing === 0) {
        const inline = this.#begin();
        if (inline === null) return null;
        if (inline !== undefined && inline.length > 0) return inline;
        continue;
      }
      if (!this.#argument()) return null;
      if (--this.#missing > 0) continue;
      const words = this.#words;
      this.#words = [];
      this.#commandBytes = 0;
      return words;
    }
  }

  /** The first line: of an array (undefined), or all of an inline command; null if it is not there. */
  #begin(): readonly string[] | null | undefined {
    const start = this.position;
    if (start === this.#bytes.length) return null;
    if (this.#bytes[start] !== ASTERISK) {
      const end = this.#endOfLine('too big inline request');
      return end < 0 ? null : splitWords(this.#bytes.toString('latin1', start, end));
    }
    const end = this.#endOfLine('too big mbulk count string');
    if (end < 0) return null;
    const count = toInteger(this.#bytes, start + 1, end);
    if (Number.isNaN(count) || count > MAX_ARGUMENTS)
      throw new ProtocolError('Protocol error: invalid multibulk length');
    this.#missing = Math.max(count, 0);
    return undefined;
  }

  /** Whether a whole argument was there. */
  #argument(): boolean {
    if (this.#bulkBytes < 0 && !this.#bulkLine()) return false;
    const bytes = this.#bytes;
    const start = this.position;
    const length = this.#bulkBytes;
    if (this.#received === 0 && bytes.length - start >= length + 2) {
      this.#words.push(bytes.toString('latin1', start, start + length));
      this.position = start + length + 2;
    } else if (!this.#collect()) return false;
    this.#bulkBytes = -1;
    return true;
  }

  #bulkLine(): boolean {
    const start = this.position;
    const first = this.#bytes[start];
    if (first === undefined) return false;
    if (first !== DOLLAR) {
      const got = first >= 0x20 && first < 0x7f ? String.fromCharCode(first) : '.';
      throw new ProtocolError(`Protocol error: expected '$', got '${got}'`);
    }
    const end = this.#endOfLine('too big bulk count string');
    if (end < 0) return false;
    const length = toInteger(this.#bytes, start + 1, end);
    this.#commandBytes += length;
    if (!(length >= 0 && length <= MAX_BULK_BYTES && this.#commandBytes <= MAX_COMMAND_BYTES))
      throw new ProtocolError('Protocol error: invalid bulk length');
    this.#bulkBytes = length;
    return true;
  }

  /** An argument in pieces: memory is taken as its bytes come, not as it says that it is long. */
  #collect(): boolean {
    const wanted = this.#bulkBytes + 2;
    const received = this.#received;
    const more = Math.min(wanted - received, this.#bytes.length - this.position);
    if (received + more > this.#bulk.length) {
      const length = Math.min(wanted, Math.max(2 * (received + more), FIRST_BULK_BYTES));
      const larger = Buffer.allocUnsafeSlow(length);
      this.#bulk.copy(larger, 0, 0, received);
      this.#bulk = larger;
    }
    this.#bytes.copy(this.#bulk, received, this.position, this.position + more);
    this.position += more;
    this.#received += more;
    if (this.#received < wanted) return false;
    this.#words.push(this.#bulk.toString('latin1', 0, this.#bulkBytes));
    this.#bulk = NOTHING;
    this.#received = 0;
    return true;
  }

  /** Where the line ends; its beginning is kept, and -1 returned, if it does not. */
  #endOfLine(tooLong: string): number {
    const bytes = this.#bytes;
    const start = this.position;
    // Mostly a digit or two: that is faster than a search.
    let end = start + 1;
    const near = Math.min(start + 8, bytes.length);
    while (end < near && bytes[end] !== LF) end++;
    if (bytes[end] !== LF) end = bytes.indexOf(LF, end);
    if ((end < 0 ? bytes.length : end) - start > MAX_LINE_BYTES)
      throw new ProtocolError(`Protocol error: ${tooLong}`);
    if (end < 0) {
      this.#line = Buffer.from(bytes.subarray(start));
      this.position = bytes.length;
      return -1;
    }
    this.position = end + 1;
    return bytes[end - 1] === CR ? end - 1 : end;
  }
}

/** Where replies go. */
export interface ReplySink {
  /**
   * Sends bytes, which are valid during the call only unless `isKept`. Returns false when the
   * client reads too slowly: what was given is queued all the same.
   */
  write(bytes: Buffer, isKept: boolean): boolean;
}

/** Replies up to this are sent together. */
const BUFFER_BYTES = 64 * 1024;
/** Below it a loop is faster than a call into native code. */
const LOOP_BYTES = 24;

/**
 * Replies, collected until they are sent. One serves all connections: what a chunk asks for is
 * answered before the next chunk of any comes.
 */
export class Replies {
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #length = 0;
  /** What was sent last, a view of the buffer. */
  #sent = NOTHING;
  #sink: ReplySink | null = null;
  #isTaken = true;

  /** What follows is for `sink`. */
  begin(sink: ReplySink): void {
    this.#sink = sink;
    this.#isTaken = true;
  }

  /** Sends what there is; returns false when the client reads too slowly. */
  flush(): boolean {
    const length = this.#length;
    this.#length = 0;
    if (length === 0) return this.#isTaken;
    // Many replies are as long as the last one.
    if (this.#sent.length !== length) this.#sent = this.#buffer.subarray(0, length);
    this.#send(this.#sent, false);
    return this.#isTaken;
  }

  /** Whether the client has to read before more is answered. */
  get isFull(): boolean {
    return !this.#isTaken;
  }

  /** A whole reply, or a part of one, as it is. */
  raw(text: string): void {
    const { length } = text;
    if (length > BUFFER_BYTES - this.#length) {
      this.flush();
      if (length > BUFFER_BYTES) {
        this.#send(Buffer.from(text, 'latin1'), true);
        return;
      }
    }
    const at = this.#length;
    this.#length = at + length;
    if (length > LOOP_BYTES) {
      this.#buffer.write(text, at, 'latin1');
      return;
    }
    for (let i = 0; i < length; i++) this.#buffer[at + i] = text.charCodeAt(i);
  }

  error(message: string): void {
    this.raw(`-${message.replaceAll(/[\r\n]/g, ' ')}\r\n`);
  }

  integer(value: number): void {
    this.raw(`:${value}\r\n`);
  }

  /** Null: there is none. */
  bulk(value: string | null): void {
    if (value === null) {
      this.raw('$-1\r\n');
      return;
    }
    this.raw(`$${value.length}\r\n`);
    this.raw(value);
    this.raw('\r\n');
  }

  bulks(values: readonly (string | null)[]): void {
    this.raw(`*${values.length}\r\n`);
    for (const value of values) this.bulk(value);
  }

  #send(bytes: Buffer, isKept: boolean): void {
    if (this.#sink?.write(bytes, isKept) === false) this.#isTaken = false;
  }
}
