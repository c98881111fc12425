import type { Reactor } from '../../reactor/reactor.js';

/** What every report of a `Watchdog` has. */
export interface WatchdogReportBase {
  /** In a sentence, with all that is below but the stacks. */
  readonly message: string;
  /** The reactor that was watched. */
  readonly reactor: Reactor;
}

/** What a report about a registration has. */
export interface RegistrationReport extends WatchdogReportBase {
  /** The registration's name, else the class of its handler. */
  readonly name: string;
  /** Its fd. */
  readonly fd: number;
  /**
   * Where it was registered: the frames that are not ours, a line each; for what was accepted those
   * of its listener. Null when that was before the watchdog, or in none of your functions, as after
   * a name was resolved.
   */
  readonly openedAt: string | null;
}

/** A handler or a timer has run for too long: `fd` is -1 for a timer. */
export interface SlowHandlerReport extends RegistrationReport {
  /** For this kind. */
  readonly kind: 'slow-handler';
  /** How long it has run. */
  readonly durationMs: number;
  /**
   * Where it was when it had run for `slowHandlerMs`, a line each frame; null where the runtime
   * cannot look into another thread, or when it ended before.
   */
  readonly stack: string | null;
}

/** The reactor did not come round, and no handler of it is to blame. */
export interface StalledReport extends WatchdogReportBase {
  /** For this kind. */
  readonly kind: 'stalled';
  /** How long it has not come round, at least. */
  readonly stalledMs: number;
  /** What its thread ran then; null when that was no JavaScript, and as for `slow-handler`. */
  readonly stack: string | null;
}

/** Events of an fd keep coming, and nobody takes what they tell of. */
export interface SpinningFdReport extends RegistrationReport {
  /** For this kind. */
  readonly kind: 'spinning-fd';
  /** What /proc/self/fd calls it (Linux): 'socket:[123]', a path; null when that number is closed. */
  readonly fdKind: string | null;
  /** Flags of `Readiness`, by name: 'READABLE|READ_CLOSED'. */
  readonly bits: string;
  /** Turns in a row. */
  readonly turns: number;
  /**
   * Whether it is registered. If not, it was closed before it was deregistered, and a duplicate
   * keeps it open; `fd` is then the number that it had, or -1 if the system does not say.
   */
  readonly registered: boolean;
  /** Fds of this process that are the same file, when it is not registered (Linux). */
  readonly duplicates: readonly number[];
}

/** Bytes, or the peer's end, have waited for long, and nobody reads. */
export interface UnreadReport extends RegistrationReport {
  /** For this kind. */
  readonly kind: 'unread';
  /** For so long nothing was read, at least. */
  readonly waitingMs: number;
  /** Bytes that wait. */
  readonly bytes: number;
  /** The peer has ended its side. */
  readonly peerEnded: boolean;
  /** It does not ask for them: it is paused, or no `read()` waits. */
  readonly paused: boolean;
}

/** What nothing but its reactor knew any more, and was not closed. It has been closed now. */
export interface LeakedReport extends RegistrationReport {
  /** For this kind. */
  readonly kind: 'leaked';
}

/** What a `Watchdog` tells. */
export type WatchdogReport =
  SlowHandlerReport | StalledReport | SpinningFdReport | UnreadReport | LeakedReport;

type Unsaid<Report> = Report extends unknown ? Omit<Report, 'message' | 'reactor'> : never;
/** A report without its sentence. */
export type Finding = Unsaid<WatchdogReport>;

const inMs = (ms: number): string => `${Math.round(ms)} ms`;

function who({ name, fd }: { readonly name: string; readonly fd: number }): string {
  return fd < 0 ? name : `${name} (fd ${fd})`;
}

function describeSpin(report: Omit<SpinningFdReport, 'message' | 'reactor'>): string {
  const { turns, bits, registered, fd, fdKind, duplicates } = report;
  const told = `${turns} turns in a row were told ${bits}`;
  if (registered)
    return `${told} of ${who(report)}${fdKind === null ? '' : `, a ${fdKind}`}, and nobody takes it`;
  const number = fd < 0 ? 'an fd' : `fd ${fd}`;
  const now = fdKind === null ? '' : `, a number that is ${fdKind} now`;
  const others = duplicates.length === 0 ? 'a duplicate' : `fd ${duplicates.join(', ')}`;
  return `${told} of ${number}${now}, which was closed before it was deregistered, while its file is kept open by ${others}`;
}

function describeUnread(report: Omit<UnreadReport, 'message' | 'reactor'>): string {
  const { waitingMs, bytes, peerEnded, paused } = report;
  const what = peerEnded ? `the peer's end${bytes > 0 ? ` behind ${bytes} bytes` : ''}` : `${bytes} bytes`;
  return `${what} of ${who(report)} wait for ${inMs(waitingMs)}, and nobody reads${paused ? ': it does not ask for them' : ''}`;
}

/** The sentence of a report. */
export function describe(finding: Finding): string {
  switch (finding.kind) {
    case 'slow-handler':
      return `${who(finding)} ran for ${inMs(finding.durationMs)}: all else of its thread waited`;
    case 'stalled':
      return `the reactor did not come round for ${inMs(finding.stalledMs)}, and none of its handlers ran`;
    case 'spinning-fd':
      return describeSpin(finding);
    case 'unread':
      return describeUnread(finding);
    case 'leaked':
      return `${who(finding)} was never closed, and nothing knows it any more; it is closed now`;
  }
}

/** What goes under the sentence of a warning. */
export function details(finding: Finding): string | undefined {
  const parts: string[] = [];
  if ('stack' in finding && finding.stack !== null) parts.push('it was in', finding.stack);
  if ('openedAt' in finding && finding.openedAt !== null) parts.push('registered', finding.openedAt);
  return parts.length === 0 ? undefined : parts.join('\n');
}
