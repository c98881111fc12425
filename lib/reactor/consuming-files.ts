import { fstatSync, statSync } from 'node:fs';
import { unsupportedError } from '../binding/errors.js';
import { Interest } from '../poller/flags.js';
import type { Registration } from './registration.js';

/** Its files keep an event until they are read. */
const SYSFS = '/sys';

/**
 * Whether an fd is of a file that forgets its event when it is asked for it, as pressure triggers
 * (PSI) and /proc/self/mounts do: when a poller is nested in another, the outer one asks first, and
 * the inner one finds nothing. They are files of procfs and of cgroups, which are the only regular
 * files that can be waited for beside sysfs's.
 */
function forgetsEvents(fd: number): boolean {
  try {
    const stat = fstatSync(fd);
    return stat.isFile() && stat.dev !== statSync(SYSFS).dev;
  } catch {
    // A closed fd, which registering tells of; or no sysfs.
    return false;
  }
}

/**
 * For an fd that forgets its events, under the nested driver.
 *
 * @throws ERR_TRIPOLL_UNSUPPORTED for PRIORITY
 */
export function checkDelivers(interest: number): void {
  if ((interest & Interest.PRIORITY) === 0) return;
  throw unsupportedError(
    "PRIORITY of a file that forgets its event when it is asked (PSI, /proc/self/mounts) is lost by the driver 'nested': " +
      "use a new Reactor({ driver: 'watcher' })",
  );
}

/**
 * Looks at what the nested driver has registered, now and whenever its interest changes.
 *
 * @throws ERR_TRIPOLL_UNSUPPORTED for PRIORITY that would be lost; it is deregistered then
 */
export function refuseIfForgotten(registration: Registration, interest: number): void {
  if (!forgetsEvents(registration.fd)) return;
  registration.noteForgetful();
  try {
    checkDelivers(interest);
  } catch (error) {
    registration.deregister();
    throw error;
  }
}
