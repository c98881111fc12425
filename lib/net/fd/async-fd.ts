import { EAGAIN, EINTR } from '../../binding/errnos.js';
import {
  busyError,
  closedError,
  detachedError,
  outOfRange,
  stateError,
  systemError,
  type TripollError,
} from '../../binding/errors.js';
import { native } from '../../binding/native.js';
import { checkBytes, checkFd, checkFunction, checkInteger, checkNames } from '../../binding/validate.js';
import { ALL_INTERESTS, Interest, Mode } from '../../poller/flags.js';
import { chooseReactor } from '../../reactor/choose-reactor.js';
import { checkCall, type CancelOptions } from '../../reactor/cancellation.js';
import { BYTES_PER_UNIT } from '../../reactor/registry.js';
import type { EventHandler, Registration } from '../../reactor/registration.js';
import type { Reactor } from '../../reactor/reactor.js';
import { Waiter } from '../../reactor/waiter.js';
import { BlockingFlag } from './blocking-flag.js';
import { followedBy, LEFTOVERS, Resource } from '../socket/resource.js';
import { detachFd, type HandleDetails, type HandleKind, type SocketHandle } from '../socket/detached.js';
import { endRegistration, giveFd, releaseFd } from '../socket/release-fd.js';

/** More than a read(2) or write(2) ever moves, on any system. */
const MAX_CHARGED_BYTES = 0x7fffffff;
/** So many calls that wait are a loop that awaits none of them. Four turns have a budget for them. */
const MAX_WAITING = 4096;

/** Options of an `AsyncFd`. */
export interface AsyncFdOptions {
  /** Default `Reactor.default`. */
  reactor?: Reactor | undefined;
  /** What may be waited for, flags of `Interest`; default READABLE and WRITABLE. */
  interest?: number | undefined;
  /** The fd is closed with this object, and at the end of the thread; default false. */
  own?: boolean | undefined;
  /**
   * Sets O_NONBLOCK, and takes it back on close if it was not set before: the flag is shared with
   * all duplicates, also of other processes, a terminal's with the shell. Of several AsyncFds of
   * this thread on one open file the last takes it back; others are not known: where they need the
   * flag too, set it yourself, and give false here. Default true.
   */
  nonBlocking?: boolean | undefined;
  /** For `inspect` and messages. */
  name?: string | undefined;
}

const NAMES: Readonly<Record<keyof AsyncFdOptions, true>> = {
  reactor: true,
  interest: true,
  own: true,
  nonBlocking: true,
  name: true,
};

/** One call on the fd that does not block: `n >= 0`, or a negative errno as `raw.sys` gives. */
export type FdCall = (fd: number) => number;

/** Somebody who waits; served in the order of coming. */
interface Waiting {
  readonly interest: number;
  /** Made for him when the fd is ready; null: he is told, and calls himself. */
  readonly call: FdCall | null;
  readonly syscall: string;
  readonly waiter: Waiter<number>;
}

/**
 * Any fd that the poller can wait for, with promises, in the sense of Tokio's AsyncFd: it remembers
 * that the fd is ready until a call through `tryIo` or `io` says EAGAIN. For handlers there is
 * `reactor.register`.
 *
 * A regular file cannot be waited for: EPERM. The fd stays yours unless `own` is set: close this
 * object before it.
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
  #waiting: Waiting[] = [];
  /** For handlers: told of every event, in its turn. */
  #watcher: { readonly interest: number; onReady(readiness: number): void } | null = null;
  /** @internal The object around it: told of the end, and asked for leftovers besides the fd. */
  holder: (Resource & { onFdClosed(reason: Error): void }) | null = null;
  /** Null while open; makes the error of what waits, and of later calls. */
  #end: (() => Error) | null = null;

  /**
   * @throws TypeError, RangeError; EBADF, EEXIST (it is registered already), EPERM (a regular file
   * or a directory); ERR_TRIPOLL_CLOSED. Whatever it throws, the fd is as it was, and yours.
   */
  constructor(fd: number, options: AsyncFdOptions = {}) {
    super();
    checkFd(fd);
    checkNames('options', options, NAMES);
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
   * Resolves when a read would not block, or has an end or an error to tell. A hint: use `tryIo`,
   * and take EAGAIN for an answer.
   *
   * @throws (as rejection) TypeError, RangeError; ERR_TRIPOLL_CLOSED; ERR_TRIPOLL_BUSY when 4096
   * calls wait; the system's error when the fd was closed behind this object; ABORT_ERR,
   * ERR_TRIPOLL_TIMEOUT
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
    checkCall(options);
    this.#checkOpen();
    // Those who wait already come first.
    const known = this.#isAwaited(interest) ? 0 : this.#ready & interest;
    // Who never has to wait shares the budget of a turn with all others (T47).
    if (known !== 0 && this.reactor.registry.consumeBudget()) return known;
    return this.#wait(interest, null, '', options);
  }

  #checkInterest(interest: number): void {
    checkInteger('interest', interest, 1, ALL_INTERESTS);
    if ((interest & ~this.#interest) !== 0) throw outOfRange('interest', 'what was registered', interest);
  }

  #checkOpen(): void {
    if (this.#end !== null) throw this.#end();
  }

  #isAwaited(interest: number): boolean {
    return this.#waiting.some((waiting) => (waiting.interest & interest) !== 0);
  }

  #wait(interest: number, call: FdCall | null, syscall: string, options: CancelOptions): Promise<number> {
    if (this.#waiting.length >= MAX_WAITING) throw busyError(`${MAX_WAITING} calls are waiting`);
    const waiter = new Waiter<number>();
    this.#waiting.push({ interest, call, syscall, waiter });
    waiter.arm(options, this.reactor, () => {
      this.#dropSettled();
      this.#updateInterestIfLevel();
    });
    this.#updateInterestIfLevel();
    // Ready, but without a budget, or behind others: no event would tell it again.
    this.#goOn(interest);
    return waiter.promise;
  }

  #dropSettled(): void {
    this.#waiting = this.#waiting.filter(({ waiter }) => !waiter.settled);
  }

  /** In the next turn, with what is known to be ready. */
  #goOn(interest: number): void {
    const known = this.#ready & interest;
    if (known !== 0 && this.#registration.active) this.reactor.registry.requeue(this.#registration, known);
  }

  /** @internal For the reactor. */
  onReady(readiness: number): void {
    this.#ready |= readiness & this.#interest;
    this.#serve();
    this.#updateInterestIfLevel();
    if (this.#watcher !== null && (this.#ready & this.#watcher.interest) !== 0) {
      this.#watcher.onReady(this.#ready & this.#watcher.interest);
    }
  }

  /**
   * Calls are made here, and not when their promises run: so nobody overtakes who came before him.
   */
  #serve(): void {
    let blocked = 0;
    for (const waiting of this.#waiting) {
      const known = this.#ready & waiting.interest & ~blocked;
      if (known === 0 || waiting.waiter.settled) continue;
      if (waiting.call === null) waiting.waiter.resolve(known);
      else if (this.reactor.registry.consumeBudget() && this.#serveOne(waiting, waiting.call)) continue;
      else {
        // Who is cut off stays the first.
        blocked |= waiting.interest;
        this.#goOn(waiting.interest);
      }
    }
    this.#dropSettled();
  }

  /** False: it is not done yet. */
  #serveOne({ interest, syscall, waiter }: Waiting, call: FdCall): boolean {
    try {
      const result = this.#attempt(interest, call);
      if (result === EAGAIN || result === EINTR) return false;
      if (result >= 0) waiter.resolve(result);
      else waiter.reject(systemError(result, syscall, { fd: this.fd }));
    } catch (error) {
      waiter.reject(error);
    }
    return true;
  }

  /**
   * @internal For sources with handlers: `onReady` is called in the turn of each event, until
   * `tryIo` has said EAGAIN.
   */
  watch(interest: number, onReady: (readiness: number) => void): void {
    this.#checkInterest(interest);
    this.#watcher = { interest, onReady };
    this.#updateInterestIfLevel();
    if ((this.#ready & interest) !== 0) this.requeue(interest);
  }

  /** @internal For sources with handlers: `onReady` is called no more. */
  unwatch(): void {
    this.#watcher = null;
    this.#updateInterestIfLevel();
  }

  /**
   * @internal For sources with handlers: goes on in the next turn, also with what was read ahead.
   */
  requeue(interest: number): void {
    if (this.#registration.active) this.reactor.registry.requeue(this.#registration, interest);
  }

  #updateInterestIfLevel(): void {
    if (this.#useEdge || !this.#registration.active) return;
    let wanted = this.#watcher?.interest ?? 0;
    for (const { interest } of this.#waiting) wanted |= interest;
    if (wanted === this.#registration.interest) return;
    try {
      this.#registration.setInterest(wanted);
    } catch (error) {
      // Nobody who waits would ever hear of anything.
      this.#finish(() => error as Error);
    }
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
    this.#checkOpen();
    return (this.#ready & interest) === 0 ? EAGAIN : this.#attempt(interest, call);
  }

  #attempt(interest: number, call: FdCall): number {
    const result = call(this.fd);
    if (result === EAGAIN) this.#ready &= ~interest;
    // Large answers are numbers of bytes, and their cost is the turn's (T47).
    if (result >= BYTES_PER_UNIT) this.reactor.registry.chargeBytes(Math.min(result, MAX_CHARGED_BYTES));
    return result;
  }

  /**
   * Forgets that the fd is ready: for I/O that did not go through `tryIo` and found that it was
   * not.
   */
  clearReady(interest: number): void {
    this.#checkInterest(interest);
    this.#ready &= ~interest;
  }

  /**
   * Waits until `call` has an answer that is not -EAGAIN (Tokio's async_io). Calls of one interest
   * are made in the order in which `io` was called, the first until it has its answer, also when
   * that takes several events.
   *
   * @param call makes one call, or several; -EINTR lets others have their turn, and is called again
   * in the next
   * @param syscall for the error's message
   * @returns n >= 0
   * @throws (as rejection) as `ready`; the system's error of `call`, or what it throws
   */
  async io(interest: number, call: FdCall, syscall: string, options: CancelOptions = {}): Promise<number> {
    this.#checkInterest(interest);
    checkFunction('call', call);
    checkCall(options);
    this.#checkOpen();
    // Level mode does not know, and just tries; but not before those who wait already.
    const mayTry = (this.#ready & interest) !== 0 || !this.#useEdge;
    if (mayTry && !this.#isAwaited(interest) && this.reactor.registry.consumeBudget()) {
      const result = this.#attempt(interest, call);
      if (result >= 0) return result;
      if (result !== EAGAIN && result !== EINTR) throw systemError(result, syscall, { fd: this.fd });
    }
    return this.#wait(interest, call, syscall, options);
  }

  /**
   * One read(2) of what there is. Several calls may wait, and are served in order: it is not known
   * here whether the fd has whole things or a byte stream, whose reader makes one call at a time.
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
    const { errno, syscall = '' } = (error ?? {}) as Partial<TripollError>;
    this.#finish(() =>
      errno === undefined ? (error as Error) : systemError(errno, syscall, { fd: this.fd }),
    );
  }

  /** @internal */
  onReactorClose(): void {
    this.#finish(() => closedError('Reactor'));
  }

  /**
   * Ends it; what waits is rejected with ERR_TRIPOLL_CLOSED. O_NONBLOCK is as before. May be called
   * twice.
   */
  close(): void {
    this.#finish(() => closedError('AsyncFd'));
  }

  /**
   * Gives the fd to another thread, or to another object of this one: this object closes without
   * closing it, and whoever waits is rejected. O_NONBLOCK is as before until it is attached.
   *
   * @returns the handle for `attach`
   * @throws (as rejection) ERR_TRIPOLL_CLOSED; ERR_TRIPOLL_STATE without `own`: then it is not this
   * object's to give
   */
  // Async: what is thrown is a rejection.
  async detach(): Promise<SocketHandle<'fd'>> {
    return Promise.resolve(this.detachAs('fd', {}));
  }

  /** @internal For who has this around its own socket. */
  detachAs<Kind extends HandleKind>(kind: Kind, details: HandleDetails): SocketHandle<Kind> {
    this.#checkOpen();
    if (!this.#own) throw stateError('it does not own its fd (own)');
    try {
      return giveFd(this.fd, this.#registration, (fd) => {
        this.#blocking?.restore();
        return detachFd(fd, kind, details);
      });
    } finally {
      this.#blocking?.forget();
      this.#endWith(() => detachedError('AsyncFd'));
    }
  }

  /**
   * @param toReason an error for each who is told: what they add to it, as `bytesWritten`, is their
   * own
   */
  #finish(toReason: () => Error): void {
    if (this.#end !== null) return;
    release(this.fd, this.#registration, this.#blocking, this.#own);
    this.#endWith(toReason);
  }

  /** @internal */
  override [LEFTOVERS](): (() => void) | null {
    if (this.#end !== null || this.#waiting.length > 0 || this.#watcher !== null) return null;
    const { fd } = this;
    const registration = this.#registration;
    const blocking = this.#blocking;
    const own = this.#own;
    const close = (): void => release(fd, registration, blocking, own);
    const closeMore = this.holder?.[LEFTOVERS]() ?? null;
    return closeMore === null ? close : followedBy(close, closeMore);
  }

  #endWith(toReason: () => Error): void {
    this.#end = toReason;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { waiter } of waiting) waiter.reject(toReason());
    this.#watcher = null;
    this.holder?.onFdClosed(toReason());
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

/** What an `AsyncFd` does at its end, which needs not the object. */
function release(fd: number, registration: Registration, blocking: BlockingFlag | null, own: boolean): void {
  const isOurs = endRegistration(registration);
  if (isOurs) blocking?.restore();
  else blocking?.forget();
  if (own) releaseFd(fd, null, !isOurs);
}
