import { isNativeError } from 'node:util/types';
import type { LibraryErrorCode, TripollError } from './error-types.js';
import { native } from './native.js';

/** By code, so that none is forgotten. */
const LIBRARY_CODES: Readonly<Record<LibraryErrorCode, true>> = {
  ABORT_ERR: true,
  ERR_TRIPOLL_BUSY: true,
  ERR_TRIPOLL_CLOSED: true,
  ERR_TRIPOLL_DETACHED: true,
  ERR_TRIPOLL_ENTRY: true,
  ERR_TRIPOLL_FRAME_TOO_LONG: true,
  ERR_TRIPOLL_INVALID_ARG_TYPE: true,
  ERR_TRIPOLL_INVALID_FRAME: true,
  ERR_TRIPOLL_NO_SUCH_TASK: true,
  ERR_TRIPOLL_NOT_CLONEABLE: true,
  ERR_TRIPOLL_OUT_OF_RANGE: true,
  ERR_TRIPOLL_STATE: true,
  ERR_TRIPOLL_TIMEOUT: true,
  ERR_TRIPOLL_UNEXPECTED_END: true,
  ERR_TRIPOLL_UNSUPPORTED: true,
  ERR_TRIPOLL_WORKER_DIED: true,
  ERR_TRIPOLL_WRITE_OVERFLOW: true,
};
/** An errno without a name, and what getaddrinfo(3) says. */
const OTHER_SYSTEM_CODE = /^(?:E\d+|ENOTFOUND|EAI_\w+)$/;

/**
 * Whether a caught value is an error with one of the codes of this library or of the system, so
 * that `code` may be looked at: `if (isTripollError(error) && error.code === 'ECONNRESET')`. Also
 * of an error of another realm; Node's own errors of the system are like it, those with `ERR_*`
 * codes are not.
 */
export function isTripollError(error: unknown): error is TripollError {
  if (!isNativeError(error)) return false;
  const { code } = error as Partial<TripollError>;
  if (typeof code !== 'string') return false;
  return (
    Object.hasOwn(LIBRARY_CODES, code) || Object.hasOwn(native.errnos, code) || OTHER_SYSTEM_CODE.test(code)
  );
}
