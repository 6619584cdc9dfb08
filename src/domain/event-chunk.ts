import type { EventKind } from './event-kind.ts';

/** A log stores and replays this many events at a time: the measured knee of size against latency. */
export const CHUNK_EVENTS = 4096;

/** The columns of a chunk besides `seq`: name, array type, value when a record does not say. Order is the order on disk. */
export const COLUMNS = [
  { name: 'time', array: BigUint64Array, none: 0n },
  { name: 'kind', array: Uint8Array, none: 0 },
  { name: 'flags', array: Uint16Array, none: 0 },
  { name: 'source', array: Uint16Array, none: 0 },
  { name: 'pcpu', array: Int16Array, none: -1 },
  { name: 'vcpu', array: Int16Array, none: -1 },
  { name: 'tid', array: Int32Array, none: -1 },
  { name: 'counter', array: Int8Array, none: -1 },
  { name: 'code', array: Uint32Array, none: 0 },
  { name: 'object', array: BigUint64Array, none: 0n },
  { name: 'value', array: BigUint64Array, none: 0n },
  { name: 'aux0', array: BigUint64Array, none: 0n },
  { name: 'aux1', array: BigUint64Array, none: 0n },
] as const;

/**
 * Up to CHUNK_EVENTS events in columns; entry i of every column belongs to event i. What `code`, `counter` and the
 * four u64 payloads mean depends on the kind: KIND_SPECS.
 */
export interface EventChunk {
  readonly length: number;
  /** Sequence numbers: whole, below 2^53, unique in the log. In a chunk not yet appended they are 0. */
  readonly seq: Float64Array;
  /** Nanoseconds on the clock of the event's source. */
  readonly time: BigUint64Array;
  readonly kind: Uint8Array;
  readonly flags: Uint16Array;
  /** The recording it came from: id of the log's `import` row. */
  readonly source: Uint16Array;
  /** Physical CPU, −1 unknown. */
  readonly pcpu: Int16Array;
  /** vCPU slot (row of the log's vcpu table), −1 none or unknown. */
  readonly vcpu: Int16Array;
  /** Thread id, −1 unknown. */
  readonly tid: Int32Array;
  /** Guest counter index (general-purpose i = i; x86 fixed i = 32 + i; arm64 cycle counter = 31), −1 none. */
  readonly counter: Int8Array;
  readonly code: Uint32Array;
  readonly object: BigUint64Array;
  readonly value: BigUint64Array;
  readonly aux0: BigUint64Array;
  readonly aux1: BigUint64Array;
}

/** A chunk whose length can still be set: what importers and decoders fill. */
export type MutableEventChunk = { -readonly [K in keyof EventChunk]: EventChunk[K] };

/** An empty chunk with room for `capacity` events; `length` is 0 and the columns hold zeros, not their `none` values. */
export function allocateChunk(capacity: number = CHUNK_EVENTS): MutableEventChunk {
  return {
    length: 0,
    seq: new Float64Array(capacity),
    time: new BigUint64Array(capacity),
    kind: new Uint8Array(capacity),
    flags: new Uint16Array(capacity),
    source: new Uint16Array(capacity),
    pcpu: new Int16Array(capacity),
    vcpu: new Int16Array(capacity),
    tid: new Int32Array(capacity),
    counter: new Int8Array(capacity),
    code: new Uint32Array(capacity),
    object: new BigUint64Array(capacity),
    value: new BigUint64Array(capacity),
    aux0: new BigUint64Array(capacity),
    aux1: new BigUint64Array(capacity),
  };
}

/** One event as an object: for the shell, tests and printing, never for the hot path. */
export interface Event {
  readonly seq: number;
  readonly time: bigint;
  readonly kind: EventKind;
  readonly flags: number;
  readonly source: number;
  readonly pcpu: number;
  readonly vcpu: number;
  readonly tid: number;
  readonly counter: number;
  readonly code: number;
  readonly object: bigint;
  readonly value: bigint;
  readonly aux0: bigint;
  readonly aux1: bigint;
}

/** Event i of a chunk as an object. */
export function eventAt(chunk: EventChunk, i: number): Event {
  return {
    seq: chunk.seq[i]!,
    time: chunk.time[i]!,
    kind: chunk.kind[i]! as EventKind,
    flags: chunk.flags[i]!,
    source: chunk.source[i]!,
    pcpu: chunk.pcpu[i]!,
    vcpu: chunk.vcpu[i]!,
    tid: chunk.tid[i]!,
    counter: chunk.counter[i]!,
    code: chunk.code[i]!,
    object: chunk.object[i]!,
    value: chunk.value[i]!,
    aux0: chunk.aux0[i]!,
    aux1: chunk.aux1[i]!,
  };
}

/** Writes an event into slot i (missing members take the column's `none`). The caller keeps `length`. */
export function setEvent(chunk: EventChunk, i: number, event: Partial<Event>): void {
  chunk.seq[i] = event.seq ?? 0;
  for (const { name, none } of COLUMNS) {
    (chunk[name] as { [i: number]: number | bigint })[i] = event[name] ?? none;
  }
}

/** A chunk made of event objects: for tests and small inputs. */
export function chunkOf(events: readonly Partial<Event>[]): EventChunk {
  const chunk = allocateChunk(events.length);
  events.forEach((event, i) => {
    setEvent(chunk, i, event);
  });
  chunk.length = events.length;
  return chunk;
}
