import { errnosOf } from '../../binding/errors.js';
import { native } from '../../binding/native.js';

// What accept(2) may say, and the bounds of accepting.

const { SOCK_DGRAM, SOCK_NONBLOCK, SOCK_CLOEXEC, AF_INET } = native.constants;

/** Connections of one event before others get their turn; the level brings us back. */
export const ACCEPTS_PER_EVENT = 64;
/**
 * How long a listener rests that got no fd: as nginx does (accept_mutex_delay is 500, Go waits up
 * to 1000).
 */
export const BACK_OFF_MS = 100;

/** This connection is gone; the next may be well (T41, accept(2)). */
export const TRY_NEXT = errnosOf(
  'ECONNABORTED',
  'EPROTO',
  'EINTR',
  'ENETDOWN',
  'ENOPROTOOPT',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPERM', // a firewall's refusal
  'EOPNOTSUPP',
  'ENONET', // not on every system
);
/** Nothing is wrong with the listener, but there is no room (T40). */
export const NO_ROOM = errnosOf('EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM');

/**
 * An fd that is kept to be given up when there is no other, so that at least one peer learns that
 * there is no room (T40).
 */
export class SpareFd {
  /** -1 where there is none to spare; then the back-off alone must do. */
  #fd = -1;

  renew(): void {
    if (this.#fd < 0) this.#fd = native.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  }

  /** Accepts a connection in its place, and closes it; -1 when there was none, or no spare. */
  turnAway<Name>(listenFd: number, nameOf: (fd: number) => Name): Name | -1 {
    if (this.#fd < 0) return -1;
    this.close();
    const fd = native.accept4(listenFd, SOCK_NONBLOCK | SOCK_CLOEXEC);
    const name = fd < 0 ? -1 : nameOf(fd);
    if (fd >= 0) native.close(fd);
    this.renew();
    return name;
  }

  close(): void {
    if (this.#fd >= 0) native.close(this.#fd);
    this.#fd = -1;
  }
}
