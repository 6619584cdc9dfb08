import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkLog } from '../../src/diagnose/check-log.ts';
import { COLUMNS } from '../../src/domain/event-chunk.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import { random } from './mutate.ts';
import { fixture, given, importBytes, temporaryFolder } from './survive.ts';

const PAGE = 4096;
const folder = temporaryFolder();
const damaged = join(folder, 'damaged.vpmu');
let original: Buffer;
let answer: string;

/** All that a log says, as one digest. */
function content(log: Log): string {
  const hash = createHash('sha256');
  for (const chunk of log.chunks()) {
    for (const name of ['seq', ...COLUMNS.map((column) => column.name)] as const) {
      const column = chunk[name].subarray(0, chunk.length);
      hash.update(new Uint8Array(column.buffer, column.byteOffset, column.byteLength));
    }
  }
  const side = [log.imports(), log.vcpus(), [...log.threads()], log.names(), [...log.kindCounts()]];
  hash.update(
    JSON.stringify(side, (_, value) => (typeof value === 'bigint' ? `${value}n` : value)),
  );
  return hash.digest('hex');
}

/** Opens damaged bytes: refused in one line, found by verify, or as good as the original. */
function judge(bytes: Uint8Array): 'refused' | 'found' | 'harmless' | 'UNNOTICED' {
  writeFileSync(damaged, bytes);
  const opened = given(() => openLog(damaged));
  if (opened.value === undefined) return 'refused';
  const log = opened.value;
  try {
    const read = given(() => content(log));
    given(() => checkLog(log));
    if (!log.verify().ok) return 'found';
    return read.value === answer ? 'harmless' : 'UNNOTICED';
  } finally {
    log.close();
  }
}

/** Damages at the given offsets that nothing notices. */
function unnoticed(offsets: Iterable<number>, bits: readonly number[]): string[] {
  const bad: string[] = [];
  for (const at of offsets) {
    for (const bit of bits) {
      const bytes = Buffer.from(original);
      bytes[at] = bytes[at]! ^ bit;
      if (judge(bytes) === 'UNNOTICED') bad.push(`byte ${at} ^ ${bit}`);
    }
  }
  return bad;
}

beforeAll(async () => {
  const path = join(folder, 'log.vpmu');
  await importBytes(path, fixture('arm64-6.12.tracefs.txt'));
  await importBytes(path, fixture('perf-stat-json.txt'));
  original = readFileSync(path);
  const log = openLog(path);
  answer = content(log);
  log.close();
  expect(judge(original)).toBe('harmless');
});

describe('a damaged log is refused, found by verify, or gives the same answer', () => {
  it('with a flipped byte in the header of the file', () => {
    expect(unnoticed(Array(100).keys(), [0x04])).toEqual([]);
  });

  it('with a flipped byte in the header of a page', () => {
    const starts = [...Array(original.length / PAGE).keys()].map((page) => page * PAGE);
    expect(
      unnoticed(
        starts.flatMap((at) => [0, 3, 6, 8].map((k) => at + k)),
        [0x02],
      ),
    ).toEqual([]);
  });

  it('with a flipped byte anywhere', () => {
    const below = random(1);
    const offsets = Array.from({ length: 120 }, () => below(original.length));
    expect(unnoticed(offsets, [0x10])).toEqual([]);
    // Of the packed events and their hashes every byte counts.
    const first = original.indexOf('var/1');
    const packed = Array.from({ length: 20 }, (_, k) => first + 5 + k);
    expect(packed.map((at) => flipped(at)).filter((verdict) => verdict === 'harmless')).toEqual([]);
  });

  it('cut off anywhere', () => {
    const below = random(2);
    const lengths = [0, 1, 15, 16, 99, 100, PAGE, original.length - PAGE];
    for (let k = 0; k < 20; k++) lengths.push(below(original.length - PAGE));
    const verdicts = lengths.map((length) => judge(original.subarray(0, length)));
    expect(verdicts.filter((verdict) => verdict !== 'refused' && verdict !== 'found')).toEqual([]);
    expect(judge(original.subarray(0, original.length - 1))).not.toBe('UNNOTICED');
  });

  it('with pages exchanged or zeroed', () => {
    const pages = original.length / PAGE;
    const bad: string[] = [];
    for (let page = 1; page < pages; page++) {
      const zeroed = Buffer.from(original);
      zeroed.fill(0, page * PAGE, (page + 1) * PAGE);
      if (judge(zeroed) === 'UNNOTICED') bad.push(`page ${page} zeroed`);
      const exchanged = Buffer.from(original);
      original.copy(exchanged, page * PAGE, (page - 1) * PAGE, page * PAGE);
      if (judge(exchanged) === 'UNNOTICED') bad.push(`page ${page} overwritten by the one before`);
    }
    expect(bad).toEqual([]);
  });

  it('and leaves no file beside it', () => {
    expect(readdirSync(folder).sort()).toEqual(['damaged.vpmu', 'log.vpmu']);
  });
});

function flipped(at: number): ReturnType<typeof judge> {
  const bytes = Buffer.from(original);
  bytes[at] = bytes[at]! ^ 0x40;
  return judge(bytes);
}
