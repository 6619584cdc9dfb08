import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { importRecordings } from '../../../src/import/import-recordings.ts';
import type { ImportReport, RecordingInput } from '../../../src/import/report.ts';
import { openLogForImport } from '../../../src/log/log.ts';
import type { WritableLog } from '../../../src/log/types.ts';
import { exported } from './memory-log.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vpmu-jsonl-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const STAT = [
  { path: fixture('x1-blob-host-json'), statStart: 5_000_000_000n },
  { path: fixture('s4-lean-guest-console'), role: 'guest' },
] as const;

function fixture(name: string): string {
  return fileURLToPath(new URL(`../stat/fixtures/${name}.txt`, import.meta.url));
}

async function imported(
  log: WritableLog,
  inputs: readonly RecordingInput[],
): Promise<ImportReport> {
  return log.importRun((sink) => importRecordings(sink, inputs));
}

function newLog(name: string): WritableLog {
  return openLogForImport(join(folder, name));
}

describe('a log of counts, exported and imported', () => {
  it('is the same log: recordings, vCPUs, threads, events; and knows it', async () => {
    const log = newLog('one.vpmu');
    const [host, guest] = STAT;
    // Two runs that overlap in time.
    expect((await imported(log, [host])).events).toBe(72);
    expect((await imported(log, [guest])).events).toBe(8);
    const text = exported(log);
    expect(text.match(/"kind":"count"/g)).toHaveLength(80);
    expect(text).toContain(
      '"name":"s4-lean-guest-console.txt","format":"perf-stat-json","role":"guest"',
    );
    const file = join(folder, 'one.jsonl');
    writeFileSync(file, text);

    const again = newLog('two.vpmu');
    expect((await imported(again, [{ path: file }])).inputs[0]).toMatchObject({
      status: 'imported',
      events: 80,
    });
    expect(exported(again)).toBe(text);
    expect(again.imports().map(({ facts }) => facts)).toEqual(
      log.imports().map(({ facts }) => facts),
    );
    expect(again.threads()).toEqual(log.threads());
    expect(again.verify().ok).toBe(true);

    for (const known of [log, again]) {
      expect((await imported(known, [{ path: file }])).inputs[0]?.status).toBe('already-imported');
      expect((await imported(known, [host])).inputs[0]?.status).toBe('already-imported');
      expect(known.imports()).toHaveLength(2);
      expect(known.eventCount).toBe(80);
      known.close();
    }
  });

  it('of which a part is known already is refused whole', async () => {
    const log = newLog('three.vpmu');
    await imported(log, STAT);
    const file = join(folder, 'three.jsonl');
    writeFileSync(file, exported(log));
    log.close();
    const other = newLog('four.vpmu');
    await imported(other, [STAT[1]]);
    await expect(imported(other, [{ path: file }])).rejects.toThrow('is in the log already');
    expect(other.eventCount).toBe(8);
    other.close();
  });
});
