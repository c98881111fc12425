const IDLE = 0;
const WOKEN = 1;
/** The thread does not sleep before it has looked at this word. */
const AWAKE = 2;

/**
 * What threads share of a waker: whether there was a wake that nobody has looked at, and whether the
 * thread is awake, so that nothing has to be said to the system.
 *
 * A thread that is awake does all that there is to do after `hold`, as often as it likes, and
 * sleeps only if `release` is false. Whoever wakes it changes other words first. So either the
 * thread sees these after its `hold`, or the wake comes after that, and then `release` is true.
 */
export class WakeWord {
  readonly #words: Int32Array;

  constructor(readonly buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
  }

  /** @internal A step, which tests replace. */
  load(): number {
    return Atomics.load(this.#words, 0);
  }

  /** @internal As `load`. */
  exchange(value: number): number {
    return Atomics.exchange(this.#words, 0, value);
  }

  /** Of any thread. True when the system has to end the other's wait: not for a second wake. */
  wake(): boolean {
    return this.exchange(WOKEN) === IDLE;
  }

  /** Whether there was a wake since the last look. */
  get woken(): boolean {
    return this.load() === WOKEN;
  }

  /** Whether there was one; a later one has to be said to the system. */
  take(): boolean {
    return this.woken && this.release();
  }

  /** This thread is awake. Whether there was a wake. */
  hold(): boolean {
    return this.exchange(AWAKE) === WOKEN;
  }

  /** It is not any more. Whether there was a wake, which ends no wait of it. */
  release(): boolean {
    return this.exchange(IDLE) === WOKEN;
  }
}

export function newWakerState(): SharedArrayBuffer {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
}
