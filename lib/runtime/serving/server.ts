import type { CancelOptions } from '../../reactor/cancellation.js';
import type { ShutdownResult } from '../../net/stream/listener-shutdown.js';
import type { SocketAddress } from '../../sys/address.js';
import type { ServerInspection } from './inspection.js';
import type { Strategy } from './options.js';
import type { ServerControl } from './server-control.js';

/**
 * A server on all workers of a runtime, as `Runtime.serve` makes it: `Server<SocketAddress>` for
 * TCP, `Server<string>` for a Unix socket.
 */
export class Server<Address extends SocketAddress | string = SocketAddress | string> {
  readonly #control: ServerControl;

  /** @internal */
  constructor(control: ServerControl) {
    this.#control = control;
  }

  /** Where it listens, or has listened: an address and a port, or a path for a Unix socket. */
  get address(): Address {
    return this.#control.address as Address;
  }

  /** How connections come to the workers. */
  get strategy(): Strategy {
    return this.#control.strategy;
  }

  /** Whether it has stopped accepting, or is about to. */
  get closed(): boolean {
    return this.#control.stopping;
  }

  /**
   * Accepts what waits in the backlog, stops listening, and waits for the connections to end. When
   * the time is up, or the signal aborts, the rest is closed: neither makes this reject. Without
   * both it waits as long as there is one. Connections are told (`context.signal`, the handler
   * `shutdown`). May be called again, to wait less long.
   *
   * @returns how many connections ended by themselves, and how many were closed or lost; a worker
   * that is busy for a second after the end of the time closes them when it comes to it
   * @throws (as rejection) TypeError, RangeError
   */
  async shutdown(options: CancelOptions = {}): Promise<ShutdownResult> {
    return this.#control.shutdown(options);
  }

  /** Stops listening, and closes all connections. */
  async close(): Promise<void> {
    await this.#control.shutdown({ timeoutMs: 0 });
  }

  /**
   * Moves live connections from workers that have more to workers that have fewer, until they
   * differ by one at most, as far as the application allows (`context.onMove`, the handler `move`).
   *
   * @returns how many have moved
   * @throws (as rejection) ERR_TRIPOLL_CLOSED
   */
  async rebalance(): Promise<number> {
    return this.#control.rebalance();
  }

  /** Counters, for tests and diagnosis. */
  inspect(): ServerInspection {
    return this.#control.inspect();
  }

  /** Keeps the process alive (the default). */
  ref(): this {
    this.#control.listeners.ref();
    return this;
  }

  /** Does not keep the process alive. */
  unref(): this {
    this.#control.listeners.unref();
    return this;
  }

  /** Closes it, as `await using` does at the end of its block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
