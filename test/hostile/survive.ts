import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, vi } from 'vitest';
import { checkLog } from '../../src/diagnose/check-log.ts';
import { diffLog } from '../../src/diagnose/diff-log.ts';
import { VpmuError } from '../../src/domain/errors.ts';
import { COLUMNS, type EventChunk } from '../../src/domain/event-chunk.ts';
import type { ImportSink } from '../../src/domain/import-sink.ts';
import { importRecordings } from '../../src/import/import-recordings.ts';
import { writeJsonLines } from '../../src/import/jsonl/writer.ts';
import { type Log, openLog, openLogForImport } from '../../src/log/log.ts';
import { replayTo } from '../../src/replay/replay-to.ts';

// Files and fsync: fast alone, but not beside other work.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

export function fixture(name: string): Uint8Array {
  return readFileSync(new URL(`fixtures/${name}`, import.meta.url));
}

/** A folder that is gone when the file's tests are over. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'vpmu-hostile-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What an action gives, or how it was refused: with one readable line. Anything else it throws fails the test. */
export function given<T>(action: () => T): { readonly value?: T; readonly refusal?: string } {
  try {
    return { value: action() };
  } catch (error) {
    return { refusal: refusal(error) };
  }
}

/** The line of a refusal; rethrows what is a bug. */
export function refusal(error: unknown): string {
  if (!(error instanceof VpmuError)) throw error;
  expect(error.message).toMatch(/^[^\n\r]{1,400}$/);
  return error.message;
}

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 20_000) yield bytes.subarray(at, at + 20_000);
}

type Row = readonly (number | bigint)[];

function rows(chunk: EventChunk): Row[] {
  return Array.from({ length: chunk.length }, (_, i) => COLUMNS.map(({ name }) => chunk[name][i]!));
}

/** A sink that also keeps what passes through it. */
function listening(sink: ImportSink, heard: Row[]): ImportSink {
  return new Proxy(sink, {
    get(target, name) {
      if (name === 'append') {
        return (chunk: EventChunk) => {
          heard.push(...rows(chunk));
          target.append(chunk);
        };
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** Imports bytes into a new log: the events it was given, or how the import was refused. */
export async function importBytes(
  path: string,
  bytes: Uint8Array,
): Promise<{ readonly heard: readonly Row[]; readonly refusal?: string }> {
  const heard: Row[] = [];
  const log = openLogForImport(path);
  try {
    const recording = { path: 'recording', stream: inPieces(bytes) };
    await log.importRun((sink) => importRecordings(listening(sink, heard), [recording]));
    return { heard };
  } catch (error) {
    return { heard: [], refusal: refusal(error) };
  } finally {
    log.close();
  }
}

function exported(log: Log): string {
  const lines: string[] = [];
  const { chunks, name, attr, imports, vcpus, threads } = log;
  const source = { chunks, name, attr, imports, vcpus, threads };
  for (const [key, method] of Object.entries(source)) {
    Object.assign(source, { [key]: (method as () => unknown).bind(log) });
  }
  writeJsonLines(source, (text) => lines.push(text));
  return lines.join('');
}

/** The recording as `vpmu-events/1`. */
export async function asJsonLines(path: string, bytes: Uint8Array): Promise<Uint8Array> {
  await importBytes(path, bytes);
  const log = openLog(path);
  try {
    return Buffer.from(exported(log));
  } finally {
    log.close();
  }
}

/**
 * Whatever the bytes are: the import is refused in one line and leaves no event, or every event comes out of the log
 * as it went in, the log verifies, export and import give the same again, and replay, check and diff find an answer or
 * refuse in one line. Returns what happened.
 */
export async function survive(folder: string, bytes: Uint8Array): Promise<'refused' | 'imported'> {
  const path = join(folder, 'm.vpmu');
  const again = join(folder, 'again.vpmu');
  for (const file of [path, again]) rmSync(file, { force: true });
  const { heard, refusal } = await importBytes(path, bytes);
  if (refusal !== undefined) return 'refused';
  const log = openLog(path);
  try {
    expect([...log.chunks()].flatMap(rows)).toEqual(heard);
    expect(log.verify()).toMatchObject({ ok: true, events: heard.length });
    given(() => checkLog(log));
    given(() => diffLog(log));
    given(() => replayTo(log, { kind: 'end' }));
    given(() => replayTo(log, { kind: 'share', nanoPercent: 50n * 10n ** 9n }));
    const text = exported(log);
    const { refusal } = await importBytes(again, Buffer.from(text));
    expect(refusal).toBeUndefined();
    const copy = openLog(again);
    try {
      expect(exported(copy) === text).toBe(true);
    } finally {
      copy.close();
    }
  } finally {
    log.close();
  }
  return 'imported';
}
