/**
 * Numbers from bytes into u64 halves, without a string or a bigint. Each function writes low[slot], high[slot] and
 * returns the position after the number, or −1 if there is none or it does not fit into 64 bits.
 */

const TWO32 = 4294967296;
/** Value of a hex digit, 255 for other bytes. */
const HEX = new Uint8Array(256).fill(255);
for (let i = 0; i < 16; i++) {
  HEX[i.toString(16).charCodeAt(0)] = i;
  HEX[i.toString(16).toUpperCase().charCodeAt(0)] = i;
}

/** Digits of base 16, without 0x. */
export function parseHex(
  bytes: Uint8Array,
  from: number,
  end: number,
  low: Int32Array,
  high: Int32Array,
  slot: number,
): number {
  let p = from;
  while (p < end && bytes[p] === 0x30) p++;
  const first = p;
  let lo = 0;
  let hi = 0;
  for (; p < end; p++) {
    const digit = HEX[bytes[p]!]!;
    if (digit === 255) break;
    hi = (hi << 4) | (lo >>> 28);
    lo = (lo << 4) | digit;
  }
  if (p === from || p - first > 16) return -1;
  low[slot] = lo;
  high[slot] = hi;
  return p;
}

/** Decimal digits. */
function parseDigits(
  bytes: Uint8Array,
  from: number,
  end: number,
  low: Int32Array,
  high: Int32Array,
  slot: number,
): number {
  let p = from;
  let value = 0;
  // Up to 15 digits are exact in a double.
  const exact = Math.min(end, from + 15);
  for (; p < exact; p++) {
    const digit = bytes[p]! - 0x30;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  if (p === from) return -1;
  let hi = value < TWO32 ? 0 : Math.floor(value / TWO32);
  let lo = value - hi * TWO32;
  for (; p < end; p++) {
    const digit = bytes[p]! - 0x30;
    if (digit < 0 || digit > 9) break;
    lo = lo * 10 + digit;
    const carry = Math.floor(lo / TWO32);
    lo -= carry * TWO32;
    hi = hi * 10 + carry;
    if (hi >= TWO32) return -1;
  }
  low[slot] = lo;
  high[slot] = hi;
  return p;
}

/** A number as the tools print it: decimal, 0x…, or negative decimal. */
export function parseNumber(
  bytes: Uint8Array,
  from: number,
  end: number,
  low: Int32Array,
  high: Int32Array,
  slot: number,
): number {
  const first = bytes[from];
  if (from >= end) return -1;
  if (first === 0x30 && from + 1 < end && (bytes[from + 1]! | 0x20) === 0x78) {
    return parseHex(bytes, from + 2, end, low, high, slot);
  }
  if (first !== 0x2d) return parseDigits(bytes, from, end, low, high, slot);
  const p = parseDigits(bytes, from + 1, end, low, high, slot);
  if (p < 0) return -1;
  const size = high[slot]! >>> 0;
  if (size > 0x80000000 || (size === 0x80000000 && low[slot] !== 0)) return -1;
  const lo = -low[slot]! >>> 0;
  high[slot] = ~high[slot]! + (lo === 0 ? 1 : 0);
  low[slot] = lo;
  return p;
}

/** seconds.fraction as nanoseconds. */
const NS_PER_S = 1e9;
/** Whole seconds up to which seconds × 10^9 + fraction is exact in a double. */
const EXACT_SECONDS = 9_000_000;
/** Whole seconds of 2^64 ns. */
export const MAX_SECONDS = 18446744073;

/**
 * seconds × 10^9 + ns as halves into `out` (two entries: low, high); false if that is beyond 64 bits.
 * Both are whole numbers, ns below 10^9.
 */
export function nanoseconds(seconds: number, ns: number, out: Int32Array): boolean {
  if (seconds < EXACT_SECONDS) {
    const total = seconds * NS_PER_S + ns;
    const hi = Math.floor(total / TWO32);
    out[0] = total - hi * TWO32;
    out[1] = hi;
    return true;
  }
  if (seconds > MAX_SECONDS) return false;
  const upper = Math.floor(seconds / 65536) * NS_PER_S;
  const carried = Math.floor(upper / 65536);
  const lower = (seconds % 65536) * NS_PER_S + (upper - carried * 65536) * 65536 + ns;
  const hi = carried + Math.floor(lower / TWO32);
  out[0] = lower % TWO32;
  out[1] = hi;
  return hi < TWO32;
}
