import type { Reactor } from '../../reactor/reactor.js';
import type { AsyncFd } from './async-fd.js';
import { Resource } from '../socket/resource.js';

/** What every source of this folder takes. */
export interface SourceOptions {
  /** Default `Reactor.default`. */
  reactor?: Reactor | undefined;
}

/** Names of `SourceOptions`. */
export const SOURCE_NAMES: Readonly<Record<keyof SourceOptions, true>> = { reactor: true };

/** An object around an fd of its own. */
export abstract class FdOwner extends Resource {
  /** For what this class does not do: `ready`, `tryIo`. */
  readonly io: AsyncFd;
  /** @internal For handlers: told of the end. */
  onEnd: ((reason: Error) => void) | null = null;

  protected constructor(io: AsyncFd) {
    super();
    this.io = io;
    io.holder = this;
  }

  /** @internal For `io`. */
  onFdClosed(reason: Error): void {
    this.onClosed(reason);
  }

  /** It has ended, by `close`, with its reactor, or because its fd was lost. */
  protected onClosed(reason: Error): void {
    this.onEnd?.(reason);
  }

  /** The fd that it owns; once it is closed the number may be another's. */
  get fd(): number {
    return this.io.fd;
  }

  /** The reactor that it lives on. */
  get reactor(): Reactor {
    return this.io.reactor;
  }

  /** Whether it has been closed, by `close` or by an error. */
  get closed(): boolean {
    return this.io.closed;
  }

  /** Closes its fd; what waits is rejected with ERR_TRIPOLL_CLOSED. May be called twice. */
  close(): void {
    this.io.close();
  }

  /** Keeps the process alive (the default). */
  ref(): this {
    this.io.ref();
    return this;
  }

  /** Does not keep the process alive. */
  unref(): this {
    this.io.unref();
    return this;
  }
}
