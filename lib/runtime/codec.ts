/** How deep objects may lie in each other; what goes deeper, a circle too, is not written. */
const MAX_DEPTH = 16;
/** Longer strings are read by one call; shorter ones are faster by hand. */
const SHORT_CHARS = 24;
/** Places of the strings that were read last: a power of two. */
const KNOWN_STRINGS = 256;

const UNDEFINED = 0;
const NULL = 1;
const TRUE = 2;
const FALSE = 3;
const BYTE = 4;
const INT32 = 5;
const DOUBLE = 6;
const LATIN1 = 7;
const UTF16 = 8;
const ARRAY = 9;
const OBJECT = 10;

/**
 * Writes plain values into memory that threads share, and reads them: undefined, null, booleans,
 * numbers, strings, arrays and objects of those. A byte of tag, then the value; three times faster
 * than JSON for a small object. Not safe against other writers: who has the slot has it alone.
 */
export class Codec {
  readonly #bytes: Uint8Array;
  readonly #buffer: Buffer;
  readonly #double = new Float64Array(1);
  readonly #doubleBytes = new Uint8Array(this.#double.buffer);
  readonly #known: string[] = new Array<string>(KNOWN_STRINGS).fill('');
  #at = 0;
  #end = 0;

  constructor(memory: SharedArrayBuffer) {
    this.#bytes = new Uint8Array(memory);
    this.#buffer = Buffer.from(memory);
  }

  /**
   * Writes the value, and returns how many bytes it takes; -1 where it is none of the values above,
   * or does not fit.
   */
  write(value: unknown, start: number, end: number): number {
    const [outerAt, outerEnd] = [this.#at, this.#end];
    this.#at = start;
    this.#end = end;
    try {
      return this.#put(value, 0) ? this.#at - start : -1;
    } finally {
      // This may have been called by a getter of a value that is being written.
      this.#at = outerAt;
      this.#end = outerEnd;
    }
  }

  /** The same for the arguments of a call, of which only the elements count. */
  writeList(values: readonly unknown[], start: number, end: number): number {
    const [outerAt, outerEnd] = [this.#at, this.#end];
    this.#at = start;
    this.#end = end;
    try {
      return this.#putElements(values, 0) ? this.#at - start : -1;
    } finally {
      this.#at = outerAt;
      this.#end = outerEnd;
    }
  }

  /** Reads what `write` or `writeList` has put there. */
  read(start: number): unknown {
    this.#at = start;
    return this.#take();
  }

  #tag(tag: number): boolean {
    if (this.#at >= this.#end) return false;
    this.#bytes[this.#at++] = tag;
    return true;
  }

  #put(value: unknown, depth: number): boolean {
    switch (typeof value) {
      case 'number':
        return this.#putNumber(value);
      case 'string':
        return this.#putString(value);
      case 'boolean':
        return this.#tag(value ? TRUE : FALSE);
      case 'undefined':
        return this.#tag(UNDEFINED);
      case 'object':
        if (value === null) return this.#tag(NULL);
        if (depth >= MAX_DEPTH) return false;
        return Array.isArray(value) ? this.#putArray(value, depth) : this.#putObject(value, depth);
      case 'bigint':
      case 'symbol':
      case 'function':
        return false;
    }
  }

  #putNumber(value: number): boolean {
    const bytes = this.#bytes;
    if ((value | 0) === value && !Object.is(value, -0)) {
      if (this.#end - this.#at < 5) return false;
      if (value >= 0 && value < 256) {
        bytes[this.#at++] = BYTE;
        bytes[this.#at++] = value;
        return true;
      }
      bytes[this.#at++] = INT32;
      this.#putInt32(value);
      return true;
    }
    if (this.#end - this.#at < 9) return false;
    bytes[this.#at++] = DOUBLE;
    this.#double[0] = value;
    for (let i = 0; i < 8; i++) bytes[this.#at++] = this.#doubleBytes[i]!;
    return true;
  }

  #putInt32(value: number): void {
    const bytes = this.#bytes;
    bytes[this.#at++] = value;
    bytes[this.#at++] = value >> 8;
    bytes[this.#at++] = value >> 16;
    bytes[this.#at++] = value >> 24;
  }

  #putString(text: string): boolean {
    const { length } = text;
    if (this.#end - this.#at < length + 3) return false;
    const start = this.#at;
    const bytes = this.#bytes;
    this.#putHead(LATIN1, length);
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 255) {
        this.#at = start;
        return this.#putUtf16(text);
      }
      bytes[this.#at++] = code;
    }
    return true;
  }

  /** A tag and a length. */
  #putHead(tag: number, length: number): void {
    this.#bytes[this.#at++] = tag;
    this.#bytes[this.#at++] = length;
    this.#bytes[this.#at++] = length >> 8;
  }

  #putUtf16(text: string): boolean {
    const { length } = text;
    if (this.#end - this.#at < 2 * length + 3) return false;
    this.#putHead(UTF16, length);
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      this.#bytes[this.#at++] = code;
      this.#bytes[this.#at++] = code >> 8;
    }
    return true;
  }

  #putArray(values: readonly unknown[], depth: number): boolean {
    const { length } = values;
    if (this.#end - this.#at < length + 3) return false;
    // One with holes, or with names beside its elements, is cloned by the system. Names come after
    // all elements (ECMA-262, OrdinaryOwnPropertyKeys).
    let named = 0;
    let last = '';
    for (const name in values as object) {
      named++;
      last = name;
    }
    const isDense = named === length && (length === 0 || last === String(length - 1));
    return isDense && this.#putElements(values, depth);
  }

  #putElements(values: readonly unknown[], depth: number): boolean {
    const { length } = values;
    if (this.#end - this.#at < length + 3) return false;
    this.#putHead(ARRAY, length);
    for (let i = 0; i < length; i++) if (!this.#put(values[i], depth + 1)) return false;
    return true;
  }

  #putObject(value: object, depth: number): boolean {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) return false;
    const names = Object.keys(value);
    if (this.#end - this.#at < 3) return false;
    this.#putHead(OBJECT, names.length);
    for (const name of names) {
      // To assign it would set the prototype.
      if (name === '__proto__' || !this.#putString(name)) return false;
      if (!this.#put((value as Record<string, unknown>)[name], depth + 1)) return false;
    }
    return true;
  }

  #take(): unknown {
    const bytes = this.#bytes;
    switch (bytes[this.#at++]) {
      case NULL:
        return null;
      case TRUE:
        return true;
      case FALSE:
        return false;
      case BYTE:
        return bytes[this.#at++];
      case INT32:
        return this.#takeInt32();
      case DOUBLE:
        for (let i = 0; i < 8; i++) this.#doubleBytes[i] = bytes[this.#at++]!;
        return this.#double[0];
      case LATIN1:
        return this.#takeLatin1();
      case UTF16:
        return this.#takeUtf16();
      case ARRAY:
        return this.#takeArray();
      case OBJECT:
        return this.#takeObject();
      default:
        return undefined;
    }
  }

  #takeInt32(): number {
    const [bytes, at] = [this.#bytes, this.#at];
    this.#at += 4;
    return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  }

  #takeLength(): number {
    const at = this.#at;
    this.#at += 2;
    return this.#bytes[at]! | (this.#bytes[at + 1]! << 8);
  }

  /** Mostly a name, or a value, that was read before. */
  #takeLatin1(): string {
    const length = this.#takeLength();
    const [bytes, start] = [this.#bytes, this.#at];
    this.#at += length;
    if (length > SHORT_CHARS) return this.#buffer.toString('latin1', start, start + length);
    let hash = length;
    for (let i = 0; i < length; i++) hash = (hash * 31 + bytes[start + i]!) & (KNOWN_STRINGS - 1);
    const known = this.#known[hash]!;
    if (known.length === length) {
      let i = 0;
      while (i < length && known.charCodeAt(i) === bytes[start + i]) i++;
      if (i === length) return known;
    }
    let text = '';
    for (let i = 0; i < length; i++) text += String.fromCharCode(bytes[start + i]!);
    this.#known[hash] = text;
    return text;
  }

  #takeUtf16(): string {
    const bytes = 2 * this.#takeLength();
    const start = this.#at;
    this.#at += bytes;
    return this.#buffer.toString('utf16le', start, start + bytes);
  }

  #takeArray(): unknown[] {
    const length = this.#takeLength();
    const values: unknown[] = [];
    for (let i = 0; i < length; i++) values.push(this.#take());
    return values;
  }

  #takeObject(): object {
    const length = this.#takeLength();
    const object: Record<string, unknown> = {};
    for (let i = 0; i < length; i++) {
      this.#at++; // a name is a string: only which kind has to be looked at
      const name = this.#bytes[this.#at - 1] === LATIN1 ? this.#takeLatin1() : this.#takeUtf16();
      object[name] = this.#take();
    }
    return object;
  }
}
