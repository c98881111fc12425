import { Kind, readRing, type RingContent, type RingRecord } from './ring.js';

/** An event of the Trace Event Format: which fields it has depends on `ph`. */
export interface TraceEvent {
  /** What is shown. */
  readonly name: string;
  /** X a span, B the begin of one that has not ended, b and e those of a socket's life, i a mark, M names. */
  readonly ph: 'X' | 'B' | 'b' | 'e' | 'i' | 'M';
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
  /** Ties b and e together. */
  readonly id?: string;
  /** Of an i: for its thread. */
  readonly s?: 't';
  /** Details. */
  readonly args?: Readonly<Record<string, unknown>>;
}

/** What Perfetto (https://ui.perfetto.dev) and chrome://tracing open, as JSON. */
export interface ChromeTrace {
  /** Of all threads. */
  readonly traceEvents: readonly TraceEvent[];
  /** For the viewer. */
  readonly displayTimeUnit: 'ms';
  /** How many older events the rings had no room for. */
  readonly otherData: { readonly lostEvents: number };
}

const US_PER_MS = 1000;
const FLAGS = ['READABLE', 'WRITABLE', 'PRIORITY', 'READ_CLOSED', 'WRITE_CLOSED', 'ERROR'];

type Shape = Pick<TraceEvent, 'name' | 'cat' | 'args'>;

function shapeOf({ kind, values }: RingRecord, names: readonly string[]): Shape {
  const [a = 0, b = 0, c = 0] = values;
  const name = names[a] ?? '';
  switch (kind) {
    case Kind.TURN:
      return { name: 'turn', cat: 'reactor', args: { events: a, ran: b } };
    case Kind.PROMISES:
      return { name: 'promises', cat: 'reactor' };
    case Kind.WAIT:
      return { name: 'wait', cat: 'reactor' };
    case Kind.HANDLER:
      return {
        name,
        cat: 'handler',
        args: { fd: b, readiness: FLAGS.filter((_, i) => (c & (1 << i)) !== 0).join('|') },
      };
    case Kind.TIMER:
      return { name, cat: 'timer', args: { lateMs: b } };
    case Kind.MARK:
      return { name, cat: 'mark' };
    default:
      return { name: `${name} (fd ${b})`, cat: 'socket', args: { fd: b } };
  }
}

/** Events of one thread; a life whose begin was overwritten is left out. */
function eventsOf(
  { thread: tid, names, records }: RingContent,
  /** By this thread's own clock. */
  firstMs: number,
  pid: number,
): TraceEvent[] {
  const opened = new Set<number>();
  const events: TraceEvent[] = [];
  for (const record of records) {
    const { kind, startMs, durationMs, values } = record;
    const common = {
      ...shapeOf(record, names),
      ts: (startMs - firstMs) * US_PER_MS,
      pid,
      tid,
    };
    const number = values[2] ?? 0;
    const id = `${tid}:${number}`;
    if (durationMs === null) events.push({ ...common, ph: 'B' });
    else if (kind === Kind.MARK) events.push({ ...common, ph: 'i', s: 't' });
    else if (kind === Kind.OPENED) {
      opened.add(number);
      events.push({ ...common, ph: 'b', id });
    } else if (kind !== Kind.CLOSED) events.push({ ...common, ph: 'X', dur: durationMs * US_PER_MS });
    else if (opened.delete(number)) events.push({ ...common, ph: 'e', id });
  }
  return events;
}

function nameEvent(what: string, name: string, pid: number, tid: number): TraceEvent {
  return { name: what, ph: 'M', ts: 0, pid, tid, args: { name } };
}

const nameOf = (thread: number): string => (thread === 0 ? 'main' : `worker ${thread}`);

/**
 * What recorders of several threads of one process have in memory, as one trace. `memories` are of
 * `Recorder.memory`; it may be read while they go on.
 */
export function toChromeTrace(memories: readonly SharedArrayBuffer[], pid: number): ChromeTrace {
  const contents = memories.map((memory) => readRing(memory));
  // Of the first thread's clock: milliseconds since 1970 would leave no room for their fractions.
  const originMs = contents[0]?.timeOriginMs ?? 0;
  let firstMs = Infinity;
  let lostEvents = 0;
  for (const { records, timeOriginMs, lost } of contents) {
    lostEvents += lost;
    for (const { startMs } of records) firstMs = Math.min(firstMs, timeOriginMs - originMs + startMs);
  }
  const events = contents.flatMap((content) =>
    eventsOf(content, firstMs - (content.timeOriginMs - originMs), pid),
  );
  // What contains another comes before it.
  events.sort((one, other) => one.ts - other.ts || (other.dur ?? 0) - (one.dur ?? 0));
  const named = contents.map(({ thread }) => nameEvent('thread_name', nameOf(thread), pid, thread));
  const traceEvents = [nameEvent('process_name', `process ${pid}`, pid, 0), ...named, ...events];
  return { traceEvents, displayTimeUnit: 'ms', otherData: { lostEvents } };
}
