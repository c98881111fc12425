import { EAGAIN, EINTR } from '../../binding/errnos.js';
import { native } from '../../binding/native.js';
import { receiveNow } from '../socket/stream-calls.js';
import type { ReadOperation } from './seams.js';
import * as State from './state.js';
import type { StreamFace } from './face.js';

// Reads by functions of their own, and the look for a peer's end while nobody reads: of both
// styles.

const { MSG_PEEK } = native.constants;
const oneByte = new Uint8Array(1);
/** A look at whether there are bytes, which stay. */
export const LOOK: ReadOperation = {
  run: (fd) => receiveNow(fd, oneByte, 1, MSG_PEEK),
  peeks: true,
  drained: false,
};

/** A read that can only fail. No errno: they are small. */
export const REFUSED = -0x7fffffff;

/** n >= 0, where 0 is the end; EAGAIN; or REFUSED. */
export function tryOperation(stream: StreamFace, operation: ReadOperation): number {
  let received: number;
  try {
    received = operation.run(stream.fd);
  } catch {
    // Its buffer was detached.
    return REFUSED;
  }
  if (received > 0) {
    if (operation.peeks === true) stream.noteBytes(received);
    else stream.noteRead(received);
    if (operation.drained) stream.readShort();
  } else if (received === EAGAIN) stream.readEmpty();
  else if (received === EINTR) {
    // Nothing was said about what there is, and an edge would not come again.
    stream.readLater();
    return EAGAIN;
  } else if (received < 0) {
    stream.fail(received, 'read');
    return REFUSED;
  }
  return received;
}

/**
 * Nobody reads. That the peer is gone is looked for all the same, by a peek, since there may be
 * bytes before the end: who reads on gets those, and then the end, or the error. Under an edge only
 * where a hang-up was told.
 */
export function lookForEnd(stream: StreamFace): void {
  if (!stream.isOpen || stream.readEnded) return;
  if (!stream.profile.interest.tellsAgain && !State.isHungUp(stream.state)) return;
  const seen = LOOK.run(stream.fd);
  if (seen === 0) stream.onPeerEnd();
  else if (seen > 0) leaveUntaken(stream);
  else if (seen === EINTR) stream.readLater();
  else if (seen !== EAGAIN) stream.fail(seen, 'read');
}

/**
 * After the peer's end no read would meet a reset. A peer that has closed, as a Unix socket can
 * tell, the next write meets.
 */
export function failAfterEnd(stream: StreamFace): void {
  const error = native.takeSocketError(stream.fd);
  if (error < 0) stream.fail(error, 'read');
  else leaveUntaken(stream);
}

/** Nobody takes what there is. Edge mode remembers it, level mode stops asking. */
export function leaveUntaken(stream: StreamFace): void {
  if (!stream.profile.interest.tellsAgain) return;
  stream.state = State.untaken(stream.state);
  stream.updateInterest();
}

/** Something was read, and perhaps nobody reads on. */
export function readDone(stream: StreamFace): void {
  if (!State.mayHideEnd(stream.state) || stream.wantsRead) return;
  stream.state = State.taken(stream.state);
  stream.updateInterest();
  if (State.isHungUp(stream.state)) lookForEnd(stream);
}
