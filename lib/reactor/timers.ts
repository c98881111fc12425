import { closedError, invalidArgType, outOfRange, timeoutError } from '../binding/errors.js';
import { checkDurationMs, checkNames } from '../binding/validate.js';
import { checkCancel, watchCancel } from './cancellation.js';
import { iterate } from './iterate.js';
import { Reactor } from './reactor.js';
import { Ticker } from './ticker.js';

/** Options of `sleep` and `interval`. */
export interface TimerOptions {
  /** Its abort rejects with ABORT_ERR. */
  signal?: AbortSignal | undefined;
  /** Default `Reactor.default`. */
  reactor?: Reactor | undefined;
}

const TIMER_NAMES: Readonly<Record<keyof TimerOptions, true>> = { signal: true, reactor: true };

/**
 * Resolves after `delayMs`, never early.
 *
 * @throws (as rejection) TypeError, RangeError; ABORT_ERR; ERR_TRIPOLL_CLOSED when its reactor
 * closes
 */
export async function sleep(delayMs: number, options: TimerOptions = {}): Promise<void> {
  checkDurationMs('delayMs', delayMs);
  checkNames('options', options, TIMER_NAMES);
  const { signal } = options;
  checkCancel({ signal });
  const reactor = options.reactor ?? Reactor.default;
  return new Promise((resolve, reject) => {
    const timer = reactor.setTimer(delayMs, () => {
      stop();
      resolve();
    });
    const end = (error: Error): void => {
      stop();
      timer.cancel();
      reject(error);
    };
    const disarm = watchCancel({ signal }, reactor, end);
    const forget = reactor.registry.onClose(() => end(closedError('Reactor')));
    const stop = (): void => {
      disarm();
      forget();
    };
  });
}

/**
 * The promise's own outcome if it comes within `timeoutMs`. The work behind it goes on: to end that
 * too, give it a signal, or `timeoutMs` where it takes one.
 *
 * @throws (as rejection) TimeoutError ERR_TRIPOLL_TIMEOUT; TypeError, RangeError;
 * ERR_TRIPOLL_CLOSED
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
  checkNames('options', options, { reactor: true });
  const reactor = options.reactor ?? Reactor.default;
  return new Promise<T>((resolve, reject) => {
    const timer = reactor.setTimer(timeoutMs, () => fail(timeoutError(timeoutMs)));
    const forget = reactor.registry.onClose(() => fail(closedError('Reactor')));
    const stop = (): void => {
      timer.cancel();
      forget();
    };
    const fail = (error: unknown): void => {
      stop();
      reject(error);
    };
    // A promise of Node's own: another's `then` might throw, and leave the timer behind.
    Promise.resolve(promise).then((value) => {
      stop();
      resolve(value);
    }, fail);
  });
}

/**
 * Ticks at a fixed rate, as an async iterator: each value counts the ticks since the one before,
 * more than 1 when the consumer was late. The first `next()` starts it; leaving the loop ends it,
 * and so does `return()` while a `next()` waits.
 *
 * @param periodMs at least 1
 * @throws (from `next`) TypeError, RangeError; ABORT_ERR; ERR_TRIPOLL_CLOSED when its reactor
 * closes
 */
export function interval(periodMs: number, options: TimerOptions = {}): AsyncGenerator<number, void, void> {
  let ticker: Ticker | null = null;
  return iterate(
    async (stop) => {
      ticker ??= startTicker(periodMs, options);
      return { done: false, value: await ticker.next(stop) };
    },
    undefined,
    () => ticker?.end(),
  );
}

/** @throws TypeError, RangeError; ABORT_ERR; ERR_TRIPOLL_CLOSED */
function startTicker(periodMs: number, options: TimerOptions): Ticker {
  checkDurationMs('periodMs', periodMs);
  if (periodMs < 1) throw outOfRange('periodMs', 'at least 1 millisecond', periodMs);
  checkNames('options', options, TIMER_NAMES);
  const { signal } = options;
  checkCancel({ signal });
  return new Ticker(options.reactor ?? Reactor.default, periodMs, signal);
}
