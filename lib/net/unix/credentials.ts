import { closedError, systemError, unsupportedError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';

/** The process at the other end, as of its connect(2), listen(2) or socketpair(2). */
export interface PeerCredentials {
  /**
   * As seen from this process's pid namespace; 0 when it is not in it, and on FreeBSD before 13.
   */
  readonly pid: number;
  /** Its effective user, as seen from this process's user namespace. */
  readonly uid: number;
  /** Its effective group, as seen from this process's user namespace. */
  readonly gid: number;
}

/**
 * @throws ERR_TRIPOLL_UNSUPPORTED where the system tells no such thing; ENOTCONN and others;
 * ERR_TRIPOLL_CLOSED
 */
export function readPeerCredentials(fd: number): PeerCredentials {
  if (fd < 0) throw closedError('Socket');
  if (native.peerCredentials === undefined)
    throw unsupportedError('this platform tells no credentials of a peer here');
  const words = new Int32Array(3);
  const error = native.peerCredentials(fd, new Uint8Array(words.buffer));
  if (error < 0) throw systemError(error, 'getsockopt');
  const [pid = 0, uid = 0, gid = 0] = words;
  return { pid, uid: uid >>> 0, gid: gid >>> 0 };
}
