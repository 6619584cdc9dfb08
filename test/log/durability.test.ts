import { copyFileSync, existsSync } from 'node:fs';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { chunkOf } from '../../src/domain/event-chunk.ts';
import { connectForWriting } from '../../src/log/connect.ts';
import { runImport } from '../../src/log/import-run.ts';
import { openLog, openLogForImport } from '../../src/log/log.ts';
import {
  appendAll,
  contentOf,
  fresh,
  importEvents,
  logWith,
  temporaryFolder,
  timeline,
} from './helpers.ts';

const folder = temporaryFolder();

/** The error a user sees: one line. */
const refusal = (message: string) =>
  expect.objectContaining({ name: 'InputError', message, hint: expect.stringMatching(/\w/) });

describe('an import that was cut off', () => {
  /** The files of a log as a killed process leaves them in the middle of a run. */
  async function killed(path: string): Promise<{ left: string; before: unknown }> {
    const left = fresh(folder);
    const log = openLogForImport(path);
    await importEvents(log, timeline(5000, 1));
    const before = contentOf(log);
    const run = log.importRun(async (sink) => {
      // More than SQLite's cache holds, so that pages have reached the disk.
      const source = sink.beginSource('big');
      const chunk = chunkOf(timeline(4096, 2).map((event) => ({ ...event, source })));
      for (let i = 0; i < 4096; i++) {
        chunk.value[i] = BigInt(i + 1) * 0x9e3779b97f4a7c15n;
        chunk.aux1[i] = BigInt(i + 1) * 0xc2b2ae3d27d4eb4fn;
      }
      for (let i = 0; i < 300; i++) sink.append(chunk);
      for (const end of ['', '-wal', '-journal']) {
        if (existsSync(path + end)) copyFileSync(path + end, left + end);
      }
      throw new Error('killed');
    });
    await expect(run).rejects.toThrow('killed');
    log.close();
    return { left, before };
  }

  it('left nothing in the log, and the next reader tidies up', async () => {
    const { left, before } = await killed(fresh(folder));
    expect(existsSync(`${left}-wal`)).toBe(true);
    const log = openLog(left);
    expect(contentOf(log)).toEqual(before);
    expect(log.verify().ok).toBe(true);
    log.close();
    expect(existsSync(`${left}-wal`)).toBe(false);
    expect(existsSync(`${left}-shm`)).toBe(false);
  });

  it('left nothing either when pages went through a rollback journal', async () => {
    const path = fresh(folder);
    await logWith(path, [timeline(5000, 1)]);
    const left = fresh(folder);
    const db = new Database(path);
    db.pragma('cache_size = 1');
    db.exec('BEGIN');
    const insert = db.prepare(`INSERT INTO checkpoint_set (key, head) VALUES (?, x'00')`);
    for (let i = 0; i < 500; i++) insert.run(`${i}`.padEnd(3000, 'x'));
    for (const end of ['', '-journal']) copyFileSync(path + end, left + end);
    db.close();
    expect(existsSync(`${left}-journal`)).toBe(true);
    const log = openLog(left);
    expect(log.eventCount).toBe(5000);
    expect(log.verify().ok).toBe(true);
    log.close();
    expect(existsSync(`${left}-journal`)).toBe(false);
  });
});

describe('two writers', () => {
  it('do not mix: the second gets one clear line, and can go on afterwards', async () => {
    const path = fresh(folder);
    const first = openLogForImport(path);
    await importEvents(first, timeline(10, 1));
    const second = openLogForImport(path);
    await first.importRun(async (sink) => {
      appendAll(sink, timeline(9000, 2), [9000], 'a');
      await expect(importEvents(second, timeline(10, 3))).rejects.toEqual(
        refusal(`${path} is being written by another process`),
      );
      appendAll(sink, timeline(10, 4), [10], 'b');
    });
    await second.importRun(async (sink) => {
      // It sees what the first one stored.
      expect([sink.nextSeq, sink.findDigest('a')]).toEqual([9021, 2]);
      appendAll(sink, timeline(10, 5), [10], 'c');
    });
    expect(second.eventCount).toBe(9030);
    expect(second.verify().ok).toBe(true);
    second.close();
    first.close();
    const log = openLog(path);
    expect(
      log
        .imports()
        .map((row) => row.digest)
        .slice(1),
    ).toEqual(['a', 'b', 'c']);
    log.close();
  });

  it('do not mix in the moment in which the first goes over to WAL mode', async () => {
    const path = fresh(folder);
    await logWith(path, [timeline(10, 1)]);
    const connection = connectForWriting(path);
    const { db } = connection;
    const exec = db.exec.bind(db);
    let between = 0;
    db.exec = (sql) => {
      const result = exec(sql);
      if (sql === 'COMMIT' && between++ === 0) {
        const other = new Database(path);
        other.exec(`INSERT INTO run VALUES (2, 11, 0, 0, x'00')`);
        other.close();
      }
      return result;
    };
    const run = runImport(connection, async (sink) => {
      appendAll(sink, timeline(10, 2), [10], 'x');
    });
    await expect(run).rejects.toEqual(refusal(`${path} is being written by another process`));
    expect(between).toBe(1);
    expect(db.prepare('SELECT count(*) FROM segment').pluck().get()).toBe(1);
    db.close();
  });

  it('of one new log are let in one after the other', async () => {
    const path = fresh(folder);
    const logs = [openLogForImport(path), openLogForImport(path)];
    await importEvents(logs[1]!, timeline(10, 1));
    logs[0]!.close();
    logs[1]!.close();
    const log = openLog(path);
    expect(log.eventCount).toBe(10);
    log.close();
  });
});

describe('a full disk', () => {
  it('leaves the log unchanged, wherever it strikes', async () => {
    const path = fresh(folder);
    await logWith(path, [timeline(5000, 1)]);
    const log = openLog(path);
    const before = contentOf(log);
    log.close();
    const connection = connectForWriting(path);
    const pages = connection.db.pragma('page_count', { simple: true }) as number;
    for (const spare of [0, 1, 3, 10, 40]) {
      connection.db.pragma(`max_page_count = ${pages + spare}`);
      const run = runImport(connection, async (sink) => {
        appendAll(sink, timeline(60_000, 2), [60_000], 'x');
      });
      await expect(run).rejects.toEqual(
        refusal(`cannot write ${path}: no space left on the device, the log is unchanged`),
      );
    }
    connection.db.close();
    const after = openLog(path);
    expect(contentOf(after)).toEqual(before);
    expect(after.verify().ok).toBe(true);
    after.close();
  });
});
