import { CHUNK_EVENTS } from '../../domain/event-chunk.ts';
import { isConstant } from './constant.ts';
import {
  DICTIONARY_LIMIT,
  indexBits,
  MAX_INDEX_BYTES,
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
const indices = new Uint8Array(MAX_INDEX_BYTES);
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
  const given = total === column.length ? column : column.subarray(0, total);
  // Most columns of a segment are constant, so that is asked first.
  if (isConstant(given)) {
    const first = total === 0 ? 0 : (given[0]! - none) | 0;
    out[at] = first === 0 ? Mode.none : Mode.constant;
    return first === 0 ? at + 1 : writeInt(out, at + 1, first);
  }
  values.set(given);
  let p = at + 1;
  let head = 0;
  let source = values;
  let count = total;
  if (selection !== undefined) {
    selection.chosen.fill(0);
    chooseKinds(selection.chosen, kinds, none, total);
    if (!selection.coversAll()) {
      head = BY_KIND;
      p = selection.writeMask(out, p);
      const picked = selection.select();
      count = picked.count;
      gather(picked.positions, count);
      source = gathered;
    }
  }
  const size = buildDictionary(source, count);
  if (size === 1) {
    out[at] = head | Mode.constant;
    return writeInt(out, p, source[0]! - none);
  }
  subtract(entries, none, size);
  // A dictionary of up to 16 entries is never worse than one byte per value.
  const isSmall = size > 0 && size <= 16 && count >= 256;
  if (!isSmall) subtract(source, none, count);
  if (isSmall || (size > 0 && dictionaryBytes(size, count) <= plainSum(source, count))) {
    out[at] = head | Mode.dictionary;
    out[p++] = size - 1;
    p = writeInts(out, p, entries, size);
    return packIndices(out, p, indices, count, indexBits(size));
  }
  out[at] = head | Mode.plain;
  return writeInts(out, p, source, count);
}

function subtract(from: Int32Array, none: number, count: number): void {
  if (none === 0) return;
  for (let i = 0; i < count; i++) from[i]! -= none;
}

/** Marks the kinds of events whose value is not `none`. */
function chooseKinds(chosen: Uint8Array, kinds: Uint8Array, none: number, total: number): void {
  for (let i = 0; i < total; i++) if (values[i] !== none) chosen[kinds[i]!] = 1;
}

function gather(positions: Uint16Array, count: number): void {
  for (let j = 0; j < count; j++) gathered[j] = values[positions[j]!]!;
}

/** Fills `entries` and `indices`; the number of different values, 0 if they are more than DICTIONARY_LIMIT. */
function buildDictionary(source: Int32Array, count: number): number {
  buckets.fill(-1);
  let size = 0;
  let last = -1;
  let lastIndex = 0;
  for (let i = 0; i < count; i++) {
    const v = source[i]!;
    if (v === last && size > 0) {
      indices[i] = lastIndex;
      continue;
    }
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
    last = v;
    lastIndex = index;
  }
  return size;
}

function dictionaryBytes(size: number, count: number): number {
  return plainSum(entries, size) + 1 + packedBytes(count, indexBits(size));
}

/** Bytes as plain varints. */
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
