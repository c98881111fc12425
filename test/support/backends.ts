// What this platform has to run a suite on, asked of `capabilities`: a suite for what is missing is
// left out, and says so.
import { type BackendName, capabilities } from 'tripoll';

/** epoll on Linux, kqueue on macOS and the BSDs: the default. */
export const systemBackend: BackendName = capabilities.backends[0] ?? 'poll';

export const canNest = capabilities.drivers.includes('nested');

/** IOCP has none. */
export const hasEdge = systemBackend === 'epoll' || systemBackend === 'kqueue';

export function hasBackend(name: string): boolean {
  return (capabilities.backends as readonly string[]).includes(name);
}
