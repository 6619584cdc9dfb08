import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventJson } from '../../src/cli/render/event-json.ts';
import { sqlSource } from '../../src/cli/sql-source.ts';
import { UsageError } from '../../src/domain/errors.ts';
import { eventAt } from '../../src/domain/event-chunk.ts';
import { KIND_SPECS } from '../../src/domain/event-kind.ts';
import { importInto, type Log, openLog } from '../../src/index.ts';
import { exportSqlite } from '../../src/log/sql/export-sqlite.ts';
import { queryLog, type SqlValue } from '../../src/log/sql/query.ts';

const folder = mkdtempSync(join(tmpdir(), 'vpmu-test-'));
const file = join(folder, 'a.sqlite');
let log: Log;

beforeAll(async () => {
  const path = join(folder, 'a.vpmu');
  await importInto(path, [{ path: 'traces/S5-bare/perf-script.txt.zst' }]);
  log = openLog(path);
  exportSqlite(
    file,
    sqlSource(log, () => log.chunks()),
  );
});

afterAll(() => {
  log.close();
  rmSync(folder, { recursive: true, force: true });
});

type Row = Record<string, SqlValue>;

const ask = (sql: string): Promise<Row[]> =>
  queryLog(
    sqlSource(log, () => log.chunks()),
    sql,
    async ({ columns, rows }) =>
      [...rows].map((row) => Object.fromEntries(columns.map((name, k) => [name, row[k]!]))),
  );

const u64 = (value: SqlValue | undefined): bigint | null =>
  typeof value === 'bigint' ? BigInt.asUintN(64, value) : null;

describe('a log in SQL', () => {
  it('is the same events as everywhere else, each u64 exact and what was not recorded NULL', async () => {
    const rows = await ask('SELECT * FROM events ORDER BY seq');
    expect(rows).toHaveLength(log.eventCount);
    let [large, missing] = [0, 0];
    for (const chunk of log.chunks()) {
      for (let i = 0; i < chunk.length; i++) {
        const event = eventAt(chunk, i);
        const json = eventJson(event, log);
        const row = rows[event.seq - 1]!;
        const spec = KIND_SPECS[event.kind]!;
        expect([row['kind'], u64(row['time']), row['register']]).toEqual([
          json['kind'],
          json['time'],
          json['register'] ?? null,
        ]);
        for (const column of ['object', 'value', 'aux0', 'aux1'] as const) {
          const expected = spec[column] === undefined ? null : json[spec[column]!];
          expect(u64(row[column])).toBe(expected);
        }
        if (event.value >= 1n << 63n) large++;
        if (spec.value !== undefined && row['value'] === null) {
          missing++;
          expect(row['value_hex']).toBeNull();
        }
      }
    }
    // There were such events to get wrong.
    expect(large).toBeGreaterThan(0);
    expect(missing).toBeGreaterThan(0);
  });

  it('gives the same answers from the exported file as from the log', async () => {
    const db = new Database(file, { readonly: true });
    for (const sql of [
      'SELECT kind, count(*), max(time), sum(value & 255) FROM events GROUP BY kind ORDER BY kind',
      "SELECT seq, seconds, printf('%u', value) AS u FROM events WHERE register = 'PMCCNTR_EL0' ORDER BY seq",
      'SELECT * FROM recording JOIN vcpu JOIN thread ON thread.tid = vcpu.tid',
      'SELECT * FROM register ORDER BY space, code',
      'SELECT * FROM attr',
    ]) {
      const rows = db.prepare(sql).safeIntegers().all();
      expect(rows.length).toBeGreaterThan(0);
      expect(rows).toEqual(await ask(sql));
    }
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
    db.close();
  });

  it.each([
    ['SELEC 1', 'SQL: near "SELEC": syntax error'],
    ['SELECT * FROM nosuch', 'SQL: no such table: nosuch'],
    ['SELECT 1; SELECT 2', 'SQL: The supplied SQL string contains more than one statement'],
    ['-- nothing', 'SQL: The supplied SQL string contains no statements'],
    ['DROP TABLE kind', 'this SQL asks nothing'],
    ["ATTACH 'other.db' AS other", 'this SQL asks nothing'],
  ])('refuses %j in one line', async (sql, message) => {
    await expect(ask(sql)).rejects.toThrow(UsageError);
    await expect(ask(sql)).rejects.toThrow(message);
    expect(existsSync('other.db')).toBe(false);
  });
});
