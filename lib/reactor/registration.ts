import type { AsyncResource } from 'node:async_hooks';
import { closedError } from '../binding/errors.js';
import { checkInteger } from '../binding/validate.js';
import { ALL_INTERESTS } from '../poller/flags.js';
import type { Token } from './slab.js';

/** Receives the events of a registration: the event handler of the Reactor pattern. */
export interface EventHandler {
  /**
   * The fd is ready. `readiness` has flags of `Readiness`: those of the interest, and hints. It may
   * be spurious: do the I/O without blocking, and take EAGAIN for an answer.
   */
  onReady(readiness: number, registration: Registration): void;
  /**
   * What `onReady` threw, or the system error of a registration that is lost because its fd was
   * closed behind the library (it is deregistered already). Without it the error is an
   * `uncaughtException`.
   */
  onError?(error: unknown, registration: Registration): void;
  /** The reactor was closed under this registration: the owner of the fd closes it now. */
  onReactorClose?(registration: Registration): void;
}

/** What a registration asks of its reactor. */
export interface RegistrationHost {
  modify(registration: Registration, interest: number): void;
  deregister(registration: Registration): boolean;
  requeue(registration: Registration, readiness: number): void;
  addRef(count: number): void;
  withProfile(profile: RegistrationProfile): Registration[];
}

/** What does not change, and may be shared: all connections of a listener have one. */
export interface RegistrationProfile {
  /** One of `Mode`. */
  readonly mode: number;
  /** 0 to 7. */
  readonly priority: number;
  /** For `inspect` and messages. */
  readonly name: string | undefined;
  /** Handlers run in the context in which this was made (AsyncLocalStorage). */
  readonly context: AsyncResource;
}

// An idle connection is small: what a registration remembers is packed into one number.
const INTEREST_MASK = 0b111;
const ACTIVE = 1 << 3;
const REFED = 1 << 4;
const READINESS_SHIFT = 5;
const READINESS_MASK = 0b111111;
const AGE_SHIFT = 11;
const AGE_MASK = 0b111;
const LOST = 1 << 14;
const FORGETS = 1 << 15;
const ERRNO_SHIFT = 16;

/** One fd's place in a reactor, as `reactor.register` returns it. */
export class Registration {
  /** The fd that was registered. */
  readonly fd: number;
  /** @internal Sockets hand a registration on: who connects it is not who uses it. */
  handler: EventHandler;
  /** @internal The token, together with `generation`. */
  readonly slot: number;
  /** @internal */
  readonly generation: number;
  /** @internal */
  readonly profile: RegistrationProfile;
  /** @internal The event that waits in the ready queue, 0 when none does: the reactor's. */
  pending = 0;

  #bits: number;
  readonly #host: RegistrationHost;

  /** @internal */
  constructor(
    host: RegistrationHost,
    token: Token,
    fd: number,
    interest: number,
    handler: EventHandler,
    profile: RegistrationProfile,
  ) {
    this.#host = host;
    this.slot = token.slot;
    this.generation = token.generation;
    this.fd = fd;
    this.handler = handler;
    this.profile = profile;
    this.#bits = interest | ACTIVE | REFED;
  }

  /** @internal For listeners: all of its reactor that share `profile`. It looks at every one. */
  findWithProfile(profile: RegistrationProfile): Registration[] {
    return this.#host.withProfile(profile);
  }

  /** What it waits for now, flags of `Interest`; 0 is paused. */
  get interest(): number {
    return this.#bits & INTEREST_MASK;
  }

  /** One of `Mode`. */
  get mode(): number {
    return this.profile.mode;
  }

  /** 0 to 7; of one turn the higher come first. */
  get priority(): number {
    return this.profile.priority;
  }

  /** What it was named at `register`; undefined without a name. */
  get name(): string | undefined {
    return this.profile.name;
  }

  /** False after `deregister`, a lost fd, or the reactor's end. */
  get active(): boolean {
    return (this.#bits & ACTIVE) !== 0;
  }

  /** Its fd was closed behind the library: the number may be a stranger's by now. */
  get lost(): boolean {
    return (this.#bits & LOST) !== 0;
  }

  /** The negative errno that came with the latest event, else 0. */
  get errno(): number {
    return -(this.#bits >>> ERRNO_SHIFT);
  }

  /**
   * Waits for something else from now on; 0 pauses. It also re-enables a fired ONESHOT.
   *
   * @param interest flags of `Interest`
   * @throws TypeError, RangeError; ERR_TRIPOLL_CLOSED after `deregister`; ERR_TRIPOLL_UNSUPPORTED
   * for an EXCLUSIVE registration, which epoll cannot modify (epoll_ctl(2)). If the fd was closed
   * behind the library, the registration ends and `onError` hears ENOENT or EBADF.
   */
  setInterest(interest: number): void {
    checkInteger('interest', interest, 0, ALL_INTERESTS);
    this.#check();
    this.#host.modify(this, interest);
  }

  /** Re-enables a fired ONESHOT registration with the interest it has. */
  rearm(): void {
    this.#check();
    this.#host.modify(this, this.interest);
  }

  /**
   * Calls the handler again in the next turn, without a new event from the system: for a handler
   * under an edge mode that stopped before EAGAIN.
   */
  again(): void {
    this.#check();
    const readiness = (this.#bits >>> READINESS_SHIFT) & READINESS_MASK;
    this.#host.requeue(this, readiness === 0 ? this.interest : readiness);
  }

  /** Keeps the process alive (the default). */
  ref(): this {
    if (!this.hasRef() && this.active) this.#host.addRef(1);
    this.#bits |= REFED;
    return this;
  }

  /** Does not keep the process alive. */
  unref(): this {
    if (this.hasRef() && this.active) this.#host.addRef(-1);
    this.#bits &= ~REFED;
    return this;
  }

  /** Whether it keeps the process alive. */
  hasRef(): boolean {
    return (this.#bits & REFED) !== 0;
  }

  /**
   * Ends it: no event is delivered any more. To be called before the fd is closed. May be called
   * twice.
   *
   * @returns whether the fd is still the one that was registered: on false its number may be a
   * stranger's by now, and is not yours to close
   */
  deregister(): boolean {
    return this.active && this.#host.deregister(this);
  }

  /** Deregisters it, as `using` does at the end of its block. */
  [Symbol.dispose](): void {
    this.deregister();
  }

  // ---- the reactor's side ----

  /** @internal For the reactor: the system waits for this now. */
  noteInterest(interest: number): void {
    this.#bits = (this.#bits & ~INTEREST_MASK) | interest;
  }

  /** @internal For the reactor: it has ended. */
  noteEnd(): void {
    this.#bits &= ~ACTIVE;
    this.pending = 0;
  }

  /**
   * @internal For the reactor: under the nested driver its file would forget a PRIORITY event
   * (T81).
   */
  get forgetsEvents(): boolean {
    return (this.#bits & FORGETS) !== 0;
  }

  /** @internal */
  noteForgetful(): void {
    this.#bits |= FORGETS;
  }

  /** @internal For the reactor: its fd is not the one that was registered. */
  noteLoss(): void {
    this.#bits |= LOST;
  }

  /** @internal For the reactor: an event is being delivered. */
  noteEvent(readiness: number, errno: number): void {
    const kept = this.#bits & (INTEREST_MASK | ACTIVE | REFED | FORGETS);
    this.#bits = kept | ((readiness & READINESS_MASK) << READINESS_SHIFT) | (errno << ERRNO_SHIFT);
  }

  /** @internal For the reactor: how many turns its event has been passed over, at most 7. */
  get age(): number {
    return (this.#bits >>> AGE_SHIFT) & AGE_MASK;
  }

  /** @internal */
  growOlder(): void {
    if (this.age < AGE_MASK) this.#bits += 1 << AGE_SHIFT;
  }

  #check(): void {
    if (!this.active) throw closedError('Registration');
  }
}
