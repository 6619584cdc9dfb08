import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../../src/domain/errors.ts';
import { importInto, openLog } from '../../src/index.ts';
import { fixture, inPieces } from '../import/import-text.ts';

const folder = mkdtempSync(join(tmpdir(), 'vpmu-test-'));
const at = (name: string): string => join(folder, name);
const text = fixture('arm64-6.12.perf-script.txt');
writeFileSync(at('a.txt'), text);
writeFileSync(at('a.txt.zst'), fixture('packed.zst'));
writeFileSync(at('a.txt.gz'), gzipSync(text));
const STAT = 'traces/S5-bare/host-perf-stat.json';

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

let logs = 0;
const fresh = (): string => at(`log${logs++}.vpmu`);

const imported = async (log: string, ...paths: readonly string[]) =>
  (
    await importInto(
      log,
      paths.map((path) => ({ path })),
    )
  ).inputs.map(({ status, source }) => `${status} ${source}`);

describe('one recording, packed in several ways', () => {
  it('is imported once, whichever comes first', async () => {
    for (const [first, ...others] of [
      ['a.txt', 'a.txt.zst', 'a.txt.gz'],
      ['a.txt.zst', 'a.txt.gz', 'a.txt'],
      ['a.txt.gz', 'a.txt', 'a.txt.zst'],
    ] as const) {
      const log = fresh();
      expect(await imported(log, at(first), ...others.map(at))).toEqual([
        'imported 1',
        'already-imported -1',
        'already-imported -1',
      ]);
      const { head, eventCount } = openLog(log);
      for (const other of [first, ...others]) {
        expect(await imported(log, at(other))).toEqual(['already-imported 1']);
      }
      expect([openLog(log).head, openLog(log).eventCount]).toEqual([head, eventCount]);
    }
  });

  it('does not keep others from being imported with it', async () => {
    const log = fresh();
    await imported(log, at('a.txt'));
    expect(await imported(log, at('a.txt.zst'), STAT)).toEqual([
      'already-imported 1',
      'imported 2',
    ]);
  });

  it('is refused with a stream, which cannot be read again without it', async () => {
    const log = fresh();
    await imported(log, at('a.txt'));
    const { head } = openLog(log);
    const other = new Uint8Array([...text, 10]);
    const run = importInto(log, [{ path: at('a.txt.gz') }, { path: '-', stream: inPieces(other) }]);
    await expect(run).rejects.toThrow(InputError);
    await expect(run).rejects.toThrow(
      'a.txt.gz: is in the log already, and - cannot be read again',
    );
    expect(openLog(log).head).toBe(head);
  });
});

describe('recordings of two architectures', () => {
  it('are refused in one log, together and one after the other', async () => {
    const x86 = 'traces/X9b-event-filter/perf-script.txt.zst';
    const log = fresh();
    const why = 'perf-script.txt.zst was recorded on x86, a.txt on arm64: one log holds one host';
    await expect(imported(log, at('a.txt'), x86)).rejects.toThrow(why);
    expect(existsSync(log)).toBe(false);
    await imported(log, at('a.txt'));
    await expect(imported(log, x86)).rejects.toThrow(why);
    expect(openLog(log).imports()).toHaveLength(1);
  });
});
