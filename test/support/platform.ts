import { capabilities } from 'tripoll';

export const isWindows = capabilities.platform === 'win32';

/** Its node:fs knows only fds that it has opened itself, and says EBADF of others. */
export const isDeno = capabilities.runtime === 'deno';
export const isBun = capabilities.runtime === 'bun';

/** The Wine's version, set by tools/windows-tests.cjs; 0 on Windows itself, and elsewhere. */
const wineVersion = Number(process.env['TRIPOLL_WINE'] ?? 0);

/** Wine is not Windows in all that its documents say. */
export const isWine = wineVersion !== 0;

/** What was mended in Wine until 10, Debian 13's. */
export const isOldWine = isWine && wineVersion < 10;

/**
 * How many times longer than elsewhere a deadline is that is no part of a test's claim: each call
 * of a socket goes through Wine's one server, and qemu (tools/runtime-tests.cjs) translates each
 * instruction.
 */
export const slowness = Number(process.env['TRIPOLL_SLOWNESS'] ?? (isWine ? 4 : 1));
