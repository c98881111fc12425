import type { Reactor } from '../../reactor/reactor.js';
import type { Registration } from '../../reactor/registration.js';
import { numberOf, peerOf } from '../inspect-registrations.js';
import type { RegistrationStats } from '../registration-stats.js';
import { nameOf } from '../watchdog/origins.js';
import type { HotRegistration } from './protocol.js';

/** Of each slot: whose it was, when it was looked at, what it had then, and what that made a second. */
const Field = {
  GENERATION: 0,
  AT_MS: 1,
  CALLS: 2,
  BUSY_MS: 3,
  READ: 4,
  WRITTEN: 5,
  CALLS_PER_S: 6,
  BUSY_SHARE: 7,
  READ_PER_S: 8,
  WRITTEN_PER_S: 9,
} as const;
const FIELDS = 10;
/** Totals of a registration, and the rates of them, in the same order. */
const TOTALS = [Field.CALLS, Field.BUSY_MS, Field.READ, Field.WRITTEN];
const TOTAL_TO_RATE = Field.CALLS_PER_S - Field.CALLS;
const NOBODY = -1;
/** So many are looked at each time, in a millisecond; of more, each every second time or less often. */
const MAX_LOOKS = 4096;
/** Two clients that ask at nearly the same time get the same. */
const MIN_INTERVAL_MS = 50;
const MS_PER_SECOND = 1000;

/** How much each registration of a reactor does, by looking at them from time to time. */
export class HotRegistrations {
  readonly #reactor: Reactor;
  readonly #statsOf: (registration: Registration) => RegistrationStats | null;
  #seen = new Float64Array(0);
  #next = 0;
  #lookedMs = -Infinity;

  constructor(reactor: Reactor, statsOf: (registration: Registration) => RegistrationStats | null) {
    this.#reactor = reactor;
    this.#statsOf = statsOf;
  }

  /** Looks at those whose turn it is. */
  look(nowMs: number): void {
    if (nowMs - this.#lookedMs < MIN_INTERVAL_MS) return;
    this.#lookedMs = nowMs;
    const { slots } = this.#reactor.registry.slab;
    this.#makeRoom(slots.length);
    for (let i = 0; i < Math.min(MAX_LOOKS, slots.length); i++) {
      this.#next = this.#next + 1 < slots.length ? this.#next + 1 : 0;
      const registration = slots[this.#next];
      if (registration?.active === true) this.#lookAt(registration, nowMs);
    }
  }

  #makeRoom(slots: number): void {
    const length = slots * FIELDS;
    if (this.#seen.length >= length) return;
    const grown = new Float64Array(length * 2);
    grown.set(this.#seen);
    for (let at = this.#seen.length; at < grown.length; at += FIELDS) grown[at + Field.GENERATION] = NOBODY;
    this.#seen = grown;
  }

  #lookAt(registration: Registration, nowMs: number): void {
    const seen = this.#seen;
    const at = registration.slot * FIELDS;
    const stats = this.#statsOf(registration);
    const isNew = seen[at + Field.GENERATION] !== registration.generation;
    // Of a new one the totals are what it did since it was registered, where that is known.
    if (isNew) seen.fill(0, at, at + FIELDS);
    seen[at + Field.GENERATION] = registration.generation;
    const sinceMs = isNew ? (stats?.sinceMs ?? nowMs) : seen[at + Field.AT_MS]!;
    const seconds = (nowMs - sinceMs) / MS_PER_SECOND;
    const totals = totalsOf(registration, stats);
    TOTALS.forEach((field, i) => {
      const total = totals[i]!;
      seen[at + field + TOTAL_TO_RATE] = seconds > 0 ? (total - seen[at + field]!) / seconds : 0;
      seen[at + field] = total;
    });
    seen[at + Field.AT_MS] = nowMs;
  }

  /** Those that took most time, at most `most`; none that did nothing. */
  list(reactor: string, most: number): HotRegistration[] {
    const hottest: Registration[] = [];
    for (const registration of this.#reactor.registry.slab.slots) {
      if (registration?.active !== true || !this.#isHot(registration)) continue;
      hottest.push(registration);
      for (let i = hottest.length - 1; i > 0 && this.#isHotter(hottest[i]!, hottest[i - 1]!); i--)
        [hottest[i - 1], hottest[i]] = [hottest[i]!, hottest[i - 1]!];
      if (hottest.length > most) hottest.pop();
    }
    return hottest.map((registration) => this.#describe(reactor, registration));
  }

  #rate(registration: Registration, field: number): number {
    return this.#seen[registration.slot * FIELDS + field] ?? 0;
  }

  #isHot(registration: Registration): boolean {
    const isSeen = this.#rate(registration, Field.GENERATION) === registration.generation;
    return isSeen && this.#rate(registration, Field.CALLS_PER_S) > 0;
  }

  #isHotter(one: Registration, other: Registration): boolean {
    return this.#rate(one, Field.BUSY_SHARE) > this.#rate(other, Field.BUSY_SHARE);
  }

  #describe(reactor: string, registration: Registration): HotRegistration {
    const { fd, handler } = registration;
    return {
      ...{ reactor, fd, name: nameOf(registration), peer: peerOf(handler) },
      callsPerSecond: this.#rate(registration, Field.CALLS_PER_S),
      busyShare: this.#rate(registration, Field.BUSY_SHARE) / MS_PER_SECOND,
      readBytesPerSecond: this.#rate(registration, Field.READ_PER_S),
      writtenBytesPerSecond: this.#rate(registration, Field.WRITTEN_PER_S),
      queuedBytes: numberOf(handler, 'queuedBytes') ?? 0,
    };
  }
}

function totalsOf({ handler }: Registration, stats: RegistrationStats | null): number[] {
  const { calls = 0, busyMs = 0 } = stats ?? {};
  return [calls, busyMs, numberOf(handler, 'bytesRead') ?? 0, numberOf(handler, 'bytesWritten') ?? 0];
}
