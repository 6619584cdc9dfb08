import { readdirSync, readFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { InputError } from '../domain/errors.ts';
import { damaged, notALog } from './errors.ts';

/** Marks a file as ours: 'vpmu' in ASCII, set by the first migration. */
const APPLICATION_ID = 0x76706d75;

/** The package's migrations/ folder, seen from src/log/ and from dist/log/ alike. */
const FOLDER = new URL('../../migrations/', import.meta.url);

let loaded: readonly string[] | undefined;

/** The migrations in order; `migrations()[n - 1]` leads to schema n. */
export function migrations(): readonly string[] {
  if (loaded !== undefined) return loaded;
  const files = readdirSync(FOLDER)
    .filter((name) => /^\d{4}_.*\.sql$/.test(name))
    .sort();
  files.forEach((name, i) => {
    if (Number(name.slice(0, 4)) !== i + 1) throw new Error(`migrations are not 1, 2, …: ${name}`);
  });
  loaded = files.map((name) => readFileSync(new URL(name, FOLDER), 'utf8'));
  return loaded;
}

/** The schema this program writes, and the newest it reads. */
export function latestSchema(): number {
  return migrations().length;
}

/**
 * The schema version of an open database that is one of ours.
 * @throws InputError if it is none, or of a newer schema.
 */
export function schemaOf(db: Database.Database, path: string): number {
  if (db.pragma('application_id', { simple: true }) !== APPLICATION_ID) {
    throw notALog(path, 'it is another program’s SQLite database');
  }
  const version = db.pragma('user_version', { simple: true }) as number;
  if (version > latestSchema()) {
    throw new InputError(
      `${path} was written by a newer vpmu (schema ${version}, this one reads up to ${latestSchema()})`,
      'update vpmu, or import the recordings again with this one',
    );
  }
  if (version < 1) throw damaged(path, `schema version ${version}`);
  return version;
}

/** True for a database nobody has put anything into. */
export function isBlank(db: Database.Database): boolean {
  return (
    db.pragma('application_id', { simple: true }) === 0 &&
    db.pragma('user_version', { simple: true }) === 0 &&
    db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() === 0
  );
}

/** Brings a database (blank or one of ours) to a schema; the caller holds a transaction. */
export function migrate(db: Database.Database, to: number = latestSchema()): void {
  const from = db.pragma('user_version', { simple: true }) as number;
  for (let version = from + 1; version <= to; version++) {
    db.exec(migrations()[version - 1]!);
    db.pragma(`user_version = ${version}`);
  }
}

interface SchemaRow {
  readonly name: string;
  readonly tbl_name: string;
  readonly sql: string | null;
}

const SCHEMA_QUERY = 'SELECT name, tbl_name, sql FROM sqlite_schema';
const references = new Map<number, readonly SchemaRow[]>();

/** What sqlite_schema holds after the migrations up to a version. */
function referenceSchema(version: number): readonly SchemaRow[] {
  let rows = references.get(version);
  if (rows === undefined) {
    const db = new Database(':memory:');
    migrate(db, version);
    rows = db.prepare(SCHEMA_QUERY).all() as SchemaRow[];
    db.close();
    references.set(version, rows);
  }
  return rows;
}

/**
 * The first difference between the tables, indexes and triggers of a log and those the migrations make; undefined if
 * there is none. A log from elsewhere can hold any SQL: without this a view or a trigger would run under our statements.
 * Tables of other names are nobody's concern.
 */
export function schemaDifference(db: Database.Database, version: number): string | undefined {
  const found = new Map<string, SchemaRow>();
  for (const row of db.prepare(SCHEMA_QUERY).all() as SchemaRow[]) found.set(row.name, row);
  const tables = new Set<string>();
  for (const { name, tbl_name, sql } of referenceSchema(version)) {
    tables.add(tbl_name.toLowerCase());
    if (found.get(name)?.sql !== sql) return `its schema differs at ${name}`;
    found.delete(name);
  }
  for (const { name, tbl_name } of found.values()) {
    if (tables.has(tbl_name.toLowerCase())) return `its schema has an addition, ${name}`;
  }
  return undefined;
}
