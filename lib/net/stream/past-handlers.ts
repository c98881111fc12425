import { EAGAIN } from '../../binding/errnos.js';
import { nextTick } from '../../binding/host-clock.js';
import { busyError, outOfRange } from '../../binding/errors.js';
import type { CancelOptions } from '../../reactor/cancellation.js';
import { Waiter } from '../../reactor/waiter.js';
import type { SocketHandle } from '../socket/detached.js';
import type { WaitingOperation } from './cold-state.js';
import { detachStream, type DetachOptions } from './detaching.js';
import { leaveUntaken, readDone, REFUSED, tryOperation } from './reading.js';
import type { ReadOperation } from './seams.js';
import * as State from './state.js';
import type { StreamFace } from './face.js';
import { refusal } from './writing.js';

// Reads past the handlers of a connection. While one waits, and until who waited for it has gone
// on, handlers get no bytes: he may pause, or begin a copy, before they do.

export function isReadingPast({ cold }: StreamFace): boolean {
  return cold !== null && cold.reader !== null;
}

/** As `StreamCore.readWith`. */
export function readPast(
  stream: StreamFace,
  operation: ReadOperation,
  options: CancelOptions | undefined,
): Promise<number> {
  const refused = options === undefined ? null : refusal(options);
  if (refused !== null) return Promise.reject(refused);
  if (stream.closed) return Promise.reject(stream.whyClosed());
  if (isReadingPast(stream)) return Promise.reject(busyError('another read is waiting'));
  if (stream.readEnded) return Promise.resolve(0);
  const waiter = new Waiter<number>();
  stream.ensureCold().reader = { operation, waiter };
  stream.setStopped(State.held, true);
  if (stream.mayRead && stream.reactor.registry.consumeBudget()) runHeld(stream);
  else if (stream.mayRead) stream.readLater();
  if (isReadingPast(stream)) {
    waiter.arm(options, stream.reactor, () => takeReader(stream));
    stream.updateInterest();
  } else readDone(stream);
  return waiter.promise;
}

/** Bytes, or the end, have come, and are not for the handlers. */
export function runHeld(stream: StreamFace): void {
  const reader = stream.cold?.reader;
  if (reader === null || reader === undefined) {
    leaveUntaken(stream);
    return;
  }
  const received = tryOperation(stream, reader.operation);
  if (received === EAGAIN) return;
  // A failure of the socket has rejected it already, with the rest.
  if (takeReader(stream) === null) return;
  if (received === REFUSED) reader.waiter.reject(outOfRange('buffer', 'left alone while it waits', null));
  else reader.waiter.resolve(received);
  if (received !== 0 || stream.cold?.isTakenOver !== true) return;
  stream.markReadEnded();
  stream.finishIfDone();
}

function takeReader(stream: StreamFace): WaitingOperation | null {
  const { cold } = stream;
  const reader = cold?.reader ?? null;
  if (cold === null || reader === null) return null;
  cold.reader = null;
  if (!cold.isTakenOver && !stream.closed) releaseLater(stream);
  return reader;
}

/**
 * When all microtasks have run, in which the one who waited goes on; until then there may be
 * several turns.
 */
function releaseLater(stream: StreamFace): void {
  const release = (): void => {
    if (!isReadingPast(stream) && stream.cold?.isTakenOver !== true) stream.setStopped(State.held, false);
  };
  void Promise.resolve().then(() => nextTick(release));
}

/** It is over. */
export function rejectHeld(stream: StreamFace, error: Error | null): void {
  takeReader(stream)?.waiter.reject(error ?? stream.whyClosed());
}

/** From here on what comes is a copy's. */
export function takeOver(stream: StreamFace): void {
  stream.ensureCold().isTakenOver = true;
  stream.setStopped(State.held, true);
}

/**
 * As `SocketConnection.detach`: handlers get no more bytes from the call on, which may be made by
 * one of them, unless it fails.
 */
export async function detachPast<Kind extends 'tcp' | 'unix'>(
  stream: StreamFace,
  kind: Kind,
  options: DetachOptions,
): Promise<SocketHandle<Kind>> {
  if (stream.cold?.isTakenOver === true) throw busyError('a copy, or another detach(), has its bytes');
  const end = (): void => stream.destroy(null);
  // At once: nothing can come in between.
  if (!stream.hasQueued) return detachStream(stream, kind, options, end);
  const { readEnded } = stream;
  takeOver(stream);
  try {
    return await detachStream(stream, kind, options, end);
  } catch (error) {
    giveBack(stream, readEnded);
    throw error;
  }
}

/** Handlers get what comes again; `knewEnd`: they had been told of the end. */
function giveBack(stream: StreamFace, knewEnd: boolean): void {
  if (stream.closed) return;
  stream.ensureCold().isTakenOver = false;
  if (!isReadingPast(stream)) stream.setStopped(State.held, false);
  if (stream.readEnded && !knewEnd) stream.onPeerEnd();
}
