import { errnoOf, unsupportedError, type TripollError } from '../../binding/errors.js';
import type { CancelOptions } from '../../reactor/cancellation.js';
import type { RetriedConnectSettings } from '../stream/retried-connect.js';
import { TCP_TRAITS, type StreamTraits } from '../stream/stream-profile.js';
import { openPipe } from './pipe-name.js';

/** Bytes, and nothing that could come between them. */
export const PIPE_TRAITS: StreamTraits = TCP_TRAITS;

const EBUSY = errnoOf('EBUSY');
/** Without a time limit: 30 s, as libuv waits, which tries again every 10 ms here. */
const DEFAULT_RETRIES = 3000;

/** How a pipe connects. A busy server is an ordinary thing: between two accepts there is one. */
export function toConnectSettings(
  path: string,
  { signal, timeoutMs }: CancelOptions,
  tellsLater: boolean,
): RetriedConnectSettings {
  const retries = timeoutMs === undefined ? DEFAULT_RETRIES : Infinity;
  return { open: () => openPipe(path), full: EBUSY, retries, signal, timeoutMs, tellsLater };
}

/** A handle stays with the completion port that it was given to first (CreateIoCompletionPort). */
export function cannotDetach(): TripollError {
  return unsupportedError('a named pipe belongs to its reactor for life');
}
