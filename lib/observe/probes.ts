import { nextTick, nowMs } from '../binding/host-clock.js';
import type { ReactorProbe, ReactorTimes } from '../reactor/probe.js';
import type { Reactor } from '../reactor/reactor.js';
import type { Registration } from '../reactor/registration.js';
import type { Registry } from '../reactor/registry.js';
import type { Timer } from '../reactor/timer.js';
import type { Histograms } from './histogram.js';
import type { RegistrationStats } from './registration-stats.js';

/**
 * Hears what a reactor does, as a `ReactorProbe` does, with the time. A subclass overrides what it
 * needs. Nothing here may throw, or call the reactor.
 */
export abstract class Listener {
  /** What it has taken is told to nobody else: `reactor.metrics()` does not change by it. */
  readonly isHidden: boolean = false;
  turnStart(_nowMs: number, _events: number): void {}
  turnEnd(_nowMs: number, _ran: number): void {}
  /**
   * After `turnEnd`, once for all turns since the last time: the microtasks that followed from them
   * have run, and the microtasks of those.
   */
  turnSettled(_nowMs: number): void {}
  handlerStart(_nowMs: number, _registration: Registration, _readiness: number): void {}
  handlerEnd(_nowMs: number, _registration: Registration, _readiness: number, _startMs: number): void {}
  timerStart(_nowMs: number, _timer: Timer, _lateMs: number): void {}
  timerEnd(_nowMs: number, _timer: Timer): void {}
  registered(_nowMs: number, _registration: Registration): void {}
  deregistered(_nowMs: number, _registration: Registration): void {}
  times(): ReactorTimes | null {
    return null;
  }
  statsOf(_registration: Registration): RegistrationStats | null {
    return null;
  }
  histograms(): Histograms | null {
    return null;
  }
}

const settled = Promise.resolve();

/** The one probe of a reactor that has listeners: it reads the clock once for all of them. */
export class ProbeSet implements ReactorProbe {
  /** Replaced when it changes: one who leaves while it is told disturbs nobody. */
  #listeners: readonly Listener[] = [];
  /** Those that want to know of a handler before it has run: most do not. */
  #starters: readonly Listener[] = [];
  /** The latest reading of this turn: nothing has run since, so that what comes next begins then. */
  #lastMs = 0;
  /** Callbacks of this turn after which the clock was read. */
  #timed = 0;
  #isSettling = false;
  readonly #registry: Registry;
  readonly nowMs: () => number;

  constructor(registry: Registry, clock: () => number) {
    this.#registry = registry;
    this.nowMs = clock;
  }

  add(listener: Listener): void {
    this.#set([...this.#listeners, listener]);
  }

  #set(listeners: readonly Listener[]): void {
    this.#listeners = listeners;
    this.#starters = listeners.filter(({ handlerStart }) => handlerStart !== Listener.prototype.handlerStart);
  }

  remove(listener: Listener): void {
    this.#set(this.#listeners.filter((other) => other !== listener));
    if (this.#listeners.length === 0 && this.#registry.probe === this) this.#registry.probe = null;
  }

  #read(): number {
    const now = this.nowMs();
    this.#lastMs = now;
    return now;
  }

  turnStart(events: number): void {
    this.#timed = 0;
    const now = this.#read();
    for (const listener of this.#listeners) listener.turnStart(now, events);
  }

  dispatchStart(ran: number): void {
    this.#timed = ran;
    this.#read();
  }

  turnEnd(ran: number): void {
    const now = ran === this.#timed ? this.#lastMs : this.#read();
    for (const listener of this.#listeners) listener.turnEnd(now, ran);
    if (this.#isSettling) return;
    if (ran === 0) {
      this.#tellSettled(now);
      return;
    }
    this.#isSettling = true;
    void settled.then(this.#afterFirst);
  }

  /** A tick that a microtask asks for comes when no microtask is left. */
  readonly #afterFirst = (): void => nextTick(this.#afterAll);

  readonly #afterAll = (): void => {
    this.#isSettling = false;
    this.#tellSettled(this.nowMs());
  };

  #tellSettled(now: number): void {
    for (const listener of this.#listeners) listener.turnSettled(now);
  }

  handlerStart(registration: Registration, readiness: number): void {
    const now = this.#lastMs;
    for (const listener of this.#starters) listener.handlerStart(now, registration, readiness);
  }

  handlerEnd(registration: Registration, readiness: number): void {
    this.#timed++;
    const startMs = this.#lastMs;
    const now = this.#read();
    for (const listener of this.#listeners) listener.handlerEnd(now, registration, readiness, startMs);
  }

  timerStart(timer: Timer, lateMs: number): void {
    const now = this.#lastMs;
    for (const listener of this.#listeners) listener.timerStart(now, timer, lateMs);
  }

  timerEnd(timer: Timer): void {
    this.#timed++;
    const now = this.#read();
    for (const listener of this.#listeners) listener.timerEnd(now, timer);
  }

  registered(registration: Registration): void {
    const now = this.nowMs();
    for (const listener of this.#listeners) listener.registered(now, registration);
  }

  deregistered(registration: Registration): void {
    const now = this.nowMs();
    for (const listener of this.#listeners) listener.deregistered(now, registration);
  }

  times(): ReactorTimes | null {
    return this.#first((listener) => listener.times());
  }

  statsOf(registration: Registration): RegistrationStats | null {
    return this.#first((listener) => listener.statsOf(registration));
  }

  histograms(): Histograms | null {
    return this.#first((listener) => listener.histograms());
  }

  #first<T>(ask: (listener: Listener) => T | null): T | null {
    for (const listener of this.#listeners) {
      const answer = listener.isHidden ? null : ask(listener);
      if (answer !== null) return answer;
    }
    return null;
  }
}

/** Null while nobody listens. */
export function probesOf(reactor: Reactor): ProbeSet | null {
  // Nobody else sets it.
  return reactor.registry.probe as ProbeSet | null;
}

/**
 * Tells `listener` what the reactor does from now on; returns what ends that. Of a turn or a handler
 * that is running just now it may hear the end alone.
 *
 * @param clock for tests: that of the first listener holds
 * @throws ERR_TRIPOLL_CLOSED
 */
export function addListener(reactor: Reactor, listener: Listener, clock: () => number = nowMs): () => void {
  const { registry } = reactor;
  registry.checkOpen();
  const probes = probesOf(reactor) ?? new ProbeSet(registry, clock);
  registry.probe = probes;
  probes.add(listener);
  return () => probes.remove(listener);
}
