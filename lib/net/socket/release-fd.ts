import { closedError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import type { Registration } from '../../reactor/registration.js';

/**
 * Ends a registration, before its fd is closed: a duplicate of it would go on firing (T03).
 *
 * @returns whether the number still means the file that was registered; if not, it may be a
 * stranger's by now (T02)
 */
export function endRegistration(registration: Registration | null): boolean {
  if (registration === null) return true;
  return registration.active ? registration.deregister() : !registration.lost;
}

/**
 * Closes an fd that is ours, after its registration; a number that may be a stranger's by now (T02)
 * is only given up.
 *
 * @param registration null when there was none
 * @param isLost what the owner knows of it besides, as a call on the fd that said EBADF
 */
export function releaseFd(fd: number, registration: Registration | null, isLost = false): void {
  if (endRegistration(registration) && !isLost) native.close(fd);
  else native.disownFd(fd);
}

/**
 * Gives an fd that is ours to `take`, after its registration.
 *
 * @throws ERR_TRIPOLL_CLOSED when the number may be a stranger's by now (T02): it is given up; what
 * `take` throws
 */
export function giveFd<T>(fd: number, registration: Registration | null, take: (fd: number) => T): T {
  if (endRegistration(registration)) return take(fd);
  native.disownFd(fd);
  throw closedError('Socket');
}
