import type { Registration } from './registration.js';
import type { Timer } from './timer.js';

/** A distribution, in the unit that the name of its field ends with; 0 while `count` is. */
export interface HistogramSummary {
  /** Values so far. */
  readonly count: number;
  /** Of all of them. */
  readonly sum: number;
  /** The least. */
  readonly min: number;
  /** The greatest. */
  readonly max: number;
  /** The median, at most 1.6 percent above the true one, as the others. */
  readonly p50: number;
  /** 90 percent are not above. */
  readonly p90: number;
  /** 99 percent are not above. */
  readonly p99: number;
  /** 99.9 percent are not above. */
  readonly p999: number;
}

/** Times of a reactor, since they are taken. */
export interface ReactorTimes {
  /** For so long they are taken. */
  readonly observedMs: number;
  /** Of that: turns, and the promises that followed from them. */
  readonly busyMs: number;
  /** `busyMs / observedMs`. */
  readonly busyShare: number;
  /** Of a handler's call, by the wall's clock. */
  readonly handlerMs: HistogramSummary;
  /** How long after its time a timer was called. */
  readonly timerLateMs: HistogramSummary;
  /** Events that a wait brought. */
  readonly eventsPerWait: HistogramSummary;
}

/**
 * What looks into a reactor (lib/observe): `reactor.registry.probe`, null while nobody does. Its
 * methods must not throw, and must not call the reactor.
 *
 * Between `turnEnd` and `turnStart` are the microtasks of that turn, Node's own loop, and the wait:
 * under a native driver JavaScript is not there when the wait begins.
 */
export interface ReactorProbe {
  /** The wait is over: it brought `events`, of which none need be anybody's. */
  turnStart(events: number): void;
  /** What was posted, and wakers, have run before the handlers: `ran` of them, if any did. */
  dispatchStart(ran: number): void;
  /** All callbacks of the turn have run: `ran` of them. */
  turnEnd(ran: number): void;
  handlerStart(registration: Registration, readiness: number): void;
  /** Whatever the handler threw. */
  handlerEnd(registration: Registration, readiness: number): void;
  /** How late it is by the reactor's clock, which is never less than 0. */
  timerStart(timer: Timer, lateMs: number): void;
  timerEnd(timer: Timer): void;
  /** Within `register`, `listen`, `connect` or what else asked for it. */
  registered(registration: Registration): void;
  /** Deregistered, lost, or its reactor was closed. */
  deregistered(registration: Registration): void;
  /** For `Reactor.metrics`; null when none are taken. */
  times(): ReactorTimes | null;
}
