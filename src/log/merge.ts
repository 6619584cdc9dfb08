import {
  allocateChunk,
  CHUNK_EVENTS,
  type EventChunk,
  type MutableEventChunk,
} from '../domain/event-chunk.ts';
import { partOf } from './chunk-parts.ts';
import { HIGH, halves, LOW } from './var1/layout.ts';

/** A chunk with the (climbing) times it is ordered by. */
export interface TimedChunk {
  readonly chunk: EventChunk;
  readonly times: BigUint64Array;
}

/** A merged chunk, and per lane the seq of the last event taken so far (0: none). */
export interface MergedChunk {
  readonly chunk: EventChunk;
  readonly taken: readonly number[];
}

interface Lane {
  readonly rest: Iterator<TimedChunk>;
  /** Place among all lanes: lower comes first at equal times. */
  readonly rank: number;
  chunk: EventChunk;
  /** Halves of its times. */
  words: Uint32Array;
  /** First event not yet taken. */
  at: number;
}

/** Which event goes to which place of the chunk being made. */
const planLane = new Uint16Array(CHUNK_EVENTS);
const planAt = new Uint16Array(CHUNK_EVENTS);

/**
 * Merges lanes, each ordered by its times, into chunks of up to CHUNK_EVENTS; at equal times an earlier lane comes first.
 * Stretches that no other lane has a part in are handed over uncopied. Holds one chunk per lane.
 */
export function* merge(inputs: readonly Iterator<TimedChunk>[]): Generator<MergedChunk> {
  const taken = inputs.map(() => 0);
  const lanes: Lane[] = [];
  inputs.forEach((rest, rank) => {
    const lane = { rest, rank, chunk: allocateChunk(0), words: new Uint32Array(0), at: 0 };
    if (refill(lane)) lanes.push(lane);
  });
  let out: MutableEventChunk = allocateChunk();
  // Places [out.length, planned) of `out` are planned, but not copied yet.
  let planned = 0;
  while (lanes.length > 0) {
    const [front, second] = firstTwo(lanes);
    const { chunk } = front;
    const end = second === undefined ? chunk.length : leadEnd(front, second);
    if (planned === 0 && end === chunk.length && end - front.at >= CHUNK_EVENTS / 2) {
      taken[front.rank] = chunk.seq[end - 1]!;
      yield { chunk: partOf(chunk, front.at, end), taken };
      front.at = end;
    } else {
      const to = Math.min(end, front.at + CHUNK_EVENTS - planned);
      const index = lanes.indexOf(front);
      for (let i = front.at; i < to; i++) {
        planLane[planned] = index;
        planAt[planned++] = i;
      }
      front.at = to;
      taken[front.rank] = chunk.seq[to - 1]!;
    }
    if (planned === CHUNK_EVENTS || front.at === chunk.length) {
      copyPlanned(out, planned, lanes);
      if (planned === CHUNK_EVENTS) {
        yield { chunk: out, taken };
        out = allocateChunk();
        planned = 0;
      }
    }
    if (front.at === chunk.length && !refill(front)) lanes.splice(lanes.indexOf(front), 1);
  }
  if (planned > 0) yield { chunk: partOf(out, 0, planned), taken };
}

function refill(lane: Lane): boolean {
  const next = lane.rest.next();
  if (next.done === true) return false;
  lane.chunk = next.value.chunk;
  lane.words = halves(next.value.times);
  lane.at = 0;
  return true;
}

/** The lane whose event comes next, and the one whose event would come without it. */
function firstTwo(lanes: readonly Lane[]): [Lane, Lane | undefined] {
  let front = lanes[0]!;
  let second: Lane | undefined;
  for (let i = 1; i < lanes.length; i++) {
    const lane = lanes[i]!;
    if (comesBefore(lane, lane.at, front)) {
      second = front;
      front = lane;
    } else if (second === undefined || comesBefore(lane, lane.at, second)) {
      second = lane;
    }
  }
  return [front, second];
}

/** True if event `i` of a lane comes before the next event of another one. */
function comesBefore(a: Lane, i: number, b: Lane): boolean {
  const hiA = a.words[2 * i + HIGH]!;
  const hiB = b.words[2 * b.at + HIGH]!;
  if (hiA !== hiB) return hiA < hiB;
  const loA = a.words[2 * i + LOW]!;
  const loB = b.words[2 * b.at + LOW]!;
  return loA === loB ? a.rank < b.rank : loA < loB;
}

/** The first event of the lane in front that does not come before the second lane's next. */
function leadEnd(front: Lane, second: Lane): number {
  const { length } = front.chunk;
  // Near first: lanes that interleave change places after a few events.
  let step = 1;
  let known = front.at;
  while (known + step < length && comesBefore(front, known + step, second)) {
    known += step;
    step *= 2;
  }
  let low = known + 1;
  let high = Math.min(known + step, length);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (comesBefore(front, middle, second)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Copies what is planned behind `out.length`. One loop per column, so that each works on one type of array. */
function copyPlanned(out: MutableEventChunk, planned: number, lanes: readonly Lane[]): void {
  const chunks = lanes.map((lane) => lane.chunk);
  const from = out.length;
  out.length = planned;
  const { seq, time, kind, flags, source, pcpu, vcpu, tid, counter, code } = out;
  const { object, value, aux0, aux1 } = out;
  for (let k = from; k < planned; k++) seq[k] = chunks[planLane[k]!]!.seq[planAt[k]!]!;
  for (let k = from; k < planned; k++) kind[k] = chunks[planLane[k]!]!.kind[planAt[k]!]!;
  for (let k = from; k < planned; k++) flags[k] = chunks[planLane[k]!]!.flags[planAt[k]!]!;
  for (let k = from; k < planned; k++) source[k] = chunks[planLane[k]!]!.source[planAt[k]!]!;
  for (let k = from; k < planned; k++) pcpu[k] = chunks[planLane[k]!]!.pcpu[planAt[k]!]!;
  for (let k = from; k < planned; k++) vcpu[k] = chunks[planLane[k]!]!.vcpu[planAt[k]!]!;
  for (let k = from; k < planned; k++) tid[k] = chunks[planLane[k]!]!.tid[planAt[k]!]!;
  for (let k = from; k < planned; k++) counter[k] = chunks[planLane[k]!]!.counter[planAt[k]!]!;
  for (let k = from; k < planned; k++) code[k] = chunks[planLane[k]!]!.code[planAt[k]!]!;
  copyLongs(time, chunks.map((c) => c.time), from, planned); // biome-ignore format: one per line
  copyLongs(object, chunks.map((c) => c.object), from, planned); // biome-ignore format: one per line
  copyLongs(value, chunks.map((c) => c.value), from, planned); // biome-ignore format: one per line
  copyLongs(aux0, chunks.map((c) => c.aux0), from, planned); // biome-ignore format: one per line
  copyLongs(aux1, chunks.map((c) => c.aux1), from, planned); // biome-ignore format: one per line
}

/** A u64 column, by halves: no bigint is made. */
function copyLongs(
  column: BigUint64Array,
  columns: readonly BigUint64Array[],
  from: number,
  planned: number,
): void {
  const target = halves(column);
  const sources = columns.map(halves);
  for (let k = from; k < planned; k++) {
    const source = sources[planLane[k]!]!;
    const i = 2 * planAt[k]!;
    target[2 * k] = source[i]!;
    target[2 * k + 1] = source[i + 1]!;
  }
}
