import { capabilities } from 'tripoll';

export const isWindows = capabilities.platform === 'win32';

/** Set by tools/windows-tests.cjs: Wine 8 is not Windows in all that its documents say. */
export const isWine = process.env['TRIPOLL_WINE'] === '1';
