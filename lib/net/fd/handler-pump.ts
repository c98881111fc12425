import type { TripollError } from '../../binding/errors.js';
import { Interest } from '../../poller/flags.js';
import type { FdOwner } from './fd-owner.js';
import { SourceCalls, type SourceHandlers } from './source-calls.js';

/** Values of one event before others get their turn (T47). */
const VALUES_PER_EVENT = 16;

/** Takes what an fd gives, event by event, and hands it to handlers. */
export class HandlerPump<Source extends FdOwner> {
  readonly #source: Source;
  readonly #calls: SourceCalls<Source>;
  readonly #handOut: (calls: SourceCalls<Source>) => boolean;

  /**
   * @param handOut takes one value, and calls its handler; false when there was none, which the fd
   * is known not to have
   */
  constructor(
    source: Source,
    handlers: SourceHandlers<Source>,
    handOut: (calls: SourceCalls<Source>) => boolean,
  ) {
    this.#source = source;
    this.#calls = new SourceCalls(source, handlers);
    this.#handOut = handOut;
  }

  start(): void {
    this.#source.onEnd = () => this.#calls.end();
    this.#source.io.watch(Interest.READABLE, () => this.#run());
  }

  #run(): void {
    const source = this.#source;
    for (let i = 0; i < VALUES_PER_EVENT; i++) {
      if (source.closed) return;
      if (i > 0 && !source.reactor.registry.consumeBudget()) break;
      try {
        if (!this.#handOut(this.#calls)) return;
      } catch (error) {
        this.#calls.fail(error as TripollError);
      }
    }
    source.io.requeue(Interest.READABLE);
  }
}
