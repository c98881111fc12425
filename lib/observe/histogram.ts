import type { HistogramSummary } from '../reactor/probe.js';

/**
 * The buckets are those of an HDR histogram: each power of two is cut into 64 of equal width, so
 * that a bucket's upper end, which is within it, is at most 1.6 percent above its lower one, which
 * is not. A double's own bits tell which: its exponent, and the first bits of its mantissa.
 */
const SUB_BUCKET_BITS = 6;
const SHIFT = 20 - SUB_BUCKET_BITS;
/** A nanosecond in milliseconds: what is less counts as this. */
const LEAST = 2 ** -20;
/** Of milliseconds four hours: what is more is in the last bucket. */
const GREATEST = 2 ** 24;

const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);
/** Where the exponent is. */
const HIGH = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 1 : 0;
const LOW = 1 - HIGH;

/** Of the next lower double: a power of two is the end of a bucket. */
function highBits(value: number): number {
  double[0] = value;
  return (words[LOW] === 0 ? words[HIGH]! - 1 : words[HIGH]!) >>> SHIFT;
}

/** Bucket 0 has what is 0, bucket 1 what is not above `LEAST`. */
const OFFSET = highBits(LEAST) - 1;
const LAST_BUCKET = highBits(GREATEST) - OFFSET + 1;

function bucketOf(value: number): number {
  if (value > GREATEST) return LAST_BUCKET;
  if (value > LEAST) return highBits(value) - OFFSET;
  return value === 0 ? 0 : 1;
}

/** No value of this bucket is above it. */
function upperEnd(bucket: number): number {
  if (bucket === 0) return 0;
  if (bucket === LAST_BUCKET) return Infinity;
  words[HIGH] = (bucket + OFFSET + 1) << SHIFT;
  words[LOW] = 0;
  return double[0]!;
}

/** Those of a reactor that is observed. */
export interface Histograms {
  readonly handlerMs: Histogram;
  readonly timerLateMs: Histogram;
  readonly eventsPerWait: Histogram;
}

/**
 * A histogram of numbers from 0 on, of any unit. `perf_hooks.createHistogram` does not tell how many
 * values are below a bound, which Prometheus and OpenTelemetry ask for, takes whole numbers from 1 on
 * alone, and costs four times as much a value (Node 20: 41 ns to 9).
 */
export class Histogram {
  #count = 0;
  #sum = 0;
  #min = Infinity;
  #max = 0;
  // As doubles: a busy reactor makes more than 2^32 calls in a day.
  readonly #buckets = new Float64Array(LAST_BUCKET + 1);

  /** Values so far. */
  get count(): number {
    return this.#count;
  }

  /** Of all values. */
  get sum(): number {
    return this.#sum;
  }

  /** Notes a value; one that is less than 0, or no number, counts as 0. */
  record(value: number): void {
    const least = value > 0 ? value : 0;
    this.#count++;
    this.#sum += least;
    if (least < this.#min) this.#min = least;
    if (least > this.#max) this.#max = least;
    this.#buckets[bucketOf(least)]!++;
  }

  /** How many values are not above `bound`, give or take those of the bucket that it cuts. */
  countUpTo(bound: number): number {
    if (bound >= this.#max) return this.#count;
    let count = 0;
    for (let bucket = 0; bucket <= LAST_BUCKET && upperEnd(bucket) <= bound; bucket++)
      count += this.#buckets[bucket]!;
    return count;
  }

  /**
   * So large are at most `percent` of the values, rounded up by at most 1.6 percent; 0 without any.
   *
   * @param percent 0 to 100
   */
  percentile(percent: number): number {
    if (this.#count === 0) return 0;
    const wanted = Math.max(Math.ceil((this.#count * percent) / 100), 1);
    let count = 0;
    for (let bucket = 0; bucket <= LAST_BUCKET; bucket++) {
      count += this.#buckets[bucket]!;
      if (count >= wanted) return Math.max(this.#min, Math.min(upperEnd(bucket), this.#max));
    }
    return this.#max;
  }

  /** @internal As it is now, for `since`. */
  copy(): Histogram {
    return this.since(new Histogram());
  }

  /** @internal What came since `earlier`, a copy of this one; its least and greatest as buckets tell. */
  since(earlier: Histogram): Histogram {
    const rest = new Histogram();
    rest.#count = this.#count - earlier.#count;
    rest.#sum = this.#sum - earlier.#sum;
    for (let bucket = 0; bucket <= LAST_BUCKET; bucket++) {
      const count = this.#buckets[bucket]! - earlier.#buckets[bucket]!;
      if (count === 0) continue;
      rest.#buckets[bucket] = count;
      const most = Math.min(upperEnd(bucket), this.#max);
      rest.#min = Math.min(rest.#min, bucket === 0 ? 0 : Math.max(upperEnd(bucket - 1), this.#min));
      rest.#max = Math.max(rest.#max, most);
    }
    return rest;
  }

  /** Plain numbers. */
  summary(): HistogramSummary {
    return {
      count: this.#count,
      sum: this.#sum,
      min: this.#count === 0 ? 0 : this.#min,
      max: this.#max,
      p50: this.percentile(50),
      p90: this.percentile(90),
      p99: this.percentile(99),
      p999: this.percentile(99.9),
    };
  }
}
