import {
  closedError,
  invalidArgType,
  outOfRange,
  systemError,
  unsupportedError,
} from '../../binding/errors.js';
import { EAGAIN } from '../../binding/errnos.js';
import { native } from '../../binding/native.js';
import { checkBytes } from '../../binding/validate.js';
import { Interest } from '../../poller/flags.js';
import type { CancelOptions } from '../../reactor/cancellation.js';
import { AsyncFd } from './async-fd.js';
import type { SourceOptions } from './fd-owner.js';
import { NO_VALUE } from './value-source.js';

const { O_NONBLOCK } = native.constants;

/** One of the names that an option has. @throws TypeError, RangeError */
export function checkOneOf<Name extends string>(
  name: string,
  value: unknown,
  names: readonly Name[],
): asserts value is Name {
  if (typeof value !== 'string') throw invalidArgType(name, 'a string', value);
  if (!(names as readonly string[]).includes(value)) throw outOfRange(name, names.join(', '), value);
}

/** The addon's call of that name. @throws ERR_TRIPOLL_UNSUPPORTED where this platform has none */
export function need<T>(call: T | undefined, what: string): T {
  if (call === undefined) throw unsupportedError(`this platform has no ${what}`);
  return call;
}

/**
 * A new fd, or -errno, in an AsyncFd that owns it.
 *
 * @throws the system's error; what AsyncFd throws, and then the fd has been closed
 */
export function ownFd(fd: number, syscall: string, options: SourceOptions, interest?: number): AsyncFd {
  if (fd < 0) throw systemError(fd, syscall);
  try {
    return new AsyncFd(fd, { reactor: options.reactor, own: true, interest, name: syscall });
  } catch (error) {
    native.close(fd);
    throw error;
  }
}

/** @throws TypeError, RangeError */
export function toPathBytes(path: unknown): Uint8Array {
  if (typeof path !== 'string') checkBytes('path', path);
  // A copy: the call wants memory that is all path.
  const bytes = typeof path === 'string' ? Buffer.from(path) : Buffer.from(path);
  if (bytes.length === 0 || bytes.includes(0)) throw outOfRange('path', 'a path without a NUL', path);
  return bytes;
}

/**
 * Opens what is there, without waiting for it. Not by node:fs, which goes on to think the number its
 * own when it has been closed here: Node closes it when a worker ends, Deno when it opens that
 * number again, a stranger's by then (T82).
 *
 * @throws TypeError, RangeError; ENOENT, EACCES and what else open(2) says; ERR_TRIPOLL_UNSUPPORTED
 */
export function openPath(path: string, flags: number): number {
  const bytes = toPathBytes(path);
  const open = need(native.openFile, 'files that can be waited for');
  return check(open(bytes, flags | O_NONBLOCK), 'open', path);
}

/** Waits for the one word that an eventfd and a timerfd are read as. @throws as `AsyncFd.io` */
export async function readWord(io: AsyncFd, options: CancelOptions): Promise<bigint> {
  const word = new BigUint64Array(1);
  const bytes = new Uint8Array(word.buffer);
  await io.io(Interest.READABLE, (fd) => native.read(fd, bytes, 0, bytes.length), 'read', options);
  return word[0]!;
}

/** The same without waiting. @throws as `AsyncFd.tryIo` */
export function readWordNow(io: AsyncFd): bigint | typeof NO_VALUE {
  const word = new BigUint64Array(1);
  const bytes = new Uint8Array(word.buffer);
  const result = io.tryIo(Interest.READABLE, (fd) => native.read(fd, bytes, 0, bytes.length));
  if (result === EAGAIN) return NO_VALUE;
  check(result, 'read');
  return word[0]!;
}

/** @throws the system's error of a call that returned it */
export function check(result: number, syscall: string, address?: string): number {
  if (result < 0) throw systemError(result, syscall, { address });
  return result;
}

/** @throws ERR_TRIPOLL_CLOSED */
export function checkOpen(io: AsyncFd, what: string): void {
  if (io.closed) throw closedError(what);
}
