import type { StreamFace } from './face.js';
import { isCorked, isWriteEnding, WANTS_PRIORITY, WANTS_READ, WANTS_WRITE } from './state.js';

/** What a stream would do if it could: bits that `InterestStrategy` takes. */
export function wantsOf(stream: StreamFace): number {
  const { state, cold } = stream;
  const endsLater = isWriteEnding(state) && (cold?.handshake ?? null) !== null;
  let wants = stream.wantsRead ? WANTS_READ : 0;
  // After an ENOBUFS the socket is writable all the time: a timer tells (T62).
  const isHeldBack = isCorked(state) || (cold?.retry?.isWaiting ?? false);
  if (endsLater || (stream.hasQueued && !isHeldBack)) wants |= WANTS_WRITE;
  if (stream.wantsPriority) wants |= WANTS_PRIORITY;
  return wants;
}
