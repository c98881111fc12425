import { addFlows, type SpawnedTask } from './flows.js';
import type { ChromeTrace, TraceEvent } from './trace-event.js';
import { Kind, readRing, type RingContent, type RingRecord } from './ring.js';

const NS_PER_MS = 1e6;
const NS_PER_US = 1000;
const US_PER_MS = 1000;
const PARTS_PER_US = 16;
/**
 * In sixteenths, of which a double holds sums exactly: where `ts + dur` is by a hair more than the
 * `ts` of what comes next, viewers find that the one overlaps the other. From whole nanoseconds: what
 * is behind them is of sums before.
 */
function toUs(ms: number): number {
  const ns = Math.round(ms * NS_PER_MS);
  return Math.round((ns * PARTS_PER_US) / NS_PER_US) / PARTS_PER_US + 0; // no -0
}
const FLAGS = ['READABLE', 'WRITABLE', 'PRIORITY', 'READ_CLOSED', 'WRITE_CLOSED', 'ERROR'];

type Shape = Pick<TraceEvent, 'name' | 'cat' | 'args'>;

const workerName = (worker: number): string => `worker ${worker}`;

function taskShapeOf(kind: number, name: string, [a = 0, b = 0, c = 0]: readonly number[]): Shape {
  switch (kind) {
    case Kind.TASKS:
      return { name: 'tasks', cat: 'runtime', args: { ran: a } };
    case Kind.SPAWN:
      return { name: `spawn ${name}`, cat: 'runtime', args: { id: b } };
    case Kind.TASK:
      return {
        name,
        cat: 'task',
        args: { id: b, ...(c === 0 ? {} : { stolenFrom: workerName(c - 1) }) },
      };
    case Kind.TASK_BEGUN:
      return { name, cat: 'task', args: { id: b } };
    case Kind.TASK_ENDED:
      return { name, cat: 'task', args: { failed: b !== 0 } };
    default: // a steal
      return { name: 'steal', cat: 'runtime', args: { from: workerName(a), tasks: b, id: c } };
  }
}

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
      return { name, cat: 'timer', args: { lateMs: toUs(b) / US_PER_MS } };
    case Kind.MARK:
      return { name, cat: 'mark' };
    case Kind.OPENED:
    case Kind.CLOSED:
      return { name: `${name} (fd ${b})`, cat: 'socket', args: { fd: b } };
    default:
      return taskShapeOf(kind, name, values);
  }
}

/** Of a life: a socket's, or a task's. */
const BEGINS: readonly number[] = [Kind.OPENED, Kind.TASK_BEGUN];
const ENDS: readonly number[] = [Kind.CLOSED, Kind.TASK_ENDED];
const MARKS: readonly number[] = [Kind.MARK, Kind.STEAL];

/** Events of one thread; a life whose begin was overwritten is left out. */
class ThreadEvents {
  readonly #content: RingContent;
  /** By this thread's own clock. */
  readonly #firstMs: number;
  readonly #pid: number;
  /** What has not ended, by its number. */
  readonly #open = new Map<number, TraceEvent>();
  readonly events: TraceEvent[] = [];
  readonly spawns: SpawnedTask[] = [];
  readonly tasks: SpawnedTask[] = [];

  constructor(content: RingContent, firstMs: number, pid: number) {
    this.#content = content;
    this.#firstMs = firstMs;
    this.#pid = pid;
    for (const record of content.records) this.#add(record);
    if (content.endedMs !== null) this.#end(content.endedMs);
  }

  #at(ms: number): number {
    return toUs(ms - this.#firstMs);
  }

  #add(record: RingRecord): void {
    const { kind, startMs, durationMs, values } = record;
    const { thread: tid, names, endedMs } = this.#content;
    const ts = this.#at(startMs);
    const common = { ...shapeOf(record, names), ts, pid: this.#pid, tid };
    const [, id = 0, number = 0] = values;
    if (kind === Kind.SPAWN) this.spawns.push({ id, event: common });
    else if (kind === Kind.TASK) this.tasks.push({ id, event: common });
    if (durationMs !== null) this.#addEnded(common, kind, this.#at(startMs + durationMs) - ts, number);
    else if (endedMs === null) this.events.push({ ...common, ph: 'B' });
    // What it was in when its thread ended.
    else this.events.push({ ...common, ph: 'X', dur: this.#at(endedMs) - ts });
  }

  #addEnded(common: Omit<TraceEvent, 'ph'>, kind: number, dur: number, number: number): void {
    const id = `${common.tid}:${number}`;
    if (MARKS.includes(kind)) this.events.push({ ...common, ph: 'i', s: 't' });
    else if (BEGINS.includes(kind)) {
      const begin: TraceEvent = { ...common, ph: 'b', id };
      this.#open.set(number, begin);
      this.events.push(begin);
    } else if (!ENDS.includes(kind)) this.events.push({ ...common, ph: 'X', dur });
    else if (this.#open.delete(number)) this.events.push({ ...common, ph: 'e', id });
  }

  #end(endedMs: number): void {
    const ts = this.#at(endedMs);
    for (const begin of this.#open.values()) this.events.push({ ...begin, ph: 'e', ts });
    const common = { ts, pid: this.#pid, tid: this.#content.thread };
    this.events.push({ ...common, name: 'the thread has ended', ph: 'i', s: 't', cat: 'runtime' });
  }
}

function nameEvent(what: string, name: string, pid: number, tid: number): TraceEvent {
  return { name: what, ph: 'M', ts: 0, pid, tid, args: { name } };
}

function nameOf({ thread, worker }: RingContent): string {
  if (worker !== null) return workerName(worker);
  return thread === 0 ? 'main' : `thread ${thread}`;
}

/**
 * What recorders of several threads of one process have in memory, as one trace. `memories` are of
 * `Recorder.memories`; they may be read while they go on.
 */
export function toChromeTrace(memories: readonly SharedArrayBuffer[], pid: number): ChromeTrace {
  const contents = memories.map((memory) => readRing(memory)).filter((content) => content !== null);
  // Of the first thread's clock: milliseconds since 1970 would leave no room for their fractions.
  const originMs = contents[0]?.timeOriginMs ?? 0;
  let firstMs = Infinity;
  let lostEvents = 0;
  for (const { records, timeOriginMs, lost } of contents) {
    lostEvents += lost;
    for (const { startMs } of records) firstMs = Math.min(firstMs, timeOriginMs - originMs + startMs);
  }
  const threads = contents.map(
    (content) => new ThreadEvents(content, firstMs - (content.timeOriginMs - originMs), pid),
  );
  const events = threads.flatMap((thread) => thread.events);
  addFlows(
    events,
    threads.flatMap(({ spawns }) => spawns),
    threads.flatMap(({ tasks }) => tasks),
  );
  // What contains another comes before it.
  events.sort((one, other) => one.ts - other.ts || (other.dur ?? 0) - (one.dur ?? 0));
  const named = contents.map((content) => nameEvent('thread_name', nameOf(content), pid, content.thread));
  const traceEvents = [nameEvent('process_name', `process ${pid}`, pid, 0), ...named, ...events];
  return { traceEvents, displayTimeUnit: 'ms', otherData: { lostEvents } };
}
