import { getSystemErrorMap, inspect } from 'node:util';
import type { ErrnoName } from './constant-names.js';
import type { SystemError, SystemErrorCode, TripollError, TripollErrorCode } from './error-types.js';
import { native } from './native.js';

// The coded errors of this library. `code` is the stable part; messages may change. The argument
// errors of hot calls are made in native code, with the same codes.

export type {
  HandlerError,
  LibraryErrorCode,
  SystemError,
  SystemErrorCode,
  TripollError,
  TripollErrorCode,
} from './error-types.js';

export interface SystemErrorDetails {
  /** The address or path that the call was about. */
  address?: string | undefined;
  /** The port that goes with `address`. */
  port?: number | undefined;
  /** The fd that the call was about. */
  fd?: number | undefined;
}

function coded<T extends Error>(error: T, code: TripollErrorCode): T & TripollError {
  return Object.assign(error, { code });
}

function describe(value: unknown): string {
  if (typeof value === 'string') return `the string ${JSON.stringify(value)}`;
  if (typeof value === 'function') return 'a function';
  return inspect(value, { depth: 0, breakLength: Infinity });
}

export function invalidArgType(name: string, expected: string, value: unknown): TypeError & TripollError {
  return coded(
    new TypeError(`${name} must be ${expected}, got ${describe(value)}`),
    'ERR_TRIPOLL_INVALID_ARG_TYPE',
  );
}

export function outOfRange(name: string, expected: string, value: unknown): RangeError & TripollError {
  return coded(
    new RangeError(`${name} must be ${expected}, got ${describe(value)}`),
    'ERR_TRIPOLL_OUT_OF_RANGE',
  );
}

/** An option that does not exist: most likely a slip of the pen, which must not be lost. */
export function unknownOptionError(name: string): TypeError & TripollError {
  return coded(new TypeError(`there is no option named ${name}`), 'ERR_TRIPOLL_INVALID_ARG_TYPE');
}

export function closedError(what: string): TripollError {
  return coded(new Error(`${what} is closed`), 'ERR_TRIPOLL_CLOSED');
}

/** For who waits on, or uses, what another thread may have by now. */
export function detachedError(what: string): TripollError {
  return coded(new Error(`${what} was detached`), 'ERR_TRIPOLL_DETACHED');
}

export function stateError(message: string): TripollError {
  return coded(new Error(message), 'ERR_TRIPOLL_STATE');
}

export function busyError(message: string): TripollError {
  return coded(new Error(message), 'ERR_TRIPOLL_BUSY');
}

export function unsupportedError(message: string): TripollError {
  return coded(new Error(message), 'ERR_TRIPOLL_UNSUPPORTED');
}

export function writeOverflowError(queuedBytes: number, maxQueuedBytes: number): TripollError {
  return coded(
    new Error(`${queuedBytes} bytes wait to be written, more than maxQueuedBytes (${maxQueuedBytes})`),
    'ERR_TRIPOLL_WRITE_OVERFLOW',
  );
}

export function frameTooLongError(maxLengthBytes: number): TripollError {
  return coded(
    new Error(`a frame is longer than maxLengthBytes (${maxLengthBytes})`),
    'ERR_TRIPOLL_FRAME_TOO_LONG',
  );
}

export function invalidFrameError(message: string): TripollError {
  return coded(new Error(message), 'ERR_TRIPOLL_INVALID_FRAME');
}

export function unexpectedEndError(partialBytes: number): TripollError {
  return coded(
    new Error(`the stream ended inside a frame, after ${partialBytes} bytes of it`),
    'ERR_TRIPOLL_UNEXPECTED_END',
  );
}

/** A name without addresses, as `dns.lookup` would say. */
export function notFoundError(hostname: string, what: string): TripollError {
  return Object.assign(coded(new Error(`${hostname} ${what}`), 'ENOTFOUND'), { hostname });
}

export function abortError(reason: unknown): TripollError {
  const error = new Error('The operation was aborted', { cause: reason });
  error.name = 'AbortError';
  return coded(error, 'ABORT_ERR');
}

export function timeoutError(timeoutMs: number): TripollError {
  const error = new Error(`The operation took longer than ${timeoutMs} ms`);
  error.name = 'TimeoutError';
  return coded(error, 'ERR_TRIPOLL_TIMEOUT');
}

/** For who has sent nothing and received nothing for longer than `idleTimeoutMs`. */
export function idleTimeoutError(what: string, timeoutMs: number): TripollError {
  const error = timeoutError(timeoutMs);
  error.message = `${what} was idle for longer than ${timeoutMs} ms`;
  return error;
}

const names = new Map<number, SystemErrorCode>();
// Of two names for one number the first counts: ENOTSUP, as in Node, not EOPNOTSUPP.
for (const [name, errno] of Object.entries(native.errnos) as [ErrnoName, number][]) {
  if (!names.has(-errno)) names.set(-errno, name);
}

/** The name of a negative errno: `-9` is `'EBADF'`. */
export function errnoName(errno: number): SystemErrorCode {
  return names.get(errno) ?? `E${-errno}`;
}

const CANNOT_WAIT =
  native.portCreate === undefined
    ? 'this file cannot be waited for: it is always ready, as a regular file, a directory and /dev/null are'
    : 'this is no socket, and nothing else can be waited for here';
/** What is true of a call, where the system's own sentence for its errno would lead astray. */
const REASONS: Readonly<Record<string, string>> = {
  'register EEXIST': 'this fd is registered with this reactor already',
  'register EPERM': CANNOT_WAIT,
  'epoll_ctl EEXIST': 'this epoll instance has the fd already',
  'epoll_ctl EPERM': CANNOT_WAIT,
};

function reasonOf(errno: number, call: string): string {
  // Asked in any case: it takes the Windows code that was kept for this errno.
  const text = errnoText(errno);
  const reason = REASONS[call];
  return reason === undefined ? text : `: ${reason}`;
}

function errnoText(errno: number): string {
  const entry = getSystemErrorMap().get(errno);
  const code = native.takeSystemCode?.(errno) ?? 0;
  const original = code === 0 ? '' : ` (Windows error ${code})`;
  return (entry === undefined ? '' : `: ${entry[1]}`) + original;
}

/** An error as Node itself makes them, of a call that returned `-errno`. */
export function systemError(errno: number, syscall: string, details: SystemErrorDetails = {}): SystemError {
  const code = errnoName(errno);
  let where = '';
  if (details.address !== undefined) {
    where = details.port === undefined ? ` ${details.address}` : ` ${details.address}:${details.port}`;
  } else if (details.fd !== undefined) {
    where = ` (fd ${details.fd})`;
  }
  const call = `${syscall} ${code}`;
  const message = `${call}${reasonOf(errno, call)}${where}`;
  const error: SystemError = Object.assign(new Error(message), { code, errno, syscall });
  if (details.address !== undefined) error.address = details.address;
  if (details.port !== undefined) error.port = details.port;
  if (details.fd !== undefined) error.fd = details.fd;
  return error;
}

/** Several addresses, and all failed: the code is the first's, as node:net has it. */
export function aggregateError(
  errors: readonly Error[],
  target: { host: string; port: number },
): AggregateError & TripollError {
  const codes = errors.map((error) => (error as Partial<TripollError>).code ?? error.name);
  const error = new AggregateError(errors, `connect to ${target.host}:${target.port}: ${codes.join(', ')}`);
  return coded(error, (codes[0] ?? 'ERR_TRIPOLL_STATE') as TripollErrorCode);
}

/** The constant of this system's headers. */
export function errnoOf(name: ErrnoName): number {
  const errno = native.errnos[name];
  if (errno === undefined) throw unsupportedError(`${name} is no errno of this platform`);
  return -errno;
}

/** Those of the names that this platform has. */
export function errnosOf(...wanted: ErrnoName[]): ReadonlySet<number> {
  const found = wanted.map((name) => native.errnos[name]).filter((errno) => errno !== undefined);
  return new Set(found.map((errno) => -errno));
}
