import { writeFileSync } from 'node:fs';
import { threadId } from 'node:worker_threads';
import { invalidArgType } from '../../binding/errors.js';
import { nowMs } from '../../binding/host-clock.js';
import { checkInteger, checkNames } from '../../binding/validate.js';
import { chooseReactor } from '../../reactor/choose-reactor.js';
import type { Reactor } from '../../reactor/reactor.js';
import type { RuntimeMetrics } from '../../runtime/metrics.js';
import type { RuntimeObserver } from '../../runtime/probe.js';
import { addListener } from '../probes.js';
import { toChromeTrace } from './chrome-trace.js';
import { Recording } from './recording.js';
import { createRing, Kind, RingWriter } from './ring.js';
import { maxRings, RuntimeRings } from './runtime-rings.js';
import type { ChromeTrace } from './trace-event.js';

/** Options of a `Recorder`. */
export interface RecorderOptions {
  /**
   * Of each thread the last so many are kept, of 48 bytes each: 16 to 1_048_576, with `runtime`
   * that by `3 * workers + 1`; default 65_536, or as many.
   */
  events?: number | undefined;
  /**
   * A `Runtime` of this thread: its workers are recorded too, each with its reactor and its tasks,
   * and those that come in their stead. One recorder at a time.
   */
  runtime?: { metrics(): RuntimeMetrics } | undefined;
}

/** What is asked of a runtime. */
interface ObservedRuntime {
  metrics(): RuntimeMetrics;
  observe(observer: RuntimeObserver): () => void;
}

const NAMES: Readonly<Record<keyof RecorderOptions, true>> = { events: true, runtime: true };
const DEFAULT_EVENTS = 65_536;
const MIN_EVENTS = 16;
/** Of these, of all threads, the JSON is some 150 MB, and a string has 512 at most. */
const MAX_EVENTS = 1_048_576;

/**
 * Records what one reactor does: its turns, the promises after them, and its waits; handlers and
 * timers; from when to when each fd was registered; of a runtime all of that in each worker, and
 * its tasks. The last events are kept in memory; `dump` writes them as a trace that Perfetto opens. It
 * ends with the reactor, and keeps no process alive.
 */
export class Recorder {
  readonly #ring: RingWriter;
  readonly #rings: RuntimeRings | null;
  readonly #ends: (() => void)[];
  #closed = false;
  readonly #onThreads = new Set<() => void>();

  /**
   * It records from now on.
   *
   * @throws TypeError, RangeError; ERR_TRIPOLL_CLOSED; ERR_TRIPOLL_STATE when the runtime is
   * recorded already
   */
  constructor(reactor?: Reactor, options: RecorderOptions = {}) {
    checkNames('options', options, NAMES);
    const runtime = checkRuntime(options.runtime);
    const workers = runtime?.metrics().workers.length ?? 0;
    const most = Math.floor(MAX_EVENTS / maxRings(workers));
    const { events = Math.min(DEFAULT_EVENTS, most) } = options;
    checkInteger('events', events, MIN_EVENTS, most);
    const chosen = chooseReactor(reactor);
    this.#ring = new RingWriter(createRing(events), threadId, performance.timeOrigin);
    const recording = new Recording(this.#ring);
    this.#rings =
      runtime === null ? null : new RuntimeRings(recording, events, workers, () => this.#tellThreads());
    const unobserve = this.#rings === null ? null : runtime?.observe(this.#rings);
    const detach = addListener(chosen, recording);
    const forget = chosen.registry.onClose(() => this.close());
    this.#ends = [detach, forget, ...(unobserve ? [unobserve] : [])];
  }

  /**
   * What is recorded of this thread, in shared memory: to be posted to another thread, for its
   * `traceOf`.
   */
  get memory(): SharedArrayBuffer {
    return this.#ring.memory;
  }

  /** `memory`, and the same of each thread of the runtime: of the last that have ended too. */
  get memories(): readonly SharedArrayBuffer[] {
    return [this.memory, ...(this.#rings?.memories ?? [])];
  }

  #tellThreads(): void {
    for (const fn of this.#onThreads) fn();
  }

  /** @internal Calls `fn` whenever `memories` has others. Returns what ends that. */
  whenThreadsChange(fn: () => void): () => void {
    this.#onThreads.add(fn);
    return () => this.#onThreads.delete(fn);
  }

  /** A moment with a name, of the user's own. @throws TypeError */
  mark(name: string): void {
    if (typeof name !== 'string') throw invalidArgType('name', 'a string', name);
    this.#ring.write(Kind.MARK, nowMs(), 0, this.#ring.number(name));
  }

  /** What is in memory now, as the object that `dump` writes; after `close` too. */
  trace(): ChromeTrace {
    return traceOf(this.memories);
  }

  /** Writes `trace()` into a file, at once. @throws what `fs.writeFileSync` does */
  dump(path: string): void {
    writeFileSync(path, JSON.stringify(this.trace()));
  }

  /** Whether it has ended. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Records no more. May be called twice. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const end of this.#ends) end();
  }

  /** Closes it, as `using` does at the end of its block. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** @throws TypeError */
function checkRuntime(runtime: unknown): ObservedRuntime | null {
  if (runtime === undefined) return null;
  // Not by instanceof: another copy of the package may have made it.
  const { observe } = (runtime ?? {}) as { observe?: unknown };
  if (typeof observe !== 'function') throw invalidArgType('runtime', 'a Runtime', runtime);
  return runtime as ObservedRuntime;
}

/**
 * What recorders of several threads of this process have in memory, as one trace.
 *
 * @param memories of `Recorder.memory`
 * @throws TypeError
 */
export function traceOf(memories: readonly SharedArrayBuffer[]): ChromeTrace {
  for (const memory of memories) {
    // Not by instanceof: memory of another realm is as good.
    if (Object.prototype.toString.call(memory) !== '[object SharedArrayBuffer]')
      throw invalidArgType('memories', 'of Recorder.memory', memory);
  }
  return toChromeTrace(memories, process.pid);
}
