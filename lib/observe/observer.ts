import { nowMs } from '../binding/host-clock.js';
import { chooseReactor } from '../reactor/choose-reactor.js';
import type { Reactor } from '../reactor/reactor.js';
import type { Histogram } from './histogram.js';
import { addListener } from './probes.js';
import { TimeTaker } from './time-taker.js';

/**
 * Takes a reactor's times: how long handlers run, how late timers are, how many events a wait
 * brings, how busy it is. While there is one, `reactor.metrics()` has `times`, and
 * `inspectRegistrations` tells ages, calls and their times. Nothing is paid for it before.
 */
export class Observer {
  /** The one whose times it takes. */
  readonly reactor: Reactor;
  readonly #taker: TimeTaker;
  readonly #leave: () => void;

  /**
   * @param reactor default: this thread's `Reactor.default`
   * @throws TypeError; ERR_TRIPOLL_CLOSED
   */
  constructor(reactor?: Reactor) {
    this.reactor = chooseReactor(reactor);
    this.#taker = new TimeTaker(nowMs);
    this.#leave = addListener(this.reactor, this.#taker);
  }

  /** Of each handler's call: its time by the wall's clock, in milliseconds. */
  get handlerMs(): Histogram {
    return this.#taker.handlerMs;
  }

  /** Of each timer: how long after its time it was called, in milliseconds. */
  get timerLateMs(): Histogram {
    return this.#taker.timerLateMs;
  }

  /** Of each turn: how many events its wait brought. */
  get eventsPerWait(): Histogram {
    return this.#taker.eventsPerWait;
  }

  /** Takes no more times. What it has taken stays readable. May be called twice. */
  close(): void {
    this.#leave();
  }

  /** Closes it, as `using` does at the end of its block. */
  [Symbol.dispose](): void {
    this.close();
  }
}
