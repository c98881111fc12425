import { native } from '../binding/native.js';

function flag(name: string): number {
  const value = native.flags[name];
  if (value === undefined) throw new Error(`tripoll: the compiled addon has no flag ${name}: rebuild it`);
  return value;
}

/** What a registration waits for; values are or'ed. 0 pauses it. */
export const Interest = Object.freeze({
  READABLE: flag('INTEREST_READABLE'),
  WRITABLE: flag('INTEREST_WRITABLE'),
  /** Out-of-band data and the like (epoll's EPOLLPRI). */
  PRIORITY: flag('INTEREST_PRIORITY'),
});

/** What is so now. READABLE and WRITABLE are guaranteed on every platform, the others are hints. */
export const Readiness = Object.freeze({
  READABLE: flag('READABLE'),
  WRITABLE: flag('WRITABLE'),
  PRIORITY: flag('PRIORITY'),
  /** The peer writes no more: read to the end. */
  READ_CLOSED: flag('READ_CLOSED'),
  /** The peer reads no more: a write will fail. */
  WRITE_CLOSED: flag('WRITE_CLOSED'),
  /** An error is pending; the next read or write tells which, or `registration.errno`. */
  ERROR: flag('ERROR'),
});

/** How often a readiness is reported. */
export const Mode = Object.freeze({
  /** As long as it is so. */
  LEVEL: flag('LEVEL'),
  /** Each time that it becomes so: drain to EAGAIN, or call `again()`. */
  EDGE: flag('EDGE'),
  /** Once; `rearm()` or `setInterest()` asks for the next. */
  ONESHOT: flag('ONESHOT'),
  /** Once, as an edge. */
  EDGE_ONESHOT: flag('EDGE_ONESHOT'),
  /**
   * Or'ed with LEVEL or EDGE: of several pollers on one socket, few are woken. Cannot be modified.
   * For reactors under `run()`: nested, all are woken, and the thread of a *watcher* takes the wake
   * though its reactor is busy.
   */
  EXCLUSIVE: flag('EXCLUSIVE'),
});

export const ALL_INTERESTS = Interest.READABLE | Interest.WRITABLE | Interest.PRIORITY;
export const READINESS_MASK = 0xffff;
export const ERRNO_SHIFT = native.layout['errnoShift'] ?? 16;
/** Flags that are reported without being asked for. */
export const HINTS = Readiness.READ_CLOSED | Readiness.WRITE_CLOSED | Readiness.ERROR;
