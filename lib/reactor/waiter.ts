import { abortError, closedError, timeoutError } from '../binding/errors.js';
import type { CancelOptions } from './cancellation.js';
import type { Reactor } from './reactor.js';
import type { Timer } from './timer.js';

/**
 * One executor for all promises, instead of a closure for each: they are as many as the operations
 * that wait.
 */
const nothing = (): void => undefined;
const taken: { resolve: (value: never) => void; reject: (error: unknown) => void } = {
  resolve: nothing,
  reject: nothing,
};
function takeSettlers(resolve: (value: never) => void, reject: (error: unknown) => void): void {
  taken.resolve = resolve;
  taken.reject = reject;
}

/**
 * A promise that its owner settles, or `signal` or `timeoutMs` does: exactly once, whoever comes
 * first. Its timer and its listener go with it, also when it settles while they are being set.
 *
 * The owner puts it where it will be found, and then arms it; who takes it out of there settles it.
 */
export class Waiter<T> {
  readonly promise: Promise<T>;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: unknown) => void;
  #settled = false;
  #timer: Timer | null = null;
  #signal: AbortSignal | null = null;
  #onAbort: (() => void) | null = null;
  #forget: (() => void) | null = null;

  constructor() {
    this.promise = new Promise<T>(takeSettlers);
    this.#resolve = taken.resolve as (value: T) => void;
    this.#reject = taken.reject;
    // They would hold this promise, and the socket that it may give, until the next one is made.
    taken.resolve = taken.reject = nothing;
  }

  get settled(): boolean {
    return this.#settled;
  }

  /** Does nothing when it has settled. */
  resolve(value: T): void {
    if (this.#settle()) this.#resolve(value);
  }

  /** Does nothing when it has settled. */
  reject(error: unknown): void {
    if (this.#settle()) this.#reject(error);
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#disarm();
    return true;
  }

  /**
   * Sets the timer and the listener of `options`, which have been checked. For an owner with a
   * registration: that alone decides whether the process stays alive, so that the timer of an owner
   * that was unref'd, before or after, keeps nothing; and the owner hears of the reactor's end.
   *
   * @param onCancel called once when an abort or the time rejects it: takes it out of where its
   * owner would find it
   */
  arm(options: CancelOptions | undefined, reactor: Reactor, onCancel: () => void): this {
    if (options !== undefined) this.#arm(options, reactor, onCancel, false);
    return this;
  }

  /**
   * As `arm`, for an owner that has no registration yet: the timeout keeps the process alive, and
   * the reactor's end rejects it with ERR_TRIPOLL_CLOSED.
   */
  armAlone(options: CancelOptions, reactor: Reactor, onCancel: () => void): this {
    this.#arm(options, reactor, onCancel, true);
    return this;
  }

  #arm(options: CancelOptions, reactor: Reactor, onCancel: () => void, isAlone: boolean): void {
    const { signal, timeoutMs } = options;
    const cancel = (error: unknown): void => {
      if (!this.#settle()) return;
      this.#reject(error);
      onCancel();
    };
    // Settled by what it was begun with: nothing may be left to disarm (F2).
    if (this.#settled) return;
    try {
      if (isAlone) this.#forget = reactor.registry.onClose(() => cancel(closedError('Reactor')));
      if (timeoutMs !== undefined) {
        this.#timer = reactor.setTimer(timeoutMs, () => cancel(timeoutError(timeoutMs)));
        if (!isAlone) this.#timer.unref();
      }
      if (signal !== undefined) this.#listen(signal, cancel);
    } catch (error) {
      // The reactor was closed meanwhile, or the signal is a polyfill that throws.
      cancel(error);
    }
    // The signal's own code may have settled it.
    if (this.#settled) this.#disarm();
  }

  #listen(signal: AbortSignal, cancel: (error: unknown) => void): void {
    // An event for it has been, if what this was begun with ran the user's code.
    if (signal.aborted) {
      cancel(abortError(signal.reason));
      return;
    }
    this.#signal = signal;
    this.#onAbort = () => cancel(abortError(signal.reason));
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#forget?.();
    this.#forget = null;
    if (this.#signal !== null && this.#onAbort !== null) {
      this.#signal.removeEventListener('abort', this.#onAbort);
    }
    this.#signal = null;
    this.#onAbort = null;
  }
}
