import type { Registration } from '../../reactor/registration.js';
import type { Timer } from '../../reactor/timer.js';
import { Beat, Doing, type FoundMessage } from './heartbeat.js';
import type { Origin } from './origins.js';

/** What waits for its stack at once; of more than that it is told without. */
const MAX_WAITING = 64;

/** What ran for too long. */
export interface Slow {
  readonly subject: Registration | Timer;
  /** As it was then: the registration may have ended. */
  readonly origin: Origin | null;
  readonly durationMs: number;
}

/** Writes the heartbeat that the thread looks at, and measures what it is to tell of. */
export class SlowWatch {
  readonly #limitMs: number;
  readonly #words: Int32Array;
  readonly #tell: (slow: Slow, stack: string | null) => void;
  /** By the beat in which they ran. */
  readonly #waiting = new Map<number, Slow>();
  #work = 0;
  #startMs = Infinity;

  /** @param limitMs 0 tells of nothing */
  constructor(limitMs: number, words: Int32Array, tell: (slow: Slow, stack: string | null) => void) {
    this.#limitMs = limitMs === 0 ? Infinity : limitMs;
    this.#words = words;
    this.#tell = tell;
  }

  #beat(doing: number): void {
    this.#words[Beat.DOING] = doing;
    // As the shared word, whose bits it is compared with.
    this.#words[Beat.WORK] = this.#work = (this.#work + 1) | 0;
  }

  turnStart(): void {
    this.#beat(Doing.TURN);
  }

  turnEnd(): void {
    this.#beat(Doing.NOTHING);
  }

  start(nowMs: number, doing: number, fd: number, origin: number): void {
    this.#words[Beat.FD] = fd;
    this.#words[Beat.ORIGIN] = origin;
    this.#startMs = nowMs;
    this.#beat(doing);
  }

  end(nowMs: number, subject: Registration | Timer, origin: Origin | null): void {
    const work = this.#work;
    const durationMs = nowMs - this.#startMs;
    // One that had begun when the watchdog came has no start.
    this.#startMs = Infinity;
    this.#beat(Doing.TURN);
    if (durationMs < this.#limitMs) return;
    const isFound = this.#words[Beat.FOUND] === work && this.#waiting.size < MAX_WAITING;
    const slow = { subject, origin, durationMs };
    if (isFound) this.#waiting.set(work, slow);
    else this.#tell(slow, null);
  }

  /** From the thread, some time after it has ended. */
  onFound({ work, stack }: FoundMessage): void {
    const waiting = this.#waiting.get(work);
    // Told already: the thread found it as it ended.
    if (waiting === undefined) return;
    this.#waiting.delete(work);
    this.#tell(waiting, stack);
  }

  /** The thread has ended, or will. */
  tellWithoutStacks(): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const slow of waiting) this.#tell(slow, null);
  }
}
