import type { LogState } from './state.ts';
import { firstAfter, firstAtOrAfter } from './times.ts';
import type { ChunkRange } from './types.ts';

/**
 * The events of one run that a range selects. Effective times climb inside a run, so every limit cuts a run to one block
 * of sequence numbers, and `low` − 1 is the cursor's entry before it.
 */
export interface Span {
  readonly run: number;
  readonly low: number;
  /** Below `low` if nothing is selected. */
  readonly high: number;
}

/** Per run what the limits of a range leave of it, kinds aside; index = run id − 1. */
export function spansOf(state: LogState, range: ChunkRange): Span[] {
  return state.runs.map((run, r) => {
    let low = run.firstSeq;
    let high = run.lastSeq;
    if (range.after !== undefined) low = Math.max(low, (range.after[r] ?? 0) + 1);
    if (range.fromSeq !== undefined) low = Math.max(low, Math.ceil(range.fromSeq));
    if (range.toSeq !== undefined) high = Math.min(high, Math.floor(range.toSeq));
    if (range.fromTime !== undefined && low <= high) {
      low = Math.max(low, firstSeqFrom(state, r, range.fromTime));
    }
    if (range.toTime !== undefined && low <= high) {
      high = Math.min(high, firstSeqAfter(state, r, range.toTime) - 1);
    }
    return { run: run.id, low: Math.min(low, run.lastSeq + 1), high };
  });
}

/** The first event of a run with effective time ≥ `time`; one past its last if there is none. */
export function firstSeqFrom(state: LogState, r: number, time: bigint): number {
  const { segments, reader, runs } = state;
  const run = runs[r]!;
  const i = search(run.firstSegment, run.lastSegment, (s) => segments.lastTime[s]! >= time);
  if (i > run.lastSegment) return run.lastSeq + 1;
  if (segments.firstTime[i]! >= time) return segments.firstSeq[i]!;
  return segments.firstSeq[i]! + firstAtOrAfter(reader.times(i), time);
}

/** The first event of a run with effective time > `time`; one past its last if there is none. */
export function firstSeqAfter(state: LogState, r: number, time: bigint): number {
  const { segments, reader, runs } = state;
  const run = runs[r]!;
  const i = search(run.firstSegment, run.lastSegment, (s) => segments.lastTime[s]! > time);
  if (i > run.lastSegment) return run.lastSeq + 1;
  if (segments.firstTime[i]! > time) return segments.firstSeq[i]!;
  return segments.firstSeq[i]! + firstAfter(reader.times(i), time);
}

/** The first number in [low, high] for which a condition that stays true holds; high + 1 if none. */
function search(low: number, high: number, holds: (i: number) => boolean): number {
  let from = low;
  let to = high + 1;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (holds(middle)) to = middle;
    else from = middle + 1;
  }
  return from;
}

/**
 * Groups the non-empty spans so that the groups follow each other in replay order and only spans of one group overlap
 * in time. A group of one needs no merging.
 */
export function groupsOf(state: LogState, spans: readonly Span[]): Span[][] {
  const { segments } = state;
  const placed = spans
    .filter((span) => span.low <= span.high)
    .map((span) => ({
      span,
      // The bounds of whole segments: wide enough, and nothing has to be unpacked for them.
      start: segments.firstTime[segments.indexOf(span.low)]!,
      end: segments.lastTime[segments.indexOf(span.high)]!,
    }))
    .sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : a.span.run - b.span.run));
  const groups: Span[][] = [];
  let end = -1n;
  let highestRun = 0;
  for (const { span, start, end: spanEnd } of placed) {
    // Events of equal time come in the order of their runs.
    const follows = start > end || (start === end && span.run > highestRun);
    if (follows) groups.push([span]);
    else groups.at(-1)!.push(span);
    highestRun = follows ? span.run : Math.max(highestRun, span.run);
    if (spanEnd > end) end = spanEnd;
  }
  return groups;
}
