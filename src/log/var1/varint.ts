/**
 * LEB128 varints of 32- and 64-bit unsigned numbers. 64-bit numbers travel as two arrays of 32-bit halves, so that no
 * bigint is made per element.
 *
 * Readers never throw and never leave their arrays: bytes past the end read as 0, and the caller compares the returned
 * position with the end of what it was given.
 */

/** Bytes a varint of so many significant bits takes. */
export const VARINT_BYTES: Uint8Array = Uint8Array.from({ length: 65 }, (_, bits) =>
  Math.max(1, Math.ceil(bits / 7)),
);

/** Bytes the varint of a 64-bit number takes; halves may be signed. */
export function longBytes(lo: number, hi: number): number {
  return VARINT_BYTES[hi === 0 ? 32 - Math.clz32(lo) : 64 - Math.clz32(hi)]!;
}

/** Writes one u32; returns the position after it. */
export function writeInt(out: Uint8Array, at: number, value: number): number {
  let p = at;
  let v = value >>> 0;
  while (v >= 128) {
    out[p++] = v | 128;
    v >>>= 7;
  }
  out[p++] = v;
  return p;
}

/** Writes `count` u32s. */
export function writeInts(out: Uint8Array, at: number, values: Int32Array, count: number): number {
  let p = at;
  for (let i = 0; i < count; i++) {
    let v = values[i]!;
    while ((v & ~127) !== 0) {
      out[p++] = v | 128;
      v >>>= 7;
    }
    out[p++] = v;
  }
  return p;
}

/** Writes `count` u64s given as signed halves. */
export function writeLongs(
  out: Uint8Array,
  at: number,
  lows: Int32Array,
  highs: Int32Array,
  count: number,
): number {
  let p = at;
  for (let i = 0; i < count; i++) {
    let lo = lows[i]!;
    let hi = highs[i]!;
    while (hi !== 0) {
      out[p++] = lo | 128;
      lo = (lo >>> 7) | (hi << 25);
      hi >>>= 7;
    }
    while ((lo & ~127) !== 0) {
      out[p++] = lo | 128;
      lo >>>= 7;
    }
    out[p++] = lo;
  }
  return p;
}

/** Reads `count` u32s (bits beyond 32 are dropped); returns the position after them. */
export function readInts(bytes: Uint8Array, at: number, values: Int32Array, count: number): number {
  let p = at;
  for (let i = 0; i < count; i++) {
    let b = bytes[p++]!;
    let v = b & 127;
    for (let shift = 7; b >= 128 && shift < 35; shift += 7) {
      b = bytes[p++]!;
      v |= (b & 127) << shift;
    }
    values[i] = v;
  }
  return p;
}

/** Reads `count` u64s into halves (bits beyond 64 are dropped); returns the position after them. */
export function readLongs(
  bytes: Uint8Array,
  at: number,
  lows: Uint32Array,
  highs: Uint32Array,
  count: number,
): number {
  let p = at;
  for (let i = 0; i < count; i++) {
    let b = bytes[p++]!;
    let lo = b & 127;
    let hi = 0;
    if (b >= 128) {
      b = bytes[p++]!;
      lo |= (b & 127) << 7;
      if (b >= 128) {
        b = bytes[p++]!;
        lo |= (b & 127) << 14;
        if (b >= 128) {
          b = bytes[p++]!;
          lo |= (b & 127) << 21;
          if (b >= 128) {
            b = bytes[p++]!;
            lo |= (b & 15) << 28;
            hi = (b & 127) >>> 4;
            for (let shift = 3; b >= 128 && shift < 32; shift += 7) {
              b = bytes[p++]!;
              hi |= (b & 127) << shift;
            }
          }
        }
      }
    }
    lows[i] = lo;
    highs[i] = hi;
  }
  return p;
}
