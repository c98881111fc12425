import type { HistogramSummary, ReactorTimes } from '../reactor/probe.js';
import type { Registration } from '../reactor/registration.js';
import type { Timer } from '../reactor/timer.js';
import { Histogram, type Histograms } from './histogram.js';
import { Listener } from './probes.js';
import { RegistrationStats } from './registration-stats.js';

const NONE = -1;

/** Takes a reactor's times: what `Observer` tells. */
export class TimeTaker extends Listener {
  readonly handlerMs = new Histogram();
  readonly timerLateMs = new Histogram();
  readonly eventsPerWait = new Histogram();
  readonly #nowMs: () => number;
  readonly #startMs: number;
  readonly #stats: (RegistrationStats | undefined)[] = [];
  #busyMs = 0;
  /** When this turn began; -1 outside of one. */
  #turnStartMs = NONE;
  /** When the last turn ended, whose promises may run; -1 when they have. */
  #turnEndMs = NONE;

  constructor(
    clock: () => number,
    override readonly isHidden = false,
  ) {
    super();
    this.#nowMs = clock;
    this.#startMs = clock();
  }

  override turnStart(nowMs: number, events: number): void {
    this.#turnStartMs = nowMs;
    this.eventsPerWait.record(events);
  }

  override turnEnd(nowMs: number): void {
    if (this.#turnStartMs !== NONE) this.#busyMs += nowMs - this.#turnStartMs;
    this.#turnStartMs = NONE;
    this.#turnEndMs = nowMs;
  }

  override turnSettled(nowMs: number): void {
    if (this.#turnEndMs !== NONE) this.#busyMs += nowMs - this.#turnEndMs;
    this.#turnEndMs = NONE;
  }

  override handlerEnd(nowMs: number, registration: Registration, readiness: number, startMs: number): void {
    const tookMs = nowMs - startMs;
    this.handlerMs.record(tookMs);
    // It may have ended in its own handler.
    if (!registration.active) return;
    const stats = this.#stats[registration.slot] ?? this.#add(registration, null);
    stats.note(nowMs, tookMs, readiness);
  }

  override timerStart(_nowMs: number, _timer: Timer, lateMs: number): void {
    this.timerLateMs.record(lateMs);
  }

  override registered(nowMs: number, registration: Registration): void {
    this.#add(registration, nowMs);
  }

  override deregistered(_nowMs: number, registration: Registration): void {
    this.#stats[registration.slot] = undefined;
  }

  #add(registration: Registration, sinceMs: number | null): RegistrationStats {
    const stats = new RegistrationStats(registration, sinceMs);
    // No hole: slots before it may have been taken before this began.
    while (this.#stats.length < registration.slot) this.#stats.push(undefined);
    this.#stats[registration.slot] = stats;
    return stats;
  }

  /** Of an active registration: null when nothing was seen of it. */
  override statsOf(registration: Registration): RegistrationStats | null {
    const stats = this.#stats[registration.slot];
    return stats?.registration === registration ? stats : null;
  }

  override histograms(): Histograms {
    return this;
  }

  override times(): ReactorTimes {
    const nowMs = this.#nowMs();
    const observedMs = nowMs - this.#startMs;
    const runningMs = this.#turnStartMs === NONE ? 0 : nowMs - this.#turnStartMs;
    const busyMs = this.#busyMs + runningMs;
    const [handlerMs, timerLateMs, eventsPerWait] = [
      this.handlerMs,
      this.timerLateMs,
      this.eventsPerWait,
    ].map((histogram) => histogram.summary()) as [HistogramSummary, HistogramSummary, HistogramSummary];
    return {
      ...{ observedMs, busyMs, busyShare: observedMs > 0 ? Math.min(busyMs / observedMs, 1) : 0 },
      ...{ handlerMs, timerLateMs, eventsPerWait },
    };
  }
}
