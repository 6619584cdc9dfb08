import { HIGH, LOW } from '../importer.ts';

const BILLION = 1_000_000_000;
const HALF = 0x1_0000_0000;
const ZERO = 0x30;

/** The 32-bit halves of a u64 column: reading and writing them makes no bigint. */
export type Halves = Uint32Array;

export function halvesOf(column: BigUint64Array): Halves {
  return new Uint32Array(column.buffer, column.byteOffset, column.length * 2);
}

/** Writes u64 number `i` in decimal digits into `bytes` (20 free from `at` on); gives the offset behind the last. */
export function putU64(bytes: Uint8Array, at: number, column: Halves, i: number): number {
  const low = column[2 * i + LOW]!;
  const high = column[2 * i + HIGH]!;
  if (high === 0 && low < BILLION) return putDigits(bytes, at, low);
  // Long division by 10^9 in 16-bit steps: every intermediate value is exact in a double.
  const top = Math.floor(high / BILLION);
  const upper = (high - top * BILLION) * 0x1_0000 + (low >>> 16);
  const middle = Math.floor(upper / BILLION);
  const lower = (upper - middle * BILLION) * 0x1_0000 + (low & 0xffff);
  const bottom = Math.floor(lower / BILLION);
  const rest = lower - bottom * BILLION;
  const quotient = top * HALF + middle * 0x1_0000 + bottom;
  const first = Math.floor(quotient / BILLION);
  let end = at;
  if (first > 0) {
    end = putDigits(bytes, end, first);
    end = putNine(bytes, end, quotient - first * BILLION);
  } else {
    end = putDigits(bytes, end, quotient);
  }
  return putNine(bytes, end, rest);
}

/** Writes a whole number, negative ones too, in decimal digits (17 bytes free). */
export function putInteger(bytes: Uint8Array, at: number, value: number): number {
  if (value >= 0) return putPositive(bytes, at, value);
  bytes[at] = 0x2d;
  return putPositive(bytes, at + 1, -value);
}

function putPositive(bytes: Uint8Array, at: number, value: number): number {
  if (value < BILLION) return putDigits(bytes, at, value);
  const upper = Math.floor(value / BILLION);
  return putNine(bytes, putDigits(bytes, at, upper), value - upper * BILLION);
}

/** Below 10^9. */
function putDigits(bytes: Uint8Array, at: number, value: number): number {
  let length = 1;
  for (let limit = 10; value >= limit && length < 9; limit *= 10) length++;
  return putPadded(bytes, at, value, length);
}

function putNine(bytes: Uint8Array, at: number, value: number): number {
  return putPadded(bytes, at, value, 9);
}

function putPadded(bytes: Uint8Array, at: number, value: number, length: number): number {
  let left = value;
  for (let i = at + length - 1; i >= at; i--) {
    const tenth = (left / 10) | 0;
    bytes[i] = ZERO + left - tenth * 10;
    left = tenth;
  }
  return at + length;
}

/**
 * Takes a u64 from its decimal digits into number `i` of the column: digits only, no leading zero, below 2^64. Gives false
 * and leaves the column alone for any other value.
 */
export function takeU64(text: unknown, column: Halves, i: number): boolean {
  if (typeof text !== 'string') return false;
  const { length } = text;
  if (length === 0 || length > 20 || (length > 1 && text.charCodeAt(0) === ZERO)) return false;
  const split = length > 9 ? length - 9 : 0;
  const upper = digits(text, 0, split);
  const lower = digits(text, split, length);
  if (upper < 0 || lower < 0) return false;
  // upper · 10^9 + lower in 16-bit steps; upper is below 10^11.
  const upperHigh = Math.floor(upper / 0x1_0000);
  const low = (upper - upperHigh * 0x1_0000) * BILLION + lower;
  const carry = Math.floor(low / 0x1_0000);
  const rest = upperHigh * BILLION + carry;
  const high = Math.floor(rest / 0x1_0000);
  if (high >= HALF) return false;
  column[2 * i + LOW] = (rest - high * 0x1_0000) * 0x1_0000 + (low - carry * 0x1_0000);
  column[2 * i + HIGH] = high;
  return true;
}

/** The number the digits from `from` to `to` make, −1 when one is no digit. At most 11 of them. */
function digits(text: string, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i++) {
    const digit = text.charCodeAt(i) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
