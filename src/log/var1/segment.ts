import { CHUNK_EVENTS, type EventChunk } from '../../domain/event-chunk.ts';
import { decodeInts, encodeInts } from './ints.ts';
import { KindSelection, outOfRange } from './kinds.ts';
import { CONTEXTS, CodecError, HIGH, halves, LOW, MAX_SEGMENT_BYTES } from './layout.ts';
import { encodeLongs } from './longs.ts';
import { decodeLongs } from './longs-decode.ts';

const selection = new KindSelection();
const scratch = new Uint8Array(MAX_SEGMENT_BYTES);
const contexts = new Uint16Array(CHUNK_EVENTS);

/**
 * Packs the columns of a chunk (all but `seq`): codec `var/1`. The bytes depend on the events alone.
 * @throws RangeError for more than CHUNK_EVENTS events or a kind that is not below 64.
 */
export function encodeColumns(chunk: EventChunk): Uint8Array {
  const total = chunk.length;
  if (total > CHUNK_EVENTS) throw new RangeError(`a segment holds ${CHUNK_EVENTS} events`);
  const bad = outOfRange(chunk.kind, total);
  if (bad >= 0) throw new RangeError(`event kind ${bad} is not below 64`);
  const kinds = chunk.kind;
  selection.begin(kinds, total);
  const out = scratch;
  let p = encodeLongs(out, 0, chunk.time, total, undefined, kinds, undefined);
  p = encodeInts(out, p, chunk.kind, total, 0, undefined, kinds);
  p = encodeInts(out, p, chunk.flags, total, 0, selection, kinds);
  p = encodeInts(out, p, chunk.source, total, 0, selection, kinds);
  p = encodeInts(out, p, chunk.pcpu, total, -1, selection, kinds);
  p = encodeInts(out, p, chunk.vcpu, total, -1, selection, kinds);
  p = encodeInts(out, p, chunk.tid, total, -1, selection, kinds);
  p = encodeInts(out, p, chunk.counter, total, -1, selection, kinds);
  p = encodeInts(out, p, chunk.code, total, 0, selection, kinds);
  p = encodeLongs(out, p, chunk.object, total, selection, kinds, undefined);
  fillContexts(chunk, total);
  p = encodeLongs(out, p, chunk.value, total, selection, kinds, contexts);
  p = encodeLongs(out, p, chunk.aux0, total, selection, kinds, contexts);
  p = encodeLongs(out, p, chunk.aux1, total, selection, kinds, contexts);
  return out.slice(0, p);
}

/** Times of a packed segment, without unpacking the rest. */
export function decodeTimes(bytes: Uint8Array, total: number): BigUint64Array {
  checkTotal(total);
  const time = new BigUint64Array(total);
  checkEnd(bytes, decodeLongs(bytes, 0, time, total, undefined, undefined));
  return time;
}

/**
 * Unpacks a segment into a fresh chunk of `total` events numbered from `firstSeq`.
 * @throws CodecError if the bytes are not what `encodeColumns` writes for so many events.
 */
export function decodeColumns(bytes: Uint8Array, total: number, firstSeq: number): EventChunk {
  checkTotal(total);
  const chunk = chunkInOneBuffer(total);
  let p = decodeLongs(bytes, 0, chunk.time, total, undefined, undefined);
  p = decodeInts(bytes, p, chunk.kind, total, 0, undefined);
  checkEnd(bytes, p);
  const bad = outOfRange(chunk.kind, total);
  if (bad >= 0) throw new CodecError(`event kind ${bad} is not below 64`);
  selection.begin(chunk.kind, total);
  p = decodeInts(bytes, p, chunk.flags, total, 0, selection);
  p = decodeInts(bytes, p, chunk.source, total, 0, selection);
  p = decodeInts(bytes, p, chunk.pcpu, total, -1, selection);
  p = decodeInts(bytes, p, chunk.vcpu, total, -1, selection);
  p = decodeInts(bytes, p, chunk.tid, total, -1, selection);
  p = decodeInts(bytes, p, chunk.counter, total, -1, selection);
  p = decodeInts(bytes, p, chunk.code, total, 0, selection);
  p = decodeLongs(bytes, p, chunk.object, total, selection, undefined);
  fillContexts(chunk, total);
  p = decodeLongs(bytes, p, chunk.value, total, selection, contexts);
  p = decodeLongs(bytes, p, chunk.aux0, total, selection, contexts);
  p = decodeLongs(bytes, p, chunk.aux1, total, selection, contexts);
  if (p !== bytes.length) {
    throw new CodecError(`${bytes.length} bytes where the columns take ${p}`);
  }
  const seq = chunk.seq;
  for (let i = 0; i < total; i++) seq[i] = firstSeq + i;
  return chunk;
}

/** Columns of one allocation: 14 of them cost as much as unpacking two columns. Wide ones first, so all are aligned. */
function chunkInOneBuffer(total: number): EventChunk {
  const buffer = new ArrayBuffer(total * 66);
  return {
    length: total,
    seq: new Float64Array(buffer, 0, total),
    time: new BigUint64Array(buffer, total * 8, total),
    kind: new Uint8Array(buffer, total * 64, total),
    flags: new Uint16Array(buffer, total * 56, total),
    source: new Uint16Array(buffer, total * 58, total),
    pcpu: new Int16Array(buffer, total * 60, total),
    vcpu: new Int16Array(buffer, total * 62, total),
    tid: new Int32Array(buffer, total * 48, total),
    counter: new Int8Array(buffer, total * 65, total),
    code: new Uint32Array(buffer, total * 52, total),
    object: new BigUint64Array(buffer, total * 16, total),
    value: new BigUint64Array(buffer, total * 24, total),
    aux0: new BigUint64Array(buffer, total * 32, total),
    aux1: new BigUint64Array(buffer, total * 40, total),
  };
}

/**
 * A value is mostly like the one before it of the same kind, register or perf event and counter. Two contexts that
 * fall together cost bytes, nothing else.
 */
function fillContexts(chunk: EventChunk, total: number): void {
  const { kind, code, counter } = chunk;
  const objects = halves(chunk.object);
  for (let i = 0; i < total; i++) {
    let h = Math.imul(kind[i]! + (counter[i]! << 8), 0x9e3779b1);
    h = Math.imul(h ^ code[i]!, 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 15) ^ objects[2 * i + LOW]! ^ objects[2 * i + HIGH]!, 0xc2b2ae35);
    contexts[i] = (h >>> 16) & (CONTEXTS - 1);
  }
}

function checkTotal(total: number): void {
  if (!Number.isInteger(total) || total < 1 || total > CHUNK_EVENTS) {
    throw new CodecError(`${total} events in a segment`);
  }
}

function checkEnd(bytes: Uint8Array, p: number): void {
  if (p > bytes.length) throw new CodecError('the columns end early');
}
