import { closedError } from '../binding/errors.js';
import { checkInteger } from '../binding/validate.js';
import { ALL_INTERESTS } from '../poller/flags.js';
import type { EventHandler } from './event-handler.js';

/** What a registration asks of its reactor. */
export interface RegistrationHost {
  modify(registration: Registration, interest: number): void;
  deregister(registration: Registration): void;
  again(registration: Registration, readiness: number): void;
  addRef(count: number): void;
}

/** One fd's place in a reactor, as `reactor.register` returns it. */
export class Registration {
  readonly fd: number;
  readonly mode: number;
  /** 0 to 7; of one batch the higher come first. */
  readonly priority: number;
  readonly name: string | undefined;
  readonly handler: EventHandler;
  /** The token, together with `generation`. */
  readonly slot: number;
  readonly generation: number;
  /** What it waits for now, flags of `Interest`; 0 is paused. */
  interest: number;
  /** The negative errno that came with the latest event, else 0. */
  errno = 0;
  /** False after `deregister`, a lost fd, or the reactor's end. */
  active = true;

  /** The latest flags, and those that wait in the ready queue: the reactor's. */
  readiness = 0;
  pending = 0;

  #refed = true;
  readonly #host: RegistrationHost;

  constructor(
    host: RegistrationHost,
    token: { slot: number; generation: number },
    fd: number,
    interest: number,
    handler: EventHandler,
    options: { mode: number; priority: number; name: string | undefined },
  ) {
    this.#host = host;
    this.slot = token.slot;
    this.generation = token.generation;
    this.fd = fd;
    this.interest = interest;
    this.handler = handler;
    this.mode = options.mode;
    this.priority = options.priority;
    this.name = options.name;
  }

  /**
   * Waits for something else from now on; 0 pauses. It also re-enables a fired ONESHOT.
   *
   * @param interest flags of `Interest`
   * @throws TypeError, RangeError; ERR_TRIPOLL_CLOSED after `deregister`; ERR_TRIPOLL_UNSUPPORTED for an EXCLUSIVE
   * registration, which epoll cannot modify (epoll_ctl(2)). If the fd was closed behind the library, the
   * registration ends and `onError` hears ENOENT or EBADF.
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
   * Calls the handler again in the next turn, without a new event from the system: for a handler under an
   * edge mode that stopped before EAGAIN.
   */
  again(): void {
    this.#check();
    this.#host.again(this, this.readiness === 0 ? this.interest : this.readiness);
  }

  /** Keeps the process alive (the default). */
  ref(): this {
    if (!this.#refed && this.active) this.#host.addRef(1);
    this.#refed = true;
    return this;
  }

  /** Does not keep the process alive. */
  unref(): this {
    if (this.#refed && this.active) this.#host.addRef(-1);
    this.#refed = false;
    return this;
  }

  hasRef(): boolean {
    return this.#refed;
  }

  /** Ends it: no event is delivered any more. To be called before the fd is closed. May be called twice. */
  deregister(): void {
    if (this.active) this.#host.deregister(this);
  }

  [Symbol.dispose](): void {
    this.deregister();
  }

  #check(): void {
    if (!this.active) throw closedError('Registration');
  }
}
