import { hashOf, KNOWN, NO_SHAPE, type Shape, Shapes } from './shapes.js';

/** How deep objects may lie in each other; what goes deeper, a circle too, is not written. */
const MAX_DEPTH = 16;
/** Of a string that is looked for among those that were read last; a longer one is read by a call. */
const MAX_KNOWN_WORDS = 6;

const CHARS_PER_WORD = 4;
const BYTES_PER_WORD = 4;

// The lowest byte of a value's first word is its tag; what else is in that word depends on it.
const TAG_BITS = 8;
const TAG_MASK = 0xff;
const UNDEFINED = 0;
const NULL = 1;
const TRUE = 2;
const FALSE = 3;
/** An integer of 24 bits is in the word. */
const SMALL = 4;
const INT32 = 5;
const DOUBLE = 6;
/** With its length, in characters. */
const LATIN1 = 7;
const UTF16 = 8;
/** With its length; then its elements. */
const ARRAY = 9;
/** With the length of its names, in words, and their hash; then names and values. */
const OBJECT = 10;
const HASH_SHIFT = 24;
const MAX_NAMES_WORDS = 0xffff;

const { hasOwnProperty } = Object.prototype;

/**
 * Writes plain values into memory that threads share, and reads them: undefined, null, booleans,
 * numbers, strings, arrays and objects of those. All in words of 32 bits, several times faster than
 * JSON for a small object. Not safe against other writers: who has the slot has it alone.
 */
export class Codec {
  readonly #words: Int32Array;
  readonly #buffer: Buffer;
  readonly #double = new Float64Array(1);
  readonly #doubleWords = new Int32Array(this.#double.buffer);
  readonly #shapes = new Shapes();
  /** Strings that were read last, and their words. */
  readonly #strings: string[] = new Array<string>(KNOWN).fill('');
  readonly #stringWords = new Int32Array(KNOWN * MAX_KNOWN_WORDS);
  #at = 0;
  #end = 0;

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
    this.#buffer = Buffer.from(memory);
  }

  /**
   * Writes the value, and returns how many bytes it takes; -1 where it is none of the values above,
   * or does not fit. `start` is a multiple of four.
   */
  write(value: unknown, start: number, end: number): number {
    return this.#within(value, null, start, end);
  }

  /** The same for the arguments of a call, of which only the elements count. */
  writeList(values: readonly unknown[], start: number, end: number): number {
    return this.#within(undefined, values, start, end);
  }

  /** Reads what `write` or `writeList` has put there. */
  read(start: number): unknown {
    this.#at = start / BYTES_PER_WORD;
    return this.#take();
  }

  #within(value: unknown, values: readonly unknown[] | null, start: number, end: number): number {
    const outerAt = this.#at;
    const outerEnd = this.#end;
    this.#at = start / BYTES_PER_WORD;
    this.#end = Math.floor(end / BYTES_PER_WORD);
    try {
      const isWritten = values === null ? this.#put(value, 0) : this.#putElements(values, 0);
      return isWritten ? this.#at * BYTES_PER_WORD - start : -1;
    } finally {
      // This may have been called by a getter of a value that is being written.
      this.#at = outerAt;
      this.#end = outerEnd;
    }
  }

  #putWord(word: number): boolean {
    if (this.#at >= this.#end) return false;
    this.#words[this.#at++] = word;
    return true;
  }

  #put(value: unknown, depth: number): boolean {
    switch (typeof value) {
      case 'number':
        return this.#putNumber(value);
      case 'string':
        return this.#putString(value);
      case 'boolean':
        return this.#putWord(value ? TRUE : FALSE);
      case 'undefined':
        return this.#putWord(UNDEFINED);
      case 'object':
        if (value === null) return this.#putWord(NULL);
        if (depth >= MAX_DEPTH) return false;
        return Array.isArray(value)
          ? this.#putArray(value, depth)
          : this.#putObject(value as Record<string, unknown>, depth);
      case 'bigint':
      case 'symbol':
      case 'function':
        return false;
    }
  }

  #putNumber(value: number): boolean {
    const words = this.#words;
    const at = this.#at;
    if ((value | 0) === value && !Object.is(value, -0)) {
      const small = (value << TAG_BITS) | SMALL;
      if (small >> TAG_BITS === value) return this.#putWord(small);
      if (this.#end - at < 2) return false;
      words[at] = INT32;
      words[at + 1] = value;
      this.#at = at + 2;
      return true;
    }
    if (this.#end - at < 3) return false;
    this.#double[0] = value;
    words[at] = DOUBLE;
    words[at + 1] = this.#doubleWords[0]!;
    words[at + 2] = this.#doubleWords[1]!;
    this.#at = at + 3;
    return true;
  }

  #putString(text: string): boolean {
    const words = this.#words;
    const { length } = text;
    const head = this.#at;
    if (this.#end - head < 1 + Math.ceil(length / CHARS_PER_WORD)) return false;
    let at = head + 1;
    let codes = 0;
    let i = 0;
    for (; i + 3 < length; i += 4) {
      const [a, b] = [text.charCodeAt(i), text.charCodeAt(i + 1)];
      const [c, d] = [text.charCodeAt(i + 2), text.charCodeAt(i + 3)];
      codes |= a | b | c | d;
      words[at++] = a | (b << 8) | (c << 16) | (d << 24);
    }
    if (i < length) {
      let last = 0;
      for (let shift = 0; i < length; shift += 8) {
        const code = text.charCodeAt(i++);
        codes |= code;
        last |= code << shift;
      }
      words[at++] = last;
    }
    if (codes > 0xff) return this.#putUtf16(text);
    words[head] = LATIN1 | (length << TAG_BITS);
    this.#at = at;
    return true;
  }

  #putUtf16(text: string): boolean {
    const words = this.#words;
    const { length } = text;
    if (this.#end - this.#at < 1 + Math.ceil(length / 2)) return false;
    words[this.#at++] = UTF16 | (length << TAG_BITS);
    // Past the end of the text there is NaN, which is 0 here.
    for (let i = 0; i < length; i += 2)
      words[this.#at++] = text.charCodeAt(i) | (text.charCodeAt(i + 1) << 16);
    return true;
  }

  #putArray(values: readonly unknown[], depth: number): boolean {
    const { length } = values;
    if (this.#end - this.#at < length + 1) return false;
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
    if (this.#end - this.#at < length + 1) return false;
    this.#words[this.#at++] = ARRAY | (length << TAG_BITS);
    for (let i = 0; i < length; i++) if (!this.#put(values[i], depth + 1)) return false;
    return true;
  }

  #putObject(value: Record<string, unknown>, depth: number): boolean {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) return false;
    const start = this.#at;
    let shape = NO_SHAPE;
    let i = 0;
    // Of all ways to walk an object the fastest.
    for (const name in value) {
      if (i === 0) {
        shape = this.#shapes.guess(name);
        if (!this.#putShape(shape)) return false;
      }
      // In this loop the engine knows it without a call, as long as the object stays as it is.
      if (shape.names[i] !== name || !hasOwnProperty.call(value, name))
        return this.#putOther(value, depth, start);
      i++;
      if (!this.#put(value[name], depth + 1)) return false;
    }
    if (i === 0) return this.#putShape(NO_SHAPE);
    return i === shape.names.length || this.#putOther(value, depth, start);
  }

  #putShape(shape: Shape): boolean {
    const names = shape.words;
    const { length } = names;
    const words = this.#words;
    let at = this.#at;
    if (this.#end - at < length + 1) return false;
    words[at++] = OBJECT | (length << TAG_BITS) | (shape.hash << HASH_SHIFT);
    for (let i = 0; i < length; i++) words[at++] = names[i]!;
    this.#at = at;
    return true;
  }

  /** An object whose names are not what was guessed. */
  #putOther(value: Record<string, unknown>, depth: number, start: number): boolean {
    this.#at = start;
    const names = Object.keys(value);
    if (!this.#putNames(names)) return false;
    for (const name of names) if (!this.#put(value[name], depth + 1)) return false;
    return true;
  }

  #putNames(names: readonly string[]): boolean {
    const head = this.#at;
    const start = head + 1;
    if (start > this.#end) return false;
    this.#at = start;
    for (const name of names) {
      // To assign it would set the prototype.
      if (name === '__proto__' || !this.#putString(name)) return false;
    }
    const words = this.#words;
    const length = this.#at - start;
    if (length > MAX_NAMES_WORDS) return false;
    const hash = hashOf(words, start, this.#at);
    words[head] = OBJECT | (length << TAG_BITS) | (hash << HASH_SHIFT);
    let shape = this.#shapes.find(words, start, length, hash);
    if (shape === NO_SHAPE) shape = this.#shapes.remember(names, words.slice(start, this.#at), hash);
    if (names.length > 0) this.#shapes.expect(shape);
    return true;
  }

  #take(): unknown {
    const words = this.#words;
    const word = words[this.#at++]!;
    switch (word & TAG_MASK) {
      case NULL:
        return null;
      case TRUE:
        return true;
      case FALSE:
        return false;
      case SMALL:
        return word >> TAG_BITS;
      case INT32:
        return words[this.#at++];
      case DOUBLE:
        this.#doubleWords[0] = words[this.#at++]!;
        this.#doubleWords[1] = words[this.#at++]!;
        return this.#double[0];
      case LATIN1:
        return this.#takeLatin1(word >>> TAG_BITS);
      case UTF16:
        return this.#takeUtf16(word >>> TAG_BITS);
      case ARRAY:
        return this.#takeArray(word >>> TAG_BITS);
      case OBJECT:
        return this.#takeObject((word >>> TAG_BITS) & MAX_NAMES_WORDS, word >>> HASH_SHIFT);
      default:
        return undefined;
    }
  }

  /** Mostly a value that was read before. */
  #takeLatin1(length: number): string {
    const words = this.#words;
    const start = this.#at;
    const count = (length + CHARS_PER_WORD - 1) >> 2;
    this.#at = start + count;
    if (count > MAX_KNOWN_WORDS) return this.#toText('latin1', start, length);
    const hash = hashOf(words, start, start + count);
    const known = this.#stringWords;
    const first = hash * MAX_KNOWN_WORDS;
    let i = 0;
    while (i < count && known[first + i] === words[start + i]) i++;
    if (i === count && this.#strings[hash]!.length === length) return this.#strings[hash]!;
    for (i = 0; i < count; i++) known[first + i] = words[start + i]!;
    return (this.#strings[hash] = this.#toText('latin1', start, length));
  }

  #takeUtf16(length: number): string {
    const start = this.#at;
    this.#at = start + ((length + 1) >> 1);
    return this.#toText('utf16le', start, 2 * length);
  }

  #toText(encoding: 'latin1' | 'utf16le', startWord: number, lengthBytes: number): string {
    const start = startWord * BYTES_PER_WORD;
    return this.#buffer.toString(encoding, start, start + lengthBytes);
  }

  #takeArray(length: number): unknown[] {
    const values: unknown[] = [];
    for (let i = 0; i < length; i++) values.push(this.#take());
    return values;
  }

  #takeObject(length: number, hash: number): object {
    const start = this.#at;
    let shape = this.#shapes.find(this.#words, start, length, hash);
    if (shape === NO_SHAPE && length > 0) shape = this.#takeShape(length, hash);
    this.#at = start + length;
    const object: Record<string, unknown> = {};
    const { names } = shape;
    const count = names.length;
    // A place in the code for each of the first: one that always meets the same name is fast.
    if (count > 0) object[names[0]!] = this.#take();
    if (count > 1) object[names[1]!] = this.#take();
    if (count > 2) object[names[2]!] = this.#take();
    if (count > 3) object[names[3]!] = this.#take();
    for (let i = 4; i < count; i++) object[names[i]!] = this.#take();
    return object;
  }

  #takeShape(length: number, hash: number): Shape {
    const start = this.#at;
    const object: Record<string, unknown> = {};
    while (this.#at < start + length) object[this.#take() as string] = undefined;
    // As the engine has them for names of objects, which are faster to use than what was just read.
    return this.#shapes.remember(Object.keys(object), this.#words.slice(start, start + length), hash);
  }
}
