import { EBADF, ENOENT } from '../binding/errnos.js';
import { WORDS_PER_EVENT } from '../poller/events.js';
import { ERRNO_SHIFT, HINTS, Readiness } from '../poller/flags.js';
import type { PollerContract } from '../poller/poller.js';
import { HIGHEST_PRIORITY } from './options.js';
import type { Registration } from './registration.js';
import { tellError, type Registry } from './registry.js';

/** The initiation dispatcher: the loop that takes each event from its token to its handler. */
export class Dispatcher {
  events = 0;
  staleEvents = 0;
  /** Events of what their registration did not wait for. */
  spuriousEvents = 0;
  handlerCalls = 0;
  /** Turns whose budget was used up. */
  exhaustedTurns = 0;

  private readonly registry: Registry;
  private readonly poller: PollerContract;

  constructor(registry: Registry, poller: PollerContract) {
    this.registry = registry;
    this.poller = poller;
  }

  /**
   * Delivers what waits and what the poller found, as far as the budget goes. Returns how many
   * handlers ran.
   */
  dispatch(count: number): number {
    this.registry.beginTurn();
    const ran = this.registry.prioritized > 0 ? this.dispatchByPriority(count) : this.dispatchInOrder(count);
    this.handlerCalls += ran;
    if (this.registry.budget <= 0) this.exhaustedTurns++;
    return ran;
  }

  /**
   * The dispatch loop: leftovers first, then the batch; from a token to its handler, stale tokens
   * left out.
   */
  private dispatchInOrder(count: number): number {
    let ran = this.registry.ready.length > 0 ? this.dispatchReady() : 0;
    const { slots } = this.registry.slab;
    const { words } = this.poller.events;
    for (let at = 0, end = count * WORDS_PER_EVENT; at < end; at += WORDS_PER_EVENT) {
      const registration = slots[words[at] as number];
      if (registration === undefined || registration.generation !== words[at + 1]) this.staleEvents++;
      else if (this.registry.budget <= 0) this.registry.postpone(registration, words[at + 2] as number);
      else ran += this.deliver(registration, words[at + 2] as number);
    }
    this.events += count;
    return ran;
  }

  private dispatchReady(): number {
    const ready = this.registry.ready;
    this.registry.ready = [];
    let [ran, at] = [0, 0];
    for (; at < ready.length && this.registry.budget > 0; at++) {
      const registration = ready[at] as Registration;
      if (registration.active) ran += this.deliver(registration, takePending(registration));
    }
    // Before those that have had their turn and ask again, or these would always be the first
    // (T58).
    if (at < ready.length)
      this.registry.ready = ready
        .slice(at)
        .filter(({ active }) => active)
        .concat(this.registry.ready);
    return ran;
  }

  /**
   * The same by priority: all are sorted into one bucket a priority, leftovers before the batch.
   * What the budget passes over grows a priority each turn, so that the lowest comes first after
   * seven at the latest (T58).
   */
  private dispatchByPriority(count: number): number {
    const buckets: Registration[][] = Array.from({ length: HIGHEST_PRIORITY + 1 }, () => []);
    const ready = this.registry.ready;
    this.registry.ready = [];
    for (const registration of ready) {
      if (registration.active) buckets[rank(registration)]?.push(registration);
    }
    const { slots } = this.registry.slab;
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
        else if (this.registry.budget <= 0) {
          registration.growOlder();
          passedOver.push(registration);
        } else ran += this.deliver(registration, takePending(registration));
      }
    }
    this.registry.ready = passedOver.concat(this.registry.ready);
    return ran;
  }

  /** What a driver's thread had taken when it ended: the system would not tell it again (T58). */
  postponeBatch(count: number): void {
    const { slots } = this.registry.slab;
    const { words } = this.poller.events;
    for (let at = 0, end = count * WORDS_PER_EVENT; at < end; at += WORDS_PER_EVENT) {
      const registration = slots[words[at] as number];
      if (registration === undefined || registration.generation !== words[at + 1]) this.staleEvents++;
      else this.registry.postpone(registration, words[at + 2] as number);
    }
    this.events += count;
  }

  /** One event to one handler; whatever it throws, the next one still runs. */
  private deliver(registration: Registration, record: number): number {
    this.registry.budget--;
    const errno = record >>> ERRNO_SHIFT;
    if (errno !== 0 && (-errno === EBADF || -errno === ENOENT) && (record & Readiness.ERROR) !== 0) {
      registration.noteEvent(record, errno);
      this.registry.lose(registration, -errno);
      return 1;
    }
    const readiness = record & (registration.interest | HINTS);
    // What it did not ask for, as when it was paused after the wait.
    if (readiness === 0) {
      this.spuriousEvents++;
      return 0;
    }
    registration.noteEvent(readiness, errno);
    const { probe } = this.registry;
    probe?.handlerStart(registration, readiness);
    registration.profile.context.runInAsyncScope(this.callHandler, this, registration, readiness);
    probe?.handlerEnd(registration, readiness);
    return 1;
  }

  private callHandler(registration: Registration, readiness: number): void {
    try {
      registration.handler.onReady(readiness, registration);
    } catch (error) {
      tellError(error, registration);
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
