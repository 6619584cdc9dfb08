import { CHUNK_EVENTS } from '../../domain/event-chunk.ts';
import {
  DICTIONARY_LIMIT,
  indexBits,
  MAX_INDEX_BYTES,
  packedBytes,
  unpackIndices,
} from './dictionary.ts';
import type { KindSelection } from './kinds.ts';
import { BY_KIND, CONTEXTS, CodecError, HIGH, halves, LOW, Mode } from './layout.ts';
import { readInts, readLongs } from './varint.ts';

/** Unpacking of 64-bit columns. All arithmetic is on 32-bit halves. */
const restLows = new Uint32Array(CHUNK_EVENTS);
const restHighs = new Uint32Array(CHUNK_EVENTS);
const entryLows = new Uint32Array(DICTIONARY_LIMIT);
const entryHighs = new Uint32Array(DICTIONARY_LIMIT);
const indices = new Uint8Array(MAX_INDEX_BYTES);
/** The last value of each context. */
const lastLows = new Uint32Array(CONTEXTS);
const lastHighs = new Uint32Array(CONTEXTS);
const oneContext = new Uint16Array(CHUNK_EVENTS);
const inOrder = Uint16Array.from({ length: CHUNK_EVENTS }, (_, i) => i);
const scaleScratch = new Int32Array(1);

/** Reads a column into `column`, whose elements are 0 so far; returns the position after it. */
export function decodeLongs(
  bytes: Uint8Array,
  at: number,
  column: BigUint64Array,
  total: number,
  selection: KindSelection | undefined,
  contexts: Uint16Array | undefined,
): number {
  let p = at;
  const head = bytes[p++]!;
  const mode = head & ~BY_KIND;
  if (head === Mode.none) return p;
  let count = total;
  let positions: Uint16Array = inOrder;
  if ((head & BY_KIND) !== 0) {
    if (selection === undefined) throw new CodecError('a column by kind before the kinds');
    p = selection.readMask(bytes, p);
    ({ positions, count } = selection.select());
  }
  const words = halves(column);
  if (mode === Mode.constant) {
    p = readLongs(bytes, p, entryLows, entryHighs, 1);
    indices.fill(0, 0, count);
    look(words, positions, count);
  } else if (mode === Mode.dictionary) {
    const size = bytes[p++]! + 1;
    p = readLongs(bytes, p, entryLows, entryHighs, size);
    if (!unpackIndices(bytes, p, indices, count, size)) {
      throw new CodecError('an index outside its dictionary');
    }
    p += packedBytes(count, indexBits(size));
    look(words, positions, count);
  } else if (mode === Mode.delta || mode === Mode.zigzag || mode === Mode.xor) {
    let scale = 1;
    if (mode === Mode.delta) {
      p = readInts(bytes, p, scaleScratch, 1);
      scale = scaleScratch[0]! >>> 0;
    }
    p = readLongs(bytes, p, restLows, restHighs, count);
    if (scale !== 1) multiply(count, scale);
    lastLows.fill(0);
    lastHighs.fill(0);
    const context = contexts ?? oneContext;
    if (mode === Mode.xor) addXors(words, positions, context, count);
    else if (mode === Mode.zigzag) addZigzags(words, positions, context, count);
    else addDeltas(words, positions, context, count);
  } else {
    throw new CodecError(`unknown column mode ${head}`);
  }
  return p;
}

function look(words: Uint32Array, positions: Uint16Array, count: number): void {
  for (let j = 0; j < count; j++) {
    const i = positions[j]! * 2;
    const index = indices[j]!;
    words[i + LOW] = entryLows[index]!;
    words[i + HIGH] = entryHighs[index]!;
  }
}

function multiply(count: number, scale: number): void {
  for (let i = 0; i < count; i++) {
    const product = (restHighs[i]! * 0x1_0000_0000 + restLows[i]!) * scale;
    if (product > Number.MAX_SAFE_INTEGER) throw new CodecError('a scaled step beyond 2^53');
    restHighs[i] = Math.floor(product / 0x1_0000_0000);
    restLows[i] = product % 0x1_0000_0000;
  }
}

function addDeltas(
  words: Uint32Array,
  positions: Uint16Array,
  context: Uint16Array,
  count: number,
): void {
  for (let j = 0; j < count; j++) {
    const i = positions[j]!;
    const slot = context[i]!;
    const wasLo = lastLows[slot]!;
    const lo = (wasLo + restLows[j]!) >>> 0;
    const hi = (lastHighs[slot]! + restHighs[j]! + (lo < wasLo ? 1 : 0)) >>> 0;
    lastLows[slot] = lo;
    lastHighs[slot] = hi;
    words[2 * i + LOW] = lo;
    words[2 * i + HIGH] = hi;
  }
}

function addZigzags(
  words: Uint32Array,
  positions: Uint16Array,
  context: Uint16Array,
  count: number,
): void {
  for (let j = 0; j < count; j++) {
    const zLo = restLows[j]!;
    const zHi = restHighs[j]!;
    const sign = -(zLo & 1);
    restLows[j] = ((zLo >>> 1) | (zHi << 31)) ^ sign;
    restHighs[j] = (zHi >>> 1) ^ sign;
  }
  addDeltas(words, positions, context, count);
}

function addXors(
  words: Uint32Array,
  positions: Uint16Array,
  context: Uint16Array,
  count: number,
): void {
  for (let j = 0; j < count; j++) {
    const i = positions[j]!;
    const slot = context[i]!;
    const lo = (restLows[j]! ^ lastLows[slot]!) >>> 0;
    const hi = (restHighs[j]! ^ lastHighs[slot]!) >>> 0;
    lastLows[slot] = lo;
    lastHighs[slot] = hi;
    words[2 * i + LOW] = lo;
    words[2 * i + HIGH] = hi;
  }
}
