import type { Registration } from './registration.js';

/** Whom a registration calls: the event handler of the Reactor pattern. */
export interface EventHandler {
  /**
   * The fd is ready. `readiness` has flags of `Readiness`: those of the interest, and hints. It may be
   * spurious: do the I/O without blocking, and take EAGAIN for an answer.
   */
  onReady(readiness: number, registration: Registration): void;
  /**
   * What `onReady` threw, or the system error of a registration that is lost because its fd was closed
   * behind the library (it is deregistered already). Without it the error is an `uncaughtException`.
   */
  onError?(error: unknown, registration: Registration): void;
  /** The reactor was closed under this registration: the owner of the fd closes it now. */
  onReactorClose?(registration: Registration): void;
}
