import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { allVerbs, createProgram } from '../../src/cli/run.ts';
import type { Shell } from '../../src/cli/shell.ts';
import { logOf, SHIPPED } from './shipped.ts';

/** Runs a command line in this process; what it prints, and its exit code. */
async function run(args: readonly string[]): Promise<{ text: string; code: number }> {
  const lines: string[] = [];
  const shell: Shell = {
    width: Number.POSITIVE_INFINITY,
    print: (line = '') => lines.push(line),
    drain: async () => {},
    note: (line) => lines.push(line),
    progress: () => {},
    style: (_, text) => text,
    exitCode: 0,
  };
  await createProgram(shell, await allVerbs()).parseAsync([...args], { from: 'user' });
  return { text: `${lines.join('\n')}\n`, code: shell.exitCode };
}

/** Each recording with an instant at which something can be seen, and the exit codes its commands have. */
const DUMPED = [
  // PMCR.E was just cleared: five counters with different filters hold what they counted.
  { recording: 'S5-bare', at: '16.4971', codes: { info: 0, check: 0, replay: 0, diff: 0 } },
  // Round 3: nothing is placed.
  { recording: 'S3-lean', at: '21.965', codes: { info: 0, check: 0, replay: 0, diff: 0 } },
] as const;

describe.each(DUMPED)('what a person sees of $recording', ({ recording, at, codes }) => {
  it.each(['info', 'check', 'replay', 'diff'] as const)('vpmu %s', async (verb) => {
    const { path } = await logOf(SHIPPED.get(recording)!.get('trace-raw')!);
    const { text, code } = await run([verb, path, ...(verb === 'replay' ? ['--at', at] : [])]);
    // The log's name is a temporary one; its size depends on how SQLite lays out pages.
    const stable = text
      .replaceAll(basename(path), 'LOG')
      .replace(/\(\S+ KiB, \S+ bytes\/event\)/, '(SIZE)')
      .replace(/head [0-9a-f]{64}/, 'head HASH');
    expect(code).toBe(codes[verb]);
    await expect(stable).toMatchFileSnapshot(`${recording}-${verb}.txt`);
  });
});
