import { capabilities } from './capabilities.js';
import { unsupportedError } from './errors.js';

/** @throws ERR_TRIPOLL_UNSUPPORTED where `capabilities.unixMessages` is false */
export function needUnixMessages(what: string): void {
  if (!capabilities.unixMessages) throw unsupportedError(`this platform has no ${what} here`);
}
