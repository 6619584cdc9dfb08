import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/domain/errors.ts';
import { KIND_SPECS } from '../../src/domain/event-kind.ts';
import { openLog, openLogForImport } from '../../src/log/log.ts';
import { unknownKind } from '../../src/log/segment-index.ts';
import { contentOf, fresh, logWith, temporaryFolder, timeline } from './helpers.ts';

const folder = temporaryFolder();

/** The one line and the hint of what opening (and reading) a file throws. */
function refusal(path: string, open: (path: string) => { close(): void } = openLog): string {
  try {
    const log = open(path);
    try {
      contentOf(log as ReturnType<typeof openLog>);
    } finally {
      log.close();
    }
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    const { message, hint, exitCode } = error as InputError;
    expect(exitCode).toBe(3);
    expect(hint).toMatch(/\w/);
    expect(message).not.toContain('\n');
    return message;
  }
  throw new Error(`${path} was opened`);
}

describe('opening what is not a log', () => {
  const file = (content: string | Buffer) => {
    const path = fresh(folder);
    writeFileSync(path, content);
    return path;
  };

  it('says in one line what is wrong', async () => {
    const missing = join(folder, 'no', 'such.vpmu');
    expect(refusal(missing)).toBe(`cannot read ${missing}: no such file or folder`);
    expect(refusal(folder)).toBe(`${folder} is not a vpmu log: it is a folder`);
    const empty = file('');
    expect(refusal(empty)).toBe(`${empty} is not a vpmu log: the file is empty`);
    const text = file('# a trace\n'.repeat(500));
    expect(refusal(text)).toBe(`${text} is not a vpmu log: it is not an SQLite database`);
    expect(refusal(text, openLogForImport)).toBe(
      `${text} is not a vpmu log: it is not an SQLite database`,
    );
    const below = join(text, 'x.vpmu');
    expect(refusal(below)).toBe(`cannot read ${below}: a part of the path is not a folder`);
    const spaced = `${fresh(folder)} `;
    expect(refusal(spaced)).toBe(`cannot open '${spaced}': its name ends in a space`);
    expect(refusal('/dev/null')).toBe('/dev/null is not a vpmu log: it is no regular file');
  });

  it('does not touch another program’s database', () => {
    const path = fresh(folder);
    const db = new Database(path);
    db.pragma('journal_mode = WAL');
    db.exec('CREATE TABLE segment (a); INSERT INTO segment VALUES (1)');
    db.close();
    const before = readFileSync(path);
    const message = `${path} is not a vpmu log: it is another program’s SQLite database`;
    expect(refusal(path)).toBe(message);
    expect(refusal(path, openLogForImport)).toBe(message);
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('refuses a newer schema with a precise sentence', async () => {
    const path = fresh(folder);
    await logWith(path, [timeline(10, 1)]);
    const db = new Database(path);
    db.pragma('user_version = 3');
    db.close();
    const message = `${path} was written by a newer vpmu (schema 3, this one reads up to 1)`;
    expect(refusal(path)).toBe(message);
    expect(refusal(path, openLogForImport)).toBe(message);
  });

  it('knows which kinds are of a newer program', () => {
    const kinds = BigInt(KIND_SPECS.length);
    expect(unknownKind((1n << kinds) - 1n)).toBe(-1);
    expect(unknownKind(1n << kinds)).toBe(Number(kinds));
    expect(unknownKind((1n << 63n) | 3n)).toBe(63);
  });

  it('refuses a log whose tables are views, or that has a trigger of its own', async () => {
    const path = fresh(folder);
    await logWith(path, [timeline(10, 1)]);
    const hostile = [
      `ALTER TABLE name RENAME TO other; CREATE VIEW name AS WITH RECURSIVE n(id, run, text) AS
        (SELECT 1, 1, 'x' UNION ALL SELECT id + 1, 1, 'x' FROM n) SELECT * FROM n`,
      `CREATE TRIGGER extra AFTER INSERT ON checkpoint BEGIN DELETE FROM checkpoint; END`,
      `DROP TRIGGER segment_update`,
      `CREATE INDEX extra ON segment (hash)`,
      `DROP TABLE checkpoint`,
    ];
    for (const sql of hostile) {
      const copy = fresh(folder);
      copyFileSync(path, copy);
      const db = new Database(copy);
      db.exec(sql);
      db.close();
      expect(refusal(copy)).toMatch(/ is damaged: its schema (differs at|has an addition,) /);
      expect(refusal(copy, openLogForImport)).toMatch(/ is damaged: its schema /);
    }
    const db = new Database(path);
    db.exec('CREATE TABLE notes (text); CREATE VIEW e AS SELECT * FROM import');
    db.close();
    const log = openLog(path);
    expect(log.verify().ok).toBe(true);
    log.close();
  });

  it('says when a new log has no folder to go to', () => {
    const path = join(folder, 'nowhere', 'x.vpmu');
    expect(refusal(path, openLogForImport)).toBe(`cannot create ${path}: no such file or folder`);
    expect(refusal(folder, openLogForImport)).toBe(`${folder} is not a vpmu log: it is a folder`);
  });

  it('makes a log of an empty file', async () => {
    const path = file('');
    await logWith(path, [timeline(10, 1)]);
    const log = openLog(path);
    expect(log.eventCount).toBe(10);
    log.close();
  });
});
