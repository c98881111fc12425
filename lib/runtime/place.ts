import type { Worker } from 'node:worker_threads';
import type { SharedWaker } from '../reactor/waker.js';

/** What the thread of a place is for. */
export type Role = 'spare' | 'standby' | 'working' | 'retiring';

/**
 * Where a worker's thread is in what the threads share. Each worker has two, so that in a reload
 * its new thread is there before the old one goes; threads come and go.
 */
export interface Place {
  readonly place: number;
  readonly worker: number;
  role: Role;
  thread: Worker | null;
  waker: SharedWaker | null;
  ready: boolean;
  /** Of its tasks. */
  names: readonly string[];
  restarts: number;
  /** Of `blocking`, that have come from its thread. */
  calls: number;
  /** Deaths since it has last done a task. */
  deaths: number;
  /** What is about to end its thread. */
  cause: unknown;
  /** It gets no thread any more. */
  isGivenUp: boolean;
  /** For a reload: it has loaded the entry (null), or its thread has ended. */
  onReady: ((error: Error | null) => void) | null;
  /** For a reload: its thread has nothing to do any more, or has ended. */
  onRetired: (() => void) | null;
}

export const newPlace = (place: number, workers: number): Place => ({
  ...{ place, worker: place % workers, role: 'spare', thread: null, waker: null, ready: false, names: [] },
  ...{ restarts: 0, calls: 0, deaths: 0, cause: undefined, isGivenUp: false, onReady: null, onRetired: null },
});
