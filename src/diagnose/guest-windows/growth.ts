import { U64_MAX } from '../../domain/u64.ts';
import type { CounterValue } from '../../replay/vcpu-replay.ts';
import type { Amount } from '../ledger/amount.ts';

/** A counter of this many bits takes hours to come round. */
const NEVER_ROUND = 48;

/** The value as an amount; null when it is not known. */
export function valueAmount({ low, span }: CounterValue): Amount | null {
  return span === U64_MAX ? null : { low, high: low + span };
}

/**
 * How far a counter of `width` bits moved between two values. Wraps that were recorded say how often it wrapped;
 * without any it wrapped at most once. `jumped`: a recorded value contradicts the rules, so that it may have gone back.
 */
export function growth(
  start: Amount,
  end: Amount,
  width: number,
  wraps: number,
  jumped = false,
): Amount {
  const size = 1n << BigInt(width);
  let low = end.low - start.high;
  let high = end.high - start.low;
  if (jumped && wraps === 0) return { low, high };
  if (wraps > 0 && end.high >= size) {
    // The end is bounded across a wrap already: at least the recorded wraps were passed.
    const before = BigInt(wraps - 1) * size;
    const passed = BigInt(wraps) * size - start.high;
    low += before;
    return { low: low > passed ? low : passed, high: high + before };
  }
  // Nobody sees a counter this wide go all the way round: an overflow record before it wrapped is of an earlier value.
  const early = wraps > 0 && width >= NEVER_ROUND && low >= 0n ? 1 : 0;
  const turns = wraps > 0 ? BigInt(wraps - early) : high < 0n ? 1n : 0n;
  low += turns * size;
  high += turns * size;
  return { low: low < 0n ? 0n : low, high: high < 0n ? 0n : high };
}
