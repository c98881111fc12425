import { abortError, timeoutError, type TripollError } from '../binding/errors.js';
import { checkDurationMs, checkNames, checkObject, checkSignal, type Names } from '../binding/validate.js';
import type { Reactor } from './reactor.js';

/** What every promise of this library takes. */
export interface CancelOptions {
  /** Its abort rejects the promise with an AbortError, code ABORT_ERR, its reason as the cause. */
  signal?: AbortSignal | undefined;
  /** Rejects with a TimeoutError, code ERR_TRIPOLL_TIMEOUT, when it is not settled by then. */
  timeoutMs?: number | undefined;
}

/** @throws TypeError, RangeError */
export function checkCancelTypes(options: CancelOptions): void {
  checkObject('options', options);
  const { signal, timeoutMs } = options;
  if (timeoutMs !== undefined) checkDurationMs('timeoutMs', timeoutMs);
  if (signal !== undefined) checkSignal(signal);
}

/** Names of `CancelOptions`. */
const CANCEL_NAMES: Readonly<Record<keyof CancelOptions, true>> = { signal: true, timeoutMs: true };
const NO_NAMES: Names = {};

/**
 * Checks the options of one call.
 *
 * @param more names that it has besides those of `CancelOptions`
 * @throws as `checkCancel`; TypeError for a name that does not exist
 */
export function checkCall(options: CancelOptions, more: Names = NO_NAMES): void {
  checkNames('options', options, CANCEL_NAMES, more);
  checkCancel(options);
}

/** An AbortError when the signal has been aborted already. */
export function abortedBefore({ signal }: CancelOptions): TripollError | null {
  return signal?.aborted === true ? abortError(signal.reason) : null;
}

/** @throws TypeError, RangeError; AbortError when the signal has been aborted already */
export function checkCancel(options: CancelOptions): void {
  checkCancelTypes(options);
  const aborted = abortedBefore(options);
  if (aborted !== null) throw aborted;
}

/**
 * Calls `onCancel` once when the signal aborts or the time is up. For an owner with a registration:
 * that alone decides whether the process stays alive, so that the timer of an owner that was
 * unref'd keeps nothing.
 *
 * @returns ends the watch: to be called when the operation has settled, whoever settled it
 */
export function watchCancel(
  options: CancelOptions,
  reactor: Reactor,
  onCancel: (error: TripollError) => void,
): () => void {
  const { signal, timeoutMs } = options;
  const cancel = (error: TripollError) => {
    stop();
    onCancel(error);
  };
  const onAbort = () => cancel(abortError(signal?.reason));
  const timer =
    timeoutMs === undefined
      ? null
      : reactor.setTimer(timeoutMs, () => cancel(timeoutError(timeoutMs))).unref();
  const stop = () => {
    signal?.removeEventListener('abort', onAbort);
    timer?.cancel();
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  return stop;
}
