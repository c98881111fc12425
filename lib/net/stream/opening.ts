import { busyError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { claimBy, type SocketHandle } from '../socket/detached.js';
import { giveFd } from '../socket/release-fd.js';
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

/** As `adopt`, of a socket that was detached. @throws as `attach` */
export function attachTo(stream: StreamFace, handle: SocketHandle): void {
  stream.reactor.registry.checkOpen();
  claimBy(handle, (fd) => {
    stream.fd = fd;
    stream.state = State.opened(stream.state);
    if (handle.writeEnded === true) stream.state = State.ended(stream.state);
    register(stream);
  });
  stream.profile.idle?.add(stream);
}

/** As `StreamCore.intoFd`. */
export function giveAway(stream: StreamFace): number {
  if (!stream.isOpen) throw stream.whyClosed();
  if (stream.isWaiting) throw busyError('a read is waiting');
  return handOut(
    stream,
    (fd) => fd,
    () => stream.destroy(null),
  );
}

/**
 * Gives the socket to `take`; the stream ends by `end`, without closing it.
 *
 * @throws ERR_TRIPOLL_BUSY while a write waits; ERR_TRIPOLL_CLOSED; what `take` throws
 */
export function handOut<T>(stream: StreamFace, take: (fd: number) => T, end: () => void): T {
  // Urgent data may be waited for, or memory be lent to the kernel.
  if (stream.cold?.extras?.wantsPriority === true) throw busyError('urgent data, or zero-copy, is waiting');
  if (stream.hasQueued) throw busyError('a write is waiting');
  try {
    return giveFd(stream.fd, stream.registration, take);
  } finally {
    // Its number is given up, and not closed.
    stream.state = State.fdLost(stream.state);
    end();
  }
}
