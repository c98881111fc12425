import { invalidArgType, outOfRange, timeoutError } from '../binding/errors.js';
import { checkDurationMs, checkObject } from '../binding/validate.js';
import { checkCancel, watchCancel } from './cancellation.js';
import { Reactor } from './reactor.js';

export interface TimerOptions {
  signal?: AbortSignal | undefined;
  /** Default `Reactor.default`. */
  reactor?: Reactor | undefined;
}

/**
 * Resolves after `delayMs`, never early.
 *
 * @throws (as rejection) TypeError, RangeError; ABORT_ERR
 */
export async function sleep(delayMs: number, options: TimerOptions = {}): Promise<void> {
  checkDurationMs('delayMs', delayMs);
  const { signal } = options;
  checkCancel({ signal });
  const reactor = options.reactor ?? Reactor.default;
  return new Promise((resolve, reject) => {
    const timer = reactor.setTimer(delayMs, () => {
      stopWatch();
      resolve();
    });
    const stopWatch = watchCancel({ signal }, reactor, (error) => {
      timer.cancel();
      reject(error);
    });
  });
}

/**
 * The promise's own outcome if it comes within `timeoutMs`. The work behind it goes on: to end that too, give it a
 * signal, or `timeoutMs` where it takes one.
 *
 * @throws (as rejection) TimeoutError ERR_TRIPOLL_TIMEOUT; TypeError, RangeError
 */
export async function timeout<T>(
  promise: PromiseLike<T>,
  timeoutMs: number,
  options: { reactor?: Reactor | undefined } = {},
): Promise<T> {
  if (typeof (promise as Partial<PromiseLike<T>> | null | undefined)?.then !== 'function') {
    throw invalidArgType('promise', 'a promise', promise);
  }
  checkDurationMs('timeoutMs', timeoutMs);
  checkObject('options', options);
  const reactor = options.reactor ?? Reactor.default;
  return new Promise<T>((resolve, reject) => {
    const timer = reactor.setTimer(timeoutMs, () => reject(timeoutError(timeoutMs)));
    promise.then(
      (value) => {
        timer.cancel();
        resolve(value);
      },
      (error: unknown) => {
        timer.cancel();
        reject(error);
      },
    );
  });
}

/**
 * Ticks at a fixed rate, as an async iterator: each value counts the ticks since the one before, more than 1 when the
 * consumer was late. Leaving the loop ends it.
 *
 * @param periodMs at least 1
 * @throws (from `next`) TypeError, RangeError; ABORT_ERR
 */
export async function* interval(
  periodMs: number,
  options: TimerOptions = {},
): AsyncGenerator<number, void, void> {
  checkDurationMs('periodMs', periodMs);
  if (periodMs < 1) throw outOfRange('periodMs', 'at least 1 millisecond', periodMs);
  const { signal } = options;
  checkCancel({ signal });
  const reactor = options.reactor ?? Reactor.default;
  let ticks = 0;
  let failure: Error | null = null;
  let notify: (() => void) | null = null;
  const nextNotice = () =>
    new Promise<void>((resolve) => {
      notify = resolve;
    });
  const timer = reactor.setTimer(
    periodMs,
    () => {
      ticks++;
      notify?.();
    },
    { repeatMs: periodMs },
  );
  const stopWatch = watchCancel({ signal }, reactor, (error) => {
    failure = error;
    notify?.();
  });
  try {
    for (;;) {
      if (ticks === 0 && failure === null) await nextNotice();
      // Assigned in a callback, which the compiler does not see.
      if (failure !== null) throw failure as Error;
      const value = ticks;
      ticks = 0;
      yield value;
    }
  } finally {
    timer.cancel();
    stopWatch();
  }
}
