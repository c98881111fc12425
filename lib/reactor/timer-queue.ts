import { TimingWheel } from '../timer/timing-wheel.js';
import { runContained } from './context.js';
import type { Clock } from './options.js';
import type { ReactorProbe } from './probe.js';
import type { Timer, TimerHost } from './timer.js';

/** What the queue asks of its reactor. */
export interface TimerQueueHost {
  readonly closed: boolean;
  readonly registry: { readonly probe: ReactorProbe | null };
  addRef(count: number): void;
  /** @throws ERR_TRIPOLL_CLOSED */
  checkOpen(): void;
  /** `nextMs` may be earlier than the poller was told. */
  onTimerSet(): void;
}

/** A reactor's timers: the wheel, its clock, and who is due. */
export class TimerQueue implements TimerHost {
  /** No timer is due before. */
  nextMs = Infinity;
  fired = 0;
  readonly #host: TimerQueueHost;
  readonly #clock: Clock;
  readonly #wheel: TimingWheel;
  /** The tick whose timers are firing just now, else -1. */
  #firingTick = -1;

  constructor(host: TimerQueueHost, clock: Clock) {
    this.#host = host;
    this.#clock = clock;
    this.#wheel = new TimingWheel(clock.nowMs());
  }

  /** For `Timer`. */
  addRef(count: number): void {
    this.#host.addRef(count);
  }

  get size(): number {
    return this.#wheel.size;
  }

  schedule(timer: Timer, delayMs: number): void {
    this.#host.checkOpen();
    this.#insert(timer, this.#clock.nowMs() + delayMs);
    this.#host.onTimerSet();
  }

  #insert(timer: Timer, dueMs: number): void {
    if (!this.#wheel.remove(timer) && timer.keepsAlive) this.#host.addRef(1);
    timer.dueMs = dueMs;
    // Rounded up: a timer never fires early, and never spins below a tick (T14). One that is set
    // while others fire is left to a later turn, or a timer that sets itself anew would never let
    // go.
    this.#wheel.insert(timer, Math.max(Math.ceil(dueMs), this.#firingTick + 1));
    if (timer.expiryTick < this.nextMs) this.nextMs = timer.expiryTick;
  }

  cancel(timer: Timer): void {
    if (this.#wheel.remove(timer) && timer.keepsAlive) this.#host.addRef(-1);
    if (this.#wheel.size === 0) this.nextMs = Infinity;
  }

  /** Fires what is due; returns how many. */
  run(): number {
    const nowMs = this.#clock.nowMs();
    if (nowMs < this.nextMs) return 0;
    this.#wheel.advance(nowMs);
    this.#firingTick = Math.floor(nowMs);
    let ran = 0;
    // Bounded: a timer that its callback sets anew is due at a later tick than this.
    for (let entry = this.#wheel.take(); entry !== null; entry = this.#wheel.take()) {
      this.#fire(entry as Timer, nowMs);
      ran++;
    }
    this.#firingTick = -1;
    const nextTick = this.#wheel.nextTick();
    this.nextMs = nextTick < 0 ? Infinity : nextTick;
    this.fired += ran;
    return ran;
  }

  #fire(timer: Timer, nowMs: number): void {
    if (timer.keepsAlive) this.#host.addRef(-1);
    const { probe } = this.#host.registry;
    // One that fired before it may have taken long.
    probe?.timerStart(timer, this.#clock.nowMs() - timer.dueMs);
    runContained(() => timer.context.runInAsyncScope(timer.callback));
    probe?.timerEnd(timer);
    if (timer.repeatMs === 0 || timer.cancelled || timer.active || this.#host.closed) return;
    const missed = Math.floor((nowMs - timer.dueMs) / timer.repeatMs);
    this.#insert(timer, timer.dueMs + (Math.max(0, missed) + 1) * timer.repeatMs);
  }

  /** All of them end. */
  clear(): void {
    this.#wheel.advance(Number.MAX_SAFE_INTEGER);
    for (let entry = this.#wheel.take(); entry !== null; entry = this.#wheel.take()) {
      const timer = entry as Timer;
      if (timer.keepsAlive) this.#host.addRef(-1);
    }
    this.nextMs = Infinity;
  }
}
