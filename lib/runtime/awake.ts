import { nextTick, nowMs, setImmediate } from '../binding/host-clock.js';
import { inContext } from '../reactor/context.js';
import type { WakeWord } from '../reactor/wake-word.js';
import type { Waker } from '../reactor/waker.js';

/** What a thread does while it is awake. */
export interface AwakeHost {
  /** Does what there is to do; `isWoken` when somebody has said that there is something. */
  work(isWoken: boolean): void;
  /** Tells others what came of it, when the promises that it has settled have run. */
  tell(): void;
  /** Whether more may come soon. `hasWork` is asked again and again then. */
  expectsWork(): boolean;
  /** Something to do that nobody is woken for. */
  hasWork(): boolean;
  /** Says that this thread is about to sleep; false when there is something to do after all. */
  sleep(): boolean;
}

/** Then the runtime's loop comes round: Tokio's target for looking at its other sources. */
const MAX_ROUND_MS = 0.2;
/** After so many spins in vain a thread spins once in 2^n times. */
const MAX_MISSES = 6;
/**
 * Between two looks of who spins: what is looked at comes from the other thread's cache, which has
 * to fetch it back then for the next task.
 */
const LOOK_INTERVAL_MS = 0.002;
const US_PER_MS = 1000;
const SETTLED = Promise.resolve();

/**
 * Ends a round: true when the thread may go to its poller, out of which it is woken from now on.
 * Else there is something to do, and it is awake as before.
 */
export function fallAsleep(
  word: WakeWord,
  host: Pick<AwakeHost, 'hasWork' | 'sleep'>,
  spin: () => boolean,
): boolean {
  if (word.woken || host.hasWork() || spin() || !host.sleep()) return false;
  if (!word.release()) return true;
  word.wake(); // for the next `hold` to find
  return false;
}

/**
 * Keeps a thread out of its poller while there is something to do. When the promises that it has
 * settled have run it looks again, and if something comes soon as a rule it spins for a moment: to
 * wake a thread costs as much CPU as several small tasks.
 */
export class Awake {
  readonly #waker: Waker;
  readonly #host: AwakeHost;
  readonly #spinMs: number;
  /** It will look again. Otherwise the waker is not held. */
  #isScheduled = false;
  #startMs = 0;
  /** Spins in vain, in a row. */
  #misses = 0;
  /** How many are left out before the next. */
  #left = 0;
  readonly #settleLater: () => void;

  /** `spinUs`: 0 for never. */
  constructor(waker: Waker, host: AwakeHost, spinUs: number) {
    this.#waker = waker;
    this.#host = host;
    this.#spinMs = spinUs / US_PER_MS;
    this.#settleLater = inContext(this.#settle);
  }

  /** Whether `tell` will be called. */
  get isScheduled(): boolean {
    return this.#isScheduled;
  }

  /** What the waker calls. */
  readonly run = (): void => {
    this.#startMs = nowMs();
    this.#work(true);
  };

  /** From anywhere in this thread: there is something to do, when what runs now has ended. */
  soon(): void {
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      this.#startMs = nowMs();
      this.#waker.word.hold();
      nextTick(this.#settleLater);
    }
    this.#waker.wake();
  }

  #work(isWoken: boolean): void {
    const wasWoken = this.#waker.word.hold();
    if (!this.#isScheduled) {
      this.#isScheduled = true;
      void SETTLED.then(this.#onMicrotask);
    }
    this.#host.work(isWoken || wasWoken);
  }

  /** Behind all microtasks, those that the work has caused too. */
  readonly #onMicrotask = (): void => nextTick(this.#settle);

  readonly #settle = (): void => {
    this.#host.tell();
    this.#isScheduled = !fallAsleep(this.#waker.word, this.#host, this.#spin);
    if (!this.#isScheduled) return;
    if (nowMs() - this.#startMs < MAX_ROUND_MS) this.#again();
    else setImmediate(this.#onRound);
  };

  #again(): void {
    this.#isScheduled = false;
    this.#work(false);
  }

  readonly #onRound = (): void => {
    this.#startMs = nowMs();
    this.#again();
  };

  /** Looks for a moment whether something comes. */
  readonly #spin = (): boolean => {
    if (this.#spinMs === 0) return false;
    if (this.#left > 0) {
      this.#left--;
      return false;
    }
    if (!this.#host.expectsWork()) return false;
    let lookMs = nowMs();
    const endMs = lookMs + this.#spinMs;
    do {
      if (this.#waker.word.woken || this.#host.hasWork()) {
        this.#misses = 0;
        return true;
      }
      const nextMs = lookMs + LOOK_INTERVAL_MS;
      while (lookMs < nextMs) lookMs = nowMs();
    } while (lookMs < endMs);
    this.#misses = Math.min(this.#misses + 1, MAX_MISSES);
    this.#left = 2 ** this.#misses - 1;
    return false;
  };
}
