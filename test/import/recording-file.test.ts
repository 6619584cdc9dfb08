import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { InputError } from '../../src/domain/errors.ts';
import { EventKind } from '../../src/domain/event-kind.ts';
import { importRecordings } from '../../src/import/import-recordings.ts';
import { type FileImporter, LOW } from '../../src/import/importer.ts';
import type { ImportProgress, RecordingInput } from '../../src/import/report.ts';
import { inPieces } from './import-text.ts';
import { MemorySink } from './memory-sink.ts';

const fault = vi.hoisted(() => ({ code: '' }));
vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  const writeSync = (...given: Parameters<typeof real.writeSync>): number => {
    if (fault.code === '') return real.writeSync(...given);
    throw Object.assign(new Error(fault.code), { code: fault.code });
  };
  return { ...real, writeSync };
});

const MAGIC = 'BACKWARD';
const PER_STEP = 1000;
let closed = 0;

/** Marks that are written last one first: who reads them in order reads the file from its end. */
const backward: FileImporter = {
  format: 'backward',
  sniff: (head) => (new TextDecoder().decode(head.subarray(0, 8)) === MAGIC ? 1 : 0),
  openFile(context, file) {
    const bytes = new Uint8Array(8);
    const count = (file.size - 8) / 8;
    let done = 0;
    return {
      get position() {
        return Math.min(file.size, 8 + done * 8);
      },
      step() {
        for (let k = 0; k < PER_STEP && done < count; k++, done++) {
          const at = file.size - 8 * (done + 1);
          if (file.read(bytes, at) < 8) throw new InputError(`${file.name}: cut at ${at}`);
          if (file.read(new Uint8Array(16), file.size - 4) !== 4) throw new Error('end');
          const i = context.out.row();
          context.out.chunk.kind[i] = EventKind.guestEnter;
          context.out.words.time[2 * i + LOW] = new DataView(bytes.buffer).getUint32(0, true);
        }
        return done < count;
      },
      facts: () => ({}),
      notices: () => [],
      close: () => {
        closed++;
      },
    };
  },
};

function recording(times: readonly number[]): Buffer {
  const bytes = Buffer.alloc(8 + 8 * times.length);
  bytes.write(MAGIC);
  for (const [k, time] of times.entries()) bytes.writeUInt32LE(time, bytes.length - 8 * (k + 1));
  return bytes;
}

const TIMES = Array.from({ length: 50_000 }, (_, k) => 10 * k);
const plain = recording(TIMES);
let folder: string;
let temporary: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vpmu-file-'));
  temporary = mkdtempSync(join(folder, 'tmp-'));
  vi.stubEnv('TMPDIR', temporary);
  closed = 0;
  fault.code = '';
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

function file(name: string, bytes: Uint8Array): RecordingInput {
  writeFileSync(join(folder, name), bytes);
  return { path: join(folder, name) };
}

async function run(inputs: readonly RecordingInput[], options: object = {}) {
  const sink = new MemorySink();
  const report = await importRecordings(sink, inputs, { importers: [backward], ...options });
  return { sink, report };
}

function openFiles(): number {
  return readdirSync('/proc/self/fd').length;
}

describe('recordings that are read back and forth', () => {
  it.each([
    ['a plain file', () => file('plain', plain), plain],
    ['a gzip file', () => file('gzip', gzipSync(plain)), gzipSync(plain)],
    ['a stream', () => ({ path: '-', stream: inPieces(plain, 4096) }), plain],
    [
      'a stream in bytes',
      () => ({ path: '-', stream: inPieces(plain.subarray(0, 8), 1) }),
      plain.subarray(0, 8),
    ],
    [
      'a packed stream',
      () => ({ path: '-', stream: inPieces(gzipSync(plain), 777) }),
      gzipSync(plain),
    ],
  ])('%s: all of it, with the digest of what was given', async (_, input, given) => {
    const before = openFiles();
    const { sink, report } = await run([input()]);
    const times = given.length === 8 ? [] : TIMES;
    expect(sink.events.map(({ time }) => Number(time))).toEqual(times);
    expect(report.inputs[0]).toMatchObject({
      bytes: given.length,
      digest: createHash('sha256').update(given).digest('hex'),
    });
    expect(closed).toBe(1);
    expect(readdirSync(temporary)).toEqual([]);
    expect(openFiles()).toBe(before);
  });

  it('several at once, packed and not, merge by time', async () => {
    const odd = TIMES.map((time) => time + 5);
    const inputs = [file('even', plain), file('odd.gz', gzipSync(recording(odd)))];
    const { sink } = await run(inputs);
    expect(sink.events.map(({ time }) => Number(time))).toEqual(
      [...TIMES, ...odd].sort((a, b) => a - b),
    );
    expect(closed).toBe(2);
  });

  it('progress ends with the size of what was given', async () => {
    const seen: ImportProgress[] = [];
    const onProgress = (progress: ImportProgress) => seen.push(progress);
    await run([file('plain', plain)], { onProgress });
    expect(seen.at(-1)).toMatchObject({ bytes: plain.length, unpacking: false });
    expect(seen.every(({ unpacking }) => !unpacking)).toBe(true);
    seen.length = 0;
    const packed = gzipSync(plain);
    await run([file('packed', packed)], { onProgress });
    // The first piece is read before it is known what it is.
    const reading = seen.slice(1).flatMap(({ unpacking, bytes }) => (unpacking ? [] : [bytes]));
    expect(reading).toEqual(reading.toSorted((a, b) => a - b));
    expect(reading.length).toBeGreaterThan(TIMES.length / PER_STEP / 2);
    expect(reading.at(-1)).toBe(packed.length);
  });

  it.each([false, true])('stops when it is told to (packed: %s) and lets go', async (packed) => {
    const controller = new AbortController();
    const before = openFiles();
    const input = file('x', packed ? gzipSync(plain) : plain);
    const slow: FileImporter = {
      ...backward,
      openFile: (context, given) => {
        const reader = backward.openFile(context, given);
        let calls = 0;
        return {
          ...reader,
          position: 0,
          step: () => {
            if (++calls === 2) controller.abort(new Error('enough'));
            if (calls > 2) throw new Error('too far');
            return reader.step();
          },
        };
      },
    };
    const running = run([input], { signal: controller.signal, importers: [slow] });
    await expect(running).rejects.toThrow('enough');
    expect(closed).toBe(1);
    expect(openFiles()).toBe(before);
  });

  it.each([
    ['ENOSPC', 'no room in'],
    ['EDQUOT', 'no room in'],
    ['EIO', 'takes no file (EIO)'],
  ])('%s while unpacking is one clear line', async (code, why) => {
    const before = openFiles();
    fault.code = code;
    const error = await run([file('x.gz', gzipSync(plain))]).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InputError);
    expect((error as InputError).message).toContain(why);
    expect((error as InputError).message).not.toContain('\n');
    expect((error as InputError).hint).toContain('TMPDIR');
    expect(openFiles()).toBe(before);
  });

  it('says so when there is no temporary directory', async () => {
    vi.stubEnv('TMPDIR', join(folder, 'none'));
    const error = await run([file('x.gz', gzipSync(plain))]).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InputError);
    expect((error as InputError).message).toContain('takes no file (ENOENT)');
    // A plain file needs none.
    await run([file('plain', plain)]);
  });

  it('a reader that fails is closed too', async () => {
    const input = file('x', plain.subarray(0, 8));
    const bad: FileImporter = {
      ...backward,
      openFile: (context, given) => ({
        ...backward.openFile(context, given),
        position: 0,
        step: () => {
          throw new InputError(`${given.name}: bad`);
        },
      }),
    };
    await expect(run([input], { importers: [bad] })).rejects.toThrow('bad');
    expect(closed).toBe(1);
    expect(readFileSync(input.path).length).toBe(8);
  });
});
