import { invalidArgType } from '../../binding/errors.js';
import {
  checkBoolean,
  checkDurationMs,
  checkFunction,
  checkInteger,
  checkNames,
  checkObject,
} from '../../binding/validate.js';
import type { Recorder } from '../recorder/recorder.js';
import type { WatchdogReport } from './reports.js';

/** Options of a `Watchdog`. A limit of 0 looks for nothing of its kind. */
export interface WatchdogOptions {
  /** A handler or timer that runs for longer is reported; default 100. */
  slowHandlerMs?: number | undefined;
  /** So long the reactor may not come round; default 1000. */
  stalledMs?: number | undefined;
  /** In so many turns in a row an fd may tell what nobody takes; default 512. */
  spinTurns?: number | undefined;
  /** So long bytes, or the peer's end, may wait to be read; default 10_000. */
  unreadMs?: number | undefined;
  /**
   * So often it looks for what was dropped and not closed, as `findLeaks` does; default 0, never: it
   * is a pause of as long as a full collection of garbage takes. Node only.
   */
  leakCheckMs?: number | undefined;
  /** Tells by `process.emitWarning` too, the same but once a minute; default true. */
  warn?: boolean | undefined;
  /** Told of each report. */
  onReport?: ((report: WatchdogReport) => void) | undefined;
  /**
   * What a recorder has in memory is written into a file when anything is reported, by the
   * watchdog's thread, once a minute at most; the file is overwritten. A handler that never returns
   * is in it, as a span without an end.
   */
  dump?: DumpTarget | undefined;
}

/** Where a `Watchdog` writes what a `Recorder` has recorded. */
export interface DumpTarget {
  /** Of the same reactor. */
  readonly recorder: Recorder;
  /** Path of the file. */
  readonly file: string;
}

const NAMES: Readonly<Record<keyof WatchdogOptions, true>> = {
  slowHandlerMs: true,
  stalledMs: true,
  spinTurns: true,
  unreadMs: true,
  leakCheckMs: true,
  warn: true,
  onReport: true,
  dump: true,
};

const MAX_SPIN_TURNS = 1_000_000;

/** Options, with what was left out. */
export type Limits = {
  readonly [Name in 'slowHandlerMs' | 'stalledMs' | 'spinTurns' | 'unreadMs' | 'leakCheckMs']: number;
} & {
  readonly warn: boolean;
  readonly onReport: ((report: WatchdogReport) => void) | null;
  readonly dump: DumpTarget | null;
};

/** @throws TypeError, RangeError */
export function toLimits(options: WatchdogOptions): Limits {
  checkNames('options', options, NAMES);
  const { slowHandlerMs = 100, stalledMs = 1000, unreadMs = 10_000, leakCheckMs = 0 } = options;
  const { spinTurns = 512, warn = true, onReport = null, dump = null } = options;
  for (const [name, value] of Object.entries({ slowHandlerMs, stalledMs, unreadMs, leakCheckMs }))
    checkDurationMs(name, value);
  checkInteger('spinTurns', spinTurns, 0, MAX_SPIN_TURNS);
  checkBoolean('warn', warn);
  if (onReport !== null) checkFunction('onReport', onReport);
  if (dump !== null) checkDump(dump);
  return { slowHandlerMs, stalledMs, unreadMs, leakCheckMs, spinTurns, warn, onReport, dump };
}

function checkDump(dump: unknown): void {
  checkNames('dump', dump, { recorder: true, file: true });
  const { recorder, file } = dump as Partial<DumpTarget>;
  checkObject('dump.recorder', recorder);
  if (typeof file !== 'string') throw invalidArgType('dump.file', 'a string', file);
}
