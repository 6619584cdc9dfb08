import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { arm64RuleSet, x86RuleSet } from '../../src/arch/rule-sets.ts';
import { EventKind, RegisterSpace } from '../../src/domain/event-kind.ts';
import { arm64RegisterName, type Log } from '../../src/index.ts';
import { Arm64Vcpu } from '../../src/replay/arm64/arm64-vcpu.ts';
import { createReplayer } from '../../src/replay/create-replayer.ts';
import { prepareReplay } from '../../src/replay/replay-log.ts';
import type { VcpuReplay } from '../../src/replay/vcpu-replay.ts';
import { Arm64Runs } from '../../src/replay/what-if/arm64-runs.ts';
import type { GuestAccess, VcpuRuns } from '../../src/replay/what-if/engine-run.ts';
import { type Likeness, likeness, type Shown } from '../../src/replay/what-if/shown.ts';
import { whatIf } from '../../src/replay/what-if/what-if.ts';
import { X86Runs } from '../../src/replay/what-if/x86-runs.ts';
import { X86Vcpu } from '../../src/replay/x86/x86-vcpu.ts';
import { logOf, SHIPPED, TRACES } from './shipped.ts';

interface Answer {
  readonly seq: number;
  readonly access: GuestAccess;
  readonly shown: Shown;
}

function runsOf(
  vcpu: VcpuReplay,
  rules: string,
  overflows: boolean,
  accessed: (access: GuestAccess) => void,
): VcpuRuns {
  if (vcpu instanceof Arm64Vcpu) {
    return new Arm64Runs(vcpu, [arm64RuleSet(rules)!], overflows, accessed);
  }
  if (vcpu instanceof X86Vcpu) return new X86Runs(vcpu, [x86RuleSet(rules)!], accessed);
  throw new Error('no such architecture');
}

/** Every access of a recording as one rule set answers it, played counterfactually. */
function answersOf(log: Log, rules?: string): Answer[] {
  const { config, source, ruleSet } = prepareReplay(log);
  const replayer = createReplayer(config);
  const answers: Answer[] = [];
  const overflows = config.recordedKinds.has(EventKind.eventOverflow);
  const all = replayer.vcpus.map((vcpu) => {
    const runs: VcpuRuns = runsOf(vcpu, rules ?? ruleSet.name, overflows, (access) => {
      answers.push({ seq: vcpu.perf.seq, access, shown: runs.runs[0]!.shown! });
    });
    return runs;
  });
  for (const chunk of source.chunks({})) {
    for (let i = 0; i < chunk.length; i++) {
      replayer.apply(chunk, i, i + 1, () => undefined);
      for (const runs of all) runs.settle();
    }
  }
  return answers;
}

const rawOf = (recording: string): Promise<Log> => logOf(SHIPPED.get(recording)!.get('trace-raw')!);
/** All but S1-stat, which has the accesses of S1-lean and is ten times as long. */
const WITH_RAW = [...SHIPPED]
  .filter(([name, forms]) => forms.has('trace-raw') && name !== 'S1-stat')
  .map(([name]) => name);

describe('the recorded rules, played counterfactually', () => {
  // Nothing is adopted from reads: each answer follows from the accesses and the counts alone.
  it.each(WITH_RAW)('%s: every recorded answer comes out exactly', async (recording) => {
    const counts: Record<Likeness, number> = { same: 0, apart: 0, open: 0 };
    const wrong: string[] = [];
    for (const { seq, access, shown } of answersOf(await rawOf(recording))) {
      if (access.recorded === undefined) continue;
      const like = likeness(access.recorded, shown);
      counts[like]++;
      if (like !== 'same') wrong.push(`@${seq} ${like}`);
    }
    expect(wrong).toEqual([]);
    expect(counts.same).toBeGreaterThan(30);
  });

  it('X9b-event-filter (x86): every recorded answer comes out exactly', async () => {
    const log = await logOf(join(TRACES, 'X9b-event-filter', 'perf-script.txt.zst'));
    const answers = answersOf(log).filter(({ access }) => access.recorded !== undefined);
    expect(answers.map(({ access, shown }) => likeness(access.recorded!, shown))).toEqual(
      answers.map(() => 'same'),
    );
    expect(answers).toHaveLength(29);
  });
});

describe('one guest program on two kernels', () => {
  // What only a PMUv3p5 guest sees: 6.1 shows at most v3.4, and a recording of it does not tell what the VM would have had.
  const ONLY_V3P5 = [
    'PMEVCNTR0_EL0 2 4294967298',
    'PMEVCNTR0_EL0 2 4294967298',
    'PMEVCNTR2_EL0 134471 4295101767',
    'PMCR_EL0 12352 12480',
  ];

  it.each([
    { recording: 'S5-bare', rules: 'arm64-kvm-6.1', other: 'S5-bare-61', expected: [] },
    { recording: 'S5-bare-61', rules: 'arm64-kvm-6.12', other: 'S5-bare', expected: ONLY_V3P5 },
  ])(
    '$recording under $rules answers as $other does',
    async ({ recording, rules, other, expected }) => {
      const played = answersOf(await rawOf(recording), rules);
      const truth = answersOf(await rawOf(other));
      expect(played.map(({ access }) => access.code)).toEqual(
        truth.map(({ access }) => access.code),
      );
      const apart = played.flatMap(({ shown, access }, i) => {
        const recorded = truth[i]!.access.recorded!;
        if (likeness(shown, recorded) !== 'apart') return [];
        const name = arm64RegisterName(access.code, RegisterSpace.sysreg);
        return [`${name} ${shown.low} ${recorded.low}`];
      });
      expect(apart).toEqual(expected);
    },
  );
});

describe('what-if', () => {
  it('S3-lean: counts what each generation asked of perf', async () => {
    const rules = ['arm64-kvm-6.12', 'arm64-kvm-6.1', 'arm64-kvm-4.6', 'arm64-kvm-2015'];
    const result = whatIf(await rawOf('S3-lean'), rules);
    const [vcpu] = result.vcpus;
    // The recording itself has 187 creations, 180 releases of the guest's and 90 enables.
    expect(vcpu!.operations[0]).toMatchObject({ creates: 187, releases: 180, reuses: 90 });
    expect(vcpu!.operations[3]).toMatchObject({ ruleSet: 'arm64-kvm-2015', creates: 2 });
    expect(result.parts).toBe(true);
  });
});
