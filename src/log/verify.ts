import Database from 'better-sqlite3';
import { RowError, type SqlValue } from './canonical.ts';
import { checkSum, genesis, headerBytes, runHash, segmentHash } from './chain.ts';
import type { Connection } from './connect.ts';
import { oneLine } from './errors.ts';
import { schemaDifference } from './migrate.ts';
import { HEADER_COLUMNS, type StoredHeader, storedHeader } from './segment-index.ts';
import { summarize } from './segment-summary.ts';
import { addSideRows, emptySideRows, noSideFacts, readSideRows } from './side-tables.ts';
import { readRuns } from './state.ts';
import type { BadPlace, VerifyReport } from './types.ts';
import { CodecError, MAX_SEGMENT_BYTES, VAR1 } from './var1/layout.ts';
import { decodeColumns } from './var1/segment.ts';

/** Damage found; carries the place out of the nested checks. */
class Damage extends Error {
  readonly place: BadPlace;
  constructor(place: BadPlace) {
    super(place.what);
    this.place = place;
  }
}

/** How far a check has come. */
interface Progress {
  runs: number;
  segments: number;
  events: number;
  head: Buffer;
  /** What is being looked at. */
  at: Omit<BadPlace, 'what'>;
}

/**
 * Recomputes the chain, the check sums and all that headers say from the stored bytes, and asks SQLite to check its own
 * structures. Stops at the first bad place. Reads short pieces, so an import can go on meanwhile.
 */
export function verifyLog({ db, schema }: Connection): VerifyReport {
  const progress: Progress = { runs: 0, segments: 0, events: 0, head: genesis(), at: {} };
  const report = (firstBad?: BadPlace): VerifyReport => ({
    ok: firstBad === undefined,
    runs: progress.runs,
    segments: progress.segments,
    events: progress.events,
    head: progress.head.toString('hex'),
    ...(firstBad === undefined ? {} : { firstBad }),
  });
  try {
    checkAll(db, schema, progress);
    return report();
  } catch (error) {
    if (error instanceof Damage) return report(error.place);
    if (error instanceof RowError) return report({ ...progress.at, what: error.message });
    if (error instanceof Database.SqliteError) {
      return report({ ...progress.at, what: `SQLite: ${oneLine(error.message)}` });
    }
    throw error;
  }
}

function checkAll(db: Database.Database, schema: number, progress: Progress): void {
  const difference = schemaDifference(db, schema);
  if (difference !== undefined) throw new Damage({ what: oneLine(difference) });
  // One moment's view: what a later import adds is not looked at.
  const { runs, sideRows, segments } = db.transaction(() => ({
    runs: readRuns(db),
    sideRows: readSideRows(db),
    segments: db.prepare('SELECT coalesce(max(number), 0) FROM segment').pluck().get() as number,
  }))();
  const facts = noSideFacts();
  for (const row of runs) {
    const run = progress.runs + 1;
    progress.at = { run };
    const want = <T extends string | number | bigint>(what: string, expected: T, actual: T) => {
      if (expected !== actual) {
        throw new Damage({ run, what, expected: `${expected}`, actual: `${actual}` });
      }
    };
    want('number of the run', run, row.id);
    want('first event of the run', progress.events + 1, row.firstSeq);
    const rows = sideRows.get(run) ?? emptySideRows();
    sideRows.delete(run);
    const sources = new Set(rows.import.map((values) => Number(values[0])));
    const before = { segments: progress.segments, events: progress.events };
    checkSegments(db, run, row.segments, sources, progress);
    progress.at = { run };
    const events = progress.events - before.events;
    const segments = progress.segments - before.segments;
    want('events of the run', row.events, events);
    const firstSeq = before.events + 1;
    progress.head = runHash(progress.head, { id: run, firstSeq, events, segments }, rows);
    const what = 'hash over the imports, names, attrs, vCPUs and threads of the run';
    want(what, row.hash.toString('hex'), progress.head.toString('hex'));
    addSideRows(facts, rows);
    progress.runs = run;
  }
  progress.at = {};
  for (const run of sideRows.keys())
    throw new Damage({ run, what: 'rows of a run that is missing' });
  if (segments !== progress.segments) {
    throw new Damage({
      segment: progress.segments + 1,
      firstSeq: progress.events + 1,
      what: 'segments that belong to no run',
      expected: `${progress.segments}`,
      actual: `${segments}`,
    });
  }
  const integrity = db.pragma('integrity_check(1)', { simple: true });
  if (integrity !== 'ok') throw new Damage({ what: `SQLite: ${oneLine(String(integrity))}` });
}

/** Checks the segments of one run, which must be the next `count` ones. */
function checkSegments(
  db: Database.Database,
  run: number,
  count: number,
  sources: ReadonlySet<number>,
  progress: Progress,
): void {
  const select = db
    .prepare(
      `SELECT ${HEADER_COLUMNS}, CASE WHEN length(columns) <= ${MAX_SEGMENT_BYTES} THEN columns END FROM segment WHERE number = ?`,
    )
    .raw()
    .safeIntegers();
  let runTime = 0n;
  for (let i = 0; i < count; i++) {
    const segment = progress.segments + 1;
    const firstSeq = progress.events + 1;
    progress.at = { run, segment, firstSeq };
    const row = select.get(segment) as SqlValue[] | undefined;
    if (row === undefined) throw new Damage({ ...progress.at, what: 'the segment is missing' });
    const header = storedHeader(row);
    const lastSeq = firstSeq + header.events - 1;
    progress.at = { run, segment, firstSeq, lastSeq };
    progress.head = checkSegment(
      header,
      row.at(-1) as Uint8Array | null,
      sources,
      runTime,
      progress,
    );
    runTime = header.lastTime;
    progress.segments = segment;
    progress.events = lastSeq;
  }
}

/** Checks one segment against its header and the chain; returns its hash. */
function checkSegment(
  header: StoredHeader,
  columns: Uint8Array | null,
  sources: ReadonlySet<number>,
  runTime: bigint,
  progress: Progress,
): Buffer {
  const { run, segment, firstSeq } = progress.at;
  const want = <T extends string | number | bigint>(what: string, expected: T, actual: T) => {
    if (expected !== actual) {
      throw new Damage({ ...progress.at, what, expected: `${expected}`, actual: `${actual}` });
    }
  };
  if (columns === null) throw new Damage({ ...progress.at, what: 'columns of an impossible size' });
  const bytes = headerBytes(header);
  const hash = segmentHash(progress.head, bytes, columns);
  want('hash of the segment', header.hash.toString('hex'), hash.toString('hex'));
  want('check sum of the header', header.headerCrc, checkSum(bytes));
  want('check sum of the columns', header.columnsCrc, checkSum(columns));
  want('run of the segment', run!, header.run);
  want('number of the segment', segment!, header.number);
  want('first event of the segment', firstSeq!, header.firstSeq);
  want('codec', VAR1 as string, header.codec);
  try {
    const chunk = decodeColumns(columns, header.events, header.firstSeq);
    const found = summarize(chunk, runTime);
    for (const key of [
      'minTime',
      'firstTime',
      'lastTime',
      'kinds',
      'vcpus',
      'kindCounts',
    ] as const) {
      want<bigint | string>(`${key} of the header`, header[key], found[key]);
    }
    for (let i = 0; i < chunk.length; i++) {
      const source = chunk.source[i]!;
      if (!sources.has(source)) {
        throw new Damage({
          ...progress.at,
          what: `@${chunk.seq[i]} is of import ${source}, not of this run`,
        });
      }
    }
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw new Damage({ ...progress.at, what: error.message });
  }
  return hash;
}
