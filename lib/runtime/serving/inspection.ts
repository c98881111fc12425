import type { Strategy } from './options.js';

/** Of one worker's thread; a new thread counts from 0. */
export interface ServerWorkerInspection {
  /** Index of the worker. */
  readonly worker: number;
  /** Whether it accepts connections. */
  readonly listening: boolean;
  /** Connections that it has. */
  readonly open: number;
  /** Connections that it took from the listening socket. */
  readonly accepted: number;
  /** Those of them that it gave to another. */
  readonly handedOver: number;
  /** Given to another that had not begun with them after 5 ms. */
  readonly stolen: number;
  /** Times that the listening socket woke it. */
  readonly wakes: number;
  /**
   * Closed as soon as they were accepted: too many (`maxConnections`), blocked, an option refused,
   * or no fd was left.
   */
  readonly dropped: number;
  /** Live ones that came from another worker. */
  readonly movedIn: number;
  /** Live ones that went to another worker. */
  readonly movedOut: number;
}

/** What `Server.inspect` tells. */
export interface ServerInspection {
  /** Whether it has stopped accepting. */
  readonly closed: boolean;
  /** As chosen. */
  readonly strategy: Strategy;
  /** Connections of all workers. */
  readonly open: number;
  /** Those of them that threads still have which a reload has replaced. */
  readonly retiring: number;
  /** Connections that ended with their worker's thread. */
  readonly lost: number;
  /** One for each worker, in their order. */
  readonly workers: readonly ServerWorkerInspection[];
}
