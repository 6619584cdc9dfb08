import { CHUNK_EVENTS } from '../../domain/event-chunk.ts';

/** Name of this codec in a segment's `codec` column. */
export const VAR1 = 'var/1';

/** How the values of one column are written: low bits of the column's first byte. Stored in logs: never renumber. */
export const Mode = {
  /** Every value is the column's `none`; nothing follows. */
  none: 0,
  /** One value for all. */
  constant: 1,
  dictionary: 2,
  /** A varint per value (32-bit columns), of the distance from `none`. */
  plain: 3,
  /** A varint of value − predicted, modulo 2^64, divided by a scale that comes first. */
  delta: 4,
  /** A varint of the zigzag of value − predicted: small for small steps either way. */
  zigzag: 5,
  /** A varint of value XOR predicted. */
  xor: 6,
} as const;

/** Set in a column's first byte: only events of some kinds have a value; a mask of those kinds (8 bytes) follows. */
export const BY_KIND = 0x40;

/** Values are predicted by the value before them in the same context; this many contexts are told apart. */
export const CONTEXTS = 1024;

/** Kinds are below 64, so that 64 bits hold a set of them. */
export const KIND_LIMIT = 64;

/** Index of the low and high half of a u64 in a Uint32Array view of it. */
const littleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
export const LOW = littleEndian ? 0 : 1;
export const HIGH = littleEndian ? 1 : 0;

/** The halves of a u64 column, two entries per element. */
export function halves(column: BigUint64Array): Uint32Array {
  return new Uint32Array(column.buffer, column.byteOffset, column.length * 2);
}

/** The same as signed numbers, which a compiler keeps in registers without asking how large they are. */
export function signedHalves(column: BigUint64Array): Int32Array {
  return new Int32Array(column.buffer, column.byteOffset, column.length * 2);
}

/** No segment is larger: 13 columns of at most a mask, a full dictionary and a varint of 10 bytes per event. */
export const MAX_SEGMENT_BYTES = 13 * (16 + 256 * 10) + CHUNK_EVENTS * (5 * 10 + 8 * 5);

/** Damage a codec found; the caller adds file and segment. */
export class CodecError extends Error {}
