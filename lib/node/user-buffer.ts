import { isUint8Array } from 'node:util/types';
import { ENOBUFS } from '../binding/errnos.js';
import { callError, invalidArgType } from './errors.js';

/** The option `onread`: bytes come in one buffer, by a call, whose `this` is the Socket, and not as chunks of a stream. */
export interface OnReadOptions {
  /** Used for each read; or a function that gives one for the next. */
  buffer: Uint8Array | (() => Uint8Array);
  /** Bytes are in `buffer`, from 0 on; false stops reading, as `pause()` does. */
  callback(bytesRead: number, buffer: Uint8Array): boolean | undefined;
}

/** The Socket, to which the calls belong. */
interface BufferUser {
  destroy(error: Error): unknown;
}

/** What a user's own buffer is filled with, and what did not fit while reading was stopped. */
export class UserBuffer {
  readonly #options: OnReadOptions;
  readonly #socket: BufferUser;
  #buffer: Uint8Array;
  #rest: Uint8Array | null = null;

  private constructor(options: OnReadOptions, socket: BufferUser) {
    this.#socket = socket;
    this.#options = options;
    this.#buffer = this.#next();
  }

  /** Null unless both parts are there. */
  static from(options: Partial<OnReadOptions> | null | undefined, socket: BufferUser): UserBuffer | null {
    if (typeof options !== 'object' || options === null) return null;
    const { buffer, callback } = options;
    if (!isUint8Array(buffer) && typeof buffer !== 'function') return null;
    return typeof callback === 'function' ? new UserBuffer(options as OnReadOptions, socket) : null;
  }

  #next(): Uint8Array {
    const { buffer } = this.#options;
    if (typeof buffer !== 'function') return buffer;
    const given = buffer();
    if (!isUint8Array(given)) throw invalidArgType('onread.buffer', 'an instance of Uint8Array', given);
    return given;
  }

  /** False when the user wants no more for now; `isReading` tells whether it has been paused. */
  deliver(chunk: Uint8Array, isReading: () => boolean): boolean {
    let offset = 0;
    while (offset < chunk.length) {
      const part = chunk.subarray(offset, offset + this.#buffer.length);
      if (part.length === 0) {
        // As libuv of a buffer that has no room.
        this.#socket.destroy(callError(ENOBUFS, 'read'));
        return false;
      }
      this.#buffer.set(part);
      offset += part.length;
      const wantsMore = this.#callBack(part.length) !== false;
      if (wantsMore) this.#buffer = this.#next();
      if (wantsMore && isReading()) continue;
      if (offset < chunk.length) this.#rest = Uint8Array.from(chunk.subarray(offset));
      return false;
    }
    return true;
  }

  #callBack(bytes: number): boolean | undefined {
    return this.#options.callback.call(this.#socket, bytes, this.#buffer);
  }

  /** What was left over when reading stopped; false when the user stops it again. */
  deliverRest(isReading: () => boolean): boolean {
    const rest = this.#rest;
    this.#rest = null;
    return rest === null || this.deliver(rest, isReading);
  }
}
