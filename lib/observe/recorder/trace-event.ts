/** An event of the Trace Event Format: which fields it has depends on `ph`. */
export interface TraceEvent {
  /** What is shown. */
  readonly name: string;
  /**
   * X a span, B the begin of one that has not ended, b and e those of a socket's or a task's life, s
   * and f an arrow's, i a mark, M names.
   */
  readonly ph: 'X' | 'B' | 'b' | 'e' | 's' | 'f' | 'i' | 'M';
  /** Microseconds since the first event. */
  readonly ts: number;
  /** Microseconds that an X took. */
  readonly dur?: number;
  /** The process. */
  readonly pid: number;
  /** The thread, by its `threadId`. */
  readonly tid: number;
  /** What kind of event it is. */
  readonly cat?: string;
  /** Ties b and e together, and s and f. */
  readonly id?: string;
  /** Of an f: it ends at the span around it. */
  readonly bp?: 'e';
  /** Of an i: for its thread. */
  readonly s?: 't';
  /** Details. */
  readonly args?: Readonly<Record<string, unknown>>;
}

/** The Trace Event Format, which Perfetto (https://ui.perfetto.dev) opens, as JSON. */
export interface ChromeTrace {
  /** Of all threads. */
  readonly traceEvents: readonly TraceEvent[];
  /** For the viewer. */
  readonly displayTimeUnit: 'ms';
  /** How many older events the rings had no room for. */
  readonly otherData: { readonly lostEvents: number };
}
