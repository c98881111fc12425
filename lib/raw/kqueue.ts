import { closedError, systemError } from '../binding/errors.js';
import { native } from '../binding/native.js';
import { checkBytes, checkInteger } from '../binding/validate.js';
import { kqueueBinding } from './kevent-list.js';

const NO_BYTES = new Uint8Array(0);

/**
 * kqueue(2) as macOS and the BSDs have it. Elsewhere the constructor throws
 * ERR_TRIPOLL_UNSUPPORTED. Filters and flags are in `sys.constants`, those that this system's
 * header has: EVFILT_READ, WRITE, TIMER, SIGNAL, PROC, VNODE, USER; EXCEPT on macOS and OpenBSD,
 * MACHPORT on macOS. Methods throw system errors.
 */
export class Kqueue {
  #fd: number;

  /** kqueue(2), close-on-exec. A child of fork does not inherit it. */
  constructor() {
    this.#fd = kqueueBinding().kqueue();
    if (this.#fd < 0) throw systemError(this.#fd, 'kqueue');
  }

  /** The kqueue's own fd: it is readable while events wait. */
  get fd(): number {
    if (this.#fd < 0) throw closedError('Kqueue');
    return this.#fd;
  }

  /**
   * kevent(2): applies the changes in order, then takes events; with a timeout other than 0 it
   * blocks this thread. A change that fails is an event with EV_ERROR and its errno as data while
   * there is room; with EV_RECEIPT every change is, and then no event is taken.
   *
   * @param changes whole `struct kevent`s, at most 1024, in this system's layout: see `KeventList`
   * @param events where events are written, from the start; at most 1024
   * @param timeoutNs -1 waits for ever, 0 not at all
   * @returns how many were written
   * @throws TypeError, RangeError; EINTR when a signal ended it, though all changes were applied;
   * EBADF, EINVAL, ENOENT, ...
   */
  kevent(changes: Uint8Array | null, events: Uint8Array | null, timeoutNs: number): number {
    if (changes !== null) checkBytes('changes', changes);
    if (events !== null) checkBytes('events', events);
    checkInteger('timeoutNs', timeoutNs, -1, Number.MAX_SAFE_INTEGER);
    const { kevent } = kqueueBinding();
    const count = kevent(this.fd, changes ?? NO_BYTES, events ?? NO_BYTES, timeoutNs);
    if (count < 0) throw systemError(count, 'kevent');
    return count;
  }

  /** May be called twice. */
  close(): void {
    if (this.#fd < 0) return;
    native.close(this.#fd);
    this.#fd = -1;
  }

  /** Closes it, as `using` does at the end of its block. */
  [Symbol.dispose](): void {
    this.close();
  }
}
