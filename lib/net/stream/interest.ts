import { Interest, ALL_INTERESTS } from '../../poller/flags.js';
import {
  isReadEnded,
  isReadReady,
  isUntaken,
  WANTS_PRIORITY,
  WANTS_WRITE,
  type StreamState,
} from './state.js';

/**
 * How a registration follows what its stream wants. It has no state of its own: all streams of a
 * mode share one.
 */
export interface InterestStrategy {
  /** The interest of a socket that is being connected. */
  readonly connecting: number;
  /** The system tells again of what is left over; else the stream has to go on by itself. */
  readonly tellsAgain: boolean;
  /** The interest of a stream that has just opened. */
  first(wants: number): number;
  /** Whether a read can be tried without having been told. */
  mayRead(state: StreamState): boolean;
  /** What to wait for now; `current` where nothing has to change. */
  next(current: number, state: StreamState, wants: number): number;
}

/**
 * Under an edge mode a registration is made once. Edges cost nothing while they do not come:
 * PRIORITY is asked for from the start, since what a read that stopped short left would stay;
 * WRITABLE with the first write that blocked, and it stays (T15).
 */
export const EDGE: InterestStrategy = {
  connecting: ALL_INTERESTS,
  tellsAgain: false,
  first: () => Interest.READABLE | Interest.PRIORITY,
  mayRead: isReadReady,
  next: (current, _state, wants) => ((wants & WANTS_WRITE) === 0 ? current : current | Interest.WRITABLE),
};

/**
 * Under a level mode the interest is what is wanted, or the system would tell of the rest in every
 * turn.
 */
export const LEVEL: InterestStrategy = {
  connecting: Interest.WRITABLE,
  tellsAgain: true,
  first: (wants) => Interest.READABLE | toPriority(wants),
  mayRead: () => true,
  next: (_current, state, wants) => {
    let interest = toPriority(wants);
    // Also when nobody reads, until there is something: it may be the end. Errors come with any
    // interest.
    if (!isUntaken(state)) interest |= isReadEnded(state) ? Interest.PRIORITY : Interest.READABLE;
    if ((wants & WANTS_WRITE) !== 0) interest |= Interest.WRITABLE;
    return interest;
  },
};

function toPriority(wants: number): number {
  return (wants & WANTS_PRIORITY) === 0 ? 0 : Interest.PRIORITY;
}
