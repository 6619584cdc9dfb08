import { CHUNK_EVENTS } from '../../domain/event-chunk.ts';
import {
  DICTIONARY_LIMIT,
  indexBits,
  packedBytes,
  packIndices,
  unpackIndices,
} from './dictionary.ts';
import type { KindSelection } from './kinds.ts';
import { BY_KIND, CodecError, Mode } from './layout.ts';
import { readInts, VARINT_BYTES, writeInt, writeInts } from './varint.ts';

/** Columns of 8 to 32 bits. Values are their distance from `none` as u32, so that `none` is 0. */
const values = new Int32Array(CHUNK_EVENTS);
const gathered = new Int32Array(CHUNK_EVENTS);
const entries = new Int32Array(DICTIONARY_LIMIT);
const indices = new Uint8Array(CHUNK_EVENTS + 8);
const buckets = new Int16Array(1024);

export type IntColumn =
  | Uint8Array
  | Uint16Array
  | Int16Array
  | Int32Array
  | Int8Array
  | Uint32Array;

/** Appends a column; returns the position after it. Without `selection` every event has a value. */
export function encodeInts(
  out: Uint8Array,
  at: number,
  column: IntColumn,
  total: number,
  none: number,
  selection: KindSelection | undefined,
  kinds: Uint8Array,
): number {
  values.set(total === column.length ? column : column.subarray(0, total));
  if (none !== 0) for (let i = 0; i < total; i++) values[i]! -= none;
  let p = at;
  // Most columns of a segment are constant, so that is asked first.
  const first = total === 0 ? 0 : values[0]!;
  if (allAre(first, total)) {
    out[p++] = first === 0 ? Mode.none : Mode.constant;
    return first === 0 ? p : writeInt(out, p, first);
  }
  if (selection !== undefined) {
    const chosen = selection.chosen;
    chosen.fill(0);
    for (let i = 0; i < total; i++) if (values[i] !== 0) chosen[kinds[i]!] = 1;
  }
  const headAt = p++;
  let head = 0;
  let source = values;
  let count = total;
  if (selection !== undefined && !selection.coversAll()) {
    head = BY_KIND;
    p = selection.writeMask(out, p);
    const picked = selection.select();
    count = picked.count;
    for (let j = 0; j < count; j++) gathered[j] = values[picked.positions[j]!]!;
    source = gathered;
  }
  const size = buildDictionary(source, count);
  if (size === 1) {
    out[headAt] = head | Mode.constant;
    return writeInt(out, p, source[0]!);
  }
  if (size > 0 && dictionaryBytes(size, count) <= plainBytes(source, count, size)) {
    out[headAt] = head | Mode.dictionary;
    out[p++] = size - 1;
    p = writeInts(out, p, entries, size);
    indices.fill(0, count, count + 8);
    return packIndices(out, p, indices, count, indexBits(size));
  }
  out[headAt] = head | Mode.plain;
  return writeInts(out, p, source, count);
}

function allAre(value: number, total: number): boolean {
  let i = 0;
  while (i < total && values[i] === value) i++;
  return i === total;
}

/** Fills `entries` and `indices`; the number of different values, 0 if they are more than DICTIONARY_LIMIT. */
function buildDictionary(source: Int32Array, count: number): number {
  buckets.fill(-1);
  let size = 0;
  for (let i = 0; i < count; i++) {
    const v = source[i]!;
    let slot = Math.imul(v, 0x9e3779b1) >>> 22;
    let index = buckets[slot]!;
    while (index >= 0 && entries[index] !== v) {
      slot = (slot + 1) & 1023;
      index = buckets[slot]!;
    }
    if (index < 0) {
      if (size === DICTIONARY_LIMIT) return 0;
      index = size++;
      entries[index] = v;
      buckets[slot] = index;
    }
    indices[i] = index;
  }
  return size;
}

function dictionaryBytes(size: number, count: number): number {
  return plainSum(entries, size) + 1 + packedBytes(count, indexBits(size));
}

/** Bytes as plain varints; a dictionary of up to 16 entries is never worse than one byte per value. */
function plainBytes(source: Int32Array, count: number, size: number): number {
  return size <= 16 && count >= 256 ? Number.POSITIVE_INFINITY : plainSum(source, count);
}

function plainSum(source: Int32Array, count: number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += VARINT_BYTES[32 - Math.clz32(source[i]!)]!;
  return sum;
}

/** Reads a column into `column`, whose elements are 0 so far; returns the position after it. */
export function decodeInts(
  bytes: Uint8Array,
  at: number,
  column: IntColumn,
  total: number,
  none: number,
  selection: KindSelection | undefined,
): number {
  let p = at;
  const head = bytes[p++]!;
  const mode = head & ~BY_KIND;
  if (head === Mode.none) {
    if (none !== 0) column.fill(none, 0, total);
    return p;
  }
  let count = total;
  let positions: Uint16Array | undefined;
  if ((head & BY_KIND) !== 0) {
    if (selection === undefined) throw new CodecError('a column by kind before the kinds');
    p = selection.readMask(bytes, p);
    ({ positions, count } = selection.select());
    values.fill(none, 0, total);
  }
  if (mode === Mode.constant) {
    p = readInts(bytes, p, entries, 1);
    const value = entries[0]! + none;
    if (positions === undefined) {
      column.fill(value, 0, total);
      return p;
    }
    for (let j = 0; j < count; j++) values[positions[j]!] = value;
  } else if (mode === Mode.dictionary) {
    const size = bytes[p++]! + 1;
    p = readInts(bytes, p, entries, size);
    if (none !== 0) for (let j = 0; j < size; j++) entries[j]! += none;
    if (!unpackIndices(bytes, p, indices, count, size)) {
      throw new CodecError('an index outside its dictionary');
    }
    p += packedBytes(count, indexBits(size));
    if (positions === undefined) {
      for (let i = 0; i < count; i++) values[i] = entries[indices[i]!]!;
    } else {
      for (let j = 0; j < count; j++) values[positions[j]!] = entries[indices[j]!]!;
    }
  } else if (mode === Mode.plain) {
    p = readInts(bytes, p, gathered, count);
    if (positions === undefined) {
      for (let i = 0; i < count; i++) values[i] = gathered[i]! + none;
    } else {
      for (let j = 0; j < count; j++) values[positions[j]!] = gathered[j]! + none;
    }
  } else {
    throw new CodecError(`unknown column mode ${head}`);
  }
  column.set(total === values.length ? values : values.subarray(0, total));
  return p;
}
