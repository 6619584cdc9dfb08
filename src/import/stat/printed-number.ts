import { U64_MAX } from '../../domain/u64.ts';

/** A count as perf printed it, brought back to a whole number. */
export interface PrintedCount {
  readonly value: bigint;
  /** The printed digits do not say the exact count: unit-scaled, cut decimals, a mean, or beyond a double's 2^53. */
  readonly rounded: boolean;
}

/** perf computes what it prints in doubles (`%f`): from here on its last digits are not the count's. */
const DOUBLE_EXACT = 1n << 53n;

/** perf prints software clocks, whose count is ns, in msec: 10^decimals ns. Every other unit is some scale of its own. */
const UNIT_DECIMALS: Readonly<Record<string, number>> = {
  '': 0,
  nsec: 0,
  usec: 3,
  msec: 6,
  sec: 9,
};

const SUFFIX_DECIMALS: Readonly<Record<string, number>> = { K: 3, M: 6, G: 9, T: 12 };

/**
 * The count of `digits[.decimals]` (a decimal comma is taken too, no thousands separators) in a unit. Clock units give ns;
 * a count in a unit perf scales by its own factor (`Joules`, `MiB`) stays in that unit, rounded. Undefined when it is
 * no such number or does not fit 64 bits.
 */
export function printedCount(text: string, unit: string): PrintedCount | undefined {
  const match = /^(\d+)(?:[.,](\d+))?([KMGT])?$/.exec(text);
  if (!match || text.length > 64) return undefined;
  const fraction = match[2] ?? '';
  const known = UNIT_DECIMALS[unit];
  const decimals = (known ?? 0) + (match[3] ? SUFFIX_DECIMALS[match[3]]! : 0);
  const whole = match[1]! + fraction.slice(0, decimals).padEnd(decimals, '0');
  const cut = fraction.slice(decimals);
  const value = BigInt(whole) + (cut >= '5' ? 1n : 0n);
  if (value > U64_MAX) return undefined;
  const inexact = known === undefined || fraction.length < decimals || /[1-9]/.test(cut);
  return { value, rounded: inexact || value > DOUBLE_EXACT };
}

/**
 * Takes the thousands separators of a count of perf's table out. They stand before exactly three digits and decimals are
 * exactly two, so `1.234` is 1234 and `12,34` is 12.34 in every locale. Undefined when it is neither.
 */
export function ungrouped(text: string): string | undefined {
  const suffixed = /^\d+(?:[.,]\d+)?[KMGT]$/.exec(text);
  if (suffixed) return text;
  const match = /^(\d{1,3}(?:([.,'’\u00a0\u202f])\d{3}(?:\2\d{3})*)?|\d+)(?:([.,])(\d{2}))?$/.exec(
    text,
  );
  if (!match || (match[2] !== undefined && match[2] === match[3])) return undefined;
  const digits = match[1]!.replace(/\D/g, '');
  return match[4] === undefined ? digits : `${digits}.${match[4]}`;
}

/** Seconds with decimals (point or comma) as ns; more than 9 decimals are cut. Undefined when it is no such number. */
export function secondsToNs(text: string): bigint | undefined {
  const match = /^(\d{1,10})[.,](\d{1,18})$/.exec(text);
  return match ? BigInt(match[1]! + match[2]!.slice(0, 9).padEnd(9, '0')) : undefined;
}

/** `66.67` (per cent) as 6667; undefined when it is none. perf may print a hair above 100. */
export function permyriad(text: string): number | undefined {
  const match = /^(\d{1,4})(?:[.,](\d{1,6}))?$/.exec(text);
  return match ? Number(match[1]! + (match[2] ?? '').slice(0, 2).padEnd(2, '0')) : undefined;
}
