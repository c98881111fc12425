import { EBADF, ENOENT, ENOTSUP } from '../binding/errnos.js';
import { closedError, systemError, unsupportedError } from '../binding/errors.js';
import { native } from '../binding/native.js';
import { Mode } from '../poller/flags.js';
import type { PollerContract } from '../poller/poller.js';
import { checkDelivers } from './consuming-files.js';
import { runEach } from './context.js';
import type { ReactorProbe } from './probe.js';
import type { EventHandler } from './registration.js';
import { Registration, type RegistrationHost, type RegistrationProfile } from './registration.js';
import { Slab } from './slab.js';

/**
 * What a turn may do before timers and the rest of the system get their turn: a unit is a handler's
 * call, or a further read or write that it makes. As many as a batch has events, so that only a
 * turn that also has leftovers, or reads in loops, is cut.
 */
const TURN_BUDGET = 1024;
/**
 * What the promises that a turn settled may do before the next: a read and a write for each event
 * of a full batch, and as much again. It only has to end a loop of reads that never have to wait.
 */
const PROMISE_BUDGET = 4 * TURN_BUDGET;
/**
 * Bytes that take as long as a unit: a call with a small message takes 2 to 5 us, and loopback
 * moves 2 to 4 GB/s. Without it a turn's units could be 64 KB each, or 4 MB through a pipe, and
 * keep Node's own loop waiting for seconds.
 */
const BYTES_PER_UNIT_SHIFT = 13;
/** Fewer bytes than this cost nothing beside their call. */
export const BYTES_PER_UNIT = 1 << BYTES_PER_UNIT_SHIFT;

/** What the registry asks of its reactor. */
export interface RegistryHost {
  readonly inTurn: boolean;
  readonly closed: boolean;
  addRef(count: number): void;
  wakeOnce(): void;
  shareCounters(): void;
}

/**
 * Who is registered, and what waits for the next turn: the face that a reactor shows to sockets,
 * and users do not see. Besides the table it has the turn's budget, work for the end of a turn, and
 * who is told that the reactor closes.
 */
export class Registry implements RegistrationHost {
  /** For the dispatcher: from a token's slot to its registration. */
  readonly slab = new Slab<Registration>();
  /**
   * For the dispatcher: of the next turn; swapped out before it runs, so that it cannot feed
   * itself.
   */
  ready: Registration[] = [];
  /** Registrations with a priority above 0; while there are none a batch runs as it comes. */
  prioritized = 0;
  /** What is left of this turn's budget. */
  budget = TURN_BUDGET;
  /** Who looks into this reactor. */
  probe: ReactorProbe | null = null;

  readonly #host: RegistryHost;
  /** What it is built on. */
  readonly poller: PollerContract;
  /** Work at the end of this turn, or of the next one when none is running. */
  private deferred: (() => void)[] = [];
  private readonly onceClosed = new Set<() => void>();

  constructor(host: RegistryHost, poller: PollerContract) {
    this.#host = host;
    this.poller = poller;
  }

  /** @throws ERR_TRIPOLL_CLOSED */
  checkOpen(): void {
    if (this.#host.closed) throw closedError('Reactor');
  }

  get hasWork(): boolean {
    return this.ready.length > 0 || this.deferred.length > 0;
  }

  // ---- the table ----

  /**
   * As `Reactor.register`, with a profile that may be shared, and arguments that are right already.
   *
   * @throws system errors; ERR_TRIPOLL_UNSUPPORTED; ERR_TRIPOLL_CLOSED
   */
  register(fd: number, interest: number, handler: EventHandler, profile: RegistrationProfile): Registration {
    this.checkOpen();
    const token = this.slab.reserve();
    const error = this.poller.add(fd, token.slot, token.generation, interest, profile.mode);
    if (error < 0) {
      this.slab.rollback(token);
      if (error === ENOTSUP)
        throw unsupportedError(`mode ${profile.mode} does not exist on backend ${this.poller.backend}`);
      throw systemError(error, 'register', { fd });
    }
    const registration = new Registration(this, token, fd, interest, handler, profile);
    this.slab.set(token, registration);
    if (profile.priority > 0) this.prioritized++;
    this.#host.addRef(1);
    if (!this.#host.inTurn) this.#host.shareCounters();
    this.probe?.registered(registration);
    return registration;
  }

  /** For `Registration`. */
  modify(registration: Registration, interest: number): void {
    const { fd, slot, generation, mode } = registration;
    if ((mode & Mode.EXCLUSIVE) !== 0) {
      throw unsupportedError('an EXCLUSIVE registration cannot be modified: deregister, and register again');
    }
    if (registration.forgetsEvents) checkDelivers(interest);
    const error = this.poller.modify(fd, slot, generation, interest, mode);
    if (error === 0) registration.noteInterest(interest);
    // Never added again: the number may be a stranger's by now (T02).
    else if (error === ENOENT || error === EBADF) this.lose(registration, error);
    else throw systemError(error, 'modify', { fd });
  }

  /** For `Registration`. */
  deregister(registration: Registration): boolean {
    this.forget(registration);
    const error = this.poller.delete(registration.fd, registration.slot, registration.generation);
    // Everything is cleaned up by now; only then is it told (T08).
    if (error < 0) throw systemError(error, 'deregister', { fd: registration.fd });
    return error === 0;
  }

  private forget(registration: Registration): void {
    registration.noteEnd();
    this.slab.remove(registration.slot);
    if (!this.#host.inTurn) this.slab.recycle();
    if (registration.priority > 0) this.prioritized--;
    if (registration.hasRef()) this.#host.addRef(-1);
    if (!this.#host.inTurn) this.#host.shareCounters();
    this.probe?.deregistered(registration);
  }

  /** Its fd was closed behind the library. */
  lose(registration: Registration, errno: number): void {
    const { fd, slot, generation } = registration;
    this.forget(registration);
    registration.noteLoss();
    // A no-op where the system has dropped it already.
    this.poller.delete(fd, slot, generation);
    const error = systemError(errno, 'poll', { fd });
    const { context } = registration.profile;
    this.defer(() => context.runInAsyncScope(tellError, null, error, registration));
  }

  /** For `Registration`. */
  addRef(count: number): void {
    this.#host.addRef(count);
  }

  /** For `Registration`. */
  withProfile(profile: RegistrationProfile): Registration[] {
    return this.slab.slots.filter((registration) => registration?.profile === profile) as Registration[];
  }

  // ---- what a turn may do, and what is left for the next ----

  /** Carries on in the next turn, without a new event from the system, where a budget cut off. */
  requeue(registration: Registration, readiness: number): void {
    this.postpone(registration, readiness);
    if (!this.#host.inTurn) this.#host.wakeOnce();
  }

  /** For the dispatcher: as `requeue`, within a turn. */
  postpone(registration: Registration, readiness: number): void {
    if (registration.pending === 0) this.ready.push(registration);
    registration.pending |= readiness;
  }

  /**
   * Takes a unit of this turn's budget; false when there is none left, and others must have theirs.
   */
  consumeBudget(): boolean {
    return --this.budget > 0;
  }

  /**
   * Takes what `bytes` cost beside the call that moved them; called for `BYTES_PER_UNIT` and more.
   */
  chargeBytes(bytes: number): void {
    this.budget -= bytes >> BYTES_PER_UNIT_SHIFT;
  }

  /** For the dispatcher: a turn begins. */
  beginTurn(): void {
    this.budget = TURN_BUDGET;
  }

  /** For the dispatcher, after all handlers of a turn: slots may be given out again. */
  endTurn(): void {
    this.slab.recycle();
    this.budget = PROMISE_BUDGET;
  }

  /** Runs `fn` when all handlers of this turn have run, or in the next turn. */
  defer(fn: () => void): void {
    if (this.deferred.push(fn) === 1) this.#host.addRef(1);
    if (this.#host.closed) this.runDeferred();
    else if (!this.#host.inTurn) this.#host.wakeOnce();
  }

  /** For the reactor: returns how many ran. */
  runDeferred(): number {
    if (this.deferred.length === 0) return 0;
    const deferred = this.deferred;
    this.deferred = [];
    this.#host.addRef(-1);
    return runEach(deferred);
  }

  // ---- the end ----

  /**
   * Calls `fn` when the reactor closes, for who has no registration to hear it by; returns what
   * takes that back.
   *
   * @throws ERR_TRIPOLL_CLOSED
   */
  onClose(fn: () => void): () => void {
    this.checkOpen();
    this.onceClosed.add(fn);
    return () => this.onceClosed.delete(fn);
  }

  /** For the reactor, which has closed: registrations end, and each handler is told. */
  abandonAll(): void {
    for (const registration of [...this.slab.slots]) {
      // One that was told before may have ended this one.
      if (registration?.active === true) this.abandon(registration);
    }
    this.ready.length = 0;
  }

  /** For the reactor, which has closed. */
  tellClosed(): void {
    const listeners = [...this.onceClosed];
    // One that was told before may have ended the wait of another.
    runEach(listeners.map((fn) => () => this.onceClosed.delete(fn) && fn()));
  }

  private abandon(registration: Registration): void {
    const { fd, slot, generation } = registration;
    this.forget(registration);
    // Who owns the fd closes it now, unless the system says that the number is no longer his (T02).
    if (this.poller.delete(fd, slot, generation) > 0) registration.noteLoss();
    if (registration.handler.onReactorClose === undefined) return;
    try {
      registration.handler.onReactorClose(registration);
    } catch (error) {
      native.fatalException(error);
    }
  }
}

/** To the handler's `onError`, else where Node takes what nobody caught. */
export function tellError(error: unknown, registration: Registration): void {
  const { handler } = registration;
  if (handler.onError === undefined) {
    native.fatalException(error);
    return;
  }
  try {
    handler.onError(error, registration);
  } catch (second) {
    native.fatalException(second);
  }
}
