import { TimingWheel, WheelEntry } from '#lib/timer/timing-wheel';
import { Random, testSeed } from '../support/random';

/** What the wheel must do, written as plainly as can be. */
class ReferenceWheel {
  nowTick: number;
  #sequence = 0;
  readonly #waiting = new Map<number, { expiryTick: number; sequence: number }>();

  constructor(nowTick: number) {
    this.nowTick = nowTick;
  }

  get size(): number {
    return this.#waiting.size;
  }

  has(id: number): boolean {
    return this.#waiting.has(id);
  }

  insert(id: number, expiryTick: number): void {
    this.#waiting.set(id, { expiryTick, sequence: this.#sequence++ });
  }

  remove(id: number): boolean {
    return this.#waiting.delete(id);
  }

  /** The earliest expiry, -1 when nothing waits. */
  earliest(): number {
    let earliest = -1;
    for (const { expiryTick } of this.#waiting.values()) {
      if (earliest < 0 || expiryTick < earliest) earliest = expiryTick;
    }
    return earliest;
  }

  advance(tick: number): void {
    this.nowTick = Math.max(this.nowTick, tick);
  }

  /** All that is due, those of one tick as they were inserted. */
  takeAll(): { id: number; expiryTick: number }[] {
    const due = [...this.#waiting].filter(([, { expiryTick }]) => expiryTick <= this.nowTick);
    for (const [id] of due) this.#waiting.delete(id);
    due.sort(([, a], [, b]) => a.expiryTick - b.expiryTick || a.sequence - b.sequence);
    return due.map(([id, { expiryTick }]) => ({ id, expiryTick }));
  }
}

class Entry extends WheelEntry {
  constructor(readonly id: number) {
    super();
  }
}

const YEAR = 365 * 24 * 3600 * 1000;
const SPAN = 64 ** 6;

function takeAll(wheel: TimingWheel): Entry[] {
  const taken: Entry[] = [];
  for (let entry = wheel.take(); entry !== null; entry = wheel.take()) taken.push(entry as Entry);
  return taken;
}

/** Delays of every size: most are short, some reach past what the wheel spans. */
function someDelay(random: Random): number {
  const reach = random.pick([
    1,
    4,
    64,
    65,
    1000,
    4096,
    100_000,
    64 ** 3,
    64 ** 4,
    64 ** 5,
    SPAN,
    5 * YEAR,
    285 * YEAR,
  ]);
  return random.below(reach);
}

function someStep(random: Random, wheel: TimingWheel, nowTick: number): number {
  switch (random.below(8)) {
    case 0:
      return Math.max(nowTick, wheel.nextTick());
    case 1:
      return Math.max(nowTick, wheel.nextTick() - 1);
    case 2:
      return nowTick + random.below(100_000);
    case 3:
      return random.below(20) === 0 ? nowTick + random.below(YEAR) : nowTick;
    default:
      return nowTick + random.below(70);
  }
}

function runProgram(seed: number, steps: number, startTick: number): void {
  const random = new Random(seed);
  const wheel = new TimingWheel(startTick);
  const model = new ReferenceWheel(startTick);
  const entries = Array.from({ length: 200 }, (_, id) => new Entry(id));
  for (let step = 0; step < steps; step++) {
    const entry = random.pick(entries);
    const action = random.below(10);
    if (action < 5 && !model.has(entry.id)) {
      const expiryTick = model.nowTick + someDelay(random);
      wheel.insert(entry, expiryTick);
      model.insert(entry.id, expiryTick);
    } else if (action < 7) {
      const [got, wanted] = [wheel.remove(entry), model.remove(entry.id)];
      if (got !== wanted) throw new Error(`step ${step}: remove said ${got}`);
    } else {
      const tick = someStep(random, wheel, model.nowTick);
      wheel.advance(tick);
      model.advance(tick);
      const got = takeAll(wheel).map(({ id, expiryTick }) => ({ id, expiryTick }));
      expect({ step, got: inOrder(got) }).toEqual({ step, got: model.takeAll() });
    }
    const next = wheel.nextTick();
    const earliest = model.earliest();
    // -1 only when nothing waits; else never later than the earliest.
    if (wheel.size !== model.size) throw new Error(`step ${step}: size ${wheel.size}, not ${model.size}`);
    if (next < 0 !== earliest < 0 || next > Math.max(earliest, model.nowTick)) {
      throw new Error(`step ${step}: nextTick ${next}, earliest ${earliest}`);
    }
  }
}

/**
 * Due at the same time they come by tick; what was due when it was inserted keeps its place among
 * its own tick.
 */
function inOrder(taken: { id: number; expiryTick: number }[]): { id: number; expiryTick: number }[] {
  return taken
    .map((one, index) => ({ one, index }))
    .sort((a, b) => a.one.expiryTick - b.one.expiryTick || a.index - b.index)
    .map(({ one }) => one);
}

const seed = testSeed();

test.each([
  [seed, 0],
  [seed + 1, 63],
  [seed + 2, 1_700_000_000_000],
  [seed + 3, SPAN - 5],
  [seed + 4, 3 * SPAN - 70],
])('seed %d from tick %d: 10,000 steps as the reference', (programSeed, startTick) => {
  runProgram(programSeed, 10_000, startTick);
});

test('never early, at every distance around the edges of the levels', () => {
  for (const edge of [
    1,
    2,
    63,
    64,
    65,
    4095,
    4096,
    4097,
    64 ** 3,
    64 ** 4,
    64 ** 5,
    SPAN - 1,
    SPAN,
    SPAN + 1,
  ]) {
    for (const startTick of [0, 1, 63, 64, 4095, 123_456_789]) {
      const wheel = new TimingWheel(startTick);
      const entry = new Entry(1);
      wheel.insert(entry, startTick + edge);
      wheel.advance(startTick + edge - 1);
      expect([edge, startTick, takeAll(wheel)]).toEqual([edge, startTick, []]);
      wheel.advance(startTick + edge);
      expect([edge, startTick, takeAll(wheel)]).toEqual([edge, startTick, [entry]]);
    }
  }
});

test('by steps to nextTick an entry is reached in few steps, and exactly', () => {
  for (const delay of [1, 100, 10_000, YEAR, 3 * YEAR, 200 * YEAR]) {
    const wheel = new TimingWheel(77);
    const entry = new Entry(1);
    wheel.insert(entry, 77 + delay);
    let steps = 0;
    let tick = 77;
    while (takeAll(wheel).length === 0) {
      tick = wheel.nextTick();
      wheel.advance(tick);
      if (++steps > 200) throw new Error(`${delay}: more than 200 steps`);
    }
    expect(tick).toBe(77 + delay);
  }
});

test('entries of one tick expire as they were inserted, from whatever distance', () => {
  const wheel = new TimingWheel(0);
  const due = 300_000;
  const entries = Array.from({ length: 6 }, (_, id) => new Entry(id));
  [0, 1000, 200_000, 299_000, 299_968, 299_999].forEach((tick, i) => {
    wheel.advance(tick);
    wheel.insert(entries[i] as Entry, due);
  });
  wheel.advance(due);
  expect(takeAll(wheel).map(({ id }) => id)).toEqual([0, 1, 2, 3, 4, 5]);
});

test('also those that were inserted years before', () => {
  const wheel = new TimingWheel(0);
  const due = SPAN + 5 * 64 ** 5 + 12_345;
  const [first, second] = [new Entry(1), new Entry(2)];
  wheel.insert(first, due);
  wheel.advance(10 * 64 ** 5);
  wheel.insert(second, due);
  wheel.advance(due);
  expect(takeAll(wheel)).toEqual([first, second]);
});

test('what is due when it is inserted is taken next, and removed until then', () => {
  const wheel = new TimingWheel(1000.9);
  const [past, now, later] = [new Entry(1), new Entry(2), new Entry(3)];
  wheel.insert(past, 5);
  wheel.insert(now, 1000);
  wheel.insert(later, 1001);
  expect(wheel.nextTick()).toBe(1000);
  expect(wheel.remove(past)).toBe(true);
  expect(wheel.remove(past)).toBe(false);
  expect(takeAll(wheel)).toEqual([now]);
  expect(wheel.nextTick()).toBe(1001);
  expect(wheel.size).toBe(1);
});

test('an entry that was taken may be inserted again, also while others are being taken', () => {
  const wheel = new TimingWheel(0);
  const entry = new Entry(1);
  for (let tick = 1; tick < 500; tick++) {
    wheel.insert(entry, tick);
    wheel.advance(tick);
    expect(wheel.take()).toBe(entry);
    expect(wheel.take()).toBeNull();
  }
  expect(wheel.nextTick()).toBe(-1);
});

test('it does not go back, and a step over everything takes everything', () => {
  const wheel = new TimingWheel(100);
  const entries = Array.from({ length: 50 }, (_, id) => new Entry(id));
  entries.forEach((entry, i) => wheel.insert(entry, 100 + 7 ** (i % 17)));
  wheel.advance(50);
  expect(takeAll(wheel)).toEqual([]);
  const past = new Entry(50);
  wheel.insert(past, 75);
  expect(takeAll(wheel)).toEqual([past]);
  wheel.advance(Number.MAX_SAFE_INTEGER);
  expect(takeAll(wheel)).toHaveLength(50);
  expect(wheel.size).toBe(0);
});

test('a step over nothing counts as well', () => {
  const wheel = new TimingWheel(0);
  wheel.advance(1000);
  const past = new Entry(1);
  wheel.insert(past, 900);
  expect(takeAll(wheel)).toEqual([past]);
});

test('nextTick is exact within a level, also when what was before it has been removed', () => {
  const wheel = new TimingWheel(0);
  const [first, second] = [new Entry(1), new Entry(2)];
  wheel.insert(second, 50);
  expect(wheel.nextTick()).toBe(50);
  wheel.insert(first, 5);
  expect(wheel.nextTick()).toBe(5);
  wheel.remove(first);
  expect(wheel.nextTick()).toBe(50);
});
