import {
  accessSync,
  constants,
  existsSync,
  realpathSync,
  rmSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import Database from 'better-sqlite3';
import { InputError } from '../domain/errors.ts';
import { damaged, notALog, translated, translating } from './errors.ts';
import { isBlank, latestSchema, migrate, schemaDifference, schemaOf } from './migrate.ts';

/** How long to wait for a lock that another process holds only for a moment. */
const BUSY_MS = 1000;

/** An open database file. `path` is as the user gave it, for messages. */
export interface Connection {
  readonly path: string;
  readonly file: string;
  readonly schema: number;
  db: Database.Database;
}

/**
 * Opens a log for reading.
 *
 * A log at rest is in rollback-journal mode, so that reading makes no file beside it and works in a folder that cannot
 * be written; only while an import stores segments is it in WAL mode, so that readers go on. A log that a cut-off import
 * left in WAL mode, or with a journal, is settled first.
 */
export function connectForReading(path: string): Connection {
  const file = checkedFile(path, constants.R_OK, 'read');
  return translating(path, () => {
    let db = openDatabase(file, true);
    try {
      if (needsSettling(db)) {
        db.close();
        settle(file);
        db = openDatabase(file, true);
      }
      const schema = schemaOf(db, path);
      checkSchema(db, path, schema);
      return { path, file, schema, db };
    } catch (error) {
      db.close();
      throw error;
    }
  });
}

/** Opens a log for importing into; makes it when missing or empty, migrates an older schema. */
export function connectForWriting(path: string): Connection & { readonly created: boolean } {
  const created = !existsSync(path);
  const file = created
    ? creatableFile(path)
    : checkedFile(path, constants.R_OK | constants.W_OK, 'write');
  if (!can(dirname(file), constants.W_OK)) {
    throw new InputError(
      `cannot write ${path}: its folder cannot be written`,
      'SQLite has to make a journal beside the log: copy the log to another folder, or change the permissions',
    );
  }
  return translating(path, () => {
    const db = openDatabase(file, false);
    try {
      // Both also wait for a process that is just making the same log.
      const prepare = db.transaction(() => {
        if (!isBlank(db)) schemaOf(db, path);
        migrate(db);
      });
      if (isBlank(db) || schemaOf(db, path) < latestSchema()) prepare.exclusive();
      leaveWal(db);
      const schema = schemaOf(db, path);
      checkSchema(db, path, schema);
      return { path, file, schema, db, created };
    } catch (error) {
      const blank = created && isBlankQuietly(db);
      db.close();
      // A log that could not be made leaves no empty file behind.
      if (blank) rmSync(file, { force: true });
      throw error;
    }
  });
}

function isBlankQuietly(db: Database.Database): boolean {
  try {
    return isBlank(db);
  } catch {
    return false;
  }
}

/** A connection that can write projections; undefined where the file cannot be written. */
export function connectForProjections(file: string): Database.Database | undefined {
  if (!can(file, constants.W_OK) || !can(dirname(file), constants.W_OK)) return undefined;
  try {
    return openDatabase(file, false, 100);
  } catch {
    return undefined;
  }
}

/** Closes a connection and, if it was the last one, what an import in WAL mode left beside the log. */
export function disconnect({ db, file }: Connection): void {
  db.close();
  if (existsSync(`${file}-wal`)) settle(file);
}

/** Goes over to WAL mode, in which readers do not wait for the writer. Without it all works too, with waiting. */
export function enterWal(db: Database.Database): void {
  try {
    db.pragma('journal_mode = WAL');
  } catch (error) {
    if (!(error instanceof Database.SqliteError)) throw error;
  }
}

/** Goes back to rollback-journal mode, all pages in the one file. Other connections can keep it from happening. */
export function leaveWal(db: Database.Database): void {
  if (db.pragma('journal_mode', { simple: true }) !== 'wal') return;
  for (const statement of ['wal_checkpoint(TRUNCATE)', 'journal_mode = DELETE']) {
    try {
      db.pragma(statement);
    } catch (error) {
      if (!(error instanceof Database.SqliteError)) throw error;
    }
  }
}

function openDatabase(file: string, readonly: boolean, timeout = BUSY_MS): Database.Database {
  const db = new Database(file, { readonly, timeout });
  // The content may come from anybody.
  db.pragma('trusted_schema = OFF');
  db.pragma('cell_size_check = ON');
  return db;
}

/** True if only a connection that may write can bring the file to rest. */
function needsSettling(db: Database.Database): boolean {
  try {
    return db.pragma('journal_mode', { simple: true }) === 'wal' && schemaOf(db, '') > 0;
  } catch (error) {
    if (error instanceof Database.SqliteError) {
      return error.code.startsWith('SQLITE_READONLY') || error.code.startsWith('SQLITE_CANTOPEN');
    }
    return false;
  }
}

/** Recovers what a cut-off import left, and leaves WAL mode, if the file can be written and nobody else uses it. */
function settle(file: string): void {
  try {
    const db = openDatabase(file, false, 0);
    try {
      leaveWal(db);
    } finally {
      db.close();
    }
  } catch {
    // Whoever reads next will see what is wrong, if anything is.
  }
}

function checkSchema(db: Database.Database, path: string, schema: number): void {
  const difference = schemaDifference(db, schema);
  if (difference !== undefined) throw damaged(path, difference);
}

function can(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}

/** The absolute name of an existing regular file that may be used as wanted. (It is never opened here: closing it would drop SQLite's locks.) */
function checkedFile(path: string, mode: number, verb: string): string {
  const file = absolute(path);
  try {
    const stat = statSync(file);
    if (stat.isDirectory()) throw notALog(path, 'it is a folder');
    if (!stat.isFile()) throw notALog(path, 'it is no regular file');
    accessSync(file, mode);
    if (stat.size === 0 && (mode & constants.W_OK) === 0) throw notALog(path, 'the file is empty');
    // SQLite names the files beside it after what a link leads to.
    return realpathSync(file);
  } catch (error) {
    throw systemError(path, verb, error);
  }
}

function creatableFile(path: string): string {
  const file = absolute(path);
  const folder = dirname(file);
  try {
    if (!statSync(folder).isDirectory()) {
      throw new InputError(`cannot create ${path}: ${folder} is not a folder`, 'check the path');
    }
    return file;
  } catch (error) {
    throw systemError(path, 'create', error);
  }
}

function absolute(path: string): string {
  const file = resolve(path);
  // better-sqlite3 would trim it and open another file.
  if (file !== file.trim()) {
    throw new InputError(`cannot open '${path}': its name ends in a space`, 'rename the file');
  }
  return file;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder',
  ENOTDIR: 'a part of the path is not a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'the name is too long',
};

function systemError(path: string, verb: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (error instanceof InputError || typeof code !== 'string') return translated(path, error);
  return new InputError(`cannot ${verb} ${path}: ${REASONS[code] ?? code}`, 'check the path');
}

/** Deletes a log that this process made and into which no run was imported, if nobody else uses it. */
export function removeIfUnused({ db, file }: Connection): void {
  try {
    db.exec('BEGIN EXCLUSIVE');
    if (db.prepare('SELECT count(*) FROM run').pluck().get() === 0) unlinkSync(file);
    db.exec('ROLLBACK');
  } catch {
    // Then it stays: an empty log does no harm.
  }
}
