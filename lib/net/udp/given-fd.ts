import { EAFNOSUPPORT } from '../../binding/errnos.js';
import { outOfRange } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkGiven, setGivenFlags, typeOfGiven } from '../socket/given-fd.js';

const { SOL_SOCKET, SOCK_DGRAM, SO_PROTOCOL, IPPROTO_UDP } = native.constants;

/** What is known of a UDP socket that was opened elsewhere. */
export interface GivenSocket {
  readonly familyNumber: number;
  readonly connected: boolean;
}

/**
 * Makes a given fd ready to be a UDP socket: checked, non-blocking, closed on exec. It stays the
 * caller's when this throws.
 *
 * @throws TypeError; RangeError for another type, family or protocol of socket; ENOTSOCK, EBADF
 */
export function prepareDatagramFd(fd: number): GivenSocket {
  if (typeOfGiven(fd) !== SOCK_DGRAM) throw outOfRange('fd', 'a datagram socket (SO_TYPE)', fd);
  const name = { family: 0 };
  const named = native.getsockname(fd, name);
  if (named === EAFNOSUPPORT) throw outOfRange('fd', 'a UDP socket (its family)', fd);
  checkGiven(fd, named, 'getsockname');
  // An ICMP socket may be one of datagrams too (icmp(7)). Not every system tells.
  const protocol = new Int32Array(1);
  if (SO_PROTOCOL !== undefined) {
    const told = native.getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, new Uint8Array(protocol.buffer));
    checkGiven(fd, told, 'getsockopt');
    if (protocol[0] !== IPPROTO_UDP) throw outOfRange('fd', 'a UDP socket (SO_PROTOCOL)', fd);
  }
  const connected = native.getpeername(fd, {}) === 0;
  setGivenFlags(fd);
  return { familyNumber: name.family, connected };
}
