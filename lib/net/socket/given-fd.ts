import { errnoOf, outOfRange, systemError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkFd } from '../../binding/validate.js';

// What a socket that was opened elsewhere is asked before an object of ours takes it (`fromFd`).

const { SOL_SOCKET, SO_TYPE, SO_ACCEPTCONN } = native.constants;
const { F_GETFL, F_SETFL, F_GETFD, F_SETFD, FD_CLOEXEC, O_NONBLOCK } = native.constants;
const ENOSYS = errnoOf('ENOSYS');

/** @throws the system's error of a call on a given fd */
export function checkGiven(fd: number, result: number, syscall: string): number {
  if (result < 0) throw systemError(result, syscall, { fd });
  return result;
}

/** An option of SOL_SOCKET that is an int, not negative; else a negative errno. */
export function readSocketInt(fd: number, option: number): number {
  const value = new Int32Array(1);
  const length = native.getsockopt(fd, SOL_SOCKET, option, new Uint8Array(value.buffer));
  return length < 0 ? length : value[0]!;
}

/**
 * The SOCK_* of a given socket.
 *
 * @throws TypeError, RangeError for what is no number of an fd; EBADF, ENOTSOCK
 */
export function typeOfGiven(fd: unknown): number {
  checkFd(fd);
  return checkGiven(fd, readSocketInt(fd, SO_TYPE), 'getsockopt');
}

/** @throws RangeError when it does not listen, or, if it should not, when it does */
export function checkListens(fd: number, listening: boolean): void {
  // Where it cannot be asked, the first accept or read tells.
  if (SO_ACCEPTCONN === undefined) return;
  const listens = checkGiven(fd, readSocketInt(fd, SO_ACCEPTCONN), 'getsockopt') !== 0;
  if (listens === listening) return;
  throw outOfRange(
    'fd',
    listening ? 'a listening socket (SO_ACCEPTCONN)' : 'a socket that does not listen',
    fd,
  );
}

/**
 * Sets O_NONBLOCK, which all holders of the open socket share, and FD_CLOEXEC, which is this
 * number's own.
 */
export function setGivenFlags(fd: number): void {
  // Windows cannot tell them; it has this one flag only.
  const told = native.fcntl(fd, F_GETFL, 0);
  const flags = told === ENOSYS ? 0 : checkGiven(fd, told, 'fcntl');
  checkGiven(fd, native.fcntl(fd, F_SETFL, flags | O_NONBLOCK), 'fcntl');
  const own = checkGiven(fd, native.fcntl(fd, F_GETFD, 0), 'fcntl');
  checkGiven(fd, native.fcntl(fd, F_SETFD, own | FD_CLOEXEC), 'fcntl');
}
