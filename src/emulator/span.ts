import { U64_MAX } from '../domain/u64.ts';

/**
 * Intervals of counter values: [low, low + span] modulo 2^width. `span` 0n is an exact value, U64_MAX "unknown" (low is
 * then 0n). A span that covers the whole width is unknown too.
 */

export const U32_MAX = 0xffff_ffffn;

/** Sum of two spans; unknown stays unknown, and so does a sum past 64 bits. */
export function addSpans(a: bigint, b: bigint): bigint {
  if (a === 0n) return b;
  if (b === 0n) return a;
  const sum = BigInt.asUintN(64, a + b);
  return sum < a || a === U64_MAX || b === U64_MAX ? U64_MAX : sum;
}

/** True if `value` lies in the interval. `width` is 32 or 64. */
export function inInterval(value: bigint, low: bigint, span: bigint, width: number): boolean {
  return span === U64_MAX || BigInt.asUintN(width, value - low) <= span;
}

/** True if a number with its low `bits` bits zero lies in the interval. */
export function meetsZero(low: bigint, span: bigint, bits: number): boolean {
  return BigInt.asUintN(bits, -low) <= span;
}
