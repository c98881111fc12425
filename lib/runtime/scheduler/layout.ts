/**
 * Where things are in the scheduler's memory, in words of 32 bits. What different threads write has
 * a cache line of its own: 64 bytes on x86-64 and most of arm64.
 *
 *     line 0        the header: workers, slots of a ring, slots of the injector, workers at a time
 *     line 1, 2     idle: a word for 16 workers
 *     line 3        injector: head
 *     line 4        injector: tail
 *     line 5...     injector: slots
 *     then for each worker
 *       line 0      ring: head
 *       line 1      ring: tail; the LIFO slot
 *       line 2      what it has done, as doubles
 *       line 3...   ring: slots
 */
const LINE_WORDS = 16;

/** Workers that a word of the idle line tells of: two bits each. */
export const GROUP_WORKERS = 16;

const IDLE_LINES = 2;

/** Half of what the idle lines have room for: in a reload each has a successor beside it. */
export const MAX_WORKERS = (IDLE_LINES * LINE_WORDS * GROUP_WORKERS) / 2;

/** A power of two: a task's round is its position without the lower bits (injector.ts). */
export const MAX_INJECTOR_CAPACITY = 1 << 24;

/** Tokio's (tokio/src/runtime/scheduler/multi_thread/queue.rs, LOCAL_QUEUE_CAPACITY). */
export const RING_CAPACITY = 256;

/** Sizes of a scheduler. */
export interface SchedulerOptions {
  /** 1 to `2 * MAX_WORKERS`. */
  readonly workers: number;
  /** How many of them work at a time, the others being spare places; default all. */
  readonly atOnce?: number;
  /** In tasks, 2 to `MAX_INJECTOR_CAPACITY`; the next power of two is taken. */
  readonly injectorCapacity: number;
  /** In tasks, a power of two; tests have small ones. Default 256. */
  readonly ringCapacity?: number;
}

/** Indexes of words. */
export interface Layout {
  readonly workers: number;
  readonly atOnce: number;
  readonly ringCapacity: number;
  readonly injectorCapacity: number;
  readonly idle: number;
  readonly injectorHead: number;
  readonly injectorTail: number;
  readonly injectorSlots: number;
  /** Of worker 0; each of the next is `workerWords` further. */
  readonly firstWorker: number;
  readonly workerWords: number;
  readonly totalWords: number;
}

/** Within a worker's words. */
export const RING_HEAD = 0;
export const RING_TAIL = LINE_WORDS;
export const LIFO_SLOT = LINE_WORDS + 1;
export const STATS = 2 * LINE_WORDS;
export const RING_SLOTS = 3 * LINE_WORDS;

function toLines(words: number): number {
  return Math.ceil(words / LINE_WORDS) * LINE_WORDS;
}

function layoutOf(workers: number, ringCapacity: number, injectorCapacity: number, atOnce: number): Layout {
  const injectorHead = (1 + IDLE_LINES) * LINE_WORDS;
  const injectorSlots = injectorHead + 2 * LINE_WORDS;
  const firstWorker = injectorSlots + toLines(injectorCapacity);
  const workerWords = RING_SLOTS + toLines(ringCapacity);
  return {
    ...{ workers, atOnce, ringCapacity, injectorCapacity },
    idle: LINE_WORDS,
    injectorHead,
    injectorTail: injectorHead + LINE_WORDS,
    injectorSlots,
    firstWorker,
    workerWords,
    totalWords: firstWorker + workers * workerWords,
  };
}

/**
 * Makes the memory of a scheduler: about 1.2 KB a worker and 4 bytes a place of the injector. Who
 * calls has checked the numbers.
 */
export function createScheduler(options: SchedulerOptions): SharedArrayBuffer {
  const { workers, injectorCapacity, ringCapacity = RING_CAPACITY, atOnce = workers } = options;
  const capacity = 2 ** Math.ceil(Math.log2(Math.max(2, injectorCapacity)));
  const { totalWords } = layoutOf(workers, ringCapacity, capacity, atOnce);
  const buffer = new SharedArrayBuffer(totalWords * Int32Array.BYTES_PER_ELEMENT);
  new Int32Array(buffer).set([workers, ringCapacity, capacity, atOnce]);
  return buffer;
}

/** From the header, which nobody writes any more. */
export function readLayout(buffer: SharedArrayBuffer): Layout {
  const [workers = 0, ringCapacity = 0, injectorCapacity = 0, atOnce = 0] = new Int32Array(buffer, 0, 4);
  return layoutOf(workers, ringCapacity, injectorCapacity, atOnce);
}
