// All that a stream remembers between two events, in one number: an idle connection is small.
// Nothing else sets a bit; the functions below are the transitions, in the order of a stream's
// life.
//
//   CONNECTING --opened--> open (neither bit) --closed--> CLOSED, for ever
//
// Each side of an open stream ends for itself. The peer's: bytes, then HUNG_UP at the most as a
// warning, then READ_ENDED. Ours: WRITE_ENDING while bytes are queued, then WRITE_ENDED. When both
// have ended it closes.

const CONNECTING = 1 << 0;
const CLOSED = 1 << 1;
/**
 * The system has said "readable", and no read has come back empty or short since. Edge mode only.
 */
const READ_READY = 1 << 2;
/**
 * The end, an error or an urgent byte is on its way: a short read does not mean that all was read
 * (T17).
 */
const HUNG_UP = 1 << 3;
const READ_ENDED = 1 << 4;
/** `end()` was called: our side is shut down when the queue is empty. */
const WRITE_ENDING = 1 << 5;
const WRITE_ENDED = 1 << 6;
const PAUSED = 1 << 7;
const CORKED = 1 << 8;
/** The system no longer knows our fd: the number may be a stranger's, and is not closed. */
const FD_LOST = 1 << 9;
const UNREFED = 1 << 10;
/** Nobody reads any more: close when our side has ended. */
const CLOSE_AFTER_END = 1 << 11;
/** As PAUSED, but not by the user: bytes are for a read past the handlers. */
const HELD = 1 << 12;
/**
 * Level mode only: there is something that nobody takes, of which the system would tell again and
 * again.
 */
const UNTAKEN = 1 << 13;
/** Handlers only: a `write` has returned false, and `drain` is due. */
const NEEDS_DRAIN = 1 << 14;
/**
 * Handlers only: `close` has been told, or was called by the user. From then on a write is a
 * mistake.
 */
const CLOSE_REPORTED = 1 << 15;
/** TCP's handlers only: urgent bytes are kept in line, where they are not to be waited for. */
const URGENT_INLINE = 1 << 16;

/** Its socket was detached: it is somebody else's. */
const DETACHED = 1 << 17;

/** A number, so that the state of a stream takes no memory of its own. */
export type StreamState = number;

export const INITIAL: StreamState = CONNECTING;

// ---- what is so ----

const has = (state: StreamState, bits: number): boolean => (state & bits) !== 0;

export const isOpen = (state: StreamState): boolean => !has(state, CONNECTING | CLOSED);
export const isClosed = (state: StreamState): boolean => has(state, CLOSED);
export const isReadReady = (state: StreamState): boolean => has(state, READ_READY);
export const isHungUp = (state: StreamState): boolean => has(state, HUNG_UP);
export const isReadEnded = (state: StreamState): boolean => has(state, READ_ENDED);
export const isWriteEnding = (state: StreamState): boolean => has(state, WRITE_ENDING);
export const isWriteEnded = (state: StreamState): boolean => has(state, WRITE_ENDED);
/** Our side takes no more: it has ended, or will when all is written. */
export const refusesWrites = (state: StreamState): boolean => has(state, WRITE_ENDING | WRITE_ENDED);
export const bothEnded = (state: StreamState): boolean =>
  (state & (READ_ENDED | WRITE_ENDED)) === (READ_ENDED | WRITE_ENDED);
/** By the user, or by a read past the handlers. */
export const isPaused = (state: StreamState): boolean => has(state, PAUSED | HELD);
export const isHeld = (state: StreamState): boolean => has(state, HELD);
export const isCorked = (state: StreamState): boolean => has(state, CORKED);
/** Queued bytes may go out. */
export const mayFlush = (state: StreamState): boolean => !has(state, CONNECTING | CLOSED | CORKED);
export const isFdLost = (state: StreamState): boolean => has(state, FD_LOST);
export const isUnrefed = (state: StreamState): boolean => has(state, UNREFED);
export const closesAfterEnd = (state: StreamState): boolean => has(state, CLOSE_AFTER_END);
export const isUntaken = (state: StreamState): boolean => has(state, UNTAKEN);
export const needsDrain = (state: StreamState): boolean => has(state, NEEDS_DRAIN);
export const isCloseReported = (state: StreamState): boolean => has(state, CLOSE_REPORTED);
export const isUrgentInline = (state: StreamState): boolean => has(state, URGENT_INLINE);
/** What has been left unread is to be looked at again when a read is done. */
export const mayHideEnd = (state: StreamState): boolean => has(state, HUNG_UP | UNTAKEN);
export const isDetached = (state: StreamState): boolean => has(state, DETACHED);

// ---- what happens ----

/** It is connected. */
export const opened = (state: StreamState): StreamState => state & ~CONNECTING;
/** The system says that there is something to read. */
export const readable = (state: StreamState): StreamState => state | READ_READY;
/** The system says that there is more than bytes: the end, an error, an urgent byte. */
export const hungUp = (state: StreamState): StreamState => state | HUNG_UP;
/** A read has taken all that there was. */
export const drained = (state: StreamState): StreamState => state & ~READ_READY;
/** A read found the peer's end. */
export const peerEnded = (state: StreamState): StreamState => state | READ_ENDED;
/** `end()` was called; what is corked is let go. */
export const ending = (state: StreamState): StreamState => (state & ~CORKED) | WRITE_ENDING;
/** Our side is being shut down. */
export const ended = (state: StreamState): StreamState => (state & ~WRITE_ENDING) | WRITE_ENDED;
export const closed = (state: StreamState): StreamState => state | CLOSED;
export const fdLost = (state: StreamState): StreamState => state | FD_LOST;
/** Close when our side has ended. */
export const closingAfterEnd = (state: StreamState): StreamState => state | CLOSE_AFTER_END;
/** Something has come that nobody takes. */
export const untaken = (state: StreamState): StreamState => state | UNTAKEN;
export const taken = (state: StreamState): StreamState => state & ~UNTAKEN;
/** A `write` returned false. */
export const drainDue = (state: StreamState): StreamState => state | NEEDS_DRAIN;
export const drainTold = (state: StreamState): StreamState => state & ~NEEDS_DRAIN;
export const detached = (state: StreamState): StreamState => state | DETACHED;
export const closeReported = (state: StreamState): StreamState => state | CLOSE_REPORTED;
export const urgentInline = (state: StreamState): StreamState => state | URGENT_INLINE;

const set = (state: StreamState, bit: number, on: boolean): StreamState => (on ? state | bit : state & ~bit);

export const paused = (state: StreamState, on: boolean): StreamState => set(state, PAUSED, on);
export const held = (state: StreamState, on: boolean): StreamState => set(state, HELD, on);
export const corked = (state: StreamState, on: boolean): StreamState => set(state, CORKED, on);
export const unrefed = (state: StreamState, on: boolean): StreamState => set(state, UNREFED, on);

// ---- what it would do if it could ----

export const WANTS_READ = 1 << 0;
/** Bytes are queued, and nothing holds them back. */
export const WANTS_WRITE = 1 << 1;
/** Urgent data, or what the error queue has. */
export const WANTS_PRIORITY = 1 << 2;
