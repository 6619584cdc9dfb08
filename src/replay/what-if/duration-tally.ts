/** Significant bits kept of a duration: the median is exact below 2048 ns and within 0.1 % above. */
const BITS = 11;
const FIRST = 1 << BITS;
/** Durations up to 2^53 ns. */
const BUCKETS = FIRST + (53 - BITS) * (FIRST / 2);

function bucketOf(ns: number): number {
  if (ns < FIRST) return ns;
  const shift = Math.floor(Math.log2(ns)) - (BITS - 1);
  return FIRST + (shift - 1) * (FIRST / 2) + (Math.floor(ns / 2 ** shift) - FIRST / 2);
}

function lowEndOf(bucket: number): number {
  if (bucket < FIRST) return bucket;
  const shift = Math.floor((bucket - FIRST) / (FIRST / 2)) + 1;
  return (((bucket - FIRST) % (FIRST / 2)) + FIRST / 2) * 2 ** shift;
}

/** Smallest, middle and largest of many durations (ns), in memory that does not grow. */
export class DurationTally {
  readonly #buckets = new Float64Array(BUCKETS);
  count = 0;
  min = Number.POSITIVE_INFINITY;
  max = 0;

  add(ns: number): void {
    const whole = Math.max(0, Math.floor(ns));
    const bucket = bucketOf(whole);
    this.#buckets[bucket] = this.#buckets[bucket]! + 1;
    this.count++;
    this.min = Math.min(this.min, whole);
    this.max = Math.max(this.max, whole);
  }

  /** The lower median; undefined when there are none. */
  get median(): number | undefined {
    let left = Math.ceil(this.count / 2);
    if (left === 0) return undefined;
    for (let i = 0; i < BUCKETS; i++) {
      left -= this.#buckets[i]!;
      if (left <= 0) return Math.min(this.max, Math.max(this.min, lowEndOf(i)));
    }
    return undefined;
  }
}
