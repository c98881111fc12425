import type { ChromeTrace, TraceEvent } from '#lib/observe/index';

/** Microseconds of one clock, added up in different ways. */
const ROUNDING_US = 0.01;
const endOf = ({ ph, ts, dur = 0 }: TraceEvent): number => (ph === 'B' ? Infinity : ts + dur);
const isSpan = ({ ph }: TraceEvent): boolean => ph === 'X' || ph === 'B';

export function named(trace: ChromeTrace, name: string, ph?: TraceEvent['ph']): TraceEvent[] {
  return trace.traceEvents.filter((event) => event.name === name && (ph === undefined || event.ph === ph));
}

/** The name that the trace gives to a thread. */
export function threadName({ traceEvents }: ChromeTrace, tid: number): unknown {
  return traceEvents.find((event) => event.name === 'thread_name' && event.tid === tid)?.args?.['name'];
}

/** Whether one span is within another. */
export function isWithin(inner: TraceEvent | undefined, outer: TraceEvent | undefined): boolean {
  if (inner === undefined || outer === undefined || inner.tid !== outer.tid) return false;
  return inner.ts >= outer.ts - ROUNDING_US && endOf(inner) <= endOf(outer) + ROUNDING_US;
}

function missingFields(event: TraceEvent): string[] {
  const { name, ph, ts, pid, tid, dur, cat, id, s, bp, args } = event;
  const wrong: [boolean, string][] = [
    [typeof name !== 'string' || name === '', 'name'],
    [!Number.isFinite(ts) || ts < 0, 'ts'],
    [!Number.isInteger(pid) || !Number.isInteger(tid), 'pid or tid'],
    [(ph === 'X') !== (typeof dur === 'number' && dur >= 0), 'dur'],
    [ph !== 'M' && typeof cat !== 'string', 'cat'],
    [['b', 'e', 's', 'f'].includes(ph) !== (typeof id === 'string'), 'id'],
    [(ph === 'i') !== (s === 't'), 's'],
    [(ph === 'f') !== (bp === 'e'), 'bp'],
    [ph === 'M' && typeof args?.['name'] !== 'string', 'args.name'],
  ];
  return wrong.filter(([isWrong]) => isWrong).map(([, field]) => field);
}

/** Spans of one thread must be one within the other, or one after the other: viewers cut them else. */
function overlaps(trace: ChromeTrace): string[] {
  const found: string[] = [];
  const open = new Map<number, TraceEvent[]>();
  for (const event of trace.traceEvents.filter(isSpan)) {
    const around = open.get(event.tid) ?? [];
    open.set(event.tid, around);
    while (around.length > 0 && endOf(around.at(-1)!) <= event.ts + ROUNDING_US) around.pop();
    const outer = around.at(-1);
    if (outer !== undefined && !isWithin(event, outer)) found.push(`${event.name} overlaps ${outer.name}`);
    around.push(event);
  }
  return found;
}

/** Those that begin something and those that end it, by what ties them. */
function unpaired(trace: ChromeTrace, begin: 'b' | 's', end: 'e' | 'f'): string[] {
  const begun = new Set<string>();
  const found: string[] = [];
  const keyOf = ({ cat, id, name }: TraceEvent): string => `${cat} ${id} ${name}`;
  for (const event of trace.traceEvents) {
    if (event.ph === begin) {
      if (begun.has(keyOf(event))) found.push(`${begin} twice: ${keyOf(event)}`);
      begun.add(keyOf(event));
    } else if (event.ph === end && !begun.delete(keyOf(event))) found.push(`${end} alone: ${keyOf(event)}`);
  }
  // What lives on has no end; an arrow has both.
  return begin === 's' ? [...found, ...[...begun].map((key) => `s alone: ${key}`)] : found;
}

/** An arrow begins and ends at the span around it. */
function inNoSpan({ traceEvents }: ChromeTrace): string[] {
  const spans = traceEvents.filter(isSpan);
  return traceEvents
    .filter(({ ph }) => ph === 's' || ph === 'f')
    .filter((arrow) => !spans.some((span) => isWithin({ ...arrow, dur: 0 }, span)))
    .map(({ ph, tid }) => `${ph} in no span of thread ${tid}`);
}

/** What breaks the rules of the Trace Event Format, in words. */
export function brokenRules(trace: ChromeTrace): string[] {
  const { traceEvents } = trace;
  const fields = traceEvents.flatMap((event) =>
    missingFields(event).map((field) => `${event.ph} ${event.name}: ${field}`),
  );
  const unsorted = traceEvents.filter(({ ts }, i) => ts < (traceEvents[i - 1]?.ts ?? 0));
  const unnamed = new Set(
    traceEvents.map(({ tid }) => tid).filter((tid) => threadName(trace, tid) === undefined),
  );
  return [
    ...fields,
    ...unsorted.map(({ name }) => `${name} is out of order`),
    ...[...unnamed].map((tid) => `thread ${tid} has no name`),
    ...overlaps(trace),
    ...unpaired(trace, 'b', 'e'),
    ...unpaired(trace, 's', 'f'),
    ...inNoSpan(trace),
  ];
}
