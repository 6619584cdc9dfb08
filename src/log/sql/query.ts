import Database from 'better-sqlite3';
import { UsageError } from '../../domain/errors.ts';
import { EVENT_COLUMNS, type EventRow, eventRows } from './event-rows.ts';
import { createSideTables, createView, type SqlSource } from './side-tables.ts';

/** A value as SQLite gives it; integers are bigint, so that all 64 bits of them are there. */
export type SqlValue = bigint | number | string | null | Uint8Array;

/** An answer: columns by name, rows as they are found. */
export interface QueryAnswer {
  readonly columns: readonly string[];
  readonly rows: Iterable<readonly SqlValue[]>;
}

/**
 * Asks a log in SQL and hands the answer to `use`. The table `event` reads the log as it goes; nothing is copied, nothing
 * can be changed. @throws UsageError for SQL that is wrong, or that asks nothing.
 */
export async function queryLog<T>(
  source: SqlSource,
  sql: string,
  use: (answer: QueryAnswer) => Promise<T>,
): Promise<T> {
  const db = new Database(':memory:');
  try {
    db.table('event_read', {
      columns: [...EVENT_COLUMNS],
      *rows(): Generator<EventRow> {
        for (const chunk of source.chunks()) yield* eventRows(chunk);
      },
    });
    // A JS number from a virtual table is REAL to SQLite; it is made an integer where it is used.
    const columns = EVENT_COLUMNS.map((name) => `CAST(${name} AS INTEGER) AS ${name}`);
    db.exec(`CREATE VIEW event AS SELECT ${columns.join(', ')} FROM event_read`);
    createSideTables(db, source);
    createView(db);
    const statement = db.prepare(sql);
    if (!statement.reader) {
      throw new UsageError('this SQL asks nothing', 'a log is only read: SELECT … FROM events');
    }
    const names = statement.columns().map(({ name }) => name);
    const rows = statement.raw().safeIntegers().iterate() as Iterable<readonly SqlValue[]>;
    return await use({ columns: names, rows });
  } catch (error) {
    throw wrongSql(error);
  } finally {
    db.close();
  }
}

function wrongSql(error: unknown): unknown {
  const wrong =
    error instanceof Database.SqliteError ||
    // Several statements, or none.
    (error instanceof RangeError && /statement/.test(error.message));
  if (!wrong) return error;
  return new UsageError(
    `SQL: ${(error as Error).message}`,
    'tables: event, events (with names), kind, recording, vcpu, thread, register, attr, name',
  );
}
