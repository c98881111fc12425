import type { Waiter } from '../../reactor/waiter.js';
import type { SendRetry } from '../socket/send-retry.js';
import type { ConnectAttempt, Handshake, ReadOperation, StreamExtras } from './seams.js';

export interface WaitingOperation {
  readonly operation: ReadOperation;
  readonly waiter: Waiter<number>;
}

/**
 * What a stream needs seldom, in one object that is made then: an idle stream pays for one slot.
 */
export interface ColdState {
  /** While it is being connected. */
  attempt: ConnectAttempt | null;
  /** While that goes on although the stream is open. */
  handshake: Handshake | null;
  extras: StreamExtras | null;
  /** Aborted when the peer has left. */
  peerLeft: AbortController | null;
  /** A read past the handlers. */
  reader: WaitingOperation | null;
  /** Handlers get no more bytes: a copy passes them on. */
  isTakenOver: boolean;
  /** Once a write was told ENOBUFS. */
  retry: SendRetry | null;
}

export function newColdState(): ColdState {
  return {
    attempt: null,
    handshake: null,
    extras: null,
    peerLeft: null,
    reader: null,
    isTakenOver: false,
    retry: null,
  };
}

/** Connecting has come to its end; returns what is still needed. */
export function dropAttempt(cold: ColdState | null): ColdState | null {
  if (cold === null || (cold.attempt === null && cold.handshake === null)) return cold;
  const { attempt, handshake } = cold;
  cold.attempt = cold.handshake = null;
  attempt?.cancel();
  handshake?.cancel();
  const { extras, peerLeft, reader, isTakenOver, retry } = cold;
  return (extras ?? peerLeft ?? reader ?? retry) === null && !isTakenOver ? null : cold;
}
