import type { ErrnoName } from './constant-names.js';

/**
 * `code` of an error that this library itself has a name for. Messages may change, these do not.
 */
export type LibraryErrorCode =
  | 'ABORT_ERR'
  | 'ERR_TRIPOLL_BUSY'
  | 'ERR_TRIPOLL_CLOSED'
  | 'ERR_TRIPOLL_DETACHED'
  | 'ERR_TRIPOLL_ENTRY'
  | 'ERR_TRIPOLL_FRAME_TOO_LONG'
  | 'ERR_TRIPOLL_INVALID_ARG_TYPE'
  | 'ERR_TRIPOLL_INVALID_FRAME'
  | 'ERR_TRIPOLL_NO_SUCH_TASK'
  | 'ERR_TRIPOLL_NOT_CLONEABLE'
  | 'ERR_TRIPOLL_OUT_OF_RANGE'
  | 'ERR_TRIPOLL_STATE'
  | 'ERR_TRIPOLL_TIMEOUT'
  | 'ERR_TRIPOLL_UNEXPECTED_END'
  | 'ERR_TRIPOLL_UNSUPPORTED'
  | 'ERR_TRIPOLL_WORKER_DIED'
  | 'ERR_TRIPOLL_WRITE_OVERFLOW';

/**
 * `code` of an error that the system, or its resolver, has given: the name of an errno; of one
 * without a name its number, as `'E1234'`; and what `dns.lookup` says.
 */
export type SystemErrorCode = ErrnoName | 'ENOTFOUND' | `EAI_${string}` | `E${number}`;

/** What `code` of an error of this library may be. */
export type TripollErrorCode = LibraryErrorCode | SystemErrorCode;

/**
 * An error with a code, as this library throws them and rejects with them: `isTripollError` tells.
 */
export interface TripollError extends Error {
  /** `ERR_TRIPOLL_*`, `ABORT_ERR`, or as in Node's errors: `ECONNRESET`, `ENOTFOUND`. */
  code: TripollErrorCode;
  /** Negative, as in Node's own errors. */
  errno?: number;
  /** The call that failed. */
  syscall?: string;
  /** The address or path that the call was about. */
  address?: string;
  /** The port that goes with `address`. */
  port?: number;
  /** The name that was looked up, as in Node's errors of `dns`. */
  hostname?: string;
  /** The fd that the call was about. */
  fd?: number;
  /** How many bytes were out when a write was cancelled. */
  bytesWritten?: number;
}

/** An error of a system call, in the form that Node gives its own. */
export interface SystemError extends TripollError {
  /** The name of its errno. */
  code: SystemErrorCode;
  /** Negative, as in Node's own errors. */
  errno: number;
  /** The call that failed. */
  syscall: string;
}

/**
 * What an `error` handler is told: an error with a code, or without one what another handler has
 * thrown or rejected with.
 */
export type HandlerError = Error & Partial<Omit<TripollError, keyof Error>>;
