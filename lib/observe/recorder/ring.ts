// The memory of a recorder: shared, so that another thread can read it while this one is stuck.
// Nothing here may need the addon: the watchdog's thread does not load it.

/** What a record is of; what its three values are. */
export const Kind = {
  /** Events that the wait brought, callbacks that ran. */
  TURN: 1,
  /** The microtasks and ticks after turns. */
  PROMISES: 2,
  WAIT: 3,
  /** Name, fd, readiness. */
  HANDLER: 4,
  /** Name, how late in milliseconds. */
  TIMER: 5,
  /** Name, fd, which one. */
  OPENED: 6,
  /** The same. */
  CLOSED: 7,
  /** Name. */
  MARK: 8,
  /** Of a task, until other threads may have it: name, id. */
  SPAWN: 9,
  /** The call of a task's function: name, id (0: it was not spawned elsewhere), worker it was stolen from + 1. */
  TASK: 10,
  /** A task whose call has returned before its end: name, id, which one. */
  TASK_BEGUN: 11,
  /** Name, 1 if it has failed, which one. */
  TASK_ENDED: 12,
  /** Tasks one after the other: how many. */
  TASKS: 13,
  /** Worker, how many tasks, id of the first. */
  STEAL: 14,
} as const;

/** Places of the header. */
const Head = {
  WRITTEN: 0,
  CAPACITY: 1,
  THREAD: 2,
  /**
   * Of this thread's clock, in milliseconds since 1970. Node's threads have one origin; that of
   * others is by the wall's clock when each began, which may have been set between two of them.
   */
  TIME_ORIGIN: 3,
  NAMES: 4,
  NAME_BYTES: 5,
  /** What runs now: kind, since when, and its values. */
  RUNNING: 6,
  RUNNING_SINCE: 7,
  RUNNING_VALUES: 8,
  /** One more than the number of a runtime's worker. */
  WORKER: 11,
  /** When its thread has ended, by its clock. */
  ENDED: 12,
} as const;
const HEAD_FIELDS = 16;
/** Kind, start and duration in milliseconds, three values. */
const FIELDS = 6;
const VALUES = 3;
/** Names are of classes and marks, in a program's text: a few dozen, some 20 characters long. */
const MAX_NAMES = 1024;
const MAX_NAME_BYTES = 32 * 1024;
/** For what was left without a number. */
const OTHER = 'other';

interface Views {
  readonly head: Float64Array;
  readonly records: Float64Array;
  /** End of each name in `bytes`. */
  readonly ends: Int32Array;
  readonly bytes: Uint8Array;
}

function viewsOf(memory: SharedArrayBuffer, capacity: number): Views {
  const recordsAt = HEAD_FIELDS * Float64Array.BYTES_PER_ELEMENT;
  const endsAt = recordsAt + capacity * FIELDS * Float64Array.BYTES_PER_ELEMENT;
  const bytesAt = endsAt + MAX_NAMES * Int32Array.BYTES_PER_ELEMENT;
  return {
    head: new Float64Array(memory, 0, HEAD_FIELDS),
    records: new Float64Array(memory, recordsAt, capacity * FIELDS),
    ends: new Int32Array(memory, endsAt, MAX_NAMES),
    bytes: new Uint8Array(memory, bytesAt, MAX_NAME_BYTES),
  };
}

function capacityOf(memory: SharedArrayBuffer): number {
  return new Float64Array(memory, 0, HEAD_FIELDS)[Head.CAPACITY]!;
}

/** Memory for one `RingWriter`, of this thread or another. */
export function createRing(capacity: number, worker: number | null = null): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(viewsEnd(capacity));
  const head = new Float64Array(memory, 0, HEAD_FIELDS);
  head[Head.CAPACITY] = capacity;
  head[Head.WORKER] = worker === null ? 0 : worker + 1;
  return memory;
}

/** Its thread has ended, as another says, by its own clock. */
export function endRing(memory: SharedArrayBuffer, timeOriginMs: number, nowMs: number): void {
  const head = new Float64Array(memory, 0, HEAD_FIELDS);
  // The origins first: their sums with a time have no room for its fractions.
  head[Head.ENDED] = timeOriginMs - head[Head.TIME_ORIGIN]! + nowMs;
}

/** The writing side, of the thread that is recorded. */
export class RingWriter {
  readonly memory: SharedArrayBuffer;
  readonly #views: Views;
  readonly #capacity: number;
  readonly #numbers = new Map<string, number>();
  #at = 0;
  #written = 0;

  /** @param memory of `createRing`, which nobody has written into */
  constructor(memory: SharedArrayBuffer, thread: number, timeOriginMs: number) {
    this.memory = memory;
    this.#capacity = capacityOf(memory);
    this.#views = viewsOf(memory, this.#capacity);
    const { head } = this.#views;
    head[Head.THREAD] = thread;
    head[Head.TIME_ORIGIN] = timeOriginMs;
    this.number(OTHER);
  }

  /** Overwrites the oldest record when there is no room. */
  write(kind: number, startMs: number, durationMs: number, a = 0, b = 0, c = 0): void {
    const { records, head } = this.#views;
    const at = this.#at * FIELDS;
    records[at] = kind;
    records[at + 1] = startMs;
    records[at + 2] = durationMs;
    records[at + 3] = a;
    records[at + 4] = b;
    records[at + 5] = c;
    this.#at = this.#at + 1 === this.#capacity ? 0 : this.#at + 1;
    head[Head.WRITTEN] = ++this.#written;
  }

  /** What a dump from another thread shows as not ended. */
  begin(kind: number, startMs: number, a = 0, b = 0, c = 0): void {
    const { head } = this.#views;
    head[Head.RUNNING] = kind;
    head[Head.RUNNING_SINCE] = startMs;
    head[Head.RUNNING_VALUES] = a;
    head[Head.RUNNING_VALUES + 1] = b;
    head[Head.RUNNING_VALUES + 2] = c;
  }

  end(): void {
    this.#views.head[Head.RUNNING] = 0;
  }

  /** The number of a name; 0, for others, when there is no room for it. */
  number(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const { head, ends, bytes } = this.#views;
    const [number, start] = [head[Head.NAMES]!, head[Head.NAME_BYTES]!];
    const encoded = new TextEncoder().encode(name);
    if (number === MAX_NAMES || start + encoded.length > MAX_NAME_BYTES) return 0;
    bytes.set(encoded, start);
    ends[number] = start + encoded.length;
    head[Head.NAME_BYTES] = ends[number];
    head[Head.NAMES] = number + 1;
    this.#numbers.set(name, number);
    return number;
  }
}

function viewsEnd(capacity: number): number {
  const floats = (HEAD_FIELDS + capacity * FIELDS) * Float64Array.BYTES_PER_ELEMENT;
  return floats + MAX_NAMES * Int32Array.BYTES_PER_ELEMENT + MAX_NAME_BYTES;
}

/** As it was recorded; `durationMs` is null for what has not ended. */
export interface RingRecord {
  readonly kind: number;
  readonly startMs: number;
  readonly durationMs: number | null;
  readonly values: readonly number[];
}

/** What a recorder's memory held when it was read. */
export interface RingContent {
  readonly thread: number;
  /** Of a runtime; null for another thread. */
  readonly worker: number | null;
  /** In milliseconds since 1970. */
  readonly timeOriginMs: number;
  /** When its thread has ended, by its own clock; null while it goes on. */
  readonly endedMs: number | null;
  readonly names: readonly string[];
  /** In the order in which they ended. */
  readonly records: readonly RingRecord[];
  /** How many older ones were overwritten. */
  readonly lost: number;
}

function readNames({ head, ends, bytes }: Views): string[] {
  const decoder = new TextDecoder();
  const names: string[] = [];
  for (let number = 0, start = 0; number < head[Head.NAMES]!; start = ends[number++]!) {
    // A copy: a decoder takes no shared memory.
    names.push(decoder.decode(bytes.slice(start, ends[number])));
  }
  return names;
}

/**
 * Reads it while its thread may go on writing: what that overwrites meanwhile is left out.
 *
 * @returns null when no thread has begun to write
 */
export function readRing(memory: SharedArrayBuffer): RingContent | null {
  const capacity = capacityOf(memory);
  const views = viewsOf(memory, capacity);
  const { head } = views;
  if (head[Head.NAMES] === 0) return null;
  const end = head[Head.WRITTEN]!;
  const copy = views.records.slice();
  const running = head.slice(Head.RUNNING, Head.RUNNING_VALUES + VALUES);
  // One more than is known to be written may be half overwritten.
  const first = Math.max(0, head[Head.WRITTEN]! + 1 - capacity);
  const records: RingRecord[] = [];
  for (let i = first; i < end; i++) {
    const [kind, startMs, durationMs, ...values] = copy.subarray(
      (i % capacity) * FIELDS,
      ((i % capacity) + 1) * FIELDS,
    );
    records.push({ kind: kind!, startMs: startMs!, durationMs: durationMs!, values });
  }
  const [kind, startMs, ...values] = running;
  if (kind !== 0) records.push({ kind: kind!, startMs: startMs!, durationMs: null, values });
  return {
    thread: head[Head.THREAD]!,
    worker: head[Head.WORKER] === 0 ? null : head[Head.WORKER]! - 1,
    timeOriginMs: head[Head.TIME_ORIGIN]!,
    endedMs: head[Head.ENDED] === 0 ? null : head[Head.ENDED]!,
    names: readNames(views),
    records,
    lost: first,
  };
}
