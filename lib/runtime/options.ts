import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import { availableParallelism } from '../binding/cores.js';
import { invalidArgType, outOfRange } from '../binding/errors.js';
import { checkInteger, checkNames } from '../binding/validate.js';
import { MAX_WORKERS } from './scheduler/scheduler.js';
import { MAX_SLOTS } from './table.js';

/** Options of a `Runtime`. */
export interface RuntimeOptions {
  /**
   * The module whose exported functions are the tasks: a file's URL (`new URL('./tasks.js',
   * import.meta.url)`), or an absolute path.
   */
  entry: string | URL;
  /** Worker threads, 1 to 256; default: as many as the process may use cores. */
  workers?: number | undefined;
  /** Tasks that run on one worker at once, beside those that wait for others; default 64. */
  tasksPerWorker?: number | undefined;
  /**
   * Tasks of one spawning thread that are queued or run at once: half a KiB each. Default 1024;
   * all threads together have 65,535 at most.
   */
  capacity?: number | undefined;
  /** Tasks of one spawning thread that wait for a place among those; default 65,536. */
  maxWaiting?: number | undefined;
  /** Threads for `blocking` at once, begun when they are needed; default 4, as libuv's pool. */
  blockingThreads?: number | undefined;
  /**
   * How often in a row the thread of a worker may die before it has done a task; then the worker is
   * given up. Default 5, as systemd gives up a service (StartLimitBurst=).
   */
  maxRestarts?: number | undefined;
  /**
   * How a worker waits: by its reactor's default driver, or under `reactor.run()`.
   */
  driver?: 'default' | 'run' | undefined;
  /**
   * How long a thread that waits for tasks, or for what comes of them, looks into shared memory
   * before it waits in its poller, in microseconds: its own loop stands still meanwhile. It is left
   * out more and more while it is in vain. 0 (never) to 1000; default 50, and 0 where the process
   * may use one core.
   */
  spinUs?: number | undefined;
}

const RUNTIME_NAMES: Readonly<Record<keyof RuntimeOptions, true>> = {
  ...{ entry: true, workers: true, tasksPerWorker: true, capacity: true, maxWaiting: true },
  ...{ blockingThreads: true, maxRestarts: true, driver: true, spinUs: true },
};

const MAX_COUNT = 2 ** 31 - 1;
const DEFAULT_CAPACITY = 1024;
const DEFAULT_SPIN_US = 50;
const MAX_SPIN_US = 1000;

/** The options with their defaults; `entry` is a URL's text. */
export interface CheckedOptions {
  readonly entry: string;
  readonly workers: number;
  readonly tasksPerWorker: number;
  readonly capacity: number;
  readonly maxWaiting: number;
  readonly blockingThreads: number;
  readonly maxRestarts: number;
  readonly driver: 'default' | 'run';
  readonly spinUs: number;
}

/** @throws TypeError, RangeError */
export function checkOptions(options: RuntimeOptions): CheckedOptions {
  checkNames('options', options, RUNTIME_NAMES);
  const { driver = 'default' } = options;
  const workers = options.workers ?? Math.min(availableParallelism(), MAX_WORKERS);
  checkInteger('workers', workers, 1, MAX_WORKERS);
  // In a reload there are twice as many.
  const mostEach = Math.floor(MAX_SLOTS / (2 * workers + 1));
  const capacity = options.capacity ?? Math.min(DEFAULT_CAPACITY, mostEach);
  checkInteger('capacity', capacity, 1, mostEach);
  const counts = {
    ...{ tasksPerWorker: options.tasksPerWorker ?? 64, maxWaiting: options.maxWaiting ?? 65_536 },
    ...{ blockingThreads: options.blockingThreads ?? 4, maxRestarts: options.maxRestarts ?? 5 },
  };
  for (const [name, value] of Object.entries(counts)) {
    checkInteger(name, value, name === 'maxWaiting' || name === 'maxRestarts' ? 0 : 1, MAX_COUNT);
  }
  const { spinUs = availableParallelism() > 1 ? DEFAULT_SPIN_US : 0 } = options;
  checkInteger('spinUs', spinUs, 0, MAX_SPIN_US);
  if (driver !== 'default' && driver !== 'run') throw outOfRange('driver', "'default' or 'run'", driver);
  return { entry: checkEntry(options.entry), workers, capacity, ...counts, driver, spinUs };
}

/** As the text of a URL. */
function checkEntry(entry: unknown): string {
  if (typeof entry === 'string' && isAbsolute(entry)) return pathToFileURL(entry).href;
  const text = typeof entry === 'string' ? entry : (entry as Partial<URL> | null | undefined)?.href;
  // Not a relative one: relative to what?
  if (typeof text === 'string' && /^(file|data):/.test(text)) return text;
  throw invalidArgType('entry', "a file's URL, or an absolute path", entry);
}
