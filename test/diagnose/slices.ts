import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import type { Slice } from '../../src/diagnose/slice-log.ts';
import type { EventKind } from '../../src/domain/event-kind.ts';
import {
  importInto,
  type Log,
  type Observation,
  openLog,
  sliceSource,
  writeJsonLines,
} from '../../src/index.ts';
import type { ReplayChunk } from '../../src/replay/replay.ts';
import { rowsOf, type SliceableLog, type SliceRange } from '../../src/replay/slice/slice-events.ts';
import { MemoryLog } from '../drawn-trace.ts';

const folder = mkdtempSync(join(tmpdir(), 'vpmu-slice-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

let files = 0;

/** The slice as somebody else imports it; to be closed. */
export async function imported(log: Log, slice: Slice): Promise<Log> {
  let text = '';
  writeJsonLines(sliceSource(log, slice), (piece) => {
    text += piece;
  });
  const file = join(folder, `${files++}.vpmu`);
  async function* bytes(): AsyncIterable<Uint8Array> {
    yield new TextEncoder().encode(text);
  }
  await importInto(file, [{ path: 'slice.jsonl', stream: bytes() }]);
  return openLog(file);
}

/** Reads of a slice that are of its range, next to those of the whole log. */
export function pairs(
  whole: readonly Observation[],
  sliced: readonly Observation[],
  { facts }: Slice,
): readonly (readonly [whole: Observation, slice: Observation])[] {
  const of = whole.filter(({ seq }) => seq >= facts.fromSeq && seq <= facts.toSeq);
  const own = sliced.filter(({ seq }) => seq > facts.preamble);
  expect(own.length).toBe(of.length);
  return of.map((observation, i) => [observation, own[i]!]);
}

export function comparable({ code, verdict, low, span, unknownBits, recorded }: Observation) {
  return { code, verdict, low, span, unknownBits, recorded };
}

/** A log in memory of which parts can be read. */
export class PartsLog extends MemoryLog implements SliceableLog {
  readonly head = '0'.repeat(64);

  override *chunks(
    range: SliceRange & {
      readonly after?: readonly number[];
      readonly kinds?: ReadonlySet<EventKind>;
    } = {},
  ): Iterable<ReplayChunk> {
    const { fromSeq = 0, toSeq = Number.POSITIVE_INFINITY } = range;
    for (const chunk of super.chunks(range)) {
      const rows = Array.from({ length: chunk.length }, (_, row) => row).filter(
        (row) => chunk.seq[row]! >= fromSeq && chunk.seq[row]! <= toSeq,
      );
      if (rows.length > 0) yield { ...rowsOf(chunk, rows), cursor: chunk.cursor };
    }
  }
}
