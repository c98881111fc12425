import { outOfRange } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { needUnixMessages } from '../../binding/need-unix-messages.js';
import { isUnixAddress, MAX_ADDRESS_BYTES } from '../../sys/sockaddr.js';
import { checkGiven, checkListens, setGivenFlags, typeOfGiven } from '../socket/given-fd.js';
import type { UnixSocketType } from './unix-socket.js';

const { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET } = native.constants;

function checkFamily(fd: number): void {
  // Not by SO_DOMAIN, which not every system has.
  const name = new Uint8Array(MAX_ADDRESS_BYTES);
  const length = checkGiven(fd, native.nameBytes(fd, 0, name), 'getsockname');
  if (!isUnixAddress(name.subarray(0, length))) throw outOfRange('fd', 'a Unix socket (its family)', fd);
}

/**
 * Checks a given stream or seqpacket socket; `setGivenFlags` is the next step.
 *
 * @throws TypeError; RangeError for another type or family of socket, or one that listens and
 * should not, or the reverse; ENOTSOCK, EBADF
 */
export function typeOfUnixSocket(fd: number, listening: boolean): UnixSocketType {
  const type = typeOfGiven(fd);
  if (type !== SOCK_STREAM && type !== SOCK_SEQPACKET) {
    throw outOfRange('fd', 'a stream or seqpacket socket (SO_TYPE)', fd);
  }
  checkFamily(fd);
  checkListens(fd, listening);
  return type === SOCK_STREAM ? 'stream' : 'seqpacket';
}

/**
 * The same for a socket that has to be connected, which is ready to be a stream then.
 *
 * @throws as that; ENOTCONN
 */
export function prepareUnixStream(fd: number): UnixSocketType {
  const type = typeOfUnixSocket(fd, false);
  checkGiven(fd, native.nameBytes(fd, 1, new Uint8Array(MAX_ADDRESS_BYTES)), 'getpeername');
  setGivenFlags(fd);
  return type;
}

/**
 * The same for a datagram socket, connected or not.
 *
 * @throws TypeError; RangeError for another kind; ENOTSOCK, EBADF
 */
export function prepareUnixDatagram(fd: number): void {
  needUnixMessages('datagram Unix sockets');
  if (typeOfGiven(fd) !== SOCK_DGRAM) throw outOfRange('fd', 'a datagram socket (SO_TYPE)', fd);
  checkFamily(fd);
  setGivenFlags(fd);
}
