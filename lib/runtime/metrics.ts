import { COUNTERS, readCounters, type ReactorCounters } from '../reactor/inspection.js';
import { sharedNowMs } from './shared-clock.js';

/** Of one worker's thread; a new thread at its place counts from 0. */
export interface WorkerMetrics {
  /** Index of the worker: 0 for the first. */
  readonly worker: number;
  /** Whether its thread has loaded the entry. */
  readonly ready: boolean;
  /** How often its thread has died and was replaced. */
  readonly restarts: number;
  /** Tasks in its queue. */
  readonly queued: number;
  /** Tasks that have begun and not ended. */
  readonly running: number;
  /** Tasks that it has begun. */
  readonly tasks: number;
  /** Turns in which it took tasks, or looked for some. */
  readonly turns: number;
  /** `tasks / turns`. */
  readonly tasksPerTurn: number;
  /** Times that it took tasks out of another worker's queue. */
  readonly steals: number;
  /** Tasks that it took so. */
  readonly stolenTasks: number;
  /** Times that it found nothing, and waited in its poller. */
  readonly parks: number;
  /** Tasks that its full queue gave to all. */
  readonly overflows: number;
  /** Milliseconds that went into turns, with the one that it is in. */
  readonly busyMs: number;
  /** Of the time since its thread began: how much went into turns. */
  readonly busyShare: number;
  /** Its reactor's counters, as that one's last turn has left them; registrations as they are. */
  readonly reactor: ReactorCounters;
}

/** What `Runtime.metrics` tells: sizes now, and counters since the start. */
export interface RuntimeMetrics {
  /** Tasks that this thread has spawned and that are not settled. */
  readonly pending: number;
  /** Those of them that wait for a place. */
  readonly waiting: number;
  /** Tasks that no worker has in its queue yet. */
  readonly injected: number;
  /** One for each worker, in their order. */
  readonly workers: readonly WorkerMetrics[];
}

/** Places of a worker's counters. */
export const Field = {
  START_MS: 0,
  RUNNING: 1,
  TASKS: 2,
  TURNS: 3,
  /** Of turns that are over. */
  BUSY_MS: 4,
  CALLS: 5,
  /** When the turn began that it is in, by the clock of all threads; 0 between two turns. */
  TURN_MS: 6,
} as const;
/** After those. */
const FIRST_OF_REACTOR = 8;
/** Whole cache lines, so that workers do not wait for each other's. */
const FIELDS = Math.ceil((FIRST_OF_REACTOR + COUNTERS) / 8) * 8;

/** The workers' counters: each writes its own. */
export class MetricsTable {
  readonly #values: Float64Array;

  constructor(memory: SharedArrayBuffer) {
    this.#values = new Float64Array(memory);
  }

  static create(workers: number): SharedArrayBuffer {
    return new SharedArrayBuffer(workers * FIELDS * Float64Array.BYTES_PER_ELEMENT);
  }

  set(worker: number, field: number, value: number): void {
    this.#values[worker * FIELDS + field] = value;
  }

  get(worker: number, field: number): number {
    return this.#values[worker * FIELDS + field]!;
  }

  busyMs(worker: number): number {
    let [turnMs, busyMs] = [0, 0];
    // A turn that ends meanwhile would count twice, or not at all. Those that end thrice are short.
    for (let i = 0; i < 3; i++) {
      turnMs = this.get(worker, Field.TURN_MS);
      busyMs = this.get(worker, Field.BUSY_MS);
      if (this.get(worker, Field.TURN_MS) === turnMs) break;
    }
    return turnMs === 0 ? busyMs : busyMs + Math.max(sharedNowMs() - turnMs, 0);
  }

  /** For its reactor to write into. */
  reactorOf(worker: number): Float64Array {
    const first = worker * FIELDS + FIRST_OF_REACTOR;
    return this.#values.subarray(first, first + COUNTERS);
  }

  countersOf(worker: number): ReactorCounters {
    return readCounters(this.reactorOf(worker));
  }

  /** A new thread begins to count. */
  reset(worker: number): void {
    this.#values.fill(0, worker * FIELDS, (worker + 1) * FIELDS);
  }
}
