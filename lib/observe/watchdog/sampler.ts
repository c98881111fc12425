import { Beat, Doing } from './heartbeat.js';

/** What is found by looking at the heartbeat. */
export interface Finding {
  readonly kind: 'slow' | 'stalled';
  readonly work: number;
  readonly alive: number;
  /** For so long nothing has changed. */
  readonly seenMs: number;
}

/**
 * So much later than it asked to be called, a thread was held up with all its process: by SIGSTOP, a
 * debugger, a machine that slept. What it sees then says nothing. On an overloaded machine every
 * look is late by some hundred milliseconds, and it must find what there is all the same.
 */
const HELD_UP_MS = 1000;
const LATE_LOOKS = 8;

/** Tells from one look to the next whether the watched thread goes on. Each finding is told once. */
export class Sampler {
  readonly #words: Int32Array;
  readonly #slowMs: number;
  readonly #stalledMs: number;
  readonly #heldUpMs: number;
  #lookedMs = -1;
  #work = 0;
  #workSinceMs = 0;
  #toldWork = -1;
  #alive = 0;
  #aliveSinceMs = 0;
  #toldAlive = -1;

  /** @param slowMs 0 looks for no slow handler @param stalledMs 0 looks for no stall */
  constructor(words: Int32Array, slowMs: number, stalledMs: number, intervalMs: number) {
    this.#words = words;
    this.#slowMs = slowMs;
    this.#stalledMs = stalledMs;
    this.#heldUpMs = Math.max(HELD_UP_MS, LATE_LOOKS * intervalMs);
  }

  look(nowMs: number): Finding | null {
    const wasHeldUp = this.#lookedMs < 0 || nowMs - this.#lookedMs > this.#heldUpMs;
    this.#lookedMs = nowMs;
    const [work, alive] = [this.#words[Beat.WORK]!, this.#words[Beat.ALIVE]!];
    if (wasHeldUp || work !== this.#work) this.#workSinceMs = nowMs;
    if (wasHeldUp || work !== this.#work || alive !== this.#alive) this.#aliveSinceMs = nowMs;
    this.#work = work;
    this.#alive = alive;
    return this.#findSlow(nowMs) ?? this.#findStalled(nowMs);
  }

  #findSlow(nowMs: number): Finding | null {
    const seenMs = nowMs - this.#workSinceMs;
    if (this.#slowMs === 0 || !this.#isInCallback || seenMs < this.#slowMs) return null;
    if (this.#toldWork === this.#work) return null;
    this.#toldWork = this.#work;
    return { kind: 'slow', work: this.#work, alive: this.#alive, seenMs };
  }

  #findStalled(nowMs: number): Finding | null {
    const seenMs = nowMs - this.#aliveSinceMs;
    if (this.#stalledMs === 0 || seenMs < this.#stalledMs || this.#toldAlive === this.#alive) return null;
    // That handler is told of by itself.
    if (this.#slowMs > 0 && this.#isInCallback) return null;
    this.#toldAlive = this.#alive;
    return { kind: 'stalled', work: this.#work, alive: this.#alive, seenMs };
  }

  get #isInCallback(): boolean {
    const doing = this.#words[Beat.DOING];
    return doing === Doing.HANDLER || doing === Doing.TIMER;
  }

  /** Whether what was found goes on, without a change since. */
  goesOn(finding: Finding): boolean {
    if (finding.kind === 'slow') return this.#words[Beat.WORK] === finding.work;
    return this.#words[Beat.ALIVE] === finding.alive && this.#words[Beat.WORK] === finding.work;
  }
}
