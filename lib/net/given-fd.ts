import { outOfRange, systemError } from '../binding/errors.js';
import { native } from '../binding/native.js';
import { checkFd } from '../binding/validate.js';
import { getOption } from './socket-options.js';

const { SOCK_STREAM = 1, AF_INET = 2, AF_INET6 = 10 } = native.constants;
const {
  F_GETFL = 3,
  F_SETFL = 4,
  F_GETFD = 1,
  F_SETFD = 2,
  FD_CLOEXEC = 1,
  O_NONBLOCK = 0,
} = native.constants;

function check(fd: number, result: number, syscall: string): number {
  if (result < 0) throw systemError(result, syscall, { fd });
  return result;
}

/** O_NONBLOCK, which all holders of the open socket share, and FD_CLOEXEC, which is this number's own. */
function setFlags(fd: number): void {
  const flags = check(fd, native.fcntl(fd, F_GETFL, 0), 'fcntl');
  check(fd, native.fcntl(fd, F_SETFL, flags | O_NONBLOCK), 'fcntl');
  const own = check(fd, native.fcntl(fd, F_GETFD, 0), 'fcntl');
  check(fd, native.fcntl(fd, F_SETFD, own | FD_CLOEXEC), 'fcntl');
}

function checkSocket(fd: unknown, listening: boolean): asserts fd is number {
  checkFd(fd);
  if (getOption(fd, 'type') !== SOCK_STREAM) throw outOfRange('fd', 'a stream socket (SO_TYPE)', fd);
  const domain = getOption(fd, 'domain');
  if (domain !== AF_INET && domain !== AF_INET6) throw outOfRange('fd', 'a TCP socket (SO_DOMAIN)', fd);
  if (getOption(fd, 'acceptConnections') !== listening) {
    throw outOfRange(
      'fd',
      listening ? 'a listening socket (SO_ACCEPTCONN)' : 'a socket that does not listen',
      fd,
    );
  }
}

/**
 * Makes a given fd ready to be a stream: checked, non-blocking, closed on exec. It stays the caller's when this throws.
 *
 * @throws TypeError; RangeError for another type or family of socket, or one that listens; ENOTSOCK, EBADF; ENOTCONN
 */
export function prepareStreamFd(fd: unknown): asserts fd is number {
  checkSocket(fd, false);
  check(fd, native.getpeername(fd, {}), 'getpeername');
  setFlags(fd);
}

/** The same for a listener. @throws TypeError; RangeError for another type of socket, or one that does not listen; ENOTSOCK, EBADF */
export function prepareListenerFd(fd: unknown): asserts fd is number {
  checkSocket(fd, true);
  setFlags(fd);
}
