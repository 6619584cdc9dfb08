import Database from 'better-sqlite3';
import type { ImportSink } from '../domain/import-sink.ts';
import { runHash } from './chain.ts';
import { type Connection, enterWal, leaveWal } from './connect.ts';
import { busy, translated, translating } from './errors.ts';
import { RunSink } from './import-sink.ts';
import { SegmentWriter } from './segment-writer.ts';
import { insertSideRows } from './side-tables.ts';
import { type LogState, loadState } from './state.ts';

/**
 * One import in one transaction: all of it, or (after an error, a full disk, a killed process) nothing. A run that leaves
 * nothing to keep does not touch the file.
 */
export async function runImport<T>(
  connection: Connection,
  run: (sink: ImportSink) => Promise<T>,
): Promise<T> {
  const { path, db } = connection;
  translating(path, () => db.exec('BEGIN IMMEDIATE'));
  let sink: RunSink | undefined;
  try {
    // Under the lock, so that what another process has just stored is in it.
    const state = loadState(connection);
    const id = state.runs.length + 1;
    const writer = new SegmentWriter(
      db,
      {
        run: id,
        nextSeq: state.eventCount + 1,
        nextSegment: state.segments.length + 1,
        head: state.head,
      },
      () => goOnInWal(path, db, state),
    );
    sink = new RunSink(path, state, writer);
    const result = await run(sink);
    const rows = sink.end(id);
    if (rows === undefined) {
      db.exec('ROLLBACK');
      return result;
    }
    const firstSeq = state.eventCount + 1;
    const events = writer.nextSeq - firstSeq;
    const segments = writer.nextSegment - 1 - state.segments.length;
    insertSideRows(db, rows);
    const hash = runHash(writer.hash, { id, firstSeq, events, segments }, rows);
    db.prepare('INSERT INTO run VALUES (?, ?, ?, ?, ?)').run(id, firstSeq, events, segments, hash);
    // What was derived from the shorter log is of no use any more.
    db.exec('DELETE FROM checkpoint_set');
    db.exec('COMMIT');
    return result;
  } catch (error) {
    rollBack(db);
    throw translated(path, error);
  } finally {
    sink?.close();
    leaveWal(db);
  }
}

/**
 * Goes over to WAL mode for the bulk of the run, so that readers are not shut out. The mode cannot change inside a
 * transaction; nothing has been written in this one yet, so it is ended and begun again.
 */
function goOnInWal(path: string, db: Database.Database, state: LogState): void {
  db.exec('COMMIT');
  enterWal(db);
  db.exec('BEGIN IMMEDIATE');
  const runs = db.prepare('SELECT count(*) FROM run').pluck().get();
  if (runs !== state.runs.length) throw busy(path);
}

function rollBack(db: Database.Database): void {
  // SQLite itself has already done it after some errors.
  if (!db.inTransaction) return;
  try {
    db.exec('ROLLBACK');
  } catch (error) {
    if (!(error instanceof Database.SqliteError)) throw error;
  }
}
