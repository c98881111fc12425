// What an `ObserveServer` and its clients say: a line of JSON each, in UTF-8. The server greets, and
// answers each request by one line with its `id`, but for traces. Nothing here needs the addon.
import type { ReactorMetrics } from '../../reactor/inspection.js';
import type { HistogramSummary } from '../../reactor/probe.js';
import type { RuntimeMetrics } from '../../runtime/metrics.js';

/** A client has nothing to ask of a server with another. */
export const PROTOCOL = 1;
/** A longer request ends the connection: all there are have less than 100. */
export const MAX_REQUEST_BYTES = 4096;
/** A client need not take a longer answer: of 64 reactors and 256 workers it has some 100 KB. */
export const MAX_ANSWER_BYTES = 1024 * 1024;
/** A few people, who each look by `top` and `trace`. */
export const MAX_CLIENTS = 8;
/** An hour: whoever waits for longer has forgotten it, and a ring keeps the last alone anyway. */
export const MAX_TRACE_SECONDS = 3600;

/** The first line of a server. */
export interface Greeting {
  readonly tripoll: typeof PROTOCOL;
  readonly pid: number;
  /** Its `threadId`: 0 for the main thread. */
  readonly thread: number;
  /** As 'node 22.20.0'. */
  readonly runtime: string;
  /** The program and its arguments, so far as they are short. */
  readonly program: string;
}

/** What a client may ask. */
export type Request =
  | { readonly id: number; readonly ask: 'metrics' }
  /** Records for so long: `memory` lines, then `end`. */
  | { readonly id: number; readonly ask: 'trace'; readonly seconds: number };

/** What a server answers. */
export type Answer =
  | { readonly id: number; readonly metrics: Snapshot }
  /** A recorder's memory follows, of so many bytes, in lines of base64. */
  | { readonly id: number; readonly memoryBytes: number }
  | { readonly id: number; readonly base64: string }
  | { readonly id: number; readonly end: true }
  /** `id` is null for what was no request. */
  | { readonly id: number | null; readonly error: { readonly code: string; readonly message: string } };

/** Of one reactor. */
export interface ReactorSnapshot {
  /** By its attributes. */
  readonly name: string;
  readonly backend: string;
  readonly driver: string;
  readonly closed: boolean;
  /** Cumulative. */
  readonly counters: Omit<ReactorMetrics, 'times'>;
  /** Since this client asked last; the first time, since times are taken. */
  readonly busyShare: number;
  readonly handlerMs: HistogramSummary;
  readonly timerLateMs: HistogramSummary;
}

/** One of those registrations that have taken most of the time since they were looked at last. */
export interface HotRegistration {
  readonly reactor: string;
  readonly fd: number;
  readonly name: string;
  /** The other end, where the system tells it. */
  readonly peer: string | null;
  readonly callsPerSecond: number;
  readonly busyShare: number;
  /** Of a stream, as the others. */
  readonly readBytesPerSecond: number;
  readonly writtenBytesPerSecond: number;
  readonly queuedBytes: number;
}

/** One of the slowest handlers and timers of the last minute; `fd` is -1 for a timer. */
export interface SlowCall {
  readonly reactor: string;
  readonly fd: number;
  readonly name: string;
  /** As of `HotRegistration`, when it was called. */
  readonly peer: string | null;
  readonly tookMs: number;
  readonly agoMs: number;
}

/** Of one runtime. */
export interface RuntimeSnapshot extends RuntimeMetrics {
  readonly name: string;
}

/** What a process tells of itself. */
export interface Snapshot {
  /** Of its monotonic clock: the time between two answers. */
  readonly nowMs: number;
  readonly uptimeMs: number;
  /** Of the whole process. */
  readonly cpuUs: number;
  readonly rssBytes: number;
  readonly reactors: readonly ReactorSnapshot[];
  readonly runtimes: readonly RuntimeSnapshot[];
  /** The hottest first. */
  readonly hottest: readonly HotRegistration[];
  /** The slowest first. */
  readonly slowest: readonly SlowCall[];
}
