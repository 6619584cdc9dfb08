import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InputError, VpmuError } from '../../src/domain/errors.ts';
import { importRecordings } from '../../src/import/import-recordings.ts';
import { type Bytes, decompressed } from '../../src/import/input.ts';
import { fixture, importText, inPieces } from './import-text.ts';
import { MemorySink } from './memory-sink.ts';

const plain = new Uint8Array(fixture('arm64-6.12.perf-script.txt'));
const packed = new Uint8Array(fixture('packed.zst'));
const noCheck = new Uint8Array(fixture('no-check.zst'));
const skippable = Uint8Array.from([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);

function join2(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

async function all(bytes: Bytes): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of bytes) parts.push(new Uint8Array(part));
  return join2(...parts);
}

const unpack = (bytes: Uint8Array, piece = 65536): Promise<Uint8Array> =>
  all(decompressed('file', inPieces(bytes, piece)));

async function failure(promise: Promise<unknown>): Promise<VpmuError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(VpmuError);
  expect((error as VpmuError).message).not.toContain('\n');
  return error as VpmuError;
}

describe('decompression', () => {
  it.each([
    ['plain text', plain, plain],
    ['gzip', gzipSync(plain), plain],
    ['gzip in two members', join2(gzipSync(plain), gzipSync(plain)), join2(plain, plain)],
    ['zstd with checksum', packed, plain],
    ['zstd without checksum', noCheck, plain],
    ['zstd from a pipe', fixture('streamed.zst'), plain],
    ['zstd of one byte', fixture('one-byte.zst'), Uint8Array.of(0x20)],
    ['zstd of nothing', fixture('nothing.zst'), new Uint8Array(0)],
    ['zstd in several frames', join2(skippable, packed, skippable, noCheck), join2(plain, plain)],
  ])('%s, in any pieces', async (_, bytes, want) => {
    for (const piece of [1, 5, 7, 1000, 65536]) expect(await unpack(bytes, piece)).toEqual(want);
  });

  it('goes by the first bytes, never by the name', async () => {
    expect(await all(decompressed('a.zst', inPieces(plain)))).toEqual(plain);
    expect(await all(decompressed('a.txt', inPieces(gzipSync(plain))))).toEqual(plain);
  });

  it.each([
    ['zstd', packed],
    ['zstd without checksum', noCheck],
    ['gzip', gzipSync(plain)],
  ])('%s: every cut is found and named', async (_, bytes) => {
    for (let length = 8; length < bytes.length; length += 97) {
      const error = await failure(unpack(bytes.subarray(0, length), 512));
      expect(error.message).toBe(`file: ${_.slice(0, 4)} data cut off at byte ${length}`);
    }
  });

  it('a changed byte never goes unnoticed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(packed.length - 1),
        fc.integer({ min: 1, max: 255 }),
        async (at, bits) => {
          const damaged = Uint8Array.from(packed);
          damaged[at]! ^= bits;
          const result = await unpack(damaged).catch((error: unknown) => error);
          // A changed magic makes it another kind of file; the unused bit of the frame header may be set.
          if (result instanceof Uint8Array && at >= 4) expect(result).toEqual(plain);
          else if (at >= 4) expect(result).toBeInstanceOf(InputError);
        },
      ),
      { numRuns: 300 },
    );
  });

  it.each([
    [
      'a window of 256 MiB',
      [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x90, 0, 0, 0],
      'needs a window of 256 MiB',
    ],
    ['a dictionary', [0x28, 0xb5, 0x2f, 0xfd, 0x21, 7, 1, 0, 0, 0], 'compressed with a dictionary'],
    [
      'a content of 2^56 bytes',
      [0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0],
      'needs a window of',
    ],
    ['a reserved block type', [0x28, 0xb5, 0x2f, 0xfd, 0x20, 1, 7, 0, 0], 'reserved block type'],
    [
      'a block of 2 MiB',
      [0x28, 0xb5, 0x2f, 0xfd, 0x20, 1, 0xfb, 0xff, 0xff],
      'a block longer than 128 KiB',
    ],
    ['junk after a frame', [...packed, 1, 2, 3, 4, 5], 'no zstd frame where one should be'],
  ])('refuses %s without allocating for it', async (_, bytes, message) => {
    expect((await failure(unpack(Uint8Array.from(bytes)))).message).toContain(message);
  });

  it('unpacks what is asked for, not all that a small input could become', async () => {
    // 60,000 blocks of 128 KiB of blanks: 4 bytes each.
    const blocks = new Uint8Array(6 + 4 * 60_000);
    blocks.set([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38]);
    for (let at = 6; at < blocks.length; at += 4) blocks.set([0x02, 0x00, 0x10, 0x20], at);
    let taken = 0;
    for await (const piece of decompressed('file', inPieces(blocks, blocks.length))) {
      taken += piece.length;
      if (taken >= 3 * 131072) break;
    }
    expect(taken).toBe(3 * 131072);
  });

  it.each([
    ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]],
    ['bzip2', [0x42, 0x5a, 0x68, 0x39, 0x31, 0x41]],
    ['lz4', [4, 0x22, 0x4d, 0x18, 0x64, 0x40]],
  ])('says what to do with %s', async (format, bytes) => {
    const error = await failure(unpack(Uint8Array.from(bytes)));
    expect(error.message).toBe(`file: compressed with ${format}, which is not read`);
    expect(error.hint).toBe(`${format === 'bzip2' ? 'bzip2' : format} -dc file | vpmu import -`);
  });
});

describe('files', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vpmu-input-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const attempt = (name: string): Promise<unknown> =>
    importRecordings(new MemorySink(), [{ path: join(folder, name) }]);

  it('reads a plain and a packed file alike, and notes size and digest of the bytes as given', async () => {
    writeFileSync(join(folder, 'plain'), plain);
    writeFileSync(join(folder, 'packed'), packed);
    // In one log the second would be left out.
    const reports = [];
    for (const name of ['plain', 'packed']) {
      const sink = new MemorySink();
      reports.push((await importRecordings(sink, [{ path: join(folder, name) }])).inputs[0]!);
    }
    const [asPlain, asPacked] = reports;
    expect(reports.map(({ bytes }) => bytes)).toEqual([plain.length, packed.length]);
    expect(reports.map(({ facts }) => facts?.name)).toEqual(['plain', 'packed']);
    expect(asPlain?.events).toBe(asPacked?.events);
    expect(asPacked?.facts).toMatchObject({
      contentDigest: asPlain?.digest,
      contentBytes: plain.length,
    });
    expect(new Set(reports.map(({ digest }) => digest)).size).toBe(2);
    for (const { digest } of reports) expect(digest).toMatch(/^[0-9a-f]{64}$/);
  });

  it('says in one line what is wrong with a path', async () => {
    mkdirSync(join(folder, 'directory'));
    writeFileSync(join(folder, 'empty'), '');
    writeFileSync(join(folder, 'secret'), plain, { mode: 0 });
    chmodSync(join(folder, 'secret'), 0);
    expect((await failure(attempt('missing'))).message).toMatch(/missing: no such file$/);
    expect((await failure(attempt('directory'))).message).toMatch(/directory: is a directory$/);
    expect((await failure(attempt('empty'))).message).toMatch(/empty: is empty$/);
    expect((await failure(attempt('plain/x'))).message).toMatch(/x: no such file$/);
    if (process.getuid?.() !== 0) {
      expect((await failure(attempt('secret'))).message).toMatch(
        /secret: no permission to read it$/,
      );
    }
  });

  it('leaves out a file the log has, and one named twice', async () => {
    writeFileSync(join(folder, 'plain'), plain);
    const path = join(folder, 'plain');
    const sink = new MemorySink();
    const twice = await importRecordings(sink, [{ path }, { path }]);
    expect(twice.inputs.map(({ status }) => status)).toEqual(['imported', 'already-imported']);
    const { length } = sink.events;
    const again = await importRecordings(sink, [{ path }]);
    expect(again.inputs[0]).toMatchObject({ status: 'already-imported', source: 0, events: 0 });
    expect(sink.events).toHaveLength(length);
    // A stream shows what it is only at its end: the run has to be rolled back.
    const error = await failure(importRecordings(sink, [{ path: '-', stream: inPieces(plain) }]));
    expect(error.exitCode).toBe(0);
    expect(error.message).toBe('-: this recording is in the log already, nothing was added');
  });
});

describe('what is no recording', () => {
  it.each([
    ['', 'recording: is empty'],
    [
      '2ELIFREP\0\0\0\0',
      'recording: is a perf.data file of a big-endian machine, which is not read',
    ],
    [
      'PERFFILE\0\0\0\0',
      'recording: is a perf.data file of the first version (perf before Linux 2.6.36), which is not read',
    ],
    ['SQLite format 3\0', 'recording: is a database, most likely a vpmu log, and not a recording'],
    ['hello\nworld\n', 'recording: text of no known format'],
    ['\0\x01\x02\xff\xfe'.repeat(50), 'recording: binary data of no known format'],
    ['a'.repeat(200_000), 'recording: text of no known format'],
  ])('%j is refused with what to do', async (text, message) => {
    const error = await failure(importText(Buffer.from(text, 'latin1')));
    expect(error.message).toBe(message);
    expect(error.hint).toBeTruthy();
  });

  it('names the command that prints a recording of a big-endian machine', async () => {
    const perf = await failure(importText('2ELIFREP'));
    expect(perf.hint).toBe(
      'perf script --header --ns --guest-code --show-lost-events -i recording | vpmu import -',
    );
    const packedOne = await failure(importText(gzipSync('2ELIFREP')));
    expect(packedOne.hint).toBe(
      'gzip -dc recording > perf.data; perf script --header --ns --guest-code --show-lost-events -i perf.data | vpmu import -',
    );
  });

  it('sees through one compression, not through two', async () => {
    const error = await failure(importText(gzipSync(packed)));
    expect(error.message).toBe('recording: is compressed twice');
    const inner = await failure(importText(gzipSync(Buffer.from('2ELIFREP'))));
    expect(inner.message).toContain('perf.data');
  });

  it('stops when it is told to', async () => {
    const controller = new AbortController();
    let seen = 0;
    const running = importText(plain, {
      piece: 512,
      signal: controller.signal,
      onProgress: ({ bytes }) => {
        seen = bytes;
        if (bytes >= 2048) controller.abort(new Error('enough'));
      },
    });
    await expect(running).rejects.toThrow('enough');
    expect(seen).toBe(2048);
  });
});
