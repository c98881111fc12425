import { errnoOf, systemError, unsupportedError } from '../binding/errors.js';
import { native } from '../binding/native.js';
import { WORDS_PER_EVENT } from '../poller/events.js';
import { ERRNO_SHIFT, HINTS, Mode, Readiness } from '../poller/flags.js';
import type { PollerContract } from '../poller/poller.js';
import type { EventHandler } from './registration.js';
import { checkDelivers } from './consuming-files.js';
import { HIGHEST_PRIORITY } from './options.js';
import { Registration, type RegistrationHost, type RegistrationProfile } from './registration.js';
import { Slab } from './slab.js';

/**
 * What a turn may do before timers and the rest of the system get their turn: a unit is a handler's call, or
 * a further read or write that it makes. As many as a batch has events, so that only a turn that also has
 * leftovers, or reads in loops, is cut.
 */
const TURN_BUDGET = 1024;
/**
 * What the promises that a turn settled may do before the next: a read and a write for each event of a full batch,
 * and as much again. It only has to end a loop of reads that never have to wait.
 */
const PROMISE_BUDGET = 4 * TURN_BUDGET;
/**
 * Bytes that take as long as a unit: a call with a small message takes 2 to 5 us, and loopback moves 2 to 4 GB/s. Without it
 * a turn's units could be 64 KB each, or 4 MB through a pipe, and keep Node's own loop waiting for seconds.
 */
const BYTES_PER_UNIT_SHIFT = 13;
/** Fewer bytes than this cost nothing beside their call. */
export const BYTES_PER_UNIT = 1 << BYTES_PER_UNIT_SHIFT;

const EBADF = errnoOf('EBADF');
const ENOENT = errnoOf('ENOENT');
const ENOTSUP = errnoOf('ENOTSUP');

/** What the dispatcher asks of its reactor. */
export interface DispatcherHost {
  readonly inTurn: boolean;
  addRef(count: number): void;
  defer(fn: () => void): void;
  wakeOnce(): void;
}

/**
 * The initiation dispatcher: who is registered, and the loop that takes each event from its token to its
 * handler.
 */
export class Dispatcher implements RegistrationHost {
  events = 0;
  staleEvents = 0;

  readonly #host: DispatcherHost;
  private readonly poller: PollerContract;
  private readonly slab = new Slab<Registration>();
  /** Of the next turn; swapped out before it runs, so that it cannot feed itself. */
  private ready: Registration[] = [];
  /** Registrations with a priority above 0; while there are none a batch runs as it comes. */
  private prioritized = 0;
  /** What is left of this turn's budget. */
  private budget = TURN_BUDGET;

  constructor(host: DispatcherHost, poller: PollerContract) {
    this.#host = host;
    this.poller = poller;
  }

  get registrations(): number {
    return this.slab.size;
  }

  /** Registrations whose event waits for the next turn. */
  get readyCount(): number {
    return this.ready.length;
  }

  /** For `Registration`. */
  addRef(count: number): void {
    this.#host.addRef(count);
  }

  /** For `Registration`. */
  withProfile(profile: RegistrationProfile): Registration[] {
    return this.slab.slots.filter((registration) => registration?.profile === profile) as Registration[];
  }

  // ---- the table ----

  /** Arguments are right already. @throws system errors, ERR_TRIPOLL_UNSUPPORTED */
  register(fd: number, interest: number, handler: EventHandler, profile: RegistrationProfile): Registration {
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
    return registration;
  }

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
  }

  private lose(registration: Registration, errno: number): void {
    const { fd, slot, generation } = registration;
    this.forget(registration);
    registration.noteLoss();
    // A no-op where the system has dropped it already.
    this.poller.delete(fd, slot, generation);
    const error = systemError(errno, 'poll', { fd });
    const { context } = registration.profile;
    this.#host.defer(() => context.runInAsyncScope(this.tell, this, error, registration));
  }

  /** For `Registration`, and for sockets that carry on where a budget cut them off. */
  requeue(registration: Registration, readiness: number): void {
    if (registration.pending === 0) this.ready.push(registration);
    registration.pending |= readiness;
    if (!this.#host.inTurn) this.#host.wakeOnce();
  }

  /** All of them end; each handler is told. */
  abandonAll(): void {
    for (const registration of [...this.slab.slots]) {
      // One that was told before may have ended this one.
      if (registration?.active === true) this.abandon(registration);
    }
    this.ready.length = 0;
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

  // ---- the loop ----

  /** Delivers what waits and what the poller found, as far as the budget goes. Returns how many handlers ran. */
  dispatch(count: number): number {
    this.budget = TURN_BUDGET;
    return this.prioritized > 0 ? this.dispatchByPriority(count) : this.dispatchInOrder(count);
  }

  /** After all handlers of a turn: slots may be given out again. */
  endTurn(): void {
    this.slab.recycle();
    this.budget = PROMISE_BUDGET;
  }

  /** The dispatch loop: leftovers first, then the batch; from a token to its handler, stale tokens left out. */
  private dispatchInOrder(count: number): number {
    let ran = this.ready.length > 0 ? this.dispatchReady() : 0;
    const { slots } = this.slab;
    const { words } = this.poller.events;
    for (let at = 0, end = count * WORDS_PER_EVENT; at < end; at += WORDS_PER_EVENT) {
      const registration = slots[words[at] as number];
      if (registration === undefined || registration.generation !== words[at + 1]) this.staleEvents++;
      else if (this.budget <= 0) this.postpone(registration, words[at + 2] as number);
      else ran += this.deliver(registration, words[at + 2] as number);
    }
    this.events += count;
    return ran;
  }

  private dispatchReady(): number {
    const ready = this.ready;
    this.ready = [];
    let [ran, at] = [0, 0];
    for (; at < ready.length && this.budget > 0; at++) {
      const registration = ready[at] as Registration;
      if (registration.active) ran += this.deliver(registration, takePending(registration));
    }
    // Before those that have had their turn and ask again, or these would always be the first (T58).
    if (at < ready.length)
      this.ready = ready
        .slice(at)
        .filter(({ active }) => active)
        .concat(this.ready);
    return ran;
  }

  /**
   * The same by priority: all are sorted into one bucket a priority, leftovers before the batch. What the budget
   * passes over grows a priority each turn, so that the lowest comes first after seven at the latest (T58).
   */
  private dispatchByPriority(count: number): number {
    const buckets: Registration[][] = Array.from({ length: HIGHEST_PRIORITY + 1 }, () => []);
    const ready = this.ready;
    this.ready = [];
    for (const registration of ready) {
      if (registration.active) buckets[rank(registration)]?.push(registration);
    }
    const { slots } = this.slab;
    const { words } = this.poller.events;
    for (let at = 0, end = count * WORDS_PER_EVENT; at < end; at += WORDS_PER_EVENT) {
      const registration = slots[words[at] as number];
      if (registration === undefined || registration.generation !== words[at + 1]) this.staleEvents++;
      else {
        if (registration.pending === 0) buckets[rank(registration)]?.push(registration);
        registration.pending |= words[at + 2] as number;
      }
    }
    this.events += count;
    return this.runBuckets(buckets);
  }

  private runBuckets(buckets: readonly (readonly Registration[])[]): number {
    let ran = 0;
    const passedOver: Registration[] = [];
    for (let priority = HIGHEST_PRIORITY; priority >= 0; priority--) {
      for (const registration of buckets[priority] ?? []) {
        // Looked at again just before: an earlier handler may have ended it (T52).
        if (!registration.active) this.staleEvents++;
        else if (this.budget <= 0) {
          registration.growOlder();
          passedOver.push(registration);
        } else ran += this.deliver(registration, takePending(registration));
      }
    }
    this.ready = passedOver.concat(this.ready);
    return ran;
  }

  /** What a driver's thread had taken when it ended: the system would not tell it again (T58). */
  postponeBatch(count: number): void {
    const { slots } = this.slab;
    const { words } = this.poller.events;
    for (let at = 0, end = count * WORDS_PER_EVENT; at < end; at += WORDS_PER_EVENT) {
      const registration = slots[words[at] as number];
      if (registration === undefined || registration.generation !== words[at + 1]) this.staleEvents++;
      else this.postpone(registration, words[at + 2] as number);
    }
    this.events += count;
  }

  /** To the next turn, without a new event from the system. */
  private postpone(registration: Registration, record: number): void {
    if (registration.pending === 0) this.ready.push(registration);
    registration.pending |= record;
  }

  /** For sockets: takes a unit of this turn's budget; false when there is none left, and others must have theirs. */
  consumeBudget(): boolean {
    return --this.budget > 0;
  }

  /** For sockets: takes what `bytes` cost beside the call that moved them. */
  chargeBytes(bytes: number): void {
    this.budget -= bytes >> BYTES_PER_UNIT_SHIFT;
  }

  /** One event to one handler; whatever it throws, the next one still runs. */
  private deliver(registration: Registration, record: number): number {
    this.budget--;
    const errno = record >>> ERRNO_SHIFT;
    if (errno !== 0 && (-errno === EBADF || -errno === ENOENT) && (record & Readiness.ERROR) !== 0) {
      registration.noteEvent(record, errno);
      this.lose(registration, -errno);
      return 1;
    }
    const readiness = record & (registration.interest | HINTS);
    // What it did not ask for, as when it was paused after the wait.
    if (readiness === 0) return 0;
    registration.noteEvent(readiness, errno);
    registration.profile.context.runInAsyncScope(this.callHandler, this, registration, readiness);
    return 1;
  }

  private callHandler(registration: Registration, readiness: number): void {
    try {
      registration.handler.onReady(readiness, registration);
    } catch (error) {
      this.tell(error, registration);
    }
  }

  /** To the handler's `onError`, else where Node takes what nobody caught. */
  private tell(error: unknown, registration: Registration): void {
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
}

function rank(registration: Registration): number {
  return Math.min(HIGHEST_PRIORITY, registration.priority + registration.age);
}

function takePending(registration: Registration): number {
  const { pending } = registration;
  registration.pending = 0;
  return pending;
}
