import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arm64RuleSet } from '../../../src/arch/rule-sets.ts';
import { EventFlag, EventKind } from '../../../src/domain/event-kind.ts';
import { Arm64Vcpu } from '../../../src/replay/arm64/arm64-vcpu.ts';
import { createReplayer } from '../../../src/replay/create-replayer.ts';
import { parseWithheld } from '../../../src/replay/evidence.ts';
import { Arm64Runs } from '../../../src/replay/what-if/arm64-runs.ts';
import { type Likeness, likeness, type Shown, shownAs } from '../../../src/replay/what-if/shown.ts';
import { anyProgram, anySetup, type Step } from '../../emulator/programs.ts';
import { chunksOf, configOf, type Simulation, simulate } from '../simulated-kvm.ts';

/**
 * The same guest program on the same hardware, run by the plain reference of two kernels: what the model of the second
 * answers when it is played beside the recording of the first must hold what the second really answered.
 */
const setup = anySetup.map((machine) => {
  const pmuVer = machine.pmuVer >= 6 ? 6 : 5;
  return { ...machine, pmuVer, hostPmuVer: pmuVer, el2: false, el3: false };
});

/** No step whose effect depends on how often KVM asked perf before: the recording of one kernel cannot show it for the other. */
const plain = (step: Step): boolean =>
  !['userPmcr', 'filter', 'inject', 'steal'].includes(step.op) &&
  // A recording does not tell the exception level of an access that was let through.
  !((step.op === 'read' || step.op === 'write') && step.form.el === 0);

/** What the guest was answered, access by access. */
function truth({ events }: Simulation): { readonly write: boolean; readonly shown: Shown }[] {
  return events.flatMap(({ kind, flags = 0, value = 0n }) => {
    if (kind !== EventKind.read && kind !== EventKind.write) return [];
    if ((flags & (EventFlag.trap | EventFlag.entry)) !== 0) return [];
    const refused = (flags & EventFlag.failed) !== 0;
    const write = kind === EventKind.write;
    return [{ write, shown: shownAs(refused, write || refused ? 0n : value) }];
  });
}

/** What the model of `rules` answers beside the recording. */
function played(sim: Simulation, rules: string, without: readonly string[]): Shown[] {
  const replayer = createReplayer(configOf(sim, parseWithheld(without)));
  const vcpu = replayer.vcpus[0]!;
  if (!(vcpu instanceof Arm64Vcpu)) throw new Error('no arm64 vCPU');
  const answers: Shown[] = [];
  const overflows = !without.includes('event-overflow');
  const runs: Arm64Runs = new Arm64Runs(vcpu, [arm64RuleSet(rules)!], overflows, () => {
    answers.push(runs.runs[0]!.shown!);
  });
  for (const chunk of chunksOf(sim, [4096])) {
    for (let i = 0; i < chunk.length; i++) {
      replayer.apply(chunk, i, i + 1, () => undefined);
      runs.settle();
    }
  }
  return answers;
}

const runs = { numRuns: Number(process.env['RUNS'] ?? 100) };

describe.each([
  ['6.12', '6.1'],
  ['6.1', '6.12'],
  ['6.12', '6.12'],
] as const)('a recording of %s played under the rules of %s', (recorded, other) => {
  it.each([
    ['with every count', []],
    ['without counts', ['counts']],
    ['without overflows', ['event-overflow']],
  ])('holds the answers of the reference: %s', (_, without) => {
    const sums: Record<Likeness, number> = { same: 0, apart: 0, open: 0 };
    fc.assert(
      fc.property(setup, anyProgram(true), (machine, program) => {
        const steps = program.filter(plain);
        const sim = simulate({ ...machine, kernel: recorded }, steps);
        const expected = truth(simulate({ ...machine, kernel: other }, steps));
        const answers = played(sim, `arm64-kvm-${other}`, without);
        expect(answers).toHaveLength(expected.length);
        answers.forEach((answer, i) => {
          const { write, shown } = expected[i]!;
          const like =
            write && !answer.refused && !shown.refused ? 'same' : likeness(answer, shown);
          sums[like]++;
          if (like === 'apart') expect({ i, answer }).toEqual({ i, answer: shown });
        });
      }),
      runs,
    );
    // The bounds say something: nearly every answer is exact.
    expect(sums.open).toBeLessThan(sums.same / 10);
  });
});
