import { closedError } from '../../binding/errors.js';
import {
  abortedBefore,
  checkCancelTypes,
  watchCancel,
  type CancelOptions,
} from '../../reactor/cancellation.js';
import type { Reactor } from '../../reactor/reactor.js';

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
  findConnections(): { expire(error: Error): void }[];
  /** Calls `fn` when the last connection has closed. */
  onceEmpty(fn: () => void): void;
}

/** What the method of this name does. Async: a wrong option is a rejection. */
export async function shutdown(listener: ShutdownHost, options: CancelOptions): Promise<ShutdownResult> {
  checkCancelTypes(options);
  listener.close();
  const { connections } = listener;
  if (connections === 0) return { finished: 0, closed: 0 };
  let closed = 0;
  const closeRest = () => {
    // When all handlers have run: the connection of one that runs now may not be in the table yet (`adoptReady`).
    listener.reactor.registry.defer(() => {
      const rest = listener.findConnections();
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
