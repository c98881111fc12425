import { writeFileSync } from 'node:fs';
import { threadId } from 'node:worker_threads';
import { invalidArgType } from '../../binding/errors.js';
import { nowMs } from '../../binding/host-clock.js';
import { checkInteger, checkNames } from '../../binding/validate.js';
import { chooseReactor } from '../../reactor/choose-reactor.js';
import type { Reactor } from '../../reactor/reactor.js';
import type { Registration } from '../../reactor/registration.js';
import type { Timer } from '../../reactor/timer.js';
import { addListener, Listener } from '../probes.js';
import { nameOf } from '../watchdog/origins.js';
import { toChromeTrace, type ChromeTrace } from './chrome-trace.js';
import { Kind, RingWriter } from './ring.js';

/** Options of a `Recorder`. */
export interface RecorderOptions {
  /** The last so many are kept, of 48 bytes each; 16 to 1_048_576, default 65_536. */
  events?: number | undefined;
}

const NAMES: Readonly<Record<keyof RecorderOptions, true>> = { events: true };
const DEFAULT_EVENTS = 65_536;
const MIN_EVENTS = 16;
/** Of these the JSON is some 150 MB, and a string has 512 at most. */
const MAX_EVENTS = 1_048_576;

/**
 * Records what one reactor does: its turns, the promises after them, and its waits; handlers and
 * timers; from when to when each fd was registered. The last events are kept in memory; `dump`
 * writes them as a trace that Perfetto opens. It ends with the reactor, and keeps no process alive.
 */
export class Recorder {
  readonly #ring: RingWriter;
  readonly #detach: () => void;
  readonly #forget: () => void;
  #closed = false;

  /** It records from now on. @throws TypeError, RangeError; ERR_TRIPOLL_CLOSED */
  constructor(reactor?: Reactor, options: RecorderOptions = {}) {
    checkNames('options', options, NAMES);
    const { events = DEFAULT_EVENTS } = options;
    checkInteger('events', events, MIN_EVENTS, MAX_EVENTS);
    const chosen = chooseReactor(reactor);
    this.#ring = new RingWriter(events, threadId, performance.timeOrigin);
    this.#detach = addListener(chosen, new Recording(this.#ring));
    this.#forget = chosen.registry.onClose(() => this.close());
  }

  /** What is recorded, in shared memory: to be posted to another thread, for its `traceOf`. */
  get memory(): SharedArrayBuffer {
    return this.#ring.memory;
  }

  /** A moment with a name, of the user's own. @throws TypeError */
  mark(name: string): void {
    if (typeof name !== 'string') throw invalidArgType('name', 'a string', name);
    this.#ring.write(Kind.MARK, nowMs(), 0, this.#ring.number(name));
  }

  /** What is in memory now, as the object that `dump` writes; after `close` too. */
  trace(): ChromeTrace {
    return traceOf([this.memory]);
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
    this.#detach();
    this.#forget();
  }

  /** Closes it, as `using` does at the end of its block. */
  [Symbol.dispose](): void {
    this.close();
  }
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

const NONE = -1;

class Recording extends Listener {
  readonly #ring: RingWriter;
  /** By slot: the number of its name, and of its life. */
  readonly #names: number[] = [];
  readonly #lives: number[] = [];
  #life = 0;
  #turnMs = NONE;
  #events = 0;
  #turnEndMs = NONE;
  #settledMs = NONE;
  #startMs = NONE;
  #readiness = 0;
  #lateMs = 0;

  constructor(ring: RingWriter) {
    super();
    this.#ring = ring;
  }

  override turnStart(nowMs: number, events: number): void {
    if (this.#settledMs !== NONE) this.#ring.write(Kind.WAIT, this.#settledMs, nowMs - this.#settledMs);
    this.#settledMs = NONE;
    this.#turnMs = nowMs;
    this.#events = events;
  }

  override turnEnd(nowMs: number, ran: number): void {
    this.#turnEndMs = nowMs;
    if (this.#turnMs === NONE) return;
    this.#ring.write(Kind.TURN, this.#turnMs, nowMs - this.#turnMs, this.#events, ran);
    this.#turnMs = NONE;
  }

  override turnSettled(nowMs: number): void {
    if (this.#turnEndMs !== NONE) this.#ring.write(Kind.PROMISES, this.#turnEndMs, nowMs - this.#turnEndMs);
    this.#turnEndMs = NONE;
    this.#settledMs = nowMs;
  }

  override handlerStart(nowMs: number, registration: Registration, readiness: number): void {
    this.#startMs = nowMs;
    this.#readiness = readiness;
    this.#ring.begin(Kind.HANDLER, nowMs, this.#nameOf(registration), registration.fd, readiness);
  }

  override handlerEnd(nowMs: number, registration: Registration): void {
    this.#ring.end();
    if (this.#startMs === NONE) return;
    const { fd } = registration;
    const durationMs = nowMs - this.#startMs;
    this.#ring.write(
      Kind.HANDLER,
      this.#startMs,
      durationMs,
      this.#nameOf(registration),
      fd,
      this.#readiness,
    );
    this.#startMs = NONE;
  }

  override timerStart(nowMs: number, timer: Timer, lateMs: number): void {
    this.#startMs = nowMs;
    this.#lateMs = lateMs;
    this.#ring.begin(Kind.TIMER, nowMs, this.#timerName(timer), lateMs);
  }

  override timerEnd(nowMs: number, timer: Timer): void {
    this.#ring.end();
    if (this.#startMs === NONE) return;
    this.#ring.write(Kind.TIMER, this.#startMs, nowMs - this.#startMs, this.#timerName(timer), this.#lateMs);
    this.#startMs = NONE;
  }

  override registered(nowMs: number, registration: Registration): void {
    const { slot, fd } = registration;
    const name = this.#ring.number(nameOf(registration));
    this.#names[slot] = name;
    this.#lives[slot] = ++this.#life;
    this.#ring.write(Kind.OPENED, nowMs, 0, name, fd, this.#life);
  }

  override deregistered(nowMs: number, registration: Registration): void {
    const { slot, fd } = registration;
    const life = this.#lives[slot];
    // Registered before it was recorded.
    if (life !== undefined) this.#ring.write(Kind.CLOSED, nowMs, 0, this.#names[slot] ?? 0, fd, life);
  }

  #nameOf(registration: Registration): number {
    return (this.#names[registration.slot] ??= this.#ring.number(nameOf(registration)));
  }

  #timerName({ callback }: Timer): number {
    return this.#ring.number(callback.name === '' ? 'timer' : callback.name);
  }
}
