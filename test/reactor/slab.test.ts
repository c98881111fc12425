import { Slab } from '#lib/reactor/slab';

/** What is put in is of no interest here. */
const VALUE = 'value';

function fill(slab: Slab<string>): { slot: number; generation: number } {
  const token = slab.reserve();
  slab.set(token, VALUE);
  return token;
}

test('two that are reserved at once have slots of their own', () => {
  const slab = new Slab<string>();
  expect([slab.reserve(), slab.reserve()]).toEqual([
    { slot: 0, generation: 0 },
    { slot: 1, generation: 0 },
  ]);
  expect([slab.size, slab.slots]).toEqual([0, [undefined, undefined]]);
});

test('T08 a slot that was reserved and given back is the next again, as it was', () => {
  const slab = new Slab<string>();
  const token = slab.reserve();
  slab.rollback(token);
  expect(slab.reserve()).toEqual(token);
});

test('T01 a slot is given out again after recycle, each time under another generation', () => {
  const slab = new Slab<string>();
  slab.recycle();
  for (let generation = 0; generation < 4; generation++) {
    const token = fill(slab);
    expect(token).toEqual({ slot: 0, generation });
    expect(slab.slots[0]).toBe(VALUE);
    slab.remove(0);
    expect(slab.slots[0]).toBeUndefined();
    const other = slab.reserve();
    expect(other.slot).toBe(1);
    slab.rollback(other);
    slab.recycle();
    // The last that became free comes first.
    expect(slab.size).toBe(0);
  }
});

test('to remove what is not there does nothing: its slot becomes free once', () => {
  const slab = new Slab<string>();
  const { slot } = fill(slab);
  fill(slab);
  slab.remove(slot);
  slab.remove(slot);
  slab.recycle();
  expect(slab.size).toBe(1);
  expect([slab.reserve().slot, slab.reserve().slot]).toEqual([0, 2]);
});
