import { closedError, stateError } from '../../binding/errors.js';
import { FdOwner } from './fd-owner.js';
import { HandlerPump } from './handler-pump.js';
import { checkValueHandlers, type ValueHandlers } from './source-calls.js';

/** What `takeNow` gives when there is no value. */
export const NO_VALUE: unique symbol = Symbol('no value');

/** A source of values, one by one: with promises, by a method of its own, or for handlers. */
export abstract class ValueSource<Value> extends FdOwner {
  #isSubscribed = false;

  /** A value that is there already; else NO_VALUE, and the fd is known not to be ready. */
  protected abstract takeNow(): Value | typeof NO_VALUE;

  /**
   * Gives all values to handlers from now on, until it closes. A promise that waits is served
   * first.
   *
   * @param handlers `value` is called for each, in a turn of the reactor
   * @throws TypeError; ERR_TRIPOLL_STATE when it has handlers already; ERR_TRIPOLL_CLOSED
   */
  subscribe(handlers: ValueHandlers<this, Value>): this {
    checkValueHandlers(handlers);
    if (this.closed) throw closedError(this.constructor.name);
    if (this.#isSubscribed) throw stateError('it has handlers already');
    this.#isSubscribed = true;
    new HandlerPump<this>(this, handlers, (calls) => {
      const value = this.takeNow();
      if (value === NO_VALUE) return false;
      calls.call(() => handlers.value(this, value));
      return true;
    }).start();
    return this;
  }
}
