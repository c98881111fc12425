import { isMainThread } from 'node:worker_threads';
import { EINVAL } from '../../binding/errnos.js';
import { closedError, outOfRange, stateError, systemError, unsupportedError } from '../../binding/errors.js';
import { signalNumbers } from '../../binding/signals.js';
import { checkNames } from '../../binding/validate.js';
import { chooseReactor } from '../../reactor/choose-reactor.js';
import { checkCall, type CancelOptions } from '../../reactor/cancellation.js';
import { iterate } from '../../reactor/iterate.js';
import type { Reactor } from '../../reactor/reactor.js';
import { Waiter } from '../../reactor/waiter.js';
import { SOURCE_NAMES, type SourceOptions } from '../fd/fd-owner.js';
import { checkValueHandlers, SourceCalls, type ValueHandlers } from '../fd/source-calls.js';

/**
 * Signals, as Node itself gets them: a signalfd would not work, since Node's other threads leave
 * signals unblocked, and one of them would take them first. What comes while nobody asks is
 * remembered, once each, as the system does.
 */
export class SignalSource {
  /** The reactor that it lives on. */
  readonly reactor: Reactor;
  readonly #names: ReadonlySet<NodeJS.Signals>;
  readonly #pending = new Set<NodeJS.Signals>();
  #waiting: Waiter<NodeJS.Signals>[] = [];
  /** While somebody waits. */
  #letGo: (() => void) | null = null;
  #closed = false;
  /** The subscription of the handlers. */
  #handOut: ((name: NodeJS.Signals) => void) | null = null;
  #onEnd: (() => void) | null = null;
  readonly #onSignal = (name: NodeJS.Signals): void => this.#deliver(name);

  /** @internal For `signal`. */
  constructor(names: readonly NodeJS.Signals[], options: SourceOptions) {
    checkNames('options', options, SOURCE_NAMES);
    if (!isMainThread) throw unsupportedError('signals come to the main thread only');
    for (const name of names) {
      if (typeof name !== 'string' || !Object.hasOwn(signalNumbers, name))
        throw outOfRange('name', 'a signal of this platform', name);
      // Nobody can have them. Node would say so, Bun would not.
      if (name === 'SIGKILL' || name === 'SIGSTOP') throw systemError(EINVAL, 'sigaction');
    }
    this.reactor = chooseReactor(options.reactor);
    this.#names = new Set(names);
    try {
      for (const name of this.#names) process.on(name, this.#onSignal);
    } catch (error) {
      // The runtime may refuse one after others: those are given back.
      this.close();
      throw error;
    }
  }

  /** Whether it has been closed, by `close` or by an error. */
  get closed(): boolean {
    return this.#closed;
  }

  #deliver(name: NodeJS.Signals): void {
    const waiter = this.#waiting.shift();
    if (waiter !== undefined) waiter.resolve(name);
    else if (this.#handOut === null) this.#pending.add(name);
    else this.#handOut(name);
    this.#keepAlive();
  }

  /**
   * Gives all signals to handlers from now on, until it closes; also those that came while nobody
   * asked. The process stays alive meanwhile. A promise that waits is served first.
   *
   * @param handlers `value` is called with each signal's name, in a turn of the reactor
   * @throws TypeError; ERR_TRIPOLL_STATE when it has handlers already; ERR_TRIPOLL_CLOSED
   */
  subscribe(handlers: ValueHandlers<this, NodeJS.Signals>): this {
    checkValueHandlers(handlers);
    if (this.#closed) throw closedError('SignalSource');
    if (this.#handOut !== null) throw stateError('it has handlers already');
    const calls = new SourceCalls<this>(this, handlers);
    this.#handOut = (name) => calls.callLater(() => (this.#closed ? undefined : handlers.value(this, name)));
    this.#onEnd = () => calls.end();
    for (const name of this.#pending) this.#handOut(name);
    this.#pending.clear();
    this.#keepAlive();
    return this;
  }

  /**
   * Keeps the process alive while somebody waits, as a registration would, and hears of the
   * reactor's end.
   */
  #keepAlive(): void {
    const isAsked = !this.#closed && (this.#waiting.length > 0 || this.#handOut !== null);
    if (isAsked && this.#letGo === null) {
      const { registry } = this.reactor;
      const forget = registry.onClose(() => this.#onReactorClose());
      registry.addRef(1);
      this.#letGo = () => {
        forget();
        registry.addRef(-1);
      };
    } else if (!isAsked) {
      this.#letGo?.();
      this.#letGo = null;
    }
  }

  #onReactorClose(): void {
    this.#rejectAll(() => closedError('Reactor'));
    // Handlers have no turn any more to be called in.
    if (this.#handOut !== null) this.close();
  }

  #rejectAll(toReason: () => Error): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const waiter of waiting) waiter.reject(toReason());
    this.#keepAlive();
  }

  /**
   * The next signal's name. The process stays alive while it waits.
   *
   * @throws (as rejection) ERR_TRIPOLL_CLOSED; ABORT_ERR, ERR_TRIPOLL_TIMEOUT, by which no signal
   * is lost
   */
  async next(options: CancelOptions = {}): Promise<NodeJS.Signals> {
    checkCall(options);
    if (this.#closed) throw closedError('SignalSource');
    const [first] = this.#pending;
    if (first !== undefined) {
      this.#pending.delete(first);
      return first;
    }
    const waiter = new Waiter<NodeJS.Signals>();
    this.#waiting.push(waiter);
    this.#keepAlive();
    waiter.arm(options, this.reactor, () => {
      this.#waiting = this.#waiting.filter((other) => other !== waiter);
      this.#keepAlive();
    });
    return waiter.promise;
  }

  /**
   * Signals, until it closes. Leaving the loop closes it; `return()` also ends a `next()` that
   * waits.
   */
  [Symbol.asyncIterator](): AsyncGenerator<NodeJS.Signals, void, void> {
    return iterate(
      async (options) => ({ done: false, value: await this.next(options) }),
      () => this.#closed,
      () => this.close(),
    );
  }

  /** The signals do again what they would do without it. May be called twice. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const name of this.#names) process.off(name, this.#onSignal);
    this.#rejectAll(() => closedError('SignalSource'));
    this.#onEnd?.();
  }

  /** Closes it, as `using` does at the end of its block. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * From here on the signal does not end the process, but is told: `await signal('SIGTERM').next()`,
 * or `for await (const name of signal(['SIGINT', 'SIGTERM']))`, which gives the signal back when
 * the loop is left.
 *
 * @throws TypeError, RangeError for what is no signal here; EINVAL for SIGKILL and SIGSTOP;
 * ERR_TRIPOLL_UNSUPPORTED in a worker thread; ERR_TRIPOLL_CLOSED
 */
export function signal(
  names: NodeJS.Signals | readonly NodeJS.Signals[],
  options: SourceOptions = {},
): SignalSource {
  return new SignalSource(typeof names === 'string' ? [names] : [...names], options);
}
