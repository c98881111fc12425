// What `top` shows: two answers of a process, and what happened a second between them.
import type { Greeting, ReactorSnapshot, RuntimeSnapshot, Snapshot } from '../../observe/server/protocol.js';

const MS_PER_SECOND = 1000;
const US_PER_MS = 1000;

type Kept = 'name' | 'backend' | 'driver' | 'closed' | 'busyShare';

/** Of one reactor, over the interval. */
export interface ReactorRates extends Pick<ReactorSnapshot, Kept> {
  readonly turnsPerSecond: number;
  readonly eventsPerWait: number;
  readonly callsPerSecond: number;
  readonly handlerP99Ms: number;
  readonly handlerMaxMs: number;
  readonly timerLateP99Ms: number;
  readonly registrations: number;
  readonly timers: number;
  readonly ready: number;
}

/** Of one worker of a runtime. */
export interface WorkerRates {
  readonly runtime: string;
  readonly worker: number;
  readonly tasksPerSecond: number;
  readonly queued: number;
  readonly running: number;
  readonly stealsPerSecond: number;
  readonly parksPerSecond: number;
  /** Of the interval. */
  readonly busyShare: number;
}

/** All that `top` shows, and what `--json` prints. */
export interface Rates {
  readonly process: Omit<Greeting, 'tripoll'> &
    Pick<Snapshot, 'uptimeMs' | 'rssBytes'> & {
      /** Of one core: more than 1 with several threads. */
      readonly cpuShare: number;
    };
  /** What lies between the two answers. */
  readonly intervalMs: number;
  readonly reactors: readonly ReactorRates[];
  readonly workers: readonly WorkerRates[];
  readonly hottest: Snapshot['hottest'];
  readonly slowest: Snapshot['slowest'];
}

/** Counters begin anew with a new thread: what they have then is what is new. */
const grown = (now: number, before: number): number => (now < before ? now : now - before);

function ofReactor(now: ReactorSnapshot, before: ReactorSnapshot | undefined, seconds: number): ReactorRates {
  const { name, backend, driver, closed, counters, busyShare, handlerMs, timerLateMs } = now;
  const since = (field: 'turns' | 'events' | 'handlerCalls' | 'timerCalls'): number =>
    grown(counters[field], before?.counters[field] ?? 0);
  return {
    ...{ name, backend, driver, closed, busyShare },
    turnsPerSecond: since('turns') / seconds,
    eventsPerWait: since('turns') === 0 ? 0 : since('events') / since('turns'),
    callsPerSecond: (since('handlerCalls') + since('timerCalls')) / seconds,
    ...{ handlerP99Ms: handlerMs.p99, handlerMaxMs: handlerMs.max, timerLateP99Ms: timerLateMs.p99 },
    ...{ registrations: counters.registrations, timers: counters.timers, ready: counters.ready },
  };
}

function workersOf(
  { name, workers }: RuntimeSnapshot,
  before: RuntimeSnapshot | undefined,
  seconds: number,
): WorkerRates[] {
  return workers.map((now) => {
    const earlier = before?.workers.find(({ worker }) => worker === now.worker);
    const perSecond = (field: 'tasks' | 'steals' | 'parks' | 'busyMs'): number =>
      grown(now[field], earlier?.[field] ?? 0) / seconds;
    return {
      ...{ runtime: name, worker: now.worker, queued: now.queued, running: now.running },
      tasksPerSecond: perSecond('tasks'),
      stealsPerSecond: perSecond('steals'),
      parksPerSecond: perSecond('parks'),
      busyShare: Math.min(1, perSecond('busyMs') / MS_PER_SECOND),
    };
  });
}

/** What a process has done between two of its answers. */
export function toRates(greeting: Greeting, before: Snapshot, now: Snapshot): Rates {
  const intervalMs = Math.max(1, now.nowMs - before.nowMs);
  const seconds = intervalMs / MS_PER_SECOND;
  const { pid, thread, runtime, program } = greeting;
  const cpuShare = (now.cpuUs - before.cpuUs) / US_PER_MS / intervalMs;
  return {
    process: { pid, thread, runtime, program, uptimeMs: now.uptimeMs, cpuShare, rssBytes: now.rssBytes },
    intervalMs,
    reactors: now.reactors.map((each, i) => ofReactor(each, before.reactors[i], seconds)),
    workers: now.runtimes.flatMap((each, i) => workersOf(each, before.runtimes[i], seconds)),
    hottest: now.hottest,
    slowest: now.slowest,
  };
}
