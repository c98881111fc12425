import { busyError, closedError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { endRegistration } from '../socket/release-fd.js';
import type { StreamFace } from './face.js';
import { wantsOf } from './wants.js';
import * as State from './state.js';

// How a stream comes to its socket, and gives it away.

/**
 * A connected socket, which is the stream's to close from here on; `isGiven`: only if that
 * succeeds.
 */
export function adopt(stream: StreamFace, fd: number, isGiven = false): void {
  stream.fd = fd;
  stream.state = State.opened(stream.state);
  try {
    register(stream);
    stream.profile.idle?.add(stream);
    if (isGiven) native.ownFd(fd);
  } catch (error) {
    if (isGiven) stream.state = State.fdLost(stream.state);
    stream.destroy(error as Error);
  }
}

/**
 * As `adopt`, of a socket whose first bytes have come (TCP_DEFER_ACCEPT): they are read before it
 * is registered. A short connection has ended by then, and has cost no registration.
 */
export function adoptReady(stream: StreamFace, fd: number): void {
  stream.fd = fd;
  stream.state = State.readable(State.opened(stream.state));
  stream.profile.idle?.add(stream);
  stream.onOpen();
  if (stream.isOpen) stream.readNow();
  try {
    if (stream.isOpen) register(stream);
    stream.updateInterest();
  } catch (error) {
    // A handler closed it behind our back: the number is a stranger's by now, or nobody's (T02).
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EBADF' || code === 'EEXIST') stream.state = State.fdLost(stream.state);
    stream.destroy(error as Error);
  }
}

function register(stream: StreamFace): void {
  const { reactor, registration, interest } = stream.profile;
  const first = interest.first(wantsOf(stream));
  stream.registration = reactor.registry.register(stream.fd, first, stream, registration);
  if (State.isUnrefed(stream.state)) stream.registration.unref();
}

/** As `StreamCore.intoFd`. */
export function giveAway(stream: StreamFace): number {
  const { fd } = stream;
  if (!stream.isOpen) throw stream.whyClosed();
  // Urgent data may be waited for, or memory be lent to the kernel.
  const isWaiting = stream.isWaiting || stream.cold?.extras?.wantsPriority === true;
  if (isWaiting || stream.hasQueued) throw busyError('a read or a write is waiting');
  const isOurs = endRegistration(stream.registration);
  // Its number is given up, and not closed.
  stream.state = State.fdLost(stream.state);
  stream.destroy(null);
  if (!isOurs) throw closedError('Socket');
  return fd;
}
