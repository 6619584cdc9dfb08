import { HIGH, halves, LOW } from './var1/layout.ts';

/**
 * The running maximum of times that start after `first`: the effective times of a segment whose first one is `first`.
 * The array itself if it already is its running maximum.
 */
export function effectiveTimes(time: BigUint64Array, first: bigint): BigUint64Array {
  const total = time.length;
  if (total === 0) return time;
  const words = halves(time);
  let lo = words[LOW]!;
  let hi = words[HIGH]!;
  let climbs = time[0]! >= first;
  for (let i = 1; climbs && i < total; i++) {
    const nextLo = words[2 * i + LOW]!;
    const nextHi = words[2 * i + HIGH]!;
    climbs = nextHi > hi || (nextHi === hi && nextLo >= lo);
    lo = nextLo;
    hi = nextHi;
  }
  if (climbs) return time;
  const result = new BigUint64Array(total);
  let max = first;
  for (let i = 0; i < total; i++) {
    const t = time[i]!;
    if (t > max) max = t;
    result[i] = max;
  }
  return result;
}

/** Index of the first entry ≥ `t` in climbing times. */
export function firstAtOrAfter(times: BigUint64Array, t: bigint): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! < t) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Index of the first entry > `t` in climbing times. */
export function firstAfter(times: BigUint64Array, t: bigint): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! <= t) low = middle + 1;
    else high = middle;
  }
  return low;
}
