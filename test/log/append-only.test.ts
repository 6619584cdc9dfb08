import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { openLog, openLogForImport } from '../../src/log/log.ts';
import { appendAll, contentOf, fresh, temporaryFolder, timeline } from './helpers.ts';

const folder = temporaryFolder();

async function filled(path: string): Promise<void> {
  const log = openLogForImport(path);
  for (const name of ['one', 'two']) {
    await log.importRun(async (sink) => {
      appendAll(sink, timeline(5000, 3), [5000], name);
      sink.nameId(name);
      sink.attrId({ type: 4, config1: BigInt(name.length), attrFlags: 0n, cpu: 0, task: -1 });
      sink.threadName(name.length, name);
      sink.learnVcpu({ index: 0, tid: -1, pid: 5, learnedFrom: name, seq: 1 });
      sink.learnVcpu({ index: name.length, tid: 7, pid: 5, learnedFrom: name, seq: 1 });
    });
  }
  log.close();
}

const TRUTH = ['run', 'segment', 'import', 'name', 'attr', 'vcpu', 'thread'];

describe('the tables of truth', () => {
  it('refuse UPDATE, DELETE, REPLACE and rows out of order, for any program', async () => {
    const path = fresh(folder);
    await filled(path);
    const before = openLog(path);
    const content = contentOf(before);
    before.close();
    const db = new Database(path);
    for (const table of TRUTH) {
      const columns = db.pragma(`table_info(${table})`) as { name: string }[];
      expect(db.prepare(`SELECT count(*) FROM ${table}`).pluck().get()).toBeGreaterThan(0);
      const names = columns.map((column) => column.name);
      for (const name of names) {
        expect(() => db.exec(`UPDATE ${table} SET ${name} = ${name}`)).toThrow(/append-only/);
      }
      expect(() => db.exec(`DELETE FROM ${table}`)).toThrow(/append-only/);
      for (const verb of ['INSERT OR REPLACE', 'REPLACE', 'INSERT OR IGNORE', 'INSERT']) {
        const copy = `${verb} INTO ${table} SELECT * FROM ${table} LIMIT 1`;
        expect(() => db.exec(copy)).toThrow(/append-only/);
      }
      // A new key, but in a run that is over.
      const key = names[0]!;
      const late = names.map((name) => (name === key ? `${key} + 9` : name)).join(', ');
      const add = `INSERT INTO ${table} SELECT ${late} FROM ${table} WHERE ${key} = 1`;
      if (table !== 'vcpu' && table !== 'thread') expect(() => db.exec(add)).toThrow(/append-only/);
    }
    const fact = `INSERT INTO vcpu VALUES (9, 1, 9, 9, 9, 'later', 1)`;
    expect(() => db.exec(fact)).toThrow(/append-only/);
    expect(() => db.exec(`INSERT INTO thread VALUES (99, 1, 'later')`)).toThrow(/append-only/);
    db.close();
    const after = openLog(path);
    expect(contentOf(after)).toEqual(content);
    expect(after.verify().ok).toBe(true);
    after.close();
  });

  it('are strict', async () => {
    const path = fresh(folder);
    await filled(path);
    const db = new Database(path);
    const tables = db.pragma('table_list') as { name: string; strict: number; schema: string }[];
    const ours = tables.filter(
      ({ name, schema }) => schema === 'main' && !name.startsWith('sqlite_'),
    );
    expect(ours.map(({ name }) => name)).toEqual(expect.arrayContaining(TRUTH));
    for (const { name, strict } of ours) expect([name, strict]).toEqual([name, 1]);
    expect(() => db.exec(`INSERT INTO name VALUES ('x', 3, 'y')`)).toThrow();
    db.close();
  });
});
