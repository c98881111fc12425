import type { DriverName } from '../binding/capabilities.js';
import { native } from '../binding/native.js';
import type { Poller } from '../poller/poller.js';
import type { Dispatcher } from './dispatcher.js';
import type { RunDriverName } from './driver.js';
import type { ReactorTimes } from './probe.js';
import type { Registry } from './registry.js';
import type { SpinGuard } from './spin-guard.js';
import type { TimerQueue } from './timer-queue.js';

/** Sizes now, and counters since the reactor was made, which only grow. */
export interface ReactorCounters {
  /** Registrations that are active. */
  readonly registrations: number;
  /** Timers that will fire. */
  readonly timers: number;
  /** Handlers that wait in the ready queue. */
  readonly ready: number;
  /** Turns so far. */
  readonly turns: number;
  /** Turns that found nothing to do. */
  readonly emptyTurns: number;
  /** Turns whose budget was used up, so that the rest waited for the next one. */
  readonly exhaustedTurns: number;
  /** Events that the poller has told of; `events / turns` is how many a wait brings. */
  readonly events: number;
  /** Events whose registration had gone. */
  readonly staleEvents: number;
  /** Events of what their registration does not wait for, as when it was paused meanwhile. */
  readonly spuriousEvents: number;
  /** Calls of handlers. */
  readonly handlerCalls: number;
  /** Calls of timers. */
  readonly timerCalls: number;
  /** Times that the reactor woke its own poller, which is a system call. */
  readonly wakes: number;
}

/** What `Reactor.metrics` tells: its counters, and those of its thread. */
export interface ReactorMetrics extends ReactorCounters {
  /** Looks of busy polling (`run({ spinUs })`) that found nothing. */
  readonly spinLooks: number;
  /** Waits that slept although they had looked before. */
  readonly spinSleeps: number;
  /**
   * System calls that this library has made in this thread, by kind, as `epoll_wait` and `recv`:
   * those that were made at all. Reactors of one thread share them. A call that another thread makes
   * is counted there, but for the waits of the driver *watcher*.
   */
  readonly syscalls: Readonly<Record<string, number>>;
  /** Bytes that those have read for sockets and other fds, of all reactors of this thread. */
  readonly bytesRead: number;
  /** Bytes that those have written, likewise. */
  readonly bytesWritten: number;
  /** Null while nothing of `tripoll/observe` takes its times. */
  readonly times: ReactorTimes | null;
}

/** What `Reactor.inspect` tells: sizes now, and counters since it was made. */
export interface ReactorInspection extends Omit<ReactorMetrics, 'times'> {
  /** The kind of its poller. */
  readonly backend: string;
  /** Under `run()`: inverted, or immediate where inversion is not possible. */
  readonly driver: DriverName | RunDriverName;
  /** Whether it has been closed. */
  readonly closed: boolean;
  /** Ref'd sources, timers and work: the process stays alive while there are any. */
  readonly refs: number;
}

/** What is read of a reactor. */
export interface InspectionHost {
  readonly backend: string;
  readonly activeDriver: DriverName | RunDriverName;
  readonly closed: boolean;
  readonly registry: Registry;
  readonly dispatcher: Dispatcher;
  readonly timers: TimerQueue;
  readonly spinGuard: SpinGuard;
  readonly refs: number;
  readonly turns: number;
  readonly wakes: number;
  /** Null for a test's own poller. */
  readonly ownPoller: Poller | null;
}

/** In the order of `writeCounters`. */
const COUNTER_NAMES: readonly (keyof ReactorCounters)[] = [
  ...(['registrations', 'timers', 'ready', 'turns', 'emptyTurns', 'exhaustedTurns'] as const),
  ...(['events', 'staleEvents', 'spuriousEvents', 'handlerCalls', 'timerCalls', 'wakes'] as const),
];

export const COUNTERS = COUNTER_NAMES.length;

/** Into `COUNTERS` numbers, which may be another thread's to read. */
export function writeCounters(host: InspectionHost, into: Float64Array): void {
  const { registry, dispatcher, timers } = host;
  into[0] = registry.slab.size;
  into[1] = timers.size;
  into[2] = registry.ready.length;
  into[3] = host.turns;
  into[4] = host.spinGuard.emptyTurns;
  into[5] = dispatcher.exhaustedTurns;
  into[6] = dispatcher.events;
  into[7] = dispatcher.staleEvents;
  into[8] = dispatcher.spuriousEvents;
  into[9] = dispatcher.handlerCalls;
  into[10] = timers.fired;
  into[11] = host.wakes;
}

/** What `writeCounters` has written. */
export function readCounters(from: Float64Array): ReactorCounters {
  const counters = {} as Record<keyof ReactorCounters, number>;
  for (const [at, name] of COUNTER_NAMES.entries()) counters[name] = from[at]!;
  return counters;
}

function counters(host: InspectionHost): Omit<ReactorMetrics, 'times'> {
  const own = new Float64Array(COUNTERS);
  writeCounters(host, own);
  const counts = { bytesRead: 0, bytesWritten: 0 };
  native.syscallCounts(counts);
  const { bytesRead, bytesWritten, ...syscalls } = counts;
  const [spinLooks, spinSleeps] = host.ownPoller?.spinCounts ?? [0, 0];
  return { ...readCounters(own), spinLooks, spinSleeps, syscalls, bytesRead, bytesWritten };
}

export function readMetrics(host: InspectionHost): ReactorMetrics {
  return { ...counters(host), times: host.registry.probe?.times() ?? null };
}

export function inspectReactor(host: InspectionHost): ReactorInspection {
  const { backend, activeDriver, closed, refs } = host;
  return { backend, driver: activeDriver, closed, refs, ...counters(host) };
}
