import { invalidArgType, outOfRange, systemError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkBytes, checkFd } from '../../binding/validate.js';
import { NO_ADDRESS } from '../../sys/sockaddr.js';

/** SCM_MAX_FD of Linux: more do not fit into one message (T46). */
export const MAX_FDS = 253;

const { F_GETFD, F_DUPFD_CLOEXEC } = native.constants;

/**
 * Duplicates of a caller's fds, which go with the first byte of a write that waits (SCM_RIGHTS).
 */
export interface QueuedFds {
  /** The numbers, as the bytes of an Int32Array. */
  readonly words: Uint8Array;
  close(): void;
}

/** fds that go with a message. They stay the caller's; the receiver gets duplicates. */
export class OutgoingFds {
  readonly #fds: readonly number[];
  readonly words: Uint8Array;

  /** @throws TypeError, RangeError; EBADF, before anything is sent */
  constructor(fds: unknown) {
    if (!Array.isArray(fds)) throw invalidArgType('fds', 'an array of file descriptors', fds);
    if (fds.length > MAX_FDS) {
      throw outOfRange('fds', `an array of at most ${MAX_FDS}, which one message takes`, fds.length);
    }
    fds.forEach((fd, index) => {
      checkFd(fd, `fds[${index}]`);
      // sendmsg would say EBADF, which could be our own socket's as well.
      const flags = native.fcntl(fd, F_GETFD, 0);
      if (flags < 0) throw systemError(flags, 'sendmsg', { fd });
    });
    this.#fds = fds as number[];
    this.words = new Uint8Array(new Int32Array(this.#fds).buffer);
  }

  /** One send, with the fds: n or -errno. */
  send(socket: number, buffer: Uint8Array, address = NO_ADDRESS): number {
    checkBytes('buffer', buffer);
    return native.sendMessage(socket, buffer, 0, buffer.length, this.words, address);
  }

  /**
   * For a queue: what the caller closes meanwhile is sent all the same, and not what has its number
   * by then.
   *
   * @throws EMFILE
   */
  duplicate(): QueuedFds {
    const duplicates: number[] = [];
    const close = () => {
      for (const fd of duplicates.splice(0)) native.close(fd);
    };
    for (const fd of this.#fds) {
      const duplicate = native.fcntl(fd, F_DUPFD_CLOEXEC, 0);
      if (duplicate < 0) {
        close();
        throw systemError(duplicate, 'fcntl', { fd });
      }
      duplicates.push(duplicate);
    }
    return { words: new Uint8Array(new Int32Array(duplicates).buffer), close };
  }
}

/**
 * A message that carries fds has at least a byte: a stream would lose them without one (unix(7)).
 * The reader of a message socket takes an empty one for the end.
 */
export function checkNotEmpty(buffer: unknown): void {
  checkBytes('buffer', buffer);
  if (buffer.length === 0) throw outOfRange('buffer', 'at least one byte long', buffer);
}
