import type { AsyncResource } from 'node:async_hooks';
import { checkDurationMs } from '../binding/validate.js';
import { WheelEntry } from '../timer/timing-wheel.js';

/** What a timer asks of its reactor. */
export interface TimerHost {
  schedule(timer: Timer, delayMs: number): void;
  cancel(timer: Timer): void;
  addRef(count: number): void;
}

/** A timer of a reactor, as `reactor.setTimer` returns it. */
export class Timer extends WheelEntry {
  /** Fixed-rate period, 0 for a timer that fires once. */
  readonly repeatMs: number;
  /** @internal */
  readonly callback: () => void;
  /** @internal Where it was set (AsyncLocalStorage). */
  readonly context: AsyncResource;
  /** @internal When it should fire, unrounded: a fixed rate is counted from here. */
  dueMs = 0;
  #refed = true;
  #cancelled = false;
  readonly #host: TimerHost;

  /** @internal */
  constructor(host: TimerHost, callback: () => void, repeatMs: number, context: AsyncResource) {
    super();
    this.#host = host;
    this.callback = callback;
    this.repeatMs = repeatMs;
    this.context = context;
  }

  /** Whether it will fire. */
  get active(): boolean {
    return this.place >= 0;
  }

  /** @internal */
  get keepsAlive(): boolean {
    return this.#refed;
  }

  /** It does not fire any more. May be called twice. */
  cancel(): void {
    this.#cancelled = true;
    this.#host.cancel(this);
  }

  /** @internal Cancelled from within its own callback: a repeating one is not put back. */
  get cancelled(): boolean {
    return this.#cancelled;
  }

  /**
   * Fires after `delayMs` from now instead, also when it has fired or was cancelled.
   *
   * @throws TypeError, RangeError; ERR_TRIPOLL_CLOSED when its reactor is closed
   */
  reschedule(delayMs: number): void {
    checkDurationMs('delayMs', delayMs);
    this.#cancelled = false;
    this.#host.schedule(this, delayMs);
  }

  /** Keeps the process alive while it waits (the default). */
  ref(): this {
    if (!this.#refed && this.active) this.#host.addRef(1);
    this.#refed = true;
    return this;
  }

  /** Does not keep the process alive. */
  unref(): this {
    if (this.#refed && this.active) this.#host.addRef(-1);
    this.#refed = false;
    return this;
  }

  /** Cancels it, as `using` does at the end of its block. */
  [Symbol.dispose](): void {
    this.cancel();
  }
}
