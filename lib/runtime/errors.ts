import type { LibraryErrorCode, TripollError } from '../binding/errors.js';

/** The error of a task whose worker's thread has ended under it. */
export interface WorkerDiedError extends TripollError {
  /** Always `ERR_TRIPOLL_WORKER_DIED`. */
  code: 'ERR_TRIPOLL_WORKER_DIED';
  /** Index of the worker; it has a new thread by now, if it was not given up. */
  worker: number;
  /** Exit code of its thread: 1 after `terminate()` or an error that nobody caught. */
  exitCode: number;
}

function coded<T extends Error>(error: T, code: LibraryErrorCode): T & TripollError {
  return Object.assign(error, { code });
}

/** What was thrown, in words. It may be anything, also what no text can be made of. */
export function reasonOf(cause: unknown): string {
  try {
    const message = (cause as Partial<Error> | null | undefined)?.message;
    return typeof message === 'string' ? message : String(cause);
  } catch {
    return 'a value that has no text';
  }
}

const withCause = (cause: unknown): ErrorOptions => (cause === undefined ? {} : { cause });

export function noSuchTask(name: string, names: readonly string[]): TripollError {
  const known = names.length === 0 ? 'none' : names.join(', ');
  return coded(
    new RangeError(`the entry exports no function named ${name}: it exports ${known}`),
    'ERR_TRIPOLL_NO_SUCH_TASK',
  );
}

export function entryError(entry: string, cause: unknown): TripollError {
  const message = `entry ${entry} cannot be loaded: ${reasonOf(cause)}`;
  return coded(new Error(message, { cause }), 'ERR_TRIPOLL_ENTRY');
}

export function isEntryError(error: unknown): error is TripollError {
  return (error as { code?: unknown } | null | undefined)?.code === 'ERR_TRIPOLL_ENTRY';
}

/** @param what 'the arguments' or 'the result' */
export function notCloneable(what: string, task: string, cause: unknown): TripollError {
  return coded(
    new TypeError(`${what} of task ${task} cannot be cloned: ${reasonOf(cause)}`, { cause }),
    'ERR_TRIPOLL_NOT_CLONEABLE',
  );
}

export function workerDied(worker: number, exitCode: number, cause?: unknown): WorkerDiedError {
  const error = new Error(
    `worker ${worker} ended with exit code ${exitCode} while it ran this task`,
    withCause(cause),
  );
  return Object.assign(error, { code: 'ERR_TRIPOLL_WORKER_DIED' as const, worker, exitCode });
}

/** Of a runtime all of whose workers were given up. */
export function noWorkerLeft(deaths: number, cause: unknown): TripollError {
  return coded(
    new Error(`no worker is left: each died ${deaths} times in a row without a task done`, withCause(cause)),
    'ERR_TRIPOLL_WORKER_DIED',
  );
}
