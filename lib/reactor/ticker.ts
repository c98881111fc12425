import { closedError } from '../binding/errors.js';
import { watchCancel, type CancelOptions } from './cancellation.js';
import type { Reactor } from './reactor.js';
import type { Timer } from './timer.js';
import { Waiter } from './waiter.js';

/** The timer behind `interval`. */
export class Ticker {
  #ticks = 0;
  #failure: Error | null = null;
  #waiting: Waiter<number>[] = [];
  readonly #reactor: Reactor;
  readonly #timer: Timer;
  readonly #disarm: () => void;
  readonly #forget: () => void;

  constructor(reactor: Reactor, periodMs: number, signal: AbortSignal | undefined) {
    this.#reactor = reactor;
    this.#timer = reactor.setTimer(periodMs, () => this.#tick(), { repeatMs: periodMs });
    this.#forget = reactor.registry.onClose(() => this.#fail(closedError('Reactor')));
    this.#disarm = watchCancel({ signal }, reactor, (error) => this.#fail(error));
  }

  /** How many ticks there were since the last call; at least one. */
  next(options: CancelOptions): Promise<number> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (this.#ticks > 0) return Promise.resolve(this.#take());
    const waiter = new Waiter<number>();
    this.#waiting.push(waiter);
    waiter.arm(options, this.#reactor, () => {
      this.#waiting = this.#waiting.filter((other) => other !== waiter);
    });
    return waiter.promise;
  }

  #take(): number {
    const ticks = this.#ticks;
    this.#ticks = 0;
    return ticks;
  }

  end(): void {
    this.#timer.cancel();
    this.#forget();
    this.#disarm();
  }

  #tick(): void {
    this.#ticks++;
    this.#waiting.shift()?.resolve(this.#take());
  }

  /** Its timer ends at once: nobody may be there to hear of it (F35). */
  #fail(error: Error): void {
    this.#failure = error;
    this.end();
    for (const waiter of this.#waiting.splice(0)) waiter.reject(error);
  }
}
