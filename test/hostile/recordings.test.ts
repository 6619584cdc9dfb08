import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mutated } from './mutate.ts';
import { asJsonLines, fixture, survive, temporaryFolder } from './survive.ts';

const MUTANTS = Number(process.env['VPMU_MUTANTS'] ?? 15);

const folder = temporaryFolder();

const RECORDINGS = [
  'arm64-6.12.tracefs.txt',
  'arm64-6.12.perf-script.txt',
  'arm64-6.12.trace-cmd-report.txt',
  'arm64-6.1.tracefs.txt',
  'x86-6.12.perf-script.txt',
  'perf-stat-json.txt',
];

/** Mutants of one recording: how many were taken. A failure names its seed. */
async function run(recording: Uint8Array): Promise<number> {
  let imported = 0;
  const failures: string[] = [];
  for (let seed = 1; seed <= MUTANTS; seed++) {
    try {
      if ((await survive(folder, mutated(recording, seed))) === 'imported') imported++;
    } catch (error) {
      const { message, stack = '' } = error as Error;
      const where = /\((?:.*\/)?(src\/[^)]*)\)|at (?:.*\/)?(src\/\S*)/.exec(stack);
      failures.push(`mutant ${seed}: ${message.slice(0, 300)} ${where?.[1] ?? where?.[2] ?? ''}`);
    }
  }
  expect(failures).toEqual([]);
  return imported;
}

describe('damaged recordings are taken as far as they go, or refused in one line', () => {
  it.each(RECORDINGS)('%s', async (name) => {
    const recording = fixture(name);
    expect(await survive(folder, recording)).toBe('imported');
    // Text is taken line by line: some damage must not cost the rest.
    expect(await run(recording)).toBeGreaterThan(MUTANTS / 2);
  });

  it('vpmu-events/1', async () => {
    const text = fixture('arm64-6.12.tracefs.txt');
    const recording = await asJsonLines(join(folder, 'lines.vpmu'), text);
    expect(await survive(folder, recording)).toBe('imported');
    // An exact format: nearly every damage is one to refuse.
    expect(await run(recording)).toBeLessThan(MUTANTS / 2);
  });
});
