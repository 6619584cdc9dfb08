import { CHUNK_EVENTS } from '../../domain/event-chunk.ts';
import { DICTIONARY_LIMIT, indexBits, packedBytes, packIndices } from './dictionary.ts';
import type { KindSelection } from './kinds.ts';
import { BY_KIND, CONTEXTS, HIGH, halves, LOW, Mode } from './layout.ts';
import { longBytes, writeInt, writeLongs } from './varint.ts';

/** Packing of 64-bit columns. All arithmetic is on 32-bit halves. */
const lows = new Uint32Array(CHUNK_EVENTS);
const highs = new Uint32Array(CHUNK_EVENTS);
const slots = new Uint16Array(CHUNK_EVENTS);
/** Residuals (value against prediction), low and high. */
const restLows = new Uint32Array(CHUNK_EVENTS);
const restHighs = new Uint32Array(CHUNK_EVENTS);
const entryLows = new Uint32Array(DICTIONARY_LIMIT);
const entryHighs = new Uint32Array(DICTIONARY_LIMIT);
const indices = new Uint8Array(CHUNK_EVENTS + 8);
const buckets = new Int16Array(1024);

/** The last value of each context. */
const lastLows = new Uint32Array(CONTEXTS);
const lastHighs = new Uint32Array(CONTEXTS);
const oneContext = new Uint16Array(CHUNK_EVENTS);

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
  const words = halves(column);
  let p = at;
  let any = 0;
  if (selection === undefined) {
    for (let i = 0; i < total; i++) any |= words[2 * i]! | words[2 * i + 1]!;
  } else {
    const chosen = selection.chosen;
    chosen.fill(0);
    for (let i = 0; i < total; i++) {
      if ((words[2 * i]! | words[2 * i + 1]!) !== 0) {
        chosen[kinds[i]!] = 1;
        any = 1;
      }
    }
  }
  if (any === 0) {
    out[p++] = Mode.none;
    return p;
  }
  const headAt = p++;
  const context = contexts ?? oneContext;
  let head = 0;
  let count = total;
  if (selection === undefined || selection.coversAll()) {
    for (let i = 0; i < total; i++) {
      lows[i] = words[2 * i + LOW]!;
      highs[i] = words[2 * i + HIGH]!;
      slots[i] = context[i]!;
    }
  } else {
    head = BY_KIND;
    p = selection.writeMask(out, p);
    const picked = selection.select();
    count = picked.count;
    for (let j = 0; j < count; j++) {
      const i = picked.positions[j]!;
      lows[j] = words[2 * i + LOW]!;
      highs[j] = words[2 * i + HIGH]!;
      slots[j] = context[i]!;
    }
  }
  const size = buildDictionary(count);
  if (size === 1) {
    out[headAt] = head | Mode.constant;
    return writeLongs(out, p, lows, highs, 1);
  }
  const dictionary = size === 0 ? Number.POSITIVE_INFINITY : dictionaryBytes(size, count);
  // Nothing else can beat one byte per value.
  const cost = dictionary <= count ? undefined : residualCosts(count);
  if (
    cost === undefined ||
    (dictionary <= cost[0] && dictionary <= cost[1] && dictionary <= cost[2])
  ) {
    out[headAt] = head | Mode.dictionary;
    out[p++] = size - 1;
    p = writeLongs(out, p, entryLows, entryHighs, size);
    indices.fill(0, count, count + 8);
    return packIndices(out, p, indices, count, indexBits(size));
  }
  const [delta, zigzag, xor] = cost;
  const scale = contexts === undefined ? commonScale(count) : 1;
  if (scale > 1 || (delta <= zigzag && delta <= xor)) {
    out[headAt] = head | Mode.delta;
    deltas(count, scale);
    p = writeInt(out, p, scale);
  } else if (zigzag <= xor) {
    out[headAt] = head | Mode.zigzag;
    zigzags(count);
  } else {
    out[headAt] = head | Mode.xor;
    xors(count);
  }
  return writeLongs(out, p, restLows, restHighs, count);
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
      slot = (slot + 1) & 1023;
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

function dictionaryBytes(size: number, count: number): number {
  let sum = 1 + packedBytes(count, indexBits(size));
  for (let i = 0; i < size; i++) sum += longBytes(entryLows[i]!, entryHighs[i]!);
  return sum;
}

/** Bytes as delta, zigzag and XOR varints. */
function residualCosts(count: number): [delta: number, zigzag: number, xor: number] {
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
    const dLo = (lo - wasLo) >>> 0;
    const dHi = (hi - wasHi - (lo < wasLo ? 1 : 0)) >>> 0;
    delta += longBytes(dLo, dHi);
    const sign = (dHi | 0) >> 31;
    zigzag += longBytes(((dLo << 1) ^ sign) >>> 0, (((dHi << 1) | (dLo >>> 31)) ^ sign) >>> 0);
    xor += longBytes((lo ^ wasLo) >>> 0, (hi ^ wasHi) >>> 0);
  }
  return [delta, zigzag, xor];
}

/** 1000 if the column only climbs in steps of 1000 (a time printed in microseconds), else 1. */
function commonScale(count: number): number {
  let last = 0;
  for (let i = 0; i < count; i++) {
    const hi = highs[i]!;
    if (hi >= 0x20_0000) return 1;
    const value = hi * 0x1_0000_0000 + lows[i]!;
    if (value < last || (value - last) % 1000 !== 0) return 1;
    last = value;
  }
  return 1000;
}

function deltas(count: number, scale: number): void {
  lastLows.fill(0);
  lastHighs.fill(0);
  for (let i = 0; i < count; i++) {
    const slot = slots[i]!;
    const lo = lows[i]!;
    const hi = highs[i]!;
    const wasLo = lastLows[slot]!;
    restLows[i] = lo - wasLo;
    restHighs[i] = hi - lastHighs[slot]! - (lo < wasLo ? 1 : 0);
    lastLows[slot] = lo;
    lastHighs[slot] = hi;
  }
  if (scale === 1) return;
  for (let i = 0; i < count; i++) {
    const steps = (restHighs[i]! * 0x1_0000_0000 + restLows[i]!) / scale;
    restHighs[i] = Math.floor(steps / 0x1_0000_0000);
    restLows[i] = steps % 0x1_0000_0000;
  }
}

function zigzags(count: number): void {
  deltas(count, 1);
  for (let i = 0; i < count; i++) {
    const lo = restLows[i]!;
    const hi = restHighs[i]!;
    const sign = (hi | 0) >> 31;
    restLows[i] = (lo << 1) ^ sign;
    restHighs[i] = ((hi << 1) | (lo >>> 31)) ^ sign;
  }
}

function xors(count: number): void {
  lastLows.fill(0);
  lastHighs.fill(0);
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
