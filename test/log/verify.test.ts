import { readFileSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { beforeAll, describe, expect, it } from 'vitest';
import { InputError } from '../../src/domain/errors.ts';
import type { SqlValue } from '../../src/log/canonical.ts';
import { checkSum, headerBytes } from '../../src/log/chain.ts';
import { type Log, openLog, openLogForImport, type VerifyReport } from '../../src/log/log.ts';
import { HEADER_COLUMNS, storedHeader } from '../../src/log/segment-index.ts';
import { appendAll, contentOf, fresh, temporaryFolder, timeline } from './helpers.ts';

const folder = temporaryFolder();
const original = fresh(folder);
let bytes: Buffer;
let content: unknown;
let head: string;

beforeAll(async () => {
  const log = openLogForImport(original);
  for (const [name, count] of [
    ['one', 4500],
    ['two', 300],
  ] as const) {
    await log.importRun(async (sink) => {
      appendAll(sink, timeline(count, 3), [5000], name);
      sink.nameId(name);
      sink.attrId({ type: 4, config1: BigInt(count), attrFlags: 0n, cpu: 0, task: -1 });
      sink.threadName(count, name);
      sink.learnVcpu({ index: count, tid: 7, pid: 5, learnedFrom: name, seq: 1 });
    });
  }
  content = contentOf(log);
  head = log.head;
  log.close();
  bytes = readFileSync(original);
});

/** A copy of the log on which some SQL has been run, guards off; with `anyType` also those of the column types. */
function tampered(sql: string, { anyType = false } = {}): Log {
  const path = fresh(folder);
  writeFileSync(path, bytes);
  const withDatabase = (action: (db: Database.Database) => void) => {
    const db = new Database(path);
    db.unsafeMode();
    db.pragma('synchronous = OFF');
    db.transaction(action)(db);
    db.close();
  };
  let schema: { type: string; name: string; sql: string | null }[] = [];
  withDatabase((db) => {
    schema = db.prepare('SELECT type, name, sql FROM sqlite_schema').all() as typeof schema;
    for (const { type, name } of schema) if (type === 'trigger') db.exec(`DROP TRIGGER ${name}`);
    if (!anyType) return;
    db.pragma('writable_schema = ON');
    const loosen = db.prepare('UPDATE sqlite_schema SET sql = ? WHERE name = ?');
    for (const { type, name, sql: text } of schema) {
      if (type !== 'table') continue;
      loosen.run(text!.replace(/ NOT NULL/g, '').replace(/STRICT,? ?/, ''), name);
    }
  });
  withDatabase((db) => db.exec(sql));
  withDatabase((db) => {
    if (anyType) {
      db.pragma('writable_schema = ON');
      const restore = db.prepare('UPDATE sqlite_schema SET sql = ? WHERE name = ?');
      for (const { type, name, sql: text } of schema) if (type === 'table') restore.run(text, name);
    }
  });
  withDatabase((db) => {
    for (const { type, sql: text } of schema) if (type === 'trigger') db.exec(text!);
  });
  return openLog(path);
}

const textOf = (value: unknown) =>
  JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `${v}n` : v));

/** A reader may notice damage or not, but what it gives is what was stored. */
function expectNothingElse(log: Log): void {
  try {
    expect(textOf({ ...(contentOf(log) as object), head }) === textOf(content)).toBe(true);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    expect(error.message).toMatch(/is damaged: /);
  }
}

/** SQL that takes away what a run put into the small tables. */
function withoutSideRows(run: number): string {
  return ['import', 'name', 'attr', 'vcpu', 'thread']
    .map((table) => `DELETE FROM ${table} WHERE run = ${run};`)
    .join(' ');
}

describe('verify', () => {
  it('counts what it found good and names the end of the chain', () => {
    const log = openLog(original);
    expect(log.verify()).toEqual({ ok: true, runs: 2, segments: 3, events: 4800, head });
    expect(log.head).toBe(head);
    log.close();
  });

  /** Each: one change of truth, and the place verify must name. */
  const changes: [string, Partial<NonNullable<VerifyReport['firstBad']>>][] = [
    [`UPDATE segment SET columns = zeroblob(100) WHERE number = 2`, { segment: 2, firstSeq: 4097 }],
    [`UPDATE segment SET columns = zeroblob(9000000) WHERE number = 1`, { segment: 1 }],
    [`UPDATE segment SET kinds = kinds | 1 WHERE number = 3`, { segment: 3, firstSeq: 4501 }],
    [`UPDATE segment SET vcpus = 0 WHERE number = 3`, { segment: 3, lastSeq: 4800 }],
    [`UPDATE segment SET min_time = min_time + 1 WHERE number = 1`, { segment: 1 }],
    [`UPDATE segment SET kind_counts = '{}' WHERE number = 1`, { segment: 1 }],
    [`UPDATE segment SET header_crc = header_crc + 1 WHERE number = 2`, { segment: 2 }],
    [`UPDATE segment SET hash = zeroblob(32) WHERE number = 1`, { segment: 1 }],
    [`UPDATE segment SET hash = x'00' WHERE number = 2`, { segment: 2 }],
    [`UPDATE segment SET codec = 'var/2' WHERE number = 1`, { segment: 1 }],
    [`UPDATE segment SET number = 9 WHERE number = 3`, { segment: 3 }],
    [`DELETE FROM segment WHERE number = 2`, { segment: 2 }],
    [`DELETE FROM segment WHERE number = 3`, { segment: 3 }],
    [`UPDATE segment SET run = 2 WHERE number = 2`, { segment: 2 }],
    [`UPDATE run SET hash = zeroblob(32) WHERE id = 1`, { run: 1 }],
    [`UPDATE run SET events = events + 1 WHERE id = 2`, { run: 2 }],
    [`UPDATE run SET first_seq = 2 WHERE id = 1`, { run: 1 }],
    [`DELETE FROM run WHERE id = 2`, {}],
    [`DELETE FROM run`, {}],
    [`DELETE FROM run WHERE id = 2; ${withoutSideRows(2)}`, { segment: 3 }],
    [`UPDATE import SET digest = 'other' WHERE id = 1`, { run: 1 }],
    [`UPDATE import SET lost = lost + 1 WHERE id = 2`, { run: 2 }],
    [`UPDATE import SET facts = replace(facts, 'host', 'guest') WHERE id = 2`, { run: 2 }],
    [`UPDATE import SET notices = '[]' WHERE id = 1`, { run: 1 }],
    [`UPDATE import SET last_seq = NULL WHERE id = 1`, { run: 1 }],
    [`DELETE FROM import WHERE id = 2`, { run: 2 }],
    [`UPDATE name SET text = 'eno' WHERE id = 1`, { run: 1 }],
    [`INSERT INTO name VALUES (3, 2, 'more')`, { run: 2 }],
    [`INSERT INTO name VALUES (3, 3, 'more')`, { run: 3 }],
    [`UPDATE attr SET config1 = 0 WHERE id = 2`, { run: 2 }],
    [`UPDATE vcpu SET tid = 8 WHERE run = 1`, { run: 1 }],
    [`UPDATE vcpu SET seq = 5 WHERE run = 2`, { run: 2 }],
    [`DELETE FROM thread WHERE run = 1`, { run: 1 }],
    [`UPDATE thread SET name = 'x' WHERE run = 2`, { run: 2 }],
    [`UPDATE thread SET run = 1 WHERE run = 2`, { run: 1 }],
  ];
  it.each(changes)('finds %s', (sql, place) => {
    const log = tampered(sql);
    const report = log.verify();
    expect(report.ok).toBe(false);
    expect(report.firstBad).toMatchObject(place);
    expect(report.firstBad?.what).toMatch(/^[^\n]+$/);
    expectNothingElse(log);
    log.close();
  });

  it('gives the hashes that differ', () => {
    const log = tampered(`UPDATE segment SET hash = zeroblob(32) WHERE number = 2`);
    const place = log.verify().firstBad;
    expect(place).toMatchObject({ segment: 2, run: 1, firstSeq: 4097, lastSeq: 4500 });
    expect(place?.expected).toBe('0'.repeat(64));
    expect(place?.actual).toMatch(/^[0-9a-f]{64}$/);
    log.close();
  });

  it('notices a log whose last run was taken away with all it left only by its head', () => {
    const log = tampered(
      `DELETE FROM run WHERE id = 2; DELETE FROM segment WHERE run = 2; ${withoutSideRows(2)}`,
    );
    const report = log.verify();
    expect(report).toMatchObject({ ok: true, runs: 1, events: 4500 });
    expect(report.head).not.toBe(head);
    log.close();
  });

  it.each([
    `UPDATE run SET hash = 5 WHERE id = 2`,
    `UPDATE run SET events = 'x' WHERE id = 1`,
    `UPDATE segment SET kinds = 'x' WHERE number = 2`,
    `UPDATE segment SET first_time = 1.5 WHERE number = 1`,
    `UPDATE segment SET hash = NULL WHERE number = 3`,
    `UPDATE segment SET columns = NULL WHERE number = 3`,
    `UPDATE segment SET columns = 'text' WHERE number = 2`,
    `UPDATE name SET text = x'00' WHERE id = 2`,
    `UPDATE import SET facts = 1.5 WHERE id = 1`,
    `UPDATE import SET bytes = NULL WHERE id = 1`,
    `UPDATE thread SET name = NULL WHERE run = 2`,
  ])('reports values of types that cannot be: %s', (sql) => {
    const log = tampered(sql, { anyType: true });
    const report = log.verify();
    expect(report.ok).toBe(false);
    expect(report.firstBad?.what).toMatch(/^[^\n]+$/);
    expectNothingElse(log);
    log.close();
  });

  it('reports what only SQLite sees', () => {
    const path = fresh(folder);
    const copy = Buffer.from(bytes);
    copy.writeUInt32BE(7, 36); // free pages the file says it has
    writeFileSync(path, copy);
    const log = openLog(path);
    expect(log.verify()).toMatchObject({
      ok: false,
      events: 4800,
      firstBad: { what: /^SQLite: / },
    });
    expectNothingElse(log);
    log.close();
  });

  it('finds a guard that was taken away', () => {
    const path = fresh(folder);
    writeFileSync(path, bytes);
    const db = new Database(path);
    const log = openLog(path);
    db.exec('DROP TRIGGER name_update');
    expect(log.verify()).toMatchObject({ ok: false, firstBad: { what: /name_update/ } });
    log.close();
    db.close();
  });
});

describe('a changed byte', () => {
  /** What a reader gets from a file: its content, or one line of error. */
  function outcome(path: string): { content: string; verified: boolean } | InputError {
    let log: Log | undefined;
    try {
      log = openLog(path);
      const { ok, firstBad } = log.verify();
      expect(firstBad === undefined).toBe(ok);
      return { content: textOf(contentOf(log)), verified: ok };
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      expect(error.message).toContain(path);
      expect(error.message).not.toContain('\n');
      return error;
    } finally {
      log?.close();
    }
  }

  const flip = (path: string, at: number, bits: number) => {
    const copy = Buffer.from(bytes);
    copy[at]! ^= bits;
    writeFileSync(path, copy);
  };

  it('never gives other events or facts, and verify notices what a reader could not', () => {
    const path = fresh(folder);
    const wanted = textOf(content);
    let unnoticed = 0;
    let flips = 0;
    for (let at = 0; at < bytes.length; at += at < 100 ? 1 : 293) {
      flips++;
      flip(path, at, 1 << (at % 8));
      const result = outcome(path);
      if (result instanceof InputError) continue;
      expect(result.content === wanted, `byte ${at}`).toBe(true);
      if (result.verified) unnoticed++;
    }
    // Nothing but free space in pages and counters of the file header may go unnoticed.
    const db = new Database(original, { readonly: true });
    const live = db.prepare('SELECT sum(length(columns)) FROM segment').pluck().get() as number;
    db.close();
    expect(flips).toBeGreaterThan(300);
    expect((flips - unnoticed) / flips).toBeGreaterThan(live / bytes.length);
  }, 60_000);

  it('in the columns is named with file and segment by a reader, and found by verify', () => {
    const path = fresh(folder);
    const db = new Database(original, { readonly: true });
    const columns = db
      .prepare('SELECT columns FROM segment WHERE number = 1')
      .pluck()
      .get() as Buffer;
    db.close();
    const start = bytes.indexOf(columns.subarray(9000, 9064));
    expect(start).toBeGreaterThan(0);
    for (let at = start; at < start + 64; at += 5) {
      flip(path, at, 0x10);
      const damaged = openLog(path);
      expect(damaged.eventCount).toBe(4800);
      expect(() => [...damaged.chunks()]).toThrow(
        `${path} is damaged: segment 1 (@1-4096): its columns do not match their check sum`,
      );
      expect(() => damaged.event(4000)).toThrow(InputError);
      expect([...damaged.chunks({ fromSeq: 4097 })]).toHaveLength(2);
      expect(damaged.verify()).toMatchObject({ ok: false, segments: 0, firstBad: { segment: 1 } });
      damaged.close();
    }
  });

  it('that the maker covered up in the check sums is still noticed', () => {
    // What a header says of the kinds decides which segments a reader skips.
    const db = new Database(original, { readonly: true });
    const row = db
      .prepare(`SELECT ${HEADER_COLUMNS} FROM segment WHERE number = 1`)
      .raw()
      .safeIntegers()
      .get() as SqlValue[];
    db.close();
    const header = storedHeader(row);
    const forged = { ...header, kinds: header.kinds | (1n << 40n) };
    const log = tampered(
      `UPDATE segment SET kinds = ${forged.kinds}, header_crc = ${checkSum(headerBytes(forged))} WHERE number = 1`,
    );
    expect(log.eventCount).toBe(4800);
    expect(() => [...log.chunks()]).toThrow('(@1-4096): kinds its header does not name');
    expect(log.verify()).toMatchObject({ ok: false, firstBad: { segment: 1 } });
    log.close();
  });

  it('or millions of them are not even loaded', () => {
    const log = tampered(`UPDATE segment SET columns = zeroblob(9000000) WHERE number = 1`);
    expect(() => [...log.chunks()]).toThrow('(@1-4096): its columns are missing or too large');
    log.close();
  });

  it('or a cut of the file ends in one line', () => {
    const path = fresh(folder);
    for (let length = 0; length < bytes.length; length += 4096 + 511) {
      writeFileSync(path, bytes.subarray(0, length));
      expect(outcome(path)).toBeInstanceOf(InputError);
    }
  });
});
