/** A signed number of events that lies in [low, high]; exact when both are equal. */
export interface Amount {
  readonly low: bigint;
  readonly high: bigint;
}

export const ZERO: Amount = { low: 0n, high: 0n };

/** An exact amount. */
export function exactly(value: bigint): Amount {
  return { low: value, high: value };
}

/** All values a + b can have. */
export function plus(a: Amount, b: Amount): Amount {
  return { low: a.low + b.low, high: a.high + b.high };
}

/** All values a − b can have. */
export function minus(a: Amount, b: Amount): Amount {
  return { low: a.low - b.high, high: a.high - b.low };
}

export function isExact(a: Amount): boolean {
  return a.low === a.high;
}

/** True if 0 is one of the values. */
export function holdsZero(a: Amount): boolean {
  return a.low <= 0n && a.high >= 0n;
}

/** Half-way between the ends, rounded towards zero: for ordering and shares, never a result by itself. */
export function middle(a: Amount): bigint {
  return (a.low + a.high) / 2n;
}

/** Largest distance from zero. */
export function magnitude(a: Amount): bigint {
  const low = a.low < 0n ? -a.low : a.low;
  const high = a.high < 0n ? -a.high : a.high;
  return low > high ? low : high;
}
