import Database from 'better-sqlite3';
import { InputError } from '../../domain/errors.ts';
import { EVENT_COLUMNS, eventRows } from './event-rows.ts';
import { createSideTables, createView, type SqlSource } from './side-tables.ts';

/**
 * Writes events as a plain SQLite database with one row per event, which any `sqlite3` opens. `path` must not exist; `name`
 * is what messages call it.
 * Returns how many events those were. @throws InputError when the file cannot be written; what was written of it stays.
 */
export function exportSqlite(path: string, source: SqlSource, name: string = path): number {
  let db: Database.Database | undefined;
  try {
    db = new Database(path);
    // Nobody reads it before it is done, and half of it is thrown away: no journal is needed.
    db.pragma('journal_mode = OFF');
    db.pragma('synchronous = OFF');
    db.exec('BEGIN');
    const columns = EVENT_COLUMNS.map((name) =>
      name === 'seq' ? 'seq INTEGER PRIMARY KEY' : `${name} INTEGER`,
    );
    db.exec(`CREATE TABLE event (${columns.join(', ')}) STRICT`);
    const insert = db.prepare(
      `INSERT INTO event VALUES (${EVENT_COLUMNS.map(() => '?').join(', ')})`,
    );
    let events = 0;
    for (const chunk of source.chunks()) {
      for (const row of eventRows(chunk)) insert.run(row);
      events += chunk.length;
    }
    createSideTables(db, source);
    createView(db);
    db.exec('CREATE INDEX event_time ON event (time)');
    db.exec('CREATE INDEX event_kind ON event (kind)');
    db.exec('COMMIT');
    return events;
  } catch (error) {
    if (!(error instanceof Database.SqliteError)) throw error;
    throw new InputError(
      error.code === 'SQLITE_FULL'
        ? `${name}: no space left on the device`
        : `${name}: cannot be written (${error.message})`,
    );
  } finally {
    db?.close();
  }
}
