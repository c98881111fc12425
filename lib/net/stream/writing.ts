import { EINTR, EINVAL, ENOBUFS, ENOTCONN } from '../../binding/errnos.js';
import { stateError, type TripollError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkCall, watchCancel, type CancelOptions } from '../../reactor/cancellation.js';
import type { StreamFace } from './face.js';
import { SendRetry } from '../socket/send-retry.js';
import { isFull } from '../socket/stream-calls.js';
import * as State from './state.js';
import type { WriteOperation, WriteQueue, WriteSource } from './write-queue.js';

// What both styles do with queued writes, and those that settle promises: they are long and rare,
// and who starts one must know when the fd, or the memory, is his again.

/** Writes of one event before others get their turn; what is left over goes on in the next. */
const WRITES_PER_EVENT = 16;
const { SHUT_WR } = native.constants;

/**
 * Whether what a write said means later: when the socket is writable, or after an ENOBUFS in a
 * while. That is transient, says send(2) of macOS and the BSDs, and libuv takes it for an EAGAIN;
 * but the socket is writable meanwhile, so that to wait for that spins (libuv#5194), and it may be
 * for ever (libuv#1573).
 */
export function goesLater(stream: StreamFace, errno: number): boolean {
  if (errno !== ENOBUFS) return isFull(errno);
  const cold = stream.ensureCold();
  return (cold.retry ??= new SendRetry(stream.reactor, stream)).goesLater(errno);
}

/**
 * Whether what did not go is to be tried in the next turn, as the socket need not be full (T83): a
 * part of it went, or a signal came in between.
 */
export function mayGoOn(written: number): boolean {
  return written > 0 || written === EINTR;
}

/** As far as the socket takes it and the budget goes. False when it ended the stream. */
export function writeQueued(stream: StreamFace, queue: WriteQueue, isCall: boolean): boolean {
  let full = false;
  for (let i = 0; i < WRITES_PER_EVENT && !full && !queue.isEmpty; i++) {
    let written: number;
    try {
      written = queue.writeOnce(stream.fd);
    } catch (error) {
      // A queued buffer was detached: what its promise promised cannot be kept.
      stream.destroy(error as Error);
      return false;
    }
    if (goesLater(stream, written)) full = true;
    else if (written < 0) {
      stream.fail(written, 'write');
      return false;
    } else {
      if (written > 0) stream.noteWritten(written);
      if (!stream.reactor.registry.consumeBudget()) break;
    }
  }
  if (!queue.isEmpty) stream.flushLater(full);
  stream.onFlushed(isCall);
  return stream.isOpen;
}

/** Ends our side when all that is queued has been written; what is corked is let go. */
export function endWrite(stream: StreamFace): void {
  if (stream.closed || stream.writeEnded) return;
  stream.state = State.ending(stream.state);
  stream.flush(true);
}

/** Closes when our side has ended, which it does now. */
export function closeAfterEnd(stream: StreamFace): void {
  stream.state = State.closingAfterEnd(stream.state);
  if (State.isWriteEnded(stream.state)) stream.destroy(null);
  else endWrite(stream);
}

/** All is written: our side ends, as soon as it is connected for good. */
export function shutDown(stream: StreamFace): void {
  const handshake = stream.cold?.handshake;
  if (handshake?.isDone === false) {
    handshake.finish();
    stream.updateInterest();
    return;
  }
  stream.state = State.ended(stream.state);
  const error = native.shutdown(stream.fd, SHUT_WR);
  // ENOTCONN: the peer has reset it, which the reader hears.
  if (error < 0 && error !== ENOTCONN && error !== EINVAL) stream.fail(error, 'shutdown');
  else if (State.closesAfterEnd(stream.state)) stream.destroy(null);
  else stream.finishIfDone();
}

/** What is wrong with the options, or that the signal has been aborted already. */
export function refusal(options: CancelOptions): Error | null {
  try {
    checkCall(options);
    return null;
  } catch (error) {
    return error as Error;
  }
}

export function writeWith(
  stream: StreamFace,
  source: WriteSource,
  total: number,
  options: CancelOptions | undefined,
): Promise<number> {
  const refused = options === undefined ? null : refusal(options);
  if (refused !== null) return Promise.reject(refused);
  try {
    stream.checkCanWrite();
  } catch (error) {
    return Promise.reject(error);
  }
  return queueWrite(stream, true, 0, options, (operation) => pushSource(stream, source, total, operation));
}

/** Behind what waits already; at once if nothing does. */
export function pushSource(
  stream: StreamFace,
  source: WriteSource,
  total: number,
  operation: WriteOperation | null,
  countedBytes = 0,
): void {
  const { canWriteNow } = stream;
  stream.ensureQueue().pushSource(source, total, operation, countedBytes);
  if (!canWriteNow) stream.updateInterest();
  else if (stream.reactor.registry.consumeBudget()) stream.flush(true);
  else stream.flushLater();
}

/** A promise for a write that `enqueue` puts into the queue. */
export function queueWrite(
  stream: StreamFace,
  all: boolean,
  written: number,
  options: CancelOptions | undefined,
  enqueue: (operation: WriteOperation) => void,
): Promise<number> {
  return new Promise((resolve, reject) => {
    let disarm: (() => void) | null = null;
    const operation: WriteOperation = {
      all,
      written,
      resolve: (total) => {
        disarm?.();
        resolve(total);
      },
      reject: (error) => {
        disarm?.();
        reject(error);
      },
    };
    if (options !== undefined) {
      disarm = watchCancel(options, stream.reactor, (error) => abortWrite(stream, operation, error));
    }
    enqueue(operation);
  });
}

function abortWrite(stream: StreamFace, operation: WriteOperation, error: TripollError): void {
  error.bytesWritten = operation.written;
  operation.reject(error);
  // Half of it is out, and cannot be taken back: what follows would be read as its other half.
  if (operation.written > 0 || stream.queue?.remove(operation) !== true) {
    stream.destroy(stateError('a write was aborted half-way'));
    return;
  }
  // It may have been the last that an `end()` waited for. From within the user's abort(), who is
  // not to be called back.
  stream.flush(true);
}
