import type { ReactorCounters, ReactorMetrics } from '../reactor/inspection.js';
import type { WorkerMetrics } from '../runtime/metrics.js';

/** What a metric is of, as `{ reactor: 'frontend' }`. */
export type MetricAttributes = Readonly<Record<string, string | number | boolean>>;

/** One figure, and what it is of. */
export interface Point {
  readonly value: number;
  readonly attributes: MetricAttributes;
}

/** A row of the table: names as OpenTelemetry's conventions want them, with its units (UCUM). */
export interface Metric<Of> {
  readonly name: string;
  /** A counter only grows. */
  readonly kind: 'counter' | 'gauge';
  readonly unit: string;
  readonly description: string;
  readonly read: (of: Of) => number;
}

type Row<Of> = readonly [name: string, unit: string, description: string, read: (of: Of) => number];

const MS_PER_SECOND = 1000;

const table = <Of>(kind: Metric<Of>['kind'], rows: readonly Row<Of>[]): Metric<Of>[] =>
  rows.map(([name, unit, description, read]) => ({ name, kind, unit, description, read }));

/** Of each reactor, and of those of workers. How many registrations it has is told elsewhere. */
export const REACTOR_METRICS: readonly Metric<ReactorCounters>[] = [
  ...table<ReactorCounters>('counter', [
    ['tripoll.reactor.turns', '{turn}', 'Turns', (of) => of.turns],
    ['tripoll.reactor.empty_turns', '{turn}', 'Turns that found nothing to do', (of) => of.emptyTurns],
    [
      'tripoll.reactor.exhausted_turns',
      '{turn}',
      'Turns whose budget was used up',
      (of) => of.exhaustedTurns,
    ],
    ['tripoll.reactor.events', '{event}', 'Events that the poller has told of', (of) => of.events],
    ['tripoll.reactor.stale_events', '{event}', 'Events whose registration had gone', (of) => of.staleEvents],
    [
      'tripoll.reactor.spurious_events',
      '{event}',
      'Events that nobody waited for',
      (of) => of.spuriousEvents,
    ],
    ['tripoll.reactor.handler.calls', '{call}', 'Calls of handlers', (of) => of.handlerCalls],
    ['tripoll.reactor.timer.calls', '{call}', 'Calls of timers', (of) => of.timerCalls],
    ['tripoll.reactor.wakes', '{wake}', 'Times that the reactor woke its own poller', (of) => of.wakes],
  ]),
  ...table<ReactorCounters>('gauge', [
    ['tripoll.reactor.timers', '{timer}', 'Timers that will fire', (of) => of.timers],
    ['tripoll.reactor.ready', '{handler}', 'Handlers that wait in the ready queue', (of) => of.ready],
  ]),
];

/** Of each reactor of this thread. */
export const THREAD_METRICS: readonly Metric<ReactorMetrics>[] = table<ReactorMetrics>('counter', [
  ['tripoll.reactor.spin.looks', '{look}', 'Looks that found nothing', (of) => of.spinLooks],
  ['tripoll.reactor.spin.sleeps', '{wait}', 'Waits that slept after a look', (of) => of.spinSleeps],
  ['tripoll.thread.io.read', 'By', 'Bytes that its reactors have read', (of) => of.bytesRead],
  ['tripoll.thread.io.written', 'By', 'Bytes that its reactors have written', (of) => of.bytesWritten],
]);

/** Of each reactor whose times are taken. */
export const TIME_METRICS: readonly Metric<NonNullable<ReactorMetrics['times']>>[] = [
  ...table<NonNullable<ReactorMetrics['times']>>('counter', [
    [
      'tripoll.reactor.busy.time',
      's',
      'Time of turns, and of the promises that they settled',
      (of) => of.busyMs / MS_PER_SECOND,
    ],
  ]),
  ...table<NonNullable<ReactorMetrics['times']>>('gauge', [
    ['tripoll.reactor.utilization', '1', 'Busy share of the time that was observed', (of) => of.busyShare],
  ]),
];

/** Of each worker of a runtime. */
export const WORKER_METRICS: readonly Metric<WorkerMetrics>[] = [
  ...table<WorkerMetrics>('counter', [
    ['tripoll.worker.restarts', '{thread}', 'Threads that have died and were replaced', (of) => of.restarts],
    ['tripoll.worker.tasks', '{task}', 'Tasks that it has begun', (of) => of.tasks],
    ['tripoll.worker.turns', '{turn}', 'Turns in which it took tasks, or looked for some', (of) => of.turns],
    ['tripoll.worker.steals', '{steal}', "Times that it took tasks of another's queue", (of) => of.steals],
    ['tripoll.worker.stolen_tasks', '{task}', 'Tasks that it took so', (of) => of.stolenTasks],
    [
      'tripoll.worker.busy.time',
      's',
      'Time of turns, with the one that it is in',
      (of) => of.busyMs / MS_PER_SECOND,
    ],
    ['tripoll.worker.parks', '{park}', 'Times that it found nothing and waited', (of) => of.parks],
    ['tripoll.worker.overflows', '{task}', 'Tasks that its full queue gave to all', (of) => of.overflows],
  ]),
  ...table<WorkerMetrics>('gauge', [
    ['tripoll.worker.queued', '{task}', 'Tasks in its queue', (of) => of.queued],
    ['tripoll.worker.running', '{task}', 'Tasks that have begun and not ended', (of) => of.running],
    [
      'tripoll.worker.utilization',
      '1',
      'Busy share of the time since its thread began',
      (of) => of.busyShare,
    ],
  ]),
];

/** Of each reactor whose times are taken: which histogram, and what divides it into the unit. */
export const HISTOGRAM_METRICS = [
  {
    name: 'tripoll.reactor.handler.duration',
    unit: 's',
    description: "Time of a handler's call",
    histogram: 'handlerMs',
    perUnit: MS_PER_SECOND,
    bounds: [
      1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
    ],
  },
  {
    name: 'tripoll.reactor.timer.lateness',
    unit: 's',
    description: 'How long after its time a timer was called',
    histogram: 'timerLateMs',
    perUnit: MS_PER_SECOND,
    bounds: [1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  },
  {
    name: 'tripoll.reactor.wait.events',
    unit: '{event}',
    description: 'Events that a wait brought',
    histogram: 'eventsPerWait',
    perUnit: 1,
    bounds: [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024],
  },
] as const;
