import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FileImporter } from '../../src/import/importer.ts';
import { IMPORTERS } from '../../src/import/importers.ts';
import { loadZstd } from '../../src/import/zstd-wasm.ts';
import { complaint, type Outcome, survey } from './binary-survey.ts';
import { mutatedBinary } from './mutate-binary.ts';
import { fixture, survive, temporaryFolder } from './survive.ts';
import { Watchdog } from './watchdog.ts';

/**
 * VPMU_MUTANTS=100000 npx vitest run test/hostile/binary-recordings.test.ts: that many seeds of each recording, and a cut
 * at every byte. VPMU_FIRST_SEED goes on where another run ended.
 */
const MUTANTS = Number(process.env['VPMU_MUTANTS'] ?? 200);
const FIRST = Number(process.env['VPMU_FIRST_SEED'] ?? 1);
const ALL = MUTANTS >= 1000;
/** Mutants that also go through a log, replay, check and export. */
const WHOLE_WAY = Math.min(8, MUTANTS);
const MAX_MEGABYTES = 500;
/** One damage can make some records into others that say nothing, or lie, without anything that shows it. */
const UNSEEN = 5;
const MOST_SHOWN = 10;

/** Each with the share of the mutants and cuts it gets: the last is long. */
const RECORDINGS = [
  ['x86-6.12.perf.data', 1],
  ['x86-6.12-z.perf.data', 1],
  ['arm64-6.12-pipe.perf.data', 1],
  ['x86-6.12-v6.trace.dat', 1],
  ['x86-6.12-v7.trace.dat', 1],
  ['../../../traces/S5-bare-perfz/perf.data', 0.05],
] as const;

const folder = temporaryFolder();
beforeAll(loadZstd);

function importerOf(bytes: Uint8Array): FileImporter | undefined {
  const head = bytes.subarray(0, 65536);
  for (const importer of IMPORTERS) {
    if ('openFile' in importer && importer.sniff(head) > 0.2) return importer;
  }
  return undefined;
}

/**
 * An index that says that a CPU has no data, a page that says that it is empty: some damage nothing can show. One mutant
 * in so many may lose records without a word; none may crash, hang or take memory.
 */
const ONE_IN = 100;
const FINISHED_ROUND = Buffer.from([68, 0, 0, 0, 0, 0, 8, 0]);

function endsRound(bytes: Uint8Array): boolean {
  return bytes.length > 8 && Buffer.from(bytes.subarray(-8)).equals(FINISHED_ROUND);
}

interface Tally {
  imported: number;
  refused: number;
  readonly complaints: string[];
  readonly silent: string[];
}

function newTally(): Tally {
  return { imported: 0, refused: 0, complaints: [], silent: [] };
}

function memory(): number {
  return process.resourceUsage().maxRSS / 1024;
}

/** One damaged file. What it throws that is no refusal, and what it does not say, is a complaint. */
function judge(what: string, bytes: Uint8Array, whole: Outcome, tally: Tally, most: number): void {
  const importer = importerOf(bytes);
  if (importer === undefined) {
    tally.refused++;
    return;
  }
  let found: string | undefined;
  try {
    const outcome = survey(importer, bytes);
    if (outcome.refusal === undefined) tally.imported++;
    else tally.refused++;
    const silent = complaint(whole, outcome, most);
    if (silent !== undefined) tally.silent.push(`${what}: ${silent}`);
    if (memory() > MAX_MEGABYTES) found = `${Math.round(memory())} MB`;
  } catch (error) {
    const { message, stack = '' } = error as Error;
    const where = /(src\/import\/[\w./-]+:\d+)/.exec(stack);
    found = `${message.slice(0, 200)} ${where?.[1] ?? ''}`;
  }
  if (found !== undefined) tally.complaints.push(`${what}: ${found}`);
}

describe.each(RECORDINGS)('%s', (name, share) => {
  const mutants = Math.ceil(MUTANTS * share);
  const recording = fixture(name);
  const importer = importerOf(recording)!;
  const watchdog = new Watchdog(name);
  afterAll(() => watchdog.end());

  it('is read', () => {
    const whole = survey(importer, recording);
    expect(whole.refusal).toBeUndefined();
    expect(whole.records).toBeGreaterThan(100);
  });

  it('cut anywhere, it is refused or tells what is missing', () => {
    const whole = survey(importer, recording);
    const tally = newTally();
    const step = Math.ceil((ALL ? 1 : recording.length / 150) / share);
    for (let length = recording.length - 1; length > 0; length -= step) {
      // A piped recording says nowhere how long it is: cut behind a FINISHED_ROUND, it is a whole one.
      if (endsRound(recording.subarray(0, length))) continue;
      watchdog.begin(-length);
      judge(`cut at ${length}`, recording.subarray(0, length), whole, tally, whole.records);
    }
    if (ALL) console.log(name, 'cuts', tally.imported, 'imported', tally.refused, 'refused');
    expect([...tally.complaints, ...tally.silent].slice(0, MOST_SHOWN)).toEqual([]);
  }, 7_200_000);

  it('damaged, it is refused or taken as far as it goes', () => {
    const whole = survey(importer, recording);
    const tally = newTally();
    for (let seed = FIRST; seed < FIRST + mutants; seed++) {
      watchdog.begin(seed);
      const most = whole.records - UNSEEN;
      judge(`mutant ${seed}`, mutatedBinary(recording, seed), whole, tally, most);
    }
    if (ALL) {
      const { imported, refused, silent } = tally;
      console.log(name, 'mutants', { imported, refused }, silent.slice(0, MOST_SHOWN));
    }
    expect(tally.complaints.slice(0, MOST_SHOWN)).toEqual([]);
    expect(tally.silent.length).toBeLessThanOrEqual(Math.ceil(mutants / ONE_IN));
    expect(tally.imported).toBeGreaterThan(0);
  }, 7_200_000);

  it('damaged, it goes through the log, replay and export, or is refused', async () => {
    for (let seed = FIRST; seed < FIRST + Math.ceil(WHOLE_WAY * share); seed++) {
      watchdog.begin(seed);
      await survive(join(folder), mutatedBinary(recording, seed));
    }
    watchdog.begin(0);
  });
});
