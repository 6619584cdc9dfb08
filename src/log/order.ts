import { type Event, eventAt } from '../domain/event-chunk.ts';
import { firstSeqAfter, firstSeqFrom } from './spans.ts';
import type { LogState, RunInfo } from './state.ts';
import type { Cursor, LogChunk } from './types.ts';

/** The event with a sequence number. */
export function eventOf({ segments, reader }: LogState, seq: number): Event | undefined {
  const i = segments.indexOf(seq);
  return i < 0 ? undefined : eventAt(reader.cached(i).chunk, seq - segments.firstSeq[i]!);
}

/** The effective time of an event. */
export function timeOf({ segments, reader }: LogState, seq: number): bigint | undefined {
  const i = segments.indexOf(seq);
  return i < 0 ? undefined : reader.cached(i).times[seq - segments.firstSeq[i]!];
}

/** The index (id − 1) of the run that holds an event; −1 if none does. */
function runIndexOf(runs: readonly RunInfo[], seq: number): number {
  return runs.findIndex((run) => run.firstSeq <= seq && seq <= run.lastSeq);
}

/** Up to `count` events that come before one in replay order, oldest first. */
export function eventsBefore(state: LogState, seq: number, count: number): Event[] {
  const { runs } = state;
  const time = timeOf(state, seq);
  if (time === undefined) return [];
  const own = runIndexOf(runs, seq);
  const candidates: { event: Event; time: bigint; run: number }[] = [];
  runs.forEach((run, r) => {
    // The first event of each run that does not come before.
    const end =
      r === own ? seq : r < own ? firstSeqAfter(state, r, time) : firstSeqFrom(state, r, time);
    for (let s = Math.max(run.firstSeq, end - count); s < end; s++) {
      candidates.push({ event: eventOf(state, s)!, time: timeOf(state, s)!, run: r });
    }
  });
  candidates.sort((a, b) =>
    a.time < b.time ? -1 : a.time > b.time ? 1 : a.run - b.run || a.event.seq - b.event.seq,
  );
  return candidates.slice(-count).map(({ event }) => event);
}

/** The cursor after event `i` of a chunk: that of its end, with what comes later in the chunk given back. */
export function cursorAfter(runs: readonly RunInfo[], chunk: LogChunk, i: number): Cursor {
  const cursor = [...chunk.cursor];
  for (let j = chunk.length - 1; j > i; j--) {
    const seq = chunk.seq[j]!;
    cursor[runIndexOf(runs, seq)] = seq - 1;
  }
  return cursor;
}
