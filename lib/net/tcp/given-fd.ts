import { EAFNOSUPPORT } from '../../binding/errnos.js';
import { outOfRange } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { getOption } from '../socket/socket-options.js';
import { checkGiven, checkListens, setGivenFlags, typeOfGiven } from '../socket/given-fd.js';

const { SOCK_STREAM } = native.constants;

function checkSocket(fd: unknown, listening: boolean): asserts fd is number {
  if (typeOfGiven(fd) !== SOCK_STREAM) throw outOfRange('fd', 'a stream socket (SO_TYPE)', fd);
  // Not by SO_DOMAIN, which not every system has; of an address that is no IP address there is no
  // name.
  const name = { family: 0 };
  const named = native.getsockname(fd as number, name);
  if (named === EAFNOSUPPORT) throw outOfRange('fd', 'a TCP socket (its family)', fd);
  checkGiven(fd as number, named, 'getsockname');
  checkListens(fd as number, listening);
  // Accepted connections have it from their listener.
  if ((getOption(fd as number, 'lingerSeconds') ?? 0) > 0)
    throw outOfRange(
      'fd',
      'a socket without SO_LINGER above 0, by which its close would hold this thread',
      fd,
    );
}

/**
 * Makes a given fd ready to be a stream: checked, non-blocking, closed on exec. It stays the
 * caller's when this throws.
 *
 * @throws TypeError; RangeError for another type or family of socket, or one that listens;
 * ENOTSOCK, EBADF; ENOTCONN
 */
export function prepareStreamFd(fd: unknown): asserts fd is number {
  checkSocket(fd, false);
  checkGiven(fd, native.getpeername(fd, {}), 'getpeername');
  setGivenFlags(fd);
}

/**
 * The same for a listener.
 *
 * @throws TypeError; RangeError for another type of socket, or one that does not listen; ENOTSOCK,
 * EBADF
 */
export function prepareListenerFd(fd: unknown): asserts fd is number {
  checkSocket(fd, true);
  setGivenFlags(fd);
}
