import { allocateChunk, CHUNK_EVENTS, type MutableEventChunk } from '../domain/event-chunk.ts';
import type { ImportSink } from '../domain/import-sink.ts';
import type { RecordingPump } from './recording-pump.ts';

/** Columns in the order they are copied. */
const COPIED = [
  'time',
  'kind',
  'flags',
  'source',
  'pcpu',
  'vcpu',
  'tid',
  'counter',
  'code',
  'object',
  'value',
  'aux0',
  'aux1',
] as const;

/**
 * Appends the events of all pumps in time order (running maximum per recording; ties by input, then position). One
 * chunk per recording is held at a time.
 */
export async function mergeByTime(
  sink: ImportSink,
  pumps: readonly RecordingPump[],
): Promise<void> {
  if (pumps.length === 1) {
    await pumps[0]!.runInto((chunk) => {
      const first = sink.nextSeq;
      sink.append(chunk);
      pumps[0]!.appended(chunk.length, first);
      return chunk;
    });
    return;
  }
  const out = allocateChunk(CHUNK_EVENTS);
  const spans: { pump: RecordingPump; at: number; length: number }[] = [];
  const flush = (): void => {
    if (out.length === 0) return;
    const first = sink.nextSeq;
    sink.append(out);
    for (const { pump, at, length } of spans) pump.appended(length, first + at);
    spans.length = 0;
    out.length = 0;
  };
  const live: RecordingPump[] = [];
  for (const pump of pumps) if (await pump.load()) live.push(pump);
  while (live.length > 0) {
    const next = live.reduce((first, pump) => (pump.headTime < first.headTime ? pump : first));
    // It may go on until an event of another recording is due; at equal times the input named first precedes.
    let rival: RecordingPump | undefined;
    for (const pump of live) {
      if (pump !== next && (rival === undefined || pump.headTime < rival.headTime)) rival = pump;
    }
    const run = next.runLength(rival?.headTime, rival !== undefined && next.number < rival.number);
    const length = Math.min(run, CHUNK_EVENTS - out.length);
    copy(next.current, next.at, out, out.length, length);
    spans.push({ pump: next, at: out.length, length });
    out.length += length;
    next.advance(length);
    if (out.length === CHUNK_EVENTS) flush();
    if (next.drained && !(await next.load())) live.splice(live.indexOf(next), 1);
  }
  flush();
}

function copy(
  from: MutableEventChunk,
  at: number,
  to: MutableEventChunk,
  toAt: number,
  length: number,
): void {
  for (const name of COPIED) {
    (to[name] as Uint8Array).set((from[name] as Uint8Array).subarray(at, at + length), toAt);
  }
}
