/**
 * A hierarchical timing wheel: nine levels of 64 slots, a tick of one millisecond at the lowest
 * (Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987; the shape is Tokio's). Insert
 * and remove are O(1), and so is finding the next expiry. It has no clock: callers say what tick it
 * is.
 */
const LEVEL_BITS = 6;
const SLOTS_PER_LEVEL = 1 << LEVEL_BITS;
/**
 * 64^9 is 2^54, more than a double counts: whatever a tick is, it has its place, and none is sorted
 * in twice.
 */
const LEVELS = 9;

/** What the wheel holds: extend it. An entry is in one wheel at a time. */
export class WheelEntry {
  /** @internal When it is due, in ticks. */
  expiryTick = 0;
  /** @internal Where it hangs: level * 64 + slot, `DUE`, or -1 when it is in no wheel. */
  place = -1;
  /** @internal */
  previous: WheelEntry | null = null;
  /** @internal */
  next: WheelEntry | null = null;
}

const DUE = LEVELS * SLOTS_PER_LEVEL;

export class TimingWheel {
  /** How many entries wait. */
  size = 0;
  /** All up to and with this tick has been taken. */
  #nowTick: number;
  /** First and last entry of each slot, and of those that are due. */
  readonly #heads: (WheelEntry | null)[] = new Array<WheelEntry | null>(DUE + 1).fill(null);
  readonly #tails: (WheelEntry | null)[] = new Array<WheelEntry | null>(DUE + 1).fill(null);
  /** Occupied slots, two 32-bit words a level. */
  readonly #occupied = new Int32Array(LEVELS * 2);

  constructor(nowTick: number) {
    this.#nowTick = Math.floor(nowTick);
  }

  /** Entries of one tick expire in the order in which they were inserted. */
  insert(entry: WheelEntry, expiryTick: number): void {
    entry.expiryTick = expiryTick;
    this.#place(entry);
    this.size++;
  }

  /** False when it was in no wheel. */
  remove(entry: WheelEntry): boolean {
    if (entry.place < 0) return false;
    this.#unlink(entry);
    this.size--;
    return true;
  }

  /** No entry is due before this tick; -1 when none waits. It may be early, never late. */
  nextTick(): number {
    if (this.size === 0) return -1;
    if (this.#heads[DUE] !== null) return this.#nowTick;
    for (let level = 0; level < LEVELS; level++) {
      const start = this.#slotStart(level);
      if (start >= 0) return start;
    }
    return -1;
  }

  /**
   * Moves on to `tick`; what has become due is then taken by `take`. One step costs at most the
   * slots passed on each level, however far it goes.
   */
  advance(tick: number): void {
    const target = Math.floor(tick);
    // Each pass empties the earliest occupied slot or ends: bounded by the occupied slots.
    for (;;) {
      const next = this.#nextSlot();
      if (next === null || next.startTick > target) break;
      this.#nowTick = Math.max(this.#nowTick, next.startTick);
      this.#empty(next.place);
    }
    if (target > this.#nowTick) this.#nowTick = target;
  }

  /** The next due entry, removed; null when there is no more. */
  take(): WheelEntry | null {
    const entry = this.#heads[DUE] ?? null;
    if (entry !== null) this.remove(entry);
    return entry;
  }

  #place(entry: WheelEntry): void {
    const delta = entry.expiryTick - this.#nowTick;
    this.#link(entry, delta <= 0 ? DUE : this.#placeOf(entry.expiryTick));
  }

  /** The level is that of the highest bit in which the expiry differs from now. */
  #placeOf(expiryTick: number): number {
    const tick = Math.min(expiryTick, Number.MAX_SAFE_INTEGER);
    let level = 0;
    let unit = 1;
    // Ticks outgrow 32 bits, so the levels are compared by division.
    while (
      level < LEVELS - 1 &&
      Math.floor(tick / (unit * SLOTS_PER_LEVEL)) !== Math.floor(this.#nowTick / (unit * SLOTS_PER_LEVEL))
    ) {
      level++;
      unit *= SLOTS_PER_LEVEL;
    }
    return level * SLOTS_PER_LEVEL + (Math.floor(tick / unit) % SLOTS_PER_LEVEL);
  }

  #nextSlot(): { place: number; startTick: number } | null {
    for (let level = 0; level < LEVELS; level++) {
      const startTick = this.#slotStart(level);
      if (startTick >= 0) {
        const unit = SLOTS_PER_LEVEL ** level;
        return {
          place: level * SLOTS_PER_LEVEL + (Math.floor(startTick / unit) % SLOTS_PER_LEVEL),
          startTick,
        };
      }
    }
    return null;
  }

  /** The first tick of the next occupied slot of a level, -1 when it has none. */
  #slotStart(level: number): number {
    const low = this.#occupied[level * 2] ?? 0;
    const high = this.#occupied[level * 2 + 1] ?? 0;
    if (low === 0 && high === 0) return -1;
    const unit = SLOTS_PER_LEVEL ** level;
    const current = Math.floor(this.#nowTick / unit);
    const position = current % SLOTS_PER_LEVEL;
    const distance = distanceToNext(low, high, position);
    return (current + distance) * unit;
  }

  /** Entries of a slot of the lowest level are due; others move down. */
  #empty(place: number): void {
    let entry = this.#heads[place] ?? null;
    this.#heads[place] = null;
    this.#tails[place] = null;
    this.#setOccupied(place, false);
    while (entry !== null) {
      const next: WheelEntry | null = entry.next;
      entry.previous = null;
      entry.next = null;
      this.#place(entry);
      entry = next;
    }
  }

  #link(entry: WheelEntry, place: number): void {
    const tail = this.#tails[place] ?? null;
    entry.place = place;
    entry.previous = tail;
    entry.next = null;
    if (tail === null) {
      this.#heads[place] = entry;
      if (place !== DUE) this.#setOccupied(place, true);
    } else {
      tail.next = entry;
    }
    this.#tails[place] = entry;
  }

  #unlink(entry: WheelEntry): void {
    const { place, previous, next } = entry;
    if (previous === null) this.#heads[place] = next;
    else previous.next = next;
    if (next === null) this.#tails[place] = previous;
    else next.previous = previous;
    if (place !== DUE && this.#heads[place] === null) this.#setOccupied(place, false);
    entry.place = -1;
    entry.previous = null;
    entry.next = null;
  }

  #setOccupied(place: number, occupied: boolean): void {
    const word = place >>> 5;
    const bit = 1 << (place & 31);
    const before = this.#occupied[word] ?? 0;
    this.#occupied[word] = occupied ? before | bit : before & ~bit;
  }
}

/** How many slots after `position` the next occupied one comes, going round; 1 to 64. */
function distanceToNext(low: number, high: number, position: number): number {
  // Slots after this one first; this very slot comes last, as a full turn.
  for (let distance = 1; distance <= SLOTS_PER_LEVEL; distance++) {
    const slot = (position + distance) % SLOTS_PER_LEVEL;
    const word = slot < 32 ? low : high;
    if (((word >>> (slot & 31)) & 1) !== 0) return distance;
  }
  return SLOTS_PER_LEVEL;
}
