import type { MetricAttributes } from './metric-table.js';
import {
  checkSources,
  collect,
  collectHistograms,
  type HistogramFamily,
  type MetricSource,
} from './sources.js';

/** What a unit is called in a name; others are left out. */
const UNIT_SUFFIXES: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes', '1': '_ratio' };

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };

/**
 * All metrics in Prometheus' text format, to be served as
 * `text/plain; version=0.0.4; charset=utf-8`. Names are those of `exportOpenTelemetry` with `_` for
 * `.`, and with their unit: `tripoll_reactor_turns_total`, `tripoll_reactor_busy_time_seconds_total`.
 * Histograms are there while a reactor has an `Observer`.
 *
 * @param sources default: this thread's `Reactor.default`
 * @throws TypeError; ERR_TRIPOLL_CLOSED for a reactor that is closed
 */
export function prometheusText(...sources: MetricSource[]): string {
  const checked = checkSources(sources);
  const lines: string[] = [];
  for (const { name, kind, unit, description, points } of collect(checked)) {
    const fullName = metricName(name, unit) + (kind === 'counter' ? '_total' : '');
    lines.push(`# HELP ${fullName} ${description}`, `# TYPE ${fullName} ${kind}`);
    for (const { value, attributes } of points) lines.push(`${fullName}${labels(attributes)} ${value}`);
  }
  for (const family of collectHistograms(checked)) addHistogram(lines, family);
  return `${lines.join('\n')}\n`;
}

function addHistogram(lines: string[], { series, bounds, perUnit, ...family }: HistogramFamily): void {
  const name = metricName(family.name, family.unit);
  lines.push(`# HELP ${name} ${family.description}`, `# TYPE ${name} histogram`);
  for (const { histogram, attributes } of series) {
    for (const bound of bounds) {
      const count = histogram.countUpTo(bound * perUnit);
      lines.push(`${name}_bucket${labels({ ...attributes, le: bound })} ${count}`);
    }
    lines.push(`${name}_bucket${labels({ ...attributes, le: '+Inf' })} ${histogram.count}`);
    lines.push(`${name}_sum${labels(attributes)} ${histogram.sum / perUnit}`);
    lines.push(`${name}_count${labels(attributes)} ${histogram.count}`);
  }
}

function metricName(name: string, unit: string): string {
  return name.replaceAll('.', '_') + (UNIT_SUFFIXES[unit] ?? '');
}

function labels(attributes: MetricAttributes): string {
  // Two names that become one are one.
  const byName = new Map(
    Object.entries(attributes).map(([name, value]) => [
      name.replace(/[^a-zA-Z0-9_]/g, '_').replace(/^(?=[0-9])/, '_'),
      String(value).replace(/[\\"\n]/g, (character) => ESCAPES[character]!),
    ]),
  );
  const all = [...byName].map(([name, value]) => `${name}="${value}"`);
  return all.length === 0 ? '' : `{${all.join(',')}}`;
}
