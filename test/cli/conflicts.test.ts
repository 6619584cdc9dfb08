import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { classifyInputs } from '../../src/cli/recordings.ts';
import { allVerbs, createProgram } from '../../src/cli/run.ts';
import type { Shell } from '../../src/cli/shell.ts';
import { UsageError } from '../../src/domain/errors.ts';
import { importInto } from '../../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'vpmu-test-'));
const log = join(folder, 'twice.vpmu');

beforeAll(async () => {
  await importInto(log, [
    { path: 'traces/S5-bare/perf-script.txt.zst' },
    { path: 'traces/S5-bare/trace-cmd-report.txt.zst' },
  ]);
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Runs a command line in this process; results and notes apart. */
async function run(...args: readonly string[]): Promise<{ out: string; notes: string }> {
  const [out, notes]: [string[], string[]] = [[], []];
  const shell: Shell = {
    width: Number.POSITIVE_INFINITY,
    print: (line = '') => out.push(line),
    drain: async () => {},
    note: (line) => notes.push(line),
    progress: () => {},
    style: (_, text) => text,
    exitCode: 0,
  };
  await createProgram(shell, await allVerbs()).parseAsync([...args], { from: 'user' });
  return { out: out.join('\n'), notes: notes.join('\n') };
}

const TWICE =
  /recording 1 \(perf-script\.txt\.zst\) and recording 2 \(trace-cmd-report\.txt\.zst\) hold the same run/;

describe('a log that holds one run twice', () => {
  it.each([
    ['check', log],
    ['diff', log],
    ['info', log],
    ['diagnose', log, '--format', 'markdown'],
  ])('says so in what vpmu %s prints, and to programs', async (...args) => {
    const { out, notes } = await run(...args);
    expect(out).toMatch(TWICE);
    expect(notes).toBe('');
    const { out: json } = await run(args[0]!, log, '--json');
    expect(JSON.parse(json)).toMatchObject({
      conflicts: [{ code: 'same-run', recordings: [1, 2] }],
    });
  });

  it.each([
    ['replay', log, '--at', 'start'],
    ['events', log, '@1'],
  ])('says so beside what vpmu %s prints, unless it is to be quiet', async (...args) => {
    const { out, notes } = await run(...args);
    expect(out).not.toMatch(TWICE);
    expect(notes).toMatch(TWICE);
    expect((await run(...args, '-q')).notes).toBe('');
  });
});

describe('what says how recordings are read', () => {
  it.each([
    [[log], { kernel: '6.1' }, '--kernel'],
    [[log], { statStart: '1', map: 'x' }, '--map, --stat-start'],
    [[`guest:${log}`], {}, 'guest:'],
    [[], { host: [log] }, 'host:'],
  ])('is refused with a log: %j %j', (args, options, named) => {
    expect(() => classifyInputs(args, options)).toThrow(UsageError);
    expect(() => classifyInputs(args, options)).toThrow(`is a log: ${named} say`);
  });

  it('is taken with recordings', () => {
    const { kind } = classifyInputs(['traces/S5-bare/perf-script.txt.zst'], { kernel: '6.1' });
    expect([kind, classifyInputs([log], {}).kind]).toEqual(['recordings', 'log']);
  });
});
