import { errnoOf, outOfRange, systemError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkFd } from '../../binding/validate.js';
import { getOption } from '../socket/socket-options.js';

const { SOCK_STREAM } = native.constants;
const EAFNOSUPPORT = errnoOf('EAFNOSUPPORT');
const ENOSYS = errnoOf('ENOSYS');
const { F_GETFL, F_SETFL, F_GETFD, F_SETFD, FD_CLOEXEC, O_NONBLOCK } = native.constants;

function check(fd: number, result: number, syscall: string): number {
  if (result < 0) throw systemError(result, syscall, { fd });
  return result;
}

/** O_NONBLOCK, which all holders of the open socket share, and FD_CLOEXEC, which is this number's own. */
function setFlags(fd: number): void {
  // Windows cannot tell them; it has this one flag only.
  const told = native.fcntl(fd, F_GETFL, 0);
  const flags = told === ENOSYS ? 0 : check(fd, told, 'fcntl');
  check(fd, native.fcntl(fd, F_SETFL, flags | O_NONBLOCK), 'fcntl');
  const own = check(fd, native.fcntl(fd, F_GETFD, 0), 'fcntl');
  check(fd, native.fcntl(fd, F_SETFD, own | FD_CLOEXEC), 'fcntl');
}

function checkSocket(fd: unknown, listening: boolean): asserts fd is number {
  checkFd(fd);
  if (getOption(fd, 'type') !== SOCK_STREAM) throw outOfRange('fd', 'a stream socket (SO_TYPE)', fd);
  // Not by SO_DOMAIN, which not every system has; of an address that is no IP address there is no name.
  const name = { family: 0 };
  const named = native.getsockname(fd, name);
  if (named === EAFNOSUPPORT) throw outOfRange('fd', 'a TCP socket (its family)', fd);
  check(fd, named, 'getsockname');
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
