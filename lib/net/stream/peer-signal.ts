import { closedError, type TripollError } from '../../binding/errors.js';
import type { StreamFace } from './face.js';
import { isHungUp } from './state.js';

/** The reason of an abort by the peer's end. */
export function peerLeftError(): TripollError {
  return closedError('The peer’s side');
}

/** Made when it is first asked for: few streams have one. */
export function peerSignalOf(stream: StreamFace): AbortSignal {
  if (stream.closed) return AbortSignal.abort(stream.whyClosed());
  const cold = stream.ensureCold();
  if (cold.peerLeft !== null) return cold.peerLeft.signal;
  const controller = (cold.peerLeft = new AbortController());
  if (stream.readEnded || isHungUp(stream.state)) controller.abort(peerLeftError());
  return controller.signal;
}
