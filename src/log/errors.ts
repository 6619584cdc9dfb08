import Database from 'better-sqlite3';
import { InputError } from '../domain/errors.ts';
import { RowError } from './canonical.ts';

/** A log whose content is not what vpmu wrote. */
export function damaged(path: string, where: string): InputError {
  return new InputError(
    `${path} is damaged: ${oneLine(where)}`,
    `\`vpmu verify ${path}\` says how far it can be trusted; import the recordings again into a new log`,
  );
}

/** Text from a file nobody vouches for, fit for a one-line message. */
export function oneLine(text: string): string {
  const line = text.replace(/[\p{C}\s]+/gu, ' ').trim();
  return line.length > 200 ? `${line.slice(0, 200)} …` : line;
}

/** Another process holds the write lock. */
export function busy(path: string): InputError {
  return new InputError(
    `${path} is being written by another process`,
    'wait until its import has ended, or import into another log',
  );
}

/** Runs something that talks to the database; what SQLite refuses comes out as one line for people. */
export function translating<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw translated(path, error);
  }
}

/** The error a user should see for one that a database call threw; other errors stay as they are. */
export function translated(path: string, error: unknown): unknown {
  if (error instanceof RowError) return damaged(path, error.message);
  if (!(error instanceof Database.SqliteError)) return error;
  const { code, message } = error;
  if (code === 'SQLITE_NOTADB') return notALog(path, 'it is not an SQLite database');
  if (code.startsWith('SQLITE_CORRUPT')) return damaged(path, message);
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) return busy(path);
  if (code === 'SQLITE_FULL') {
    return new InputError(
      `cannot write ${path}: no space left on the device, the log is unchanged`,
      'free some space, or import into a log on another disk',
    );
  }
  if (code === 'SQLITE_READONLY_ROLLBACK' || code === 'SQLITE_READONLY_RECOVERY') {
    return unfinished(path);
  }
  if (code.startsWith('SQLITE_READONLY')) {
    return new InputError(
      `cannot write ${path}: ${oneLine(message)}`,
      'check the permissions of the file',
    );
  }
  if (code.startsWith('SQLITE_CANTOPEN')) return unfinished(path);
  if (code.startsWith('SQLITE_IOERR') || code === 'SQLITE_NOMEM' || code === 'SQLITE_TOOBIG') {
    return new InputError(
      `cannot read or write ${path}: ${oneLine(message)} (${code})`,
      'check the disk; the log keeps what earlier imports stored',
    );
  }
  // A log's own statements fail in no other way unless its tables are not what they should be.
  return damaged(path, `${message} (${code})`);
}

/** Something that is no log at all. */
export function notALog(path: string, why: string): InputError {
  return new InputError(
    `${path} is not a vpmu log: ${why}`,
    'give a file made by `vpmu import`, or import this recording first',
  );
}

function unfinished(path: string): InputError {
  return new InputError(
    `cannot open ${path}: an import into it was cut off, and its folder cannot be written to clear that up`,
    `copy ${path} and the files named ${path}-* to a folder that can be written, and open the copy`,
  );
}
