import { EAGAIN, EINTR, ENOBUFS } from '../../binding/errnos.js';
import { busyError, systemError } from '../../binding/errors.js';
import { Interest } from '../../poller/flags.js';
import type { CancelOptions } from '../../reactor/cancellation.js';
import type { Timer } from '../../reactor/timer.js';
import { Waiter } from '../../reactor/waiter.js';
import type { AsyncFd, FdCall } from '../fd/async-fd.js';
import { MAX_REFUSALS, RETRY_MS } from '../socket/send-retry.js';

/** As many as of a UDP socket. */
const MAX_WAITING_SENDS = 1024;

/** A send that waits. */
interface WaitingSend {
  readonly waiter: Waiter<number>;
  readonly call: FdCall;
  /** Sends to one destination keep their order; a full one holds up no other. */
  readonly destination: string;
  /** No event tells when it may go. Alike for all to one destination. */
  isPolled: boolean;
  /** How often it was told ENOBUFS. */
  refusals: number;
}

/** Sends of a message socket that found no room, in the order of their calls. */
export class SendQueue {
  readonly #io: AsyncFd;
  #sends: WaitingSend[] = [];
  #isWatching = false;
  #retry: Timer | null = null;
  /** Who waits until none is left. */
  readonly #onEmpty: Waiter<void>[] = [];

  constructor(io: AsyncFd) {
    this.#io = io;
  }

  /** Whether a send to there would overtake another. */
  isAwaited(destination: string): boolean {
    return this.#sends.some((send) => send.destination === destination);
  }

  /**
   * Waits until `call` has an answer that is neither EAGAIN nor ENOBUFS.
   *
   * @param isPolled no event tells when that is: it is tried every 5 ms
   * @returns what `call` returned
   * @throws (as rejection) ERR_TRIPOLL_BUSY when 1024 wait; what `call` says or throws; what
   * `close` was given; ABORT_ERR, ERR_TRIPOLL_TIMEOUT
   */
  wait(call: FdCall, destination: string, isPolled: boolean, options: CancelOptions): Promise<number> {
    if (this.#sends.length >= MAX_WAITING_SENDS) {
      return Promise.reject(busyError(`${MAX_WAITING_SENDS} sends are waiting`));
    }
    const isPolledToo =
      isPolled || this.#sends.some((each) => each.isPolled && each.destination === destination);
    const send = { waiter: new Waiter<number>(), call, destination, isPolled: isPolledToo, refusals: 0 };
    this.#sends.push(send);
    send.waiter.arm(options, this.#io.reactor, () => this.#remove(send));
    if (isPolledToo) this.#poll();
    else if (!this.#isWatching) void this.#watch();
    return send.waiter.promise;
  }

  get isEmpty(): boolean {
    return this.#sends.length === 0;
  }

  /** Waits until none is left. @throws (as rejection) as `wait`, but for what `call` says */
  whenEmpty(options: CancelOptions): Promise<void> {
    const waiter = new Waiter<void>();
    this.#onEmpty.push(waiter);
    waiter.arm(options, this.#io.reactor, () => this.#onEmpty.splice(this.#onEmpty.indexOf(waiter), 1));
    return waiter.promise;
  }

  #remove(send: WaitingSend): void {
    this.#sends.splice(this.#sends.indexOf(send), 1);
    this.#stopIfDone();
    if (this.isEmpty) for (const waiter of this.#onEmpty.splice(0)) waiter.resolve();
  }

  #stopIfDone(): void {
    if (this.#sends.some(({ isPolled }) => isPolled)) return;
    this.#retry?.cancel();
    this.#retry = null;
  }

  #poll(): void {
    // It keeps no process alive: that is for the socket's registration to do.
    this.#retry ??= this.#io.reactor
      .setTimer(RETRY_MS, () => this.#flush(true), { repeatMs: RETRY_MS })
      .unref();
  }

  async #watch(): Promise<void> {
    this.#isWatching = true;
    try {
      await this.#io.io(Interest.WRITABLE, () => this.#flush(false), 'sendmsg');
    } catch {
      // It has closed, and `close` has rejected all.
    }
    this.#isWatching = false;
  }

  /**
   * Tries those of one kind, in order; 0 when none is left, EAGAIN when all of them are blocked,
   * EINTR to be called again.
   */
  #flush(isPolled: boolean): number {
    const blocked = new Set<string>();
    for (const send of this.#sends.filter((each) => each.isPolled === isPolled)) {
      if (send.waiter.settled || blocked.has(send.destination)) continue;
      if (!this.#io.reactor.registry.consumeBudget()) return EINTR;
      if (!this.#attempt(send)) blocked.add(send.destination);
    }
    const isBlocked = (each: WaitingSend) => each.isPolled === isPolled && blocked.has(each.destination);
    return this.#sends.some(isBlocked) ? EAGAIN : 0;
  }

  /** False when it goes on waiting. */
  #attempt(send: WaitingSend): boolean {
    let sent: number;
    try {
      sent = send.call(this.#io.fd);
      if (sent === EAGAIN || sent === EINTR || this.#holdsBack(send, sent)) return false;
    } catch (error) {
      // The buffer was detached meanwhile.
      this.#remove(send);
      send.waiter.reject(error);
      return true;
    }
    this.#remove(send);
    if (sent >= 0) {
      this.#io.reactor.registry.chargeBytes(sent);
      send.waiter.resolve(sent);
    } else send.waiter.reject(systemError(sent, 'sendmsg'));
    return true;
  }

  /** Whether it is ENOBUFS, and not for too long: then its destination is polled. */
  #holdsBack(send: WaitingSend, sent: number): boolean {
    if (sent !== ENOBUFS || ++send.refusals > MAX_REFUSALS) return false;
    for (const each of this.#sends) each.isPolled ||= each.destination === send.destination;
    this.#poll();
    return true;
  }

  /** Rejects all that wait. */
  close(reason: Error): void {
    const sends = this.#sends;
    this.#sends = [];
    this.#stopIfDone();
    for (const { waiter } of sends) waiter.reject(reason);
    for (const waiter of this.#onEmpty.splice(0)) waiter.reject(reason);
  }
}
