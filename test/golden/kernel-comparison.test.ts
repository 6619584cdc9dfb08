import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { PmuVersion } from '../../src/arch/arm64-bits.ts';
import { likeness } from '../../src/replay/what-if/shown.ts';
import { type Answer, answersUnder, answerText } from './kernel-answers.ts';
import { logOf, ROOT, SHIPPED } from './shipped.ts';

const OLD = 'arm64-kvm-6.1';
const NOW = 'arm64-kvm-6.12';
const PAGE = join(ROOT, 'docs', 'kernel-comparison.md');

/** 6.1 shows the guest at most PMUv3p4 and 6.12 PMUv3p5; the emulated host has PMUv3p5. */
const MACHINE = {
  [OLD]: { pmuVer: PmuVersion.v3p4 },
  [NOW]: { pmuVer: PmuVersion.v3p5 },
} as const;

/** A guest program that was recorded on both kernels: each recording played under the other's rules and under its own. */
interface Pair {
  readonly now: readonly Answer[];
  readonly old: readonly Answer[];
}

async function pairOf(name: string, rulesOfNow: string, rulesOfOld: string): Promise<Pair> {
  const play = async (recording: string, rules: typeof OLD | typeof NOW) =>
    answersUnder(await logOf(SHIPPED.get(recording)!.get('trace-raw')!), rules, MACHINE[rules]);
  return {
    now: await play(name, rulesOfNow as typeof OLD),
    old: await play(`${name}-61`, rulesOfOld as typeof NOW),
  };
}

/** Index of each access whose recorded answers differ between the two kernels. */
function differing({ now, old }: Pair): readonly number[] {
  return now.flatMap((answer, i) =>
    likeness(answer.recorded, old[i]!.recorded) === 'same' ? [] : [i],
  );
}

function table({ now, old }: Pair, rows: readonly number[]): string {
  return [
    '| register | 6.12 guest saw | from the 6.1 recording | 6.1 guest saw | from the 6.12 recording |',
    '|---|---|---|---|---|',
    ...rows.map((i) => {
      const [a, b] = [now[i]!, old[i]!];
      return `| ${a.register} | ${answerText(a.recorded)} @${a.seq} | ${answerText(b.predicted)} | ${answerText(b.recorded)} @${b.seq} | ${answerText(a.predicted)} |`;
    }),
  ].join('\n');
}

describe('S5-bare: one deterministic guest program on 6.12 and on 6.1', () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await pairOf('S5-bare', OLD, NOW);
  }, 60_000);

  it('makes the same 180 accesses on both', () => {
    const accesses = (answers: readonly Answer[]): unknown[] =>
      answers.map(({ register, write }) => [register, write]);
    expect(pair.now).toHaveLength(180);
    expect(pair.now.filter(({ write }) => !write)).toHaveLength(50);
    expect(accesses(pair.old)).toEqual(accesses(pair.now));
  });

  it('played under the rules of 6.1, the 6.12 recording tells what the 6.1 guest saw', () => {
    const { now, old } = pair;
    const open: unknown[] = [];
    for (const [i, { seq, register, predicted }] of now.entries()) {
      const like = likeness(predicted, old[i]!.recorded);
      expect([seq, register, like]).not.toEqual([seq, register, 'apart']);
      if (like === 'open') open.push([register, `0x${predicted.unknownBits.toString(16)}`]);
    }
    // What 6.12 hides of the host, its recording cannot tell: PMCR's identity, PMCEID's bits of CHAIN and STALL_SLOT_*.
    expect(open).toEqual([
      ['PMCR_EL0', '0xffff0000'],
      ['PMCEID0_EL0', '0x40000000'],
      ['PMCEID1_EL0', '0x60000000'],
      ['PMCR_EL0', '0xffff0000'],
      ['PMCR_EL0', '0xffff0000'],
    ]);
  });

  it('played under the rules of 6.12, the 6.1 recording tells what the 6.12 guest saw', () => {
    const { now, old } = pair;
    const open: unknown[] = [];
    for (const [i, { seq, register, predicted }] of old.entries()) {
      const like = likeness(predicted, now[i]!.recorded);
      expect([seq, register, like]).not.toEqual([seq, register, 'apart']);
      if (like === 'open') open.push([register, `0x${predicted.unknownBits.toString(16)}`]);
    }
    // The cycle counter's overflow left no record on 6.1, so that it is possible, and not sure, under 6.12.
    expect(open).toEqual([
      ['PMOVSCLR_EL0', '0x80000000'],
      ['PMOVSCLR_EL0', '0x80000000'],
    ]);
  });

  it('differs where its own rules say so: none of these answers comes out under the wrong rules', async () => {
    const own = await pairOf('S5-bare', NOW, OLD);
    const apart = own.now.flatMap(({ predicted }, i) =>
      likeness(predicted, pair.old[i]!.recorded) === 'apart' ? [i] : [],
    );
    expect(apart).toEqual(differing(pair));
    expect(apart.map((i) => pair.now[i]!.register)).toEqual([
      'PMCR_EL0',
      'PMCEID0_EL0',
      'PMEVCNTR0_EL0',
      'PMEVCNTR0_EL0',
      'PMEVCNTR2_EL0',
      'PMCR_EL0',
      'PMCR_EL0',
      'PMOVSCLR_EL0',
      'PMOVSCLR_EL0',
    ]);
  }, 60_000);

  it('is on the page', () => {
    checkPage('S5-bare', table(pair, differing(pair)));
  });
});

describe('S1-lean: a Linux guest on 6.12 and on 6.1', () => {
  let pair: Pair;
  const rows = [0, 1, 2];
  beforeAll(async () => {
    const reads = ({ register, write }: Answer): boolean => !write && /PMCR|PMCEID/.test(register);
    const { now, old } = await pairOf('S1-lean', OLD, NOW);
    pair = { now: now.filter(reads), old: old.filter(reads) };
  }, 60_000);

  it('is told the same of its PMU as the other recording says under these rules', () => {
    expect(rows.map((i) => [pair.now[i]!.register, pair.old[i]!.register])).toEqual([
      ['PMCR_EL0', 'PMCR_EL0'],
      ['PMCEID0_EL0', 'PMCEID0_EL0'],
      ['PMCEID1_EL0', 'PMCEID1_EL0'],
    ]);
    for (const i of rows) {
      const { now, old } = { now: pair.now[i]!, old: pair.old[i]! };
      expect([now.register, likeness(old.predicted, now.recorded)]).toEqual([now.register, 'same']);
      expect([now.register, likeness(now.predicted, old.recorded)]).toEqual([now.register, 'open']);
    }
  });

  it('is on the page', () => {
    checkPage('S1-lean', table(pair, rows));
  });
});

/** The page holds the table between its marks; VPMU_WRITE_PAGES=1 puts it there. */
function checkPage(name: string, expected: string): void {
  const page = readFileSync(PAGE, 'utf8');
  const [start, end] = [`<!-- ${name} -->\n`, `\n<!-- end of ${name} -->`];
  const from = page.indexOf(start) + start.length;
  const to = page.indexOf(end);
  expect(from).toBeGreaterThanOrEqual(start.length);
  expect(to).toBeGreaterThan(from - 2);
  if (process.env['VPMU_WRITE_PAGES'] !== undefined) {
    writeFileSync(PAGE, page.slice(0, from) + expected + page.slice(to));
  } else expect(page.slice(from, to)).toBe(expected);
}
