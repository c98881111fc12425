import { inspect } from 'node:util';
import { isNativeError } from 'node:util/types';
import { stateError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';

/**
 * What a handler may return that is lent memory: anything but a promise, since after an `await` the
 * memory would hold other bytes (friction 9). Such a handler copies what it keeps, and passes the
 * copy to an async function.
 */
// Without `object` TypeScript would look for a property in common with it.
export type SyncResult =
  // eslint-disable-next-line @typescript-eslint/no-invalid-void-type -- what a call of `close()` gives is allowed too
  | void
  | null
  | undefined
  | string
  | number
  | bigint
  | boolean
  | symbol
  | (object & { readonly then?: never });

/**
 * Errors that promises were rejected with because their socket had ended, of which its handlers are
 * told anyway.
 */
const endErrors = new WeakSet<Error>();

/**
 * Notes that the handlers hear of this error too: to leave an async handler by it is no failure of
 * the program.
 */
export function noteEndError(error: unknown): void {
  if (isNativeError(error)) endErrors.add(error);
}

/** What calling the handlers of one kind of socket needs to know about it. */
interface HandlerPolicy<Socket> {
  isClosed(socket: Socket): boolean;
  /** Whether it has an `error` handler. Without one, what another handler throws is uncaught. */
  hearsErrors(socket: Socket): boolean;
  /**
   * Ends the socket, or tells its `error` handler if there is one. Also called for what was
   * uncaught.
   */
  onThrown(socket: Socket, error: Error): void;
}

/**
 * The one way to call a user's handler. What it throws, or an async one rejects with, is told to
 * the socket while that is open and has an `error` handler; else it is uncaught, since a mistake of
 * the program must not be hidden. An async handler that only finds its socket closed says nothing
 * new: a peer must not be able to end the process by going away.
 */
export class HandlerCalls<Socket> {
  readonly #policy: HandlerPolicy<Socket>;

  constructor(policy: HandlerPolicy<Socket>) {
    this.#policy = policy;
  }

  call(socket: Socket, handler: () => unknown): void {
    try {
      this.watch(socket, handler());
    } catch (error) {
      this.thrown(socket, error);
    }
  }

  /**
   * What a handler has returned, of a hot path that calls it by itself: to be called within its
   * `try`.
   */
  watch(socket: Socket, result: unknown): void {
    if (isThenable(result)) result.then(undefined, (error: unknown) => this.#onRejected(socket, error));
  }

  #onRejected(socket: Socket, error: unknown): void {
    const code = (error as { code?: unknown } | null | undefined)?.code;
    const isEnd = code === 'ERR_TRIPOLL_CLOSED' || endErrors.has(error as Error);
    if (!isEnd || !this.#policy.isClosed(socket)) this.thrown(socket, error);
  }

  thrown(socket: Socket, thrown: unknown): void {
    const error = toError(thrown);
    const policy = this.#policy;
    if (policy.isClosed(socket) || !policy.hearsErrors(socket)) native.fatalException(error);
    policy.onThrown(socket, error);
  }
}

/**
 * Calls `error`, `close` and their like: nobody else could be told of what they throw, which is
 * uncaught.
 */
export function callLast(handler: () => unknown): void {
  try {
    const result = handler();
    if (isThenable(result)) result.then(undefined, (error: unknown) => native.fatalException(toError(error)));
  } catch (error) {
    native.fatalException(toError(error));
  }
}

function toError(thrown: unknown): Error {
  if (isNativeError(thrown)) return thrown;
  return Object.assign(stateError(`a handler threw ${inspect(thrown, { depth: 0 })}`), {
    cause: thrown,
  });
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as Partial<PromiseLike<unknown>> | null | undefined)?.then === 'function';
}
