import { CHUNK_EVENTS } from '../../domain/event-chunk.ts';

/**
 * A column with at most 256 different values: the values once, then an index of 1, 2, 4 or 8 bits per event, lowest bits
 * first.
 */
export const DICTIONARY_LIMIT = 256;

/** Bits of one index into a dictionary of so many entries. */
export function indexBits(entries: number): number {
  return entries <= 2 ? 1 : entries <= 4 ? 2 : entries <= 16 ? 4 : 8;
}

/** Bytes of so many indices. */
export function packedBytes(count: number, bits: number): number {
  return Math.ceil((count * bits) / 8);
}

/** Room for the indices of a segment, and to pack and unpack whole bytes of them. */
export const MAX_INDEX_BYTES: number = CHUNK_EVENTS + 8;

/** Packs `count` indices, of which there is room for 8 more; returns the position after it. */
export function packIndices(
  out: Uint8Array,
  at: number,
  indices: Uint8Array,
  count: number,
  bits: number,
): number {
  const end = at + packedBytes(count, bits);
  indices.fill(0, count, count + 8);
  if (bits === 8) out.set(indices.subarray(0, count), at);
  else if (bits === 4) packFours(out, at, end, indices);
  else if (bits === 2) packTwos(out, at, end, indices);
  else packOnes(out, at, end, indices);
  return end;
}

function packFours(out: Uint8Array, at: number, end: number, indices: Uint8Array): void {
  for (let p = at, i = 0; p < end; p++, i += 2) out[p] = indices[i]! | (indices[i + 1]! << 4);
}

function packTwos(out: Uint8Array, at: number, end: number, indices: Uint8Array): void {
  for (let p = at, i = 0; p < end; p++, i += 4) {
    out[p] = indices[i]! | (indices[i + 1]! << 2) | (indices[i + 2]! << 4) | (indices[i + 3]! << 6);
  }
}

function packOnes(out: Uint8Array, at: number, end: number, indices: Uint8Array): void {
  for (let p = at, i = 0; p < end; p++) {
    let byte = 0;
    for (let k = 0; k < 8; k++) byte |= indices[i++]! << k;
    out[p] = byte;
  }
}

/**
 * Unpacks `count` indices into an array with room for 7 more, and tells whether all are below `entries`; bytes past the
 * end count as 0.
 */
export function unpackIndices(
  bytes: Uint8Array,
  at: number,
  indices: Uint8Array,
  count: number,
  entries: number,
): boolean {
  const bits = indexBits(entries);
  const end = at + packedBytes(count, bits);
  let i = 0;
  if (bits === 8) {
    for (let p = at; p < end; p++) indices[i++] = bytes[p]!;
  } else if (bits === 4) {
    for (let p = at; p < end; p++, i += 2) {
      const byte = bytes[p]!;
      indices[i] = byte & 15;
      indices[i + 1] = byte >> 4;
    }
  } else if (bits === 2) {
    for (let p = at; p < end; p++, i += 4) {
      const byte = bytes[p]!;
      indices[i] = byte & 3;
      indices[i + 1] = (byte >> 2) & 3;
      indices[i + 2] = (byte >> 4) & 3;
      indices[i + 3] = byte >> 6;
    }
  } else {
    for (let p = at; p < end; p++, i += 8) {
      const byte = bytes[p]!;
      indices[i] = byte & 1;
      indices[i + 1] = (byte >> 1) & 1;
      indices[i + 2] = (byte >> 2) & 1;
      indices[i + 3] = (byte >> 3) & 1;
      indices[i + 4] = (byte >> 4) & 1;
      indices[i + 5] = (byte >> 5) & 1;
      indices[i + 6] = (byte >> 6) & 1;
      indices[i + 7] = byte >> 7;
    }
  }
  if (entries === 1 << bits) return true;
  let max = 0;
  for (let k = 0; k < count; k++) if (indices[k]! > max) max = indices[k]!;
  return max < entries;
}
