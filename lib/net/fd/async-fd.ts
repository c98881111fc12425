import { nowMs } from '../../binding/host-clock.js';
import { closedError, errnoOf, outOfRange, systemError } from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkBytes, checkFd, checkFunction, checkInteger, checkObject } from '../../binding/validate.js';
import { ALL_INTERESTS, Interest, Mode } from '../../poller/flags.js';
import { checkCancel, watchCancel, type CancelOptions } from '../../reactor/cancellation.js';
import { BYTES_PER_UNIT } from '../../reactor/dispatcher.js';
import type { EventHandler } from '../../reactor/event-handler.js';
import type { Reactor } from '../../reactor/reactor.js';
import type { Registration } from '../../reactor/registration.js';
import { BlockingFlag } from './blocking-flag.js';
import { Resource } from '../socket/resource.js';
import { endRegistration, releaseFd } from '../socket/release-fd.js';
import { chooseReactor } from '../stream/stream-profile.js';

const EAGAIN = errnoOf('EAGAIN');
const EINTR = errnoOf('EINTR');
/** More than a read(2) or write(2) ever moves, on any system. */
const MAX_CHARGED_BYTES = 0x7fffffff;

/** Options of an `AsyncFd`. */
export interface AsyncFdOptions {
  /** Default `Reactor.default`. */
  reactor?: Reactor | undefined;
  /** What may be waited for, flags of `Interest`; default READABLE and WRITABLE. */
  interest?: number | undefined;
  /** The fd is closed with this object, and at the end of the thread; default false. */
  own?: boolean | undefined;
  /**
   * Sets O_NONBLOCK, and takes it back on close if it was not set before: the flag is shared with every process that has
   * the same open file, a terminal's with the shell. Default true; with false, see to it yourself.
   */
  nonBlocking?: boolean | undefined;
  /** For `inspect` and messages. */
  name?: string | undefined;
}

/** One call on the fd that does not block: `n >= 0`, or a negative errno as `raw.sys` gives. */
export type FdCall = (fd: number) => number;

interface Waiter {
  readonly interest: number;
  resolve(readiness: number): void;
  reject(error: unknown): void;
  disarm: (() => void) | null;
}

/**
 * Any fd that the poller can wait for, with promises, in the sense of Tokio's AsyncFd: it remembers that the fd is ready
 * until a call through `tryIo` or `io` says EAGAIN. For handlers there is `reactor.register`.
 *
 * A regular file cannot be waited for: EPERM. The fd stays yours unless `own` is set: close this object before it.
 */
export class AsyncFd extends Resource implements EventHandler {
  /** The fd that it was given. */
  readonly fd: number;
  /** The reactor that it lives on. */
  readonly reactor: Reactor;
  readonly #registration: Registration;
  readonly #interest: number;
  readonly #useEdge: boolean;
  readonly #own: boolean;
  readonly #blocking: BlockingFlag | null;
  /** What is known to be ready, flags of `Interest`. */
  #ready = 0;
  #waiters: Waiter[] = [];
  /** For handlers: told of every event, in its turn. */
  #watcher: { readonly interest: number; onReady(readiness: number): void } | null = null;
  /** @internal For the object around it: it has ended, by whomever. */
  onClosed: ((reason: Error) => void) | null = null;
  /** Null while open; what waits, and later calls, are rejected with it. */
  #end: Error | null = null;

  /**
   * @throws TypeError, RangeError; EBADF, EEXIST (it is registered already), EPERM (a regular file or a directory);
   * ERR_TRIPOLL_CLOSED. Whatever it throws, the fd is as it was, and yours.
   */
  constructor(fd: number, options: AsyncFdOptions = {}) {
    super();
    checkFd(fd);
    checkObject('options', options);
    const { interest = Interest.READABLE | Interest.WRITABLE, own = false, name } = options;
    checkInteger('interest', interest, 1, ALL_INTERESTS);
    this.fd = fd;
    this.reactor = chooseReactor(options.reactor);
    this.#interest = interest;
    this.#own = own;
    this.#useEdge = this.reactor.supports(Mode.EDGE);
    const mode = this.#useEdge ? Mode.EDGE : Mode.LEVEL;
    // Level mode asks for what somebody waits for, as it goes.
    this.#registration = this.reactor.register(fd, this.#useEdge ? interest : 0, this, { mode, name });
    try {
      this.#blocking = options.nonBlocking === false ? null : new BlockingFlag(fd);
    } catch (error) {
      this.#registration.deregister();
      throw error;
    }
    if (own) native.ownFd(fd);
  }

  /** Whether it has been closed, by `close` or by an error. */
  get closed(): boolean {
    return this.#end !== null;
  }

  // ---- waiting ----

  /**
   * Resolves when a read would not block, or has an end or an error to tell. A hint: use `tryIo`, and take EAGAIN for an
   * answer.
   *
   * @throws (as rejection) TypeError, RangeError; ERR_TRIPOLL_CLOSED; the system's error when the fd was closed behind
   * this object; ABORT_ERR, ERR_TRIPOLL_TIMEOUT
   */
  async readable(options: CancelOptions = {}): Promise<void> {
    await this.ready(Interest.READABLE, options);
  }

  /** The same for a write. */
  async writable(options: CancelOptions = {}): Promise<void> {
    await this.ready(Interest.WRITABLE, options);
  }

  /**
   * Resolves when any of `interest` is ready, to those flags of it that are.
   *
   * @param interest flags of `Interest`, of those that the constructor was given
   */
  async ready(interest: number, options: CancelOptions = {}): Promise<number> {
    this.#checkInterest(interest);
    checkCancel(options);
    if (this.#end !== null) throw this.#end;
    // Those who wait already come first.
    const known = this.#isAwaited(interest) ? 0 : this.#ready & interest;
    // Who never has to wait shares the budget of a turn with all others (T47).
    if (known !== 0 && this.reactor.consumeBudget()) return known;
    const waiting = this.#wait(interest, options);
    if (known !== 0) this.reactor.requeue(this.#registration, known);
    return waiting;
  }

  #checkInterest(interest: number): void {
    checkInteger('interest', interest, 1, ALL_INTERESTS);
    if ((interest & ~this.#interest) !== 0) throw outOfRange('interest', 'what was registered', interest);
  }

  #isAwaited(interest: number): boolean {
    return this.#waiters.some((waiter) => (waiter.interest & interest) !== 0);
  }

  #wait(interest: number, options: CancelOptions): Promise<number> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { interest, resolve, reject, disarm: null };
      this.#waiters.push(waiter);
      if (options.signal !== undefined || options.timeoutMs !== undefined) {
        waiter.disarm = watchCancel(options, this.reactor, (error) => {
          this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
          this.#updateInterestIfLevel();
          reject(error);
        });
      }
      this.#updateInterestIfLevel();
    });
  }

  /** @internal For the reactor. */
  onReady(readiness: number): void {
    this.#ready |= readiness & this.#interest;
    const waiters = this.#waiters;
    this.#waiters = waiters.filter(({ interest }) => (interest & this.#ready) === 0);
    for (const { interest, resolve, disarm } of waiters) {
      if ((interest & this.#ready) === 0) continue;
      disarm?.();
      resolve(interest & this.#ready);
    }
    this.#updateInterestIfLevel();
    if (this.#watcher !== null && (this.#ready & this.#watcher.interest) !== 0) {
      this.#watcher.onReady(this.#ready & this.#watcher.interest);
    }
  }

  /** @internal For sources with handlers: calls `onReady` in the turn of each event, until `tryIo` says EAGAIN. */
  watch(interest: number, onReady: (readiness: number) => void): void {
    this.#checkInterest(interest);
    this.#watcher = { interest, onReady };
    this.#updateInterestIfLevel();
    if ((this.#ready & interest) !== 0) this.requeue(interest);
  }

  /** @internal For sources with handlers: goes on in the next turn. Level mode hears again anyway. */
  requeue(interest: number): void {
    if (this.#useEdge && this.#registration.active) this.reactor.requeue(this.#registration, interest);
  }

  #updateInterestIfLevel(): void {
    if (this.#useEdge || !this.#registration.active) return;
    let wanted = this.#watcher?.interest ?? 0;
    for (const { interest } of this.#waiters) wanted |= interest;
    if (wanted !== this.#registration.interest) this.#registration.setInterest(wanted);
  }

  // ---- I/O ----

  /**
   * Calls `call` if the fd is known to be ready, and forgets that it is when the answer is -EAGAIN.
   *
   * @param interest what `call` needs, a flag of `Interest`
   * @returns what `call` returned; -EAGAIN without a call when the fd is not known to be ready
   * @throws TypeError, RangeError; ERR_TRIPOLL_CLOSED; what `call` throws
   */
  tryIo(interest: number, call: FdCall): number {
    this.#checkInterest(interest);
    checkFunction('call', call);
    if (this.#end !== null) throw this.#end;
    return (this.#ready & interest) === 0 ? EAGAIN : this.#attempt(interest, call);
  }

  #attempt(interest: number, call: FdCall): number {
    const result = call(this.fd);
    if (result === EAGAIN) this.#ready &= ~interest;
    // Large answers are numbers of bytes, and their cost is the turn's (T47).
    if (result >= BYTES_PER_UNIT) this.reactor.chargeBytes(Math.min(result, MAX_CHARGED_BYTES));
    return result;
  }

  /** Forgets that the fd is ready: for I/O that did not go through `tryIo` and found that it was not. */
  clearReady(interest: number): void {
    this.#checkInterest(interest);
    this.#ready &= ~interest;
  }

  /**
   * Waits until `call` has an answer that is not -EAGAIN (Tokio's async_io).
   *
   * @param syscall for the error's message
   * @returns n >= 0
   * @throws (as rejection) as `ready`; the system's error of `call`, or what it throws
   */
  async io(interest: number, call: FdCall, syscall: string, options: CancelOptions = {}): Promise<number> {
    this.#checkInterest(interest);
    checkFunction('call', call);
    checkCancel(options);
    const endMs = options.timeoutMs === undefined ? Infinity : nowMs() + options.timeoutMs;
    for (;;) {
      if (this.#end !== null) throw this.#end;
      // Level mode does not know, and just tries; but not before those who wait already.
      const mayTry = (this.#ready & interest) !== 0 || !this.#useEdge;
      const result =
        mayTry && !this.#isAwaited(interest) && this.reactor.consumeBudget()
          ? this.#attempt(interest, call)
          : EAGAIN;
      if (result >= 0) return result;
      if (result !== EAGAIN && result !== EINTR) throw systemError(result, syscall, { fd: this.fd });
      const leftMs = endMs - nowMs();
      await this.ready(
        interest,
        endMs === Infinity ? options : { ...options, timeoutMs: Math.max(0, leftMs) },
      );
    }
  }

  /**
   * One read(2) of what there is.
   *
   * @returns how many bytes came; 0 at the end
   * @throws (as rejection) as `io`; RangeError for an empty buffer
   */
  async read(buffer: Uint8Array, options?: CancelOptions): Promise<number> {
    checkBytes('buffer', buffer);
    checkInteger('buffer.length', buffer.length, 1, 0x7fffffff);
    return this.io(Interest.READABLE, (fd) => native.read(fd, buffer, 0, buffer.length), 'read', options);
  }

  /** One write(2): how many bytes of `buffer` were taken. */
  async write(buffer: Uint8Array, options?: CancelOptions): Promise<number> {
    checkBytes('buffer', buffer);
    return this.io(Interest.WRITABLE, (fd) => native.write(fd, buffer, 0, buffer.length), 'write', options);
  }

  // ---- the end ----

  /** @internal For the reactor: what `onReady` threw, or the fd is lost (T02). */
  onError(error: unknown): void {
    this.#finish(error as Error);
  }

  /** @internal */
  onReactorClose(): void {
    this.#finish(closedError('Reactor'));
  }

  /** Ends it; what waits is rejected with ERR_TRIPOLL_CLOSED. O_NONBLOCK is as before. May be called twice. */
  close(): void {
    this.#finish(closedError('AsyncFd'));
  }

  #finish(reason: Error): void {
    if (this.#end !== null) return;
    this.#end = reason;
    const isOurs = endRegistration(this.#registration);
    if (isOurs) this.#blocking?.restore();
    else this.#blocking?.forget();
    if (this.#own) releaseFd(this.fd, null, !isOurs);
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const { reject, disarm } of waiters) {
      disarm?.();
      reject(reason);
    }
    this.#watcher = null;
    this.onClosed?.(reason);
  }

  /** Keeps the process alive (the default). */
  ref(): this {
    this.#registration.ref();
    return this;
  }

  /** Does not keep the process alive. */
  unref(): this {
    this.#registration.unref();
    return this;
  }
}
