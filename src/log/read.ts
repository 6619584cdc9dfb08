import type { EventChunk } from '../domain/event-chunk.ts';
import type { EventKind } from '../domain/event-kind.ts';
import { ofKinds, partOf } from './chunk-parts.ts';
import { merge } from './merge.ts';
import { groupsOf, type Span, spansOf } from './spans.ts';
import type { LogState } from './state.ts';
import { effectiveTimes } from './times.ts';
import type { ChunkRange, LogChunk } from './types.ts';

/** The events of a range in replay order. */
export function* readChunks(state: LogState, range: ChunkRange): Generator<LogChunk> {
  const spans = spansOf(state, range);
  const cursor = spans.map((span) => span.low - 1);
  const filter = range.kinds === undefined ? undefined : filterOf(range.kinds);
  for (const group of groupsOf(state, spans)) {
    if (group.length > 1) yield* merged(state, group, filter, cursor);
    else yield* straight(state, group[0]!, filter, cursor);
  }
}

/** Wanted kinds as a mask for whole segments and a table for events. */
interface KindFilter {
  readonly mask: bigint;
  readonly wanted: Uint8Array;
}

function filterOf(kinds: ReadonlySet<EventKind>): KindFilter {
  const wanted = new Uint8Array(64);
  let mask = 0n;
  for (const kind of kinds) {
    wanted[kind] = 1;
    mask |= 1n << BigInt(kind);
  }
  return { mask, wanted };
}

/** The segments of a span one after the other. */
function* straight(
  state: LogState,
  span: Span,
  filter: KindFilter | undefined,
  cursor: number[],
): Generator<LogChunk> {
  const last = state.segments.indexOf(span.high);
  for (let i = state.segments.indexOf(span.low); i <= last; i++) {
    const chunk = segmentPart(state, span, i, filter);
    if (chunk === undefined) continue;
    cursor[span.run - 1] = Math.min(state.segments.lastSeq(i), span.high);
    yield withCursor(chunk, cursor);
  }
}

/** Spans that overlap in time, merged by (effective time, run, seq). */
function* merged(
  state: LogState,
  group: readonly Span[],
  filter: KindFilter | undefined,
  cursor: number[],
): Generator<LogChunk> {
  const inOrderOfRuns = [...group].sort((a, b) => a.run - b.run);
  const lanes = inOrderOfRuns.map((span) => timedParts(state, span, filter));
  for (const { chunk, taken } of merge(lanes)) {
    taken.forEach((seq, lane) => {
      if (seq > 0) cursor[inOrderOfRuns[lane]!.run - 1] = seq;
    });
    yield withCursor(chunk, cursor);
  }
}

/** What a span and a filter leave, segment by segment, with effective times. */
function* timedParts(
  state: LogState,
  span: Span,
  filter: KindFilter | undefined,
): Generator<{ chunk: EventChunk; times: BigUint64Array }> {
  const { segments } = state;
  const last = segments.indexOf(span.high);
  for (let i = segments.indexOf(span.low); i <= last; i++) {
    const chunk = segmentPart(state, span, i, filter);
    if (chunk !== undefined) yield { chunk, times: timesOf(state, i, chunk) };
  }
}

/** What a span and a filter leave of segment i. */
function segmentPart(
  { segments, reader }: LogState,
  span: Span,
  i: number,
  filter: KindFilter | undefined,
): EventChunk | undefined {
  if (filter !== undefined && (segments.kinds[i]! & filter.mask) === 0n) return undefined;
  const first = segments.firstSeq[i]!;
  const from = Math.max(span.low - first, 0);
  const to = Math.min(span.high - first + 1, segments.events[i]!);
  let chunk = reader.read(i);
  if (from > 0 || to < chunk.length) chunk = partOf(chunk, from, to);
  return filter === undefined ? chunk : ofKinds(chunk, filter.wanted);
}

/** Effective times of what is left of segment i: the maximum also runs over events that were cut off or filtered out. */
function timesOf({ segments, reader }: LogState, i: number, chunk: EventChunk): BigUint64Array {
  if (chunk.length === segments.events[i]) {
    return effectiveTimes(chunk.time, segments.firstTime[i]!);
  }
  const all = reader.times(i);
  const first = segments.firstSeq[i]!;
  const times = new BigUint64Array(chunk.length);
  for (let j = 0; j < chunk.length; j++) times[j] = all[chunk.seq[j]! - first]!;
  return times;
}

/** Member by member: objects made by spreading get a shape each, and then every access to a column is a lookup. */
function withCursor(chunk: EventChunk, cursor: readonly number[]): LogChunk {
  return {
    length: chunk.length,
    seq: chunk.seq,
    time: chunk.time,
    kind: chunk.kind,
    flags: chunk.flags,
    source: chunk.source,
    pcpu: chunk.pcpu,
    vcpu: chunk.vcpu,
    tid: chunk.tid,
    counter: chunk.counter,
    code: chunk.code,
    object: chunk.object,
    value: chunk.value,
    aux0: chunk.aux0,
    aux1: chunk.aux1,
    cursor: cursor.slice(),
  };
}
