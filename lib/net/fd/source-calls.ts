import { errnosOf, type HandlerError, type TripollError } from '../../binding/errors.js';
import { checkFunction, checkObject } from '../../binding/validate.js';
import { newContext } from '../../reactor/context.js';
import type { Reactor } from '../../reactor/reactor.js';
import { callLast, HandlerCalls } from '../socket/handler-call.js';

/** The fd itself is broken. */
const FATAL = errnosOf('EBADF', 'ENOTSOCK');

/** What a handler-style source calls, whatever it gives. */
export interface SourceHandlers<Source> {
  /**
   * What it failed with, or what another handler threw or rejected with. The source goes on.
   * Without it, what a handler throws is uncaught.
   */
  error?(source: Source, error: HandlerError): unknown;
  /** It has closed; once, and last. */
  close?(source: Source): unknown;
}

/** Handlers of a source of values, for its `subscribe`. */
export interface ValueHandlers<Source, Value> extends SourceHandlers<Source> {
  /** Called for each value, in a turn of the reactor. */
  value(source: Source, value: Value): unknown;
}

/** @throws TypeError */
export function checkValueHandlers(handlers: unknown): void {
  checkObject('handlers', handlers);
  const { value, error, close } = handlers as Partial<ValueHandlers<unknown, unknown>>;
  checkFunction('handlers.value', value);
  if (error !== undefined) checkFunction('handlers.error', error);
  if (close !== undefined) checkFunction('handlers.close', close);
}

interface CalledSource {
  readonly reactor: Reactor;
  readonly closed: boolean;
  close(): void;
}

/**
 * Calls the handlers of one source: the same policy as for sockets, but what a handler throws does
 * not end it.
 */
export class SourceCalls<Source extends CalledSource> {
  static readonly #calls = new HandlerCalls<SourceCalls<CalledSource>>({
    isClosed: (calls) => calls.#source.closed,
    hearsErrors: (calls) => calls.#handlers.error !== undefined,
    // One value that the program cannot take must not end the source for all others.
    onThrown: (calls, error) => calls.#tell(error),
  });
  readonly #source: Source;
  readonly #handlers: SourceHandlers<Source>;
  readonly #context = newContext();

  constructor(source: Source, handlers: SourceHandlers<Source>) {
    this.#source = source;
    this.#handlers = handlers;
  }

  /** Calls a handler now; the caller is in the right turn, and context. */
  call(handler: () => unknown): void {
    SourceCalls.#calls.call(this, handler);
  }

  /** Calls one at the end of this turn, or in the next. */
  callLater(handler: () => unknown): void {
    this.#source.reactor.registry.defer(() => this.#context.runInAsyncScope(() => this.call(handler)));
  }

  /** What taking a value failed with; it is no mistake of the program's, and never uncaught. */
  fail(error: TripollError): void {
    this.#tell(error);
    if (FATAL.has(error.errno ?? 0)) this.#source.close();
  }

  #tell(error: HandlerError): void {
    if (this.#handlers.error === undefined || this.#source.closed) return;
    callLast(() => this.#handlers.error?.(this.#source, error));
  }

  /** It has closed. */
  end(): void {
    if (this.#handlers.close === undefined) return;
    // Not from in here: the user's own call may be what closed it.
    this.#source.reactor.registry.defer(() =>
      this.#context.runInAsyncScope(() => callLast(() => this.#handlers.close?.(this.#source))),
    );
  }
}
