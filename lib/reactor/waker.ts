import { closedError, invalidArgType } from '../binding/errors.js';
import { native } from '../binding/native.js';
import { WakeWord } from './wake-word.js';

/** What crosses to another thread: cloneable, without an fd in it. */
export interface SharedWaker {
  /** Names it to the other thread. */
  readonly id: number;
  /** Its state, shared by all threads. */
  readonly buffer: SharedArrayBuffer;
}

/**
 * Makes a reactor run a turn, from any thread. Any number of wakes before that turn is one `onWake`
 * in it. It does not keep the process alive.
 */
export class Waker {
  readonly #id: number;
  /** @internal */
  readonly word: WakeWord;
  #onClose: (() => void) | null;
  #closed = false;

  /** @internal */
  constructor(shared: SharedWaker, onClose: (() => void) | null) {
    this.#id = shared.id;
    this.word = new WakeWord(shared.buffer);
    this.#onClose = onClose;
  }

  /**
   * The same waker in another thread, from what `share()` gave.
   *
   * @throws TypeError ERR_TRIPOLL_INVALID_ARG_TYPE when it is not what `share()` gave
   */
  static from(shared: SharedWaker): Waker {
    const value = shared as Partial<SharedWaker> | null | undefined;
    const isShared = Object.prototype.toString.call(value?.buffer) === '[object SharedArrayBuffer]';
    if (
      typeof value?.id !== 'number' ||
      !isShared ||
      value.buffer?.byteLength !== Int32Array.BYTES_PER_ELEMENT
    ) {
      throw invalidArgType('shared', 'what waker.share() returned', shared);
    }
    return new Waker(shared, null);
  }

  /**
   * Wakes the reactor. Once that has closed, a waker of another thread does nothing.
   *
   * @throws ERR_TRIPOLL_CLOSED after `close` of this very object, which the reactor's `close`
   * implies
   */
  wake(): void {
    if (this.#closed) throw closedError('Waker');
    // Only who turns it from idle writes to the system: the rest is coalesced.
    if (this.word.wake()) native.wakeById(this.#id);
  }

  /** For `postMessage`: turn it into a waker there with `Waker.from`. */
  share(): SharedWaker {
    return { id: this.#id, buffer: this.word.buffer };
  }

  /** Whether there was a wake since the last call. */
  take(): boolean {
    return this.word.take();
  }

  /** Gives it up: `wake` of this object throws from now on. May be called twice. */
  close(): void {
    this.#closed = true;
    const onClose = this.#onClose;
    this.#onClose = null;
    onClose?.();
  }

  /** Closes it, as `using` does at the end of its block. */
  [Symbol.dispose](): void {
    this.close();
  }
}
