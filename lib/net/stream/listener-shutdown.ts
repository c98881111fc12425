import { closedError } from '../../binding/errors.js';
import {
  abortedBefore,
  checkCancelTypes,
  watchCancel,
  type CancelOptions,
} from '../../reactor/cancellation.js';
import { checkFunction, checkNames } from '../../binding/validate.js';
import type { Reactor } from '../../reactor/reactor.js';
import { callLast } from '../socket/handler-call.js';

/** Options of `shutdown`. */
export interface ShutdownOptions<Connection> extends CancelOptions {
  /**
   * Called at once for each connection that is open: to end those that wait for a request that
   * would not be served, say. What it throws is uncaught, and the next one is called.
   */
  eachConnection?: ((connection: Connection) => void) | undefined;
}

const NAMES = { signal: true, timeoutMs: true, eachConnection: true } as const;

/** How the connections of a listener ended that were open when it was shut down. */
export interface ShutdownResult {
  /** By themselves, or by their peers. */
  readonly finished: number;
  /** Because time was up, or the signal was aborted. */
  readonly closed: number;
}

/** The listener. */
export interface ShutdownHost {
  readonly reactor: Reactor;
  readonly connections: number;
  close(): void;
  /** Those that are open; it looks for them in the reactor's table. */
  openConnections(): unknown[];
  /** Calls `fn` when the last connection has closed. */
  onceEmpty(fn: () => void): void;
}

/** What the method of this name does. Async: a wrong option is a rejection. */
export async function shutdown(
  listener: ShutdownHost,
  options: ShutdownOptions<unknown>,
): Promise<ShutdownResult> {
  checkNames('options', options, NAMES);
  checkCancelTypes(options);
  const { eachConnection } = options;
  if (eachConnection !== undefined) checkFunction('eachConnection', eachConnection);
  listener.close();
  const { connections } = listener;
  if (eachConnection !== undefined) {
    for (const connection of listener.openConnections()) callLast(() => eachConnection(connection));
  }
  if (listener.connections === 0) return { finished: connections, closed: 0 };
  let closed = 0;
  const closeRest = () => {
    // When all handlers have run: the connection of one that runs now may not be in the table yet
    // (`adoptReady`).
    listener.reactor.registry.defer(() => {
      const rest = listener.openConnections() as { expire(error: Error): void }[];
      closed = rest.length;
      for (const connection of rest) connection.expire(closedError('Listener'));
    });
  };
  await new Promise<void>((resolve) => {
    const aborted = abortedBefore(options) !== null;
    const disarm = aborted ? null : watchCancel(options, listener.reactor, closeRest);
    listener.onceEmpty(() => {
      disarm?.();
      resolve();
    });
    if (aborted) closeRest();
  });
  return { finished: connections - closed, closed };
}
