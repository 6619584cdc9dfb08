import type Database from 'better-sqlite3';
import { InputError } from '../domain/errors.ts';
import { asBlob, asNumber, RowError } from './canonical.ts';
import { genesis, runHash } from './chain.ts';
import type { Connection } from './connect.ts';
import { damaged, translating } from './errors.ts';
import { loadSegments, SegmentIndex, unknownKind } from './segment-index.ts';
import { SegmentReader } from './segment-reader.ts';
import {
  addSideRows,
  emptySideRows,
  noSideFacts,
  readSideRows,
  type SideFacts,
} from './side-tables.ts';

/** One importRun call: a block of the sequence numbers, with effective times that climb. */
export interface RunInfo {
  readonly id: number;
  readonly firstSeq: number;
  /** firstSeq − 1 for a run without events. */
  readonly lastSeq: number;
  /** Indexes of its segments; lastSegment is firstSegment − 1 for a run without events. */
  readonly firstSegment: number;
  readonly lastSegment: number;
}

/** What a log says of itself, read at one moment and checked, but for the events themselves. */
export interface LogState {
  readonly runs: readonly RunInfo[];
  readonly segments: SegmentIndex;
  readonly reader: SegmentReader;
  readonly facts: SideFacts;
  readonly eventCount: number;
  /** The last hash of the chain. */
  readonly head: Buffer;
}

/** A row of the run table, as stored. */
export interface RunRow {
  readonly id: number;
  readonly firstSeq: number;
  readonly events: number;
  readonly segments: number;
  readonly hash: Buffer;
}

/** All rows of the run table. @throws RowError */
export function readRuns(db: Database.Database): RunRow[] {
  const rows = db
    .prepare('SELECT id, first_seq, events, segments, hash FROM run ORDER BY id')
    .raw()
    .safeIntegers()
    .all() as unknown[][];
  return rows.map(([id, firstSeq, events, segments, hash]) => ({
    id: asNumber(id),
    firstSeq: asNumber(firstSeq),
    events: asNumber(events),
    segments: asNumber(segments),
    hash: asBlob(hash),
  }));
}

/**
 * Reads everything but the packed events, and checks it: headers by their check sums, the side tables by the hash chain.
 * @throws InputError for damage, or for events of a kind that only a newer vpmu knows.
 */
export function loadState({ path, db }: Connection): LogState {
  return translating(path, () => db.transaction(() => load(path, db)).deferred());
}

function load(path: string, db: Database.Database): LogState {
  const segments = loadIndex(path, db);
  const sideRows = readSideRows(db);
  const segmentHash = db.prepare('SELECT hash FROM segment WHERE number = ?').pluck();
  const facts = noSideFacts();
  const runs: RunInfo[] = [];
  let head = genesis();
  let nextSeq = 1;
  let nextSegment = 0;
  for (const row of readRuns(db)) {
    const id = runs.length + 1;
    const firstSegment = nextSegment;
    const firstSeq = nextSeq;
    while (nextSegment < segments.length && segments.run[nextSegment] === id) nextSegment++;
    const count = nextSegment - firstSegment;
    if (count > 0) {
      nextSeq = segments.lastSeq(nextSegment - 1) + 1;
      head = asBlob(segmentHash.get(nextSegment));
    }
    const header = { id, firstSeq, events: nextSeq - firstSeq, segments: count };
    if (
      row.id !== id ||
      row.firstSeq !== firstSeq ||
      row.events !== header.events ||
      row.segments !== count
    ) {
      throw damaged(path, `run ${id}: its row and its segments do not agree`);
    }
    const rows = sideRows.get(id) ?? emptySideRows();
    sideRows.delete(id);
    head = runHash(head, header, rows);
    if (!head.equals(row.hash)) {
      throw damaged(path, `run ${id}: its imports, names or vCPUs do not match the hash chain`);
    }
    try {
      addSideRows(facts, rows);
    } catch (error) {
      if (!(error instanceof RowError)) throw error;
      throw damaged(path, `run ${id}: ${error.message}`);
    }
    const lastSeq = nextSeq - 1;
    runs.push({ id, firstSeq, lastSeq, firstSegment, lastSegment: nextSegment - 1 });
  }
  if (nextSegment !== segments.length) {
    throw damaged(path, `segment ${nextSegment + 1} belongs to no run`);
  }
  for (const run of sideRows.keys()) throw damaged(path, `rows of run ${run}, which is not there`);
  const reader = new SegmentReader(path, db, segments);
  return { runs, segments, reader, facts, eventCount: nextSeq - 1, head };
}

function loadIndex(path: string, db: Database.Database): SegmentIndex {
  const segments = new SegmentIndex();
  const problem = loadSegments(db, segments);
  if (problem !== undefined) throw damaged(path, problem);
  let kinds = 0n;
  for (let i = 0; i < segments.length; i++) kinds |= segments.kinds[i]!;
  const unknown = unknownKind(kinds);
  if (unknown >= 0) {
    throw new InputError(
      `${path} holds events of kind ${unknown}, which this vpmu does not know`,
      'it was written by a newer vpmu: update this one',
    );
  }
  return segments;
}
