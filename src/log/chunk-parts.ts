import { allocateChunk, type EventChunk, type MutableEventChunk } from '../domain/event-chunk.ts';

/** Events `from` (inclusive) to `to` (exclusive) of a chunk, as views of its columns. */
export function partOf(chunk: EventChunk, from: number, to: number): EventChunk {
  return {
    length: to - from,
    seq: chunk.seq.subarray(from, to),
    time: chunk.time.subarray(from, to),
    kind: chunk.kind.subarray(from, to),
    flags: chunk.flags.subarray(from, to),
    source: chunk.source.subarray(from, to),
    pcpu: chunk.pcpu.subarray(from, to),
    vcpu: chunk.vcpu.subarray(from, to),
    tid: chunk.tid.subarray(from, to),
    counter: chunk.counter.subarray(from, to),
    code: chunk.code.subarray(from, to),
    object: chunk.object.subarray(from, to),
    value: chunk.value.subarray(from, to),
    aux0: chunk.aux0.subarray(from, to),
    aux1: chunk.aux1.subarray(from, to),
  };
}

/** Copies a whole chunk into another one at an index; the caller keeps `length`. */
export function copyInto(target: MutableEventChunk, at: number, chunk: EventChunk): void {
  const part = chunk.length === chunk.time.length ? chunk : partOf(chunk, 0, chunk.length);
  target.seq.set(part.seq, at);
  target.time.set(part.time, at);
  target.kind.set(part.kind, at);
  target.flags.set(part.flags, at);
  target.source.set(part.source, at);
  target.pcpu.set(part.pcpu, at);
  target.vcpu.set(part.vcpu, at);
  target.tid.set(part.tid, at);
  target.counter.set(part.counter, at);
  target.code.set(part.code, at);
  target.object.set(part.object, at);
  target.value.set(part.value, at);
  target.aux0.set(part.aux0, at);
  target.aux1.set(part.aux1, at);
}

/** The events of some kinds: the chunk itself if all are, undefined if none is. `wanted` has an entry per kind. */
export function ofKinds(chunk: EventChunk, wanted: Uint8Array): EventChunk | undefined {
  const { kind, length } = chunk;
  let count = 0;
  for (let i = 0; i < length; i++) count += wanted[kind[i]!]!;
  if (count === length) return chunk;
  if (count === 0) return undefined;
  const result = allocateChunk(count);
  result.length = count;
  for (let i = 0, j = 0; i < length; i++) {
    if (wanted[kind[i]!] === 0) continue;
    result.seq[j] = chunk.seq[i]!;
    result.time[j] = chunk.time[i]!;
    result.kind[j] = kind[i]!;
    result.flags[j] = chunk.flags[i]!;
    result.source[j] = chunk.source[i]!;
    result.pcpu[j] = chunk.pcpu[i]!;
    result.vcpu[j] = chunk.vcpu[i]!;
    result.tid[j] = chunk.tid[i]!;
    result.counter[j] = chunk.counter[i]!;
    result.code[j] = chunk.code[i]!;
    result.object[j] = chunk.object[i]!;
    result.value[j] = chunk.value[i]!;
    result.aux0[j] = chunk.aux0[i]!;
    result.aux1[j] = chunk.aux1[i]!;
    j++;
  }
  return result;
}
