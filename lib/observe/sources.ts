import { invalidArgType } from '../binding/errors.js';
import { checkNames, checkObject } from '../binding/validate.js';
import { chooseReactor } from '../reactor/choose-reactor.js';
import type { Reactor } from '../reactor/reactor.js';
import type { RuntimeMetrics } from '../runtime/metrics.js';
import type { Histogram } from './histogram.js';
import { countKinds } from './inspect-registrations.js';
import {
  HISTOGRAM_METRICS,
  REACTOR_METRICS,
  THREAD_METRICS,
  TIME_METRICS,
  WORKER_METRICS,
  type Metric,
  type MetricAttributes,
  type Point,
} from './metric-table.js';
import { probesOf } from './probes.js';

/** What is exported, and under which attributes. */
export interface MetricSource {
  /** Default, when no runtime is given: this thread's `Reactor.default`. */
  readonly reactor?: Reactor | undefined;
  /** A `Runtime`, for its workers. */
  readonly runtime?: { metrics(): RuntimeMetrics } | undefined;
  /** To tell several sources apart, as `{ reactor: 'frontend' }`. */
  readonly attributes?: MetricAttributes | undefined;
}

const SOURCE_NAMES: Readonly<Record<keyof MetricSource, true>> = {
  reactor: true,
  runtime: true,
  attributes: true,
};
const ATTRIBUTE_TYPES = ['string', 'number', 'boolean'];

/** A source that is right. */
export interface CheckedSource {
  readonly reactor: Reactor | null;
  readonly runtime: { metrics(): RuntimeMetrics } | null;
  readonly attributes: MetricAttributes;
}

/** @throws TypeError; ERR_TRIPOLL_CLOSED */
export function checkSources(sources: readonly MetricSource[]): CheckedSource[] {
  return (sources.length === 0 ? [{}] : sources).map(checkSource);
}

function checkSource(source: MetricSource): CheckedSource {
  checkNames('source', source, SOURCE_NAMES);
  const { reactor, runtime = null, attributes = {} } = source;
  if (runtime !== null && typeof (runtime as { metrics?: unknown }).metrics !== 'function')
    throw invalidArgType('runtime', 'a Runtime', runtime);
  checkObject('attributes', attributes);
  for (const [name, value] of Object.entries(attributes))
    if (!ATTRIBUTE_TYPES.includes(typeof value))
      throw invalidArgType(`attributes.${name}`, 'a string, a number or a boolean', value);
  const hasReactor = reactor !== undefined || runtime === null;
  return { reactor: hasReactor ? chooseReactor(reactor) : null, runtime, attributes: { ...attributes } };
}

/** A metric with all that its sources say of it now. */
export interface Family extends Omit<Metric<never>, 'read'> {
  readonly points: Point[];
}

/** The same of a distribution. */
export interface HistogramFamily {
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  /** Upper bounds of the buckets to tell of, in `unit`, of which a value has `perUnit`. */
  readonly bounds: readonly number[];
  readonly perUnit: number;
  readonly series: { readonly histogram: Histogram; readonly attributes: MetricAttributes }[];
}

const REGISTRATIONS = {
  name: 'tripoll.reactor.registrations',
  kind: 'gauge',
  unit: '{registration}',
  description: 'Registrations that are active, by their kind',
} as const;

const SYSCALLS = {
  name: 'tripoll.thread.syscalls',
  kind: 'counter',
  unit: '{call}',
  description: 'System calls that the reactors of a thread have made, by their kind',
} as const;

/** All but histograms, whether or not there is anything to say of it. */
export const ALL_METRICS: readonly Omit<Family, 'points'>[] = [
  ...REACTOR_METRICS,
  ...THREAD_METRICS,
  ...TIME_METRICS,
  ...WORKER_METRICS,
  REGISTRATIONS,
  SYSCALLS,
];

/** What there is to say, in the order of the table. */
export function collect(sources: readonly CheckedSource[]): Family[] {
  const byName = new Map<string, Family>();
  for (const source of sources) {
    if (source.reactor !== null) collectReactor(byName, source.reactor, source.attributes);
    if (source.runtime !== null) collectWorkers(byName, source.runtime.metrics(), source.attributes);
  }
  return ALL_METRICS.flatMap(({ name }) => byName.get(name) ?? []);
}

type Families = Map<string, Family>;

function collectReactor(into: Families, reactor: Reactor, attributes: MetricAttributes): void {
  const metrics = reactor.metrics();
  for (const metric of REACTOR_METRICS) add(into, metric, metric.read(metrics), attributes);
  for (const metric of THREAD_METRICS) add(into, metric, metric.read(metrics), attributes);
  for (const [kind, count] of Object.entries(countKinds(reactor)))
    add(into, REGISTRATIONS, count, { ...attributes, kind });
  for (const [call, count] of Object.entries(metrics.syscalls))
    add(into, SYSCALLS, count, { ...attributes, call });
  const { times } = metrics;
  if (times === null) return;
  for (const metric of TIME_METRICS) add(into, metric, metric.read(times), attributes);
}

function collectWorkers(into: Families, { workers }: RuntimeMetrics, attributes: MetricAttributes): void {
  for (const each of workers) {
    const ofWorker = { ...attributes, worker: each.worker };
    for (const metric of WORKER_METRICS) add(into, metric, metric.read(each), ofWorker);
    for (const metric of REACTOR_METRICS) add(into, metric, metric.read(each.reactor), ofWorker);
    add(into, REGISTRATIONS, each.reactor.registrations, ofWorker);
  }
}

function add(
  into: Families,
  { name, kind, unit, description }: Omit<Family, 'points'>,
  value: number,
  attributes: MetricAttributes,
): void {
  let family = into.get(name);
  if (family === undefined) into.set(name, (family = { name, kind, unit, description, points: [] }));
  family.points.push({ value, attributes });
}

/** Of reactors that have an `Observer`. */
export function collectHistograms(sources: readonly CheckedSource[]): HistogramFamily[] {
  const observed = sources.flatMap(({ reactor, attributes }) => {
    const histograms = reactor === null ? null : (probesOf(reactor)?.histograms() ?? null);
    return histograms === null ? [] : [{ histograms, attributes }];
  });
  if (observed.length === 0) return [];
  return HISTOGRAM_METRICS.map(({ histogram, ...metric }) => ({
    ...metric,
    series: observed.map(({ histograms, attributes }) => ({ histogram: histograms[histogram], attributes })),
  }));
}
