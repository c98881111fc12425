import { Histogram } from 'tripoll/observe';

/** At most this much above the true value. */
const PRECISION = 1 + 1 / 64;

function histogramOf(values: Iterable<number>): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

test('without values all is 0', () => {
  expect(new Histogram().summary()).toEqual({
    ...{ count: 0, sum: 0, min: 0, max: 0 },
    ...{ p50: 0, p90: 0, p99: 0, p999: 0 },
  });
});

test.each([
  ['nanoseconds, in milliseconds', 1e-6],
  ['microseconds', 1e-3],
  ['milliseconds', 1],
  ['seconds', 1000],
])('percentiles of %s are at most 1.6 percent too high, and never too low', (_, unit) => {
  const histogram = histogramOf(upTo(1000).map((value) => value * unit));
  for (const percent of [0.1, 1, 25, 50, 90, 99, 99.9]) {
    const ratio = histogram.percentile(percent) / (percent * 10 * unit);
    // A rounding error of the value itself aside.
    expect(ratio).toBeGreaterThan(1 - 1e-9);
    expect(ratio).toBeLessThan(PRECISION + 1e-9);
  }
});

test('the least, the greatest and the sum are exact', () => {
  const { count, sum, min, max, ...rest } = histogramOf([0.3, 7, 0.001, 1234.5]).summary();
  expect({ count, min, max }).toEqual({ count: 4, min: 0.001, max: 1234.5 });
  expect(sum).toBeCloseTo(1241.801, 9);
  expect(rest).toMatchObject({ p99: 1234.5, p999: 1234.5 });
});

test('percentile 0 is the least, 100 the greatest', () => {
  const histogram = histogramOf([3, 5, 1000]);
  expect([histogram.percentile(0), histogram.percentile(100)]).toEqual([3, 1000]);
});

test('what is no time counts as 0, and what is too much as the greatest', () => {
  const histogram = histogramOf([-1, NaN, 0, 1e12, Infinity]);
  expect(histogram.summary()).toMatchObject({ count: 5, min: 0, p50: 0, max: Infinity });
  expect(histogram.countUpTo(1)).toBe(3);
  expect(histogram.countUpTo(Infinity)).toBe(5);
});

test('tells how many are not above a bound', () => {
  const histogram = histogramOf(upTo(100));
  expect([0.5, 1, 2, 64, 128, 99].map((bound) => histogram.countUpTo(bound))).toEqual([0, 1, 2, 64, 100, 99]);
  let before = 0;
  for (let bound = 1; bound < 120; bound += 0.25) {
    const count = histogram.countUpTo(bound);
    expect(count).toBeGreaterThanOrEqual(before);
    before = count;
  }
});
