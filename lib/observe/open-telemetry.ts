import { checkFunction, checkObject } from '../binding/validate.js';
import { HISTOGRAM_METRICS, type MetricAttributes } from './metric-table.js';
import {
  ALL_METRICS,
  checkSources,
  collect,
  collectHistograms,
  type CheckedSource,
  type MetricSource,
} from './sources.js';

/** An instrument of `@opentelemetry/api`, which only its own meter looks into. */
export type MeterInstrument = object;

/** As `BatchObservableResult` of `@opentelemetry/api`. */
export interface MeterObservations {
  /** Tells a value of an instrument. */
  observe(instrument: MeterInstrument, value: number, attributes?: MetricAttributes): void;
}

/** What is used of `Meter` of `@opentelemetry/api` 1.3 and later. */
export interface MeterLike {
  /** For what only grows. */
  createObservableCounter(name: string, options: { unit: string; description: string }): MeterInstrument;
  /** For what is so now. */
  createObservableGauge(name: string, options: { unit: string; description: string }): MeterInstrument;
  /** Calls `callback` at each collection. */
  addBatchObservableCallback(
    callback: (observations: MeterObservations) => void,
    instruments: MeterInstrument[],
  ): void;
  /** Takes that back. */
  removeBatchObservableCallback(
    callback: (observations: MeterObservations) => void,
    instruments: MeterInstrument[],
  ): void;
}

/** OpenTelemetry has no observable histogram: these are gauges, as in Node's own metrics. */
const PERCENTILES = { p50: 50, p90: 90, p99: 99, max: 100 } as const;
type Percentile = keyof typeof PERCENTILES;
const PERCENTILE_NAMES = Object.keys(PERCENTILES) as Percentile[];

/**
 * Gives a meter of OpenTelemetry all metrics, which it then reads at each of its collections:
 * `tripoll.reactor.*`, and of a runtime `tripoll.worker.*`, times in seconds. Of a reactor that has
 * an `Observer` there are also `tripoll.reactor.handler.duration.p99` and the like. It needs no
 * package: `meter` is what `metrics.getMeter('tripoll')` of `@opentelemetry/api` returns.
 *
 * @param sources default: this thread's `Reactor.default`
 * @returns what ends the export
 * @throws TypeError; ERR_TRIPOLL_CLOSED for a reactor that is closed
 */
export function exportOpenTelemetry(meter: MeterLike, ...sources: MetricSource[]): () => void {
  checkObject('meter', meter);
  checkFunction('meter.addBatchObservableCallback', (meter as Partial<MeterLike>).addBatchObservableCallback);
  const checked = checkSources(sources);
  const instruments = createInstruments(meter);
  const callback = (observations: MeterObservations): void => observe(observations, instruments, checked);
  const all = [...instruments.values()];
  meter.addBatchObservableCallback(callback, all);
  return () => meter.removeBatchObservableCallback(callback, all);
}

function createInstruments(meter: MeterLike): Map<string, MeterInstrument> {
  const instruments = new Map<string, MeterInstrument>();
  for (const { name, kind, unit, description } of ALL_METRICS) {
    const options = { unit, description };
    const isCounter = kind === 'counter';
    instruments.set(
      name,
      isCounter ? meter.createObservableCounter(name, options) : meter.createObservableGauge(name, options),
    );
  }
  for (const { name, unit, description } of HISTOGRAM_METRICS) {
    for (const percentile of PERCENTILE_NAMES) {
      const options = { unit, description: `${description}: ${percentile}` };
      instruments.set(`${name}.${percentile}`, meter.createObservableGauge(`${name}.${percentile}`, options));
    }
  }
  return instruments;
}

function observe(
  observations: MeterObservations,
  instruments: ReadonlyMap<string, MeterInstrument>,
  sources: readonly CheckedSource[],
): void {
  for (const { name, points } of collect(sources)) {
    for (const { value, attributes } of points)
      observations.observe(instruments.get(name)!, value, attributes);
  }
  for (const { name, perUnit, series } of collectHistograms(sources)) {
    for (const { histogram, attributes } of series) {
      for (const percentile of PERCENTILE_NAMES) {
        const value = histogram.percentile(PERCENTILES[percentile]) / perUnit;
        observations.observe(instruments.get(`${name}.${percentile}`)!, value, attributes);
      }
    }
  }
}
