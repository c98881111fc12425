import { peerLeftError } from '../socket/stream-calls.js';
import type { StreamFace } from './face.js';
import { isHungUp } from './state.js';

/** Made when it is first asked for: few streams have one. */
export function peerSignalOf(stream: StreamFace): AbortSignal {
  if (stream.closed) return AbortSignal.abort(stream.whyClosed());
  const cold = stream.ensureCold();
  if (cold.peerLeft !== null) return cold.peerLeft.signal;
  const controller = (cold.peerLeft = new AbortController());
  if (stream.readEnded || isHungUp(stream.state)) controller.abort(peerLeftError());
  return controller.signal;
}
