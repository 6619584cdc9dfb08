import { CHUNK_EVENTS } from '../../domain/event-chunk.ts';
import { isConstant } from './constant.ts';
import {
  DICTIONARY_LIMIT,
  indexBits,
  MAX_INDEX_BYTES,
  packedBytes,
  packIndices,
} from './dictionary.ts';
import type { KindSelection } from './kinds.ts';
import { BY_KIND, CONTEXTS, HIGH, LOW, Mode, signedHalves } from './layout.ts';
import { longBytes, writeInt, writeLongs } from './varint.ts';

/**
 * Packing of 64-bit columns. All arithmetic is on signed 32-bit halves, which never become heap numbers, and each loop is
 * a function of its own: an import is over soon, so code that compiles fast is worth more than fewer loops.
 */
const lows = new Int32Array(CHUNK_EVENTS);
const highs = new Int32Array(CHUNK_EVENTS);
const slots = new Uint16Array(CHUNK_EVENTS);
/** Residuals (value against prediction), low and high. */
const restLows = new Int32Array(CHUNK_EVENTS);
const restHighs = new Int32Array(CHUNK_EVENTS);
const entryLows = new Int32Array(DICTIONARY_LIMIT);
const entryHighs = new Int32Array(DICTIONARY_LIMIT);
const indices = new Uint8Array(MAX_INDEX_BYTES);
const BUCKETS = 1024;
const buckets = new Int16Array(BUCKETS);

/** The last value of each context. */
const lastLows = new Int32Array(CONTEXTS);
const lastHighs = new Int32Array(CONTEXTS);
const oneContext = new Uint16Array(CHUNK_EVENTS);

/** Values by which the way of packing is chosen. */
const SAMPLE = 1024;
/** Bytes of the sample as delta, zigzag and XOR varints. */
const costs = new Int32Array(3);

/**
 * Appends a column; returns the position after it.
 * @param contexts per event the context of its prediction; undefined: the event before it.
 */
export function encodeLongs(
  out: Uint8Array,
  at: number,
  column: BigUint64Array,
  total: number,
  selection: KindSelection | undefined,
  kinds: Uint8Array,
  contexts: Uint16Array | undefined,
): number {
  const words = signedHalves(column);
  if ((words[0]! | words[1]!) === 0 && isConstant(column.subarray(0, total))) {
    out[at] = Mode.none;
    return at + 1;
  }
  const context = contexts ?? oneContext;
  let p = at + 1;
  let head = 0;
  let count = total;
  if (selection !== undefined) {
    selection.chosen.fill(0);
    chooseKinds(selection.chosen, kinds, words, total);
  }
  if (selection === undefined || selection.coversAll()) {
    takeAll(words, context, total);
  } else {
    head = BY_KIND;
    p = selection.writeMask(out, p);
    const picked = selection.select();
    count = picked.count;
    takePicked(words, context, picked.positions, count);
  }
  const size = buildDictionary(count);
  if (size === 1) {
    out[at] = head | Mode.constant;
    return writeLongs(out, p, lows, highs, 1);
  }
  const mode = cheapest(size, count);
  if (mode === Mode.dictionary) {
    out[at] = head | Mode.dictionary;
    out[p++] = size - 1;
    p = writeLongs(out, p, entryLows, entryHighs, size);
    return packIndices(out, p, indices, count, indexBits(size));
  }
  const scale = contexts === undefined ? commonScale(count) : 1;
  const chosen = scale > 1 ? Mode.delta : mode;
  out[at] = head | chosen;
  lastLows.fill(0);
  lastHighs.fill(0);
  if (chosen === Mode.xor) {
    xors(count);
  } else {
    deltas(count);
    if (chosen === Mode.zigzag) zigzags(count);
    else p = writeInt(out, p, scale);
    if (scale > 1) divide(count, scale);
  }
  return writeLongs(out, p, restLows, restHighs, count);
}

/** Marks the kinds of events whose value is not 0. */
function chooseKinds(
  chosen: Uint8Array,
  kinds: Uint8Array,
  words: Int32Array,
  total: number,
): void {
  for (let i = 0; i < total; i++) {
    if ((words[2 * i]! | words[2 * i + 1]!) !== 0) chosen[kinds[i]!] = 1;
  }
}

function takeAll(words: Int32Array, context: Uint16Array, total: number): void {
  for (let i = 0; i < total; i++) {
    lows[i] = words[2 * i + LOW]!;
    highs[i] = words[2 * i + HIGH]!;
    slots[i] = context[i]!;
  }
}

function takePicked(
  words: Int32Array,
  context: Uint16Array,
  positions: Uint16Array,
  count: number,
): void {
  for (let j = 0; j < count; j++) {
    const i = positions[j]!;
    lows[j] = words[2 * i + LOW]!;
    highs[j] = words[2 * i + HIGH]!;
    slots[j] = context[i]!;
  }
}

/** Fills the dictionary; the number of different values, 0 if they are more than DICTIONARY_LIMIT. */
function buildDictionary(count: number): number {
  buckets.fill(-1);
  let size = 0;
  for (let i = 0; i < count; i++) {
    const lo = lows[i]!;
    const hi = highs[i]!;
    let slot = Math.imul(lo ^ Math.imul(hi, 0x85ebca6b), 0x9e3779b1) >>> 22;
    let index = buckets[slot]!;
    while (index >= 0 && (entryLows[index] !== lo || entryHighs[index] !== hi)) {
      slot = (slot + 1) & (BUCKETS - 1);
      index = buckets[slot]!;
    }
    if (index < 0) {
      if (size === DICTIONARY_LIMIT) return 0;
      index = size++;
      entryLows[index] = lo;
      entryHighs[index] = hi;
      buckets[slot] = index;
    }
    indices[i] = index;
  }
  return size;
}

/** The way of packing that takes the fewest bytes, as far as a sample shows. `size` of the dictionary, 0: too large. */
function cheapest(size: number, count: number): number {
  let dictionary = Number.MAX_SAFE_INTEGER;
  if (size > 0) {
    dictionary = dictionaryBytes(size, count);
    // Nothing else can beat one byte per value.
    if (dictionary <= count) return Mode.dictionary;
  }
  const sample = Math.min(count, SAMPLE);
  sampleCosts(sample);
  const [delta, zigzag, xor] = costs as unknown as readonly [number, number, number];
  const least = Math.min(delta, zigzag, xor);
  if (dictionary * sample <= least * count) return Mode.dictionary;
  return least === delta ? Mode.delta : least === zigzag ? Mode.zigzag : Mode.xor;
}

function dictionaryBytes(size: number, count: number): number {
  let sum = 1 + packedBytes(count, indexBits(size));
  for (let i = 0; i < size; i++) sum += longBytes(entryLows[i]!, entryHighs[i]!);
  return sum;
}

/** Fills `costs`. */
function sampleCosts(count: number): void {
  lastLows.fill(0);
  lastHighs.fill(0);
  let delta = 0;
  let zigzag = 0;
  let xor = 0;
  for (let i = 0; i < count; i++) {
    const slot = slots[i]!;
    const lo = lows[i]!;
    const hi = highs[i]!;
    const wasLo = lastLows[slot]!;
    const wasHi = lastHighs[slot]!;
    lastLows[slot] = lo;
    lastHighs[slot] = hi;
    const dLo = (lo - wasLo) | 0;
    const dHi = (hi - wasHi - borrow(lo, wasLo)) | 0;
    const sign = dHi >> 31;
    delta += longBytes(dLo, dHi);
    zigzag += longBytes((dLo << 1) ^ sign, ((dHi << 1) | (dLo >>> 31)) ^ sign);
    xor += longBytes(lo ^ wasLo, hi ^ wasHi);
  }
  costs[0] = delta;
  costs[1] = zigzag;
  costs[2] = xor;
}

/** 1 if, as unsigned numbers, a < b. */
function borrow(a: number, b: number): number {
  return ((~a & b) | (~(a ^ b) & (a - b))) >>> 31;
}

/** 1000 if the column only climbs in steps of 1000 (a time printed in microseconds), else 1. */
function commonScale(count: number): number {
  let last = 0;
  for (let i = 0; i < count; i++) {
    const hi = highs[i]! >>> 0;
    if (hi >= 0x20_0000) return 1;
    const value = hi * 0x1_0000_0000 + (lows[i]! >>> 0);
    if (value < last || (value - last) % 1000 !== 0) return 1;
    last = value;
  }
  return 1000;
}

function deltas(count: number): void {
  for (let i = 0; i < count; i++) {
    const slot = slots[i]!;
    const lo = lows[i]!;
    const hi = highs[i]!;
    const wasLo = lastLows[slot]!;
    restLows[i] = lo - wasLo;
    restHighs[i] = hi - lastHighs[slot]! - borrow(lo, wasLo);
    lastLows[slot] = lo;
    lastHighs[slot] = hi;
  }
}

/** Divides residuals, which `scale` divides without a rest. */
function divide(count: number, scale: number): void {
  for (let i = 0; i < count; i++) {
    const steps = ((restHighs[i]! >>> 0) * 0x1_0000_0000 + (restLows[i]! >>> 0)) / scale;
    restHighs[i] = Math.floor(steps / 0x1_0000_0000);
    restLows[i] = steps % 0x1_0000_0000;
  }
}

/** Folds the signs of differences into their lowest bits. */
function zigzags(count: number): void {
  for (let i = 0; i < count; i++) {
    const lo = restLows[i]!;
    const hi = restHighs[i]!;
    const sign = hi >> 31;
    restLows[i] = (lo << 1) ^ sign;
    restHighs[i] = ((hi << 1) | (lo >>> 31)) ^ sign;
  }
}

function xors(count: number): void {
  for (let i = 0; i < count; i++) {
    const slot = slots[i]!;
    const lo = lows[i]!;
    const hi = highs[i]!;
    restLows[i] = lo ^ lastLows[slot]!;
    restHighs[i] = hi ^ lastHighs[slot]!;
    lastLows[slot] = lo;
    lastHighs[slot] = hi;
  }
}
