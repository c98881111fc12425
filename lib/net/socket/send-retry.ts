import { EAGAIN, EINTR, ENOBUFS } from '../../binding/errnos.js';
import { Readiness } from '../../poller/flags.js';
import type { Reactor } from '../../reactor/reactor.js';
import type { Timer } from '../../reactor/timer.js';

// What has found no room where no event tells of room (T62): a full Unix receiver of Linux, and
// ENOBUFS, the only word of a BSD for a full receiver or a full interface, and of any system that
// is short of memory for a stream's bytes. Such sockets are writable all the time. No system says how long to wait; libuv tries as often as its loop
// turns, which spins.

/** How soon it is tried again: a full queue of an interface empties in about as long. */
export const RETRY_MS = 5;
/**
 * ENOBUFS is given up after so many tries, ten seconds of them: a message that is longer than its
 * receiver's buffer says it for ever, and so does an interface that has stopped.
 */
export const MAX_REFUSALS = 2000;

/** Whose sends they are: it is told WRITABLE when they may be tried. */
interface Sender {
  onReady(readiness: number): void;
  onError(error: unknown): void;
}

/** Holds the sends of one socket back after an ENOBUFS. */
export class SendRetry {
  readonly #reactor: Reactor;
  readonly #sender: Sender;
  #timer: Timer | null = null;
  #refusals = 0;

  constructor(reactor: Reactor, sender: Sender) {
    this.#reactor = reactor;
    this.#sender = sender;
  }

  /** Whether it will tell its sender: to wait for a writable socket would be to spin. */
  get isWaiting(): boolean {
    return this.#timer !== null;
  }

  /** Whether what a send said means later: when the socket is writable, or when this tells. */
  goesLater(errno: number): boolean {
    if (errno !== ENOBUFS) return errno === EAGAIN || errno === EINTR;
    if (this.#timer !== null) return true;
    // Counted by our own tries, however often a handler sends meanwhile.
    if (this.#refusals >= MAX_REFUSALS) return false;
    this.#refusals++;
    // It keeps no process alive: that is for the socket's registration to do.
    this.#timer = this.#reactor.setTimer(RETRY_MS, () => this.#tell()).unref();
    return true;
  }

  #tell(): void {
    this.#timer = null;
    try {
      this.#sender.onReady(Readiness.WRITABLE);
    } catch (error) {
      this.#sender.onError(error);
    }
  }

  /** Something went out. */
  reset(): void {
    this.#refusals = 0;
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }
}
