import { isMainThread } from 'node:worker_threads';
import { closedError, outOfRange, unsupportedError } from '../../binding/errors.js';
import { signalNumbers } from '../../binding/signals.js';
import { MAX_DURATION_MS, checkObject } from '../../binding/validate.js';
import { checkCancel, watchCancel, type CancelOptions } from '../../reactor/cancellation.js';
import type { Reactor } from '../../reactor/reactor.js';
import { chooseReactor } from '../stream/stream-profile.js';
import type { SourceOptions } from '../fd/fd-owner.js';

interface PendingNext {
  resolve(name: NodeJS.Signals): void;
  settle(): void;
  reject(error: unknown): void;
}

/**
 * Signals, as Node itself gets them: a signalfd would not work, since Node's other threads leave signals unblocked, and
 * one of them would take them first. What comes while nobody asks is remembered, once each, as the system does.
 */
export class SignalSource {
  /** The reactor that it lives on. */
  readonly reactor: Reactor;
  readonly #names: ReadonlySet<NodeJS.Signals>;
  readonly #pending = new Set<NodeJS.Signals>();
  #waiting: PendingNext[] = [];
  #closed = false;
  readonly #onSignal = (name: NodeJS.Signals): void => this.#deliver(name);

  /** @internal For `signal`. */
  constructor(names: readonly NodeJS.Signals[], options: SourceOptions) {
    checkObject('options', options);
    if (!isMainThread) throw unsupportedError('signals come to the main thread only');
    for (const name of names) {
      if (typeof name !== 'string' || !Object.hasOwn(signalNumbers, name))
        throw outOfRange('name', 'a signal of this platform', name);
    }
    this.reactor = chooseReactor(options.reactor);
    this.#names = new Set(names);
    try {
      for (const name of this.#names) process.on(name, this.#onSignal);
    } catch (error) {
      // SIGKILL and SIGSTOP: nobody can have them.
      this.close();
      throw error;
    }
  }

  /** Whether it has been closed, by `close` or by an error. */
  get closed(): boolean {
    return this.#closed;
  }

  #deliver(name: NodeJS.Signals): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) {
      this.#pending.add(name);
      return;
    }
    waiting.settle();
    waiting.resolve(name);
  }

  /**
   * The next signal's name. The process stays alive while it waits.
   *
   * @throws (as rejection) ERR_TRIPOLL_CLOSED; ABORT_ERR, ERR_TRIPOLL_TIMEOUT, by which no signal is lost
   */
  async next(options: CancelOptions = {}): Promise<NodeJS.Signals> {
    checkCancel(options);
    if (this.#closed) throw closedError('SignalSource');
    const [first] = this.#pending;
    if (first !== undefined) {
      this.#pending.delete(first);
      return first;
    }
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        waiting.settle();
        reject(error);
      };
      // Keeps the process alive, as a registration would, and hears of the reactor's end.
      const alive = this.reactor.setTimer(MAX_DURATION_MS, () => undefined);
      alive.onDrop = () => fail(closedError('Reactor'));
      const disarm = watchCancel(options, this.reactor, fail);
      const settle = (): void => {
        alive.cancel();
        disarm();
      };
      const waiting: PendingNext = { resolve, reject, settle };
      this.#waiting.push(waiting);
    });
  }

  /** Until it closes. */
  async *[Symbol.asyncIterator](): AsyncGenerator<NodeJS.Signals, void, void> {
    try {
      while (!this.#closed) yield await this.next();
    } catch (error) {
      // Closed while we waited: that is the end of the loop, not its failure.
      if (!this.#closed) throw error;
    } finally {
      this.close();
    }
  }

  /** The signals do again what they would do without it. May be called twice. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const name of this.#names) process.off(name, this.#onSignal);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { settle, reject } of waiting) {
      settle();
      reject(closedError('SignalSource'));
    }
  }

  /** Closes it, as `using` does at the end of its block. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * From here on the signal does not end the process, but is told: `await signal('SIGTERM').next()`, or
 * `for await (const name of signal(['SIGINT', 'SIGTERM']))`, which gives the signal back when the loop is left.
 *
 * @throws TypeError, RangeError for what is no signal here; EINVAL for SIGKILL and SIGSTOP; ERR_TRIPOLL_UNSUPPORTED in a
 * worker thread; ERR_TRIPOLL_CLOSED
 */
export function signal(
  names: NodeJS.Signals | readonly NodeJS.Signals[],
  options: SourceOptions = {},
): SignalSource {
  return new SignalSource(typeof names === 'string' ? [names] : [...names], options);
}
