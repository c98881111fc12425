// What the threads of one server share: who has how many connections, and those that were accepted
// by one worker and given to another.
import { closeDetached, type SocketHandle } from '../../net/socket/detached.js';
import { sharedNowMs } from '../shared-clock.js';

/** Of a place, in words of 32 bits that several threads change. */
export const Shared = {
  /** Connections that its thread has. */
  OPEN: 0,
  /** That are given to it, and that nobody has begun with. */
  GIVEN: 1,
  /** 1: it accepts, and may be given some. */
  ACTIVE: 2,
} as const;

/** Counters of a place, as doubles: its own thread writes them. */
export const Counter = {
  ACCEPTED: 0,
  /** Accepted here, and given to another. */
  HANDED_OVER: 1,
  /** Given to another that had not begun with them. */
  STOLEN: 2,
  /** Events of the listening socket. */
  WAKES: 3,
  DROPPED: 4,
  /** Live ones that came from another, and that went to one. */
  MOVED_IN: 5,
  MOVED_OUT: 6,
} as const;

/** A cache line each, of both. */
const SHARED_WORDS = 16;
const COUNTERS = 8;

/** Connections on their way at once; with more the worker that accepts keeps them. */
const SLOTS = 256;
/** Of a slot: the handle's id and key, and when it was put there. */
const SLOT_DOUBLES = 3;

// A slot's word: kind, place, round. Whoever changes it compares all three.
const FREE = 0;
/** The place fills it in. */
const FILLING = 1;
/** Given to the place; whoever claims the handle has it. */
const GIVEN = 2;
const KIND_MASK = 3;
const PLACE_SHIFT = 2;
const PLACE_MASK = 0x1ff;
const ROUND_SHIFT = 11;

const kindOf = (word: number): number => word & KIND_MASK;
const placeOf = (word: number): number => (word >>> PLACE_SHIFT) & PLACE_MASK;
const wordOf = (round: number, kind: number, place: number): number =>
  (round << ROUND_SHIFT) | (place << PLACE_SHIFT) | kind;
const nextRound = (word: number): number => (word >>> ROUND_SHIFT) + 1;

/** What a worker accepted and another is to have. */
export interface GivenSocket {
  readonly handle: SocketHandle;
  readonly slot: number;
  readonly word: number;
}

/**
 * A thread may end between any two steps (T117): none leaves something that others would wait for,
 * and what a slot of the dead has is given on by `salvage`.
 */
export class ServerMemory {
  readonly #places: number;
  readonly #kind: 'tcp' | 'unix';
  readonly #shared: Int32Array;
  readonly #counters: Float64Array;
  readonly #slots: Int32Array;
  readonly #names: Float64Array;
  #nextSlot = 0;

  constructor(memory: SharedArrayBuffer, places: number, kind: 'tcp' | 'unix') {
    this.#places = places;
    this.#kind = kind;
    const { counters, slots, names } = ServerMemory.#layout(places);
    this.#shared = new Int32Array(memory, 0, places * SHARED_WORDS);
    this.#counters = new Float64Array(memory, counters, places * COUNTERS);
    this.#slots = new Int32Array(memory, slots, SLOTS);
    this.#names = new Float64Array(memory, names, SLOTS * SLOT_DOUBLES);
  }

  static create(places: number): SharedArrayBuffer {
    return new SharedArrayBuffer(ServerMemory.#layout(places).bytes);
  }

  static #layout(places: number): { counters: number; slots: number; names: number; bytes: number } {
    const counters = places * SHARED_WORDS * Int32Array.BYTES_PER_ELEMENT;
    const slots = counters + places * COUNTERS * Float64Array.BYTES_PER_ELEMENT;
    const names = slots + SLOTS * Int32Array.BYTES_PER_ELEMENT;
    return { counters, slots, names, bytes: names + SLOTS * SLOT_DOUBLES * Float64Array.BYTES_PER_ELEMENT };
  }

  // ---- counts ----

  get(place: number, field: number): number {
    return Atomics.load(this.#shared, place * SHARED_WORDS + field);
  }

  add(place: number, field: number, by: number): void {
    Atomics.add(this.#shared, place * SHARED_WORDS + field, by);
  }

  setActive(place: number, active: boolean): void {
    Atomics.store(this.#shared, place * SHARED_WORDS + Shared.ACTIVE, active ? 1 : 0);
  }

  isActive(place: number): boolean {
    return this.get(place, Shared.ACTIVE) === 1;
  }

  count(place: number, counter: number, by = 1): void {
    this.#counters[place * COUNTERS + counter]! += by;
  }

  counted(place: number, counter: number): number {
    return this.#counters[place * COUNTERS + counter]!;
  }

  /** Connections of all, with those that nobody has begun with. */
  total(): number {
    let total = 0;
    for (let place = 0; place < this.#places; place++) total += this.#loadOf(place);
    return total;
  }

  #loadOf(place: number): number {
    return this.get(place, Shared.OPEN) + this.get(place, Shared.GIVEN);
  }

  /** The active one with the fewest connections; `own` among equals, then each in its turn. */
  leastLoaded(own: number): number {
    let best = own;
    let fewest = this.isActive(own) ? this.#loadOf(own) : Infinity;
    for (let i = 1; i < this.#places; i++) {
      const place = (own + i) % this.#places;
      if (!this.isActive(place)) continue;
      const load = this.#loadOf(place);
      if (load < fewest) [best, fewest] = [place, load];
    }
    return best;
  }

  // ---- sockets on their way ----

  /** Gives a socket to a place, whose thread has yet to be woken; false when all slots are taken. */
  give(own: number, place: number, handle: SocketHandle): boolean {
    for (let i = 0; i < SLOTS; i++) {
      const slot = (this.#nextSlot + i) % SLOTS;
      const word = Atomics.load(this.#slots, slot);
      if (kindOf(word) !== FREE) continue;
      const filling = wordOf(nextRound(word), FILLING, own);
      if (Atomics.compareExchange(this.#slots, slot, word, filling) !== word) continue;
      const at = slot * SLOT_DOUBLES;
      this.#names[at] = handle.id;
      this.#names[at + 1] = handle.key;
      this.#names[at + 2] = sharedNowMs();
      this.add(place, Shared.GIVEN, 1);
      Atomics.store(this.#slots, slot, wordOf(nextRound(filling), GIVEN, place));
      this.#nextSlot = (slot + 1) % SLOTS;
      return true;
    }
    return false;
  }

  /** Calls `fn` with each that the place was given: to be claimed, and then told to `taken`. */
  eachGiven(place: number, fn: (given: GivenSocket) => void): void {
    if (this.get(place, Shared.GIVEN) === 0) return;
    for (let slot = 0; slot < SLOTS; slot++) this.#look(slot, (owner) => owner === place, fn);
  }

  /** The same with those of others that have waited for so long. */
  eachWaiting(own: number, waitedMs: number, fn: (given: GivenSocket) => void): void {
    const beforeMs = sharedNowMs() - waitedMs;
    const isLate = (owner: number, slot: number): boolean =>
      owner !== own && this.#names[slot * SLOT_DOUBLES + 2]! <= beforeMs;
    for (let slot = 0; slot < SLOTS; slot++) this.#look(slot, isLate, fn);
  }

  #look(
    slot: number,
    isWanted: (owner: number, slot: number) => boolean,
    fn: (given: GivenSocket) => void,
  ): void {
    const word = Atomics.load(this.#slots, slot);
    if (kindOf(word) !== GIVEN || !isWanted(placeOf(word), slot)) return;
    const [id = 0, key = 0] = this.#names.subarray(slot * SLOT_DOUBLES, (slot + 1) * SLOT_DOUBLES);
    // Or else these are of another by now.
    if (Atomics.load(this.#slots, slot) !== word) return;
    fn({ handle: { kind: this.#kind, id, key }, slot, word });
  }

  /**
   * Its socket was claimed, by whomever. Not before: who ends in between has the socket, and the
   * next to look finds that out.
   */
  taken({ slot, word }: GivenSocket): void {
    const free = wordOf(nextRound(word), FREE, 0);
    if (Atomics.compareExchange(this.#slots, slot, word, free) === word)
      this.add(placeOf(word), Shared.GIVEN, -1);
  }

  /** Whether any is on its way, to this place if one is named. */
  hasGiven(place = -1): boolean {
    return this.#slots.some((_, slot) => {
      const word = Atomics.load(this.#slots, slot);
      return kindOf(word) === GIVEN && (place === -1 || placeOf(word) === place);
    });
  }

  /**
   * The thread of a place has ended. What it was given is another's now.
   *
   * @returns how many connections it had, and who is to be woken
   */
  salvage(dead: number): { open: number; told: Set<number> } {
    this.setActive(dead, false);
    const told = new Set<number>();
    for (let slot = 0; slot < SLOTS; slot++) {
      const word = Atomics.load(this.#slots, slot);
      if (kindOf(word) === FREE || placeOf(word) !== dead) continue;
      const to = this.leastLoaded(dead);
      const next =
        kindOf(word) === FILLING || to === dead
          ? wordOf(nextRound(word), FREE, 0)
          : wordOf(nextRound(word), GIVEN, to);
      if (Atomics.compareExchange(this.#slots, slot, word, next) === word && kindOf(next) === GIVEN)
        told.add(to);
    }
    this.#recount();
    const open = Atomics.exchange(this.#shared, dead * SHARED_WORDS + Shared.OPEN, 0);
    this.#counters.fill(0, dead * COUNTERS, (dead + 1) * COUNTERS);
    return { open, told };
  }

  /** Closes what nobody will begin with. */
  discardGiven(): void {
    for (let slot = 0; slot < SLOTS; slot++)
      this.#look(
        slot,
        () => true,
        (given) => {
          closeDetached(given.handle);
          this.taken(given);
        },
      );
  }

  /** The dead may have counted one that it never gave. Who counts right now may be off by one. */
  #recount(): void {
    const counts = new Array<number>(this.#places).fill(0);
    for (let slot = 0; slot < SLOTS; slot++) {
      const word = Atomics.load(this.#slots, slot);
      if (kindOf(word) === GIVEN) counts[placeOf(word)]!++;
    }
    for (const [place, count] of counts.entries())
      Atomics.store(this.#shared, place * SHARED_WORDS + Shared.GIVEN, count);
  }
}
