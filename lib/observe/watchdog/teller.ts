import { channel } from 'node:diagnostics_channel';
import { nowMs } from '../../binding/host-clock.js';
import { runContained } from '../../reactor/context.js';
import type { Reactor } from '../../reactor/reactor.js';
import type { DumpTarget, Limits } from './options.js';
import { describe, details, type Finding, type WatchdogReport } from './reports.js';

/** The same is warned of so often, and the recorder dumped. */
const INTERVAL_MS = 60_000;
/** Of so many that differ it is remembered when they were. */
const MAX_REMEMBERED = 1024;
const reports = channel('tripoll:watchdog');

/** Tells reports: to the channel, by warnings, to the callback. */
export class Teller {
  readonly #reactor: Reactor;
  readonly #limits: Pick<Limits, 'warn' | 'onReport' | 'dump'>;
  readonly #dump: () => void;
  readonly #warnedMs = new Map<string, number>();
  #dumpedMs = -Infinity;

  constructor(reactor: Reactor, limits: Pick<Limits, 'warn' | 'onReport' | 'dump'>, dump: () => void) {
    this.#reactor = reactor;
    this.#limits = limits;
    this.#dump = dump;
  }

  tell(finding: Finding): WatchdogReport {
    const report = { ...finding, message: describe(finding), reactor: this.#reactor } as WatchdogReport;
    const { warn, onReport, dump } = this.#limits;
    if (dump !== null) this.#record(report, dump);
    if (warn) this.#warn(report);
    if (reports.hasSubscribers) reports.publish(report);
    if (onReport !== null) runContained(() => onReport(report));
    return report;
  }

  #record(report: WatchdogReport, { recorder }: DumpTarget): void {
    recorder.mark('name' in report ? `${report.kind}: ${report.name}` : report.kind);
    if (nowMs() - this.#dumpedMs < INTERVAL_MS) return;
    this.#dumpedMs = nowMs();
    this.#dump();
  }

  #warn(report: WatchdogReport): void {
    const { kind, message } = report;
    const who = 'name' in report ? `${report.name}\n${report.openedAt ?? report.fd}` : '';
    const key = `${kind}\n${who}`;
    const now = nowMs();
    if (now - (this.#warnedMs.get(key) ?? -Infinity) < INTERVAL_MS) return;
    if (this.#warnedMs.size >= MAX_REMEMBERED) this.#warnedMs.clear();
    this.#warnedMs.set(key, now);
    process.emitWarning(message, {
      type: 'TripollWarning',
      code: `ERR_TRIPOLL_${kind.toUpperCase().replace('-', '_')}`,
      detail: details(report),
    });
  }
}
