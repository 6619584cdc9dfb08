import { arm64RegisterName } from '../../src/arch/arm64-registers.ts';
import { arm64RuleSet } from '../../src/arch/rule-sets.ts';
import { EventKind } from '../../src/domain/event-kind.ts';
import type { Pmuv3Config } from '../../src/emulator/pmuv3-config.ts';
import type { Log } from '../../src/index.ts';
import { Arm64Vcpu } from '../../src/replay/arm64/arm64-vcpu.ts';
import { createReplayer } from '../../src/replay/create-replayer.ts';
import { prepareReplay } from '../../src/replay/replay-log.ts';
import { Arm64Runs } from '../../src/replay/what-if/arm64-runs.ts';
import type { Shown } from '../../src/replay/what-if/shown.ts';

/** One guest access whose outcome was recorded, with what it would have come to under other rules. */
export interface Answer {
  readonly seq: number;
  readonly register: string;
  readonly write: boolean;
  readonly counter: number;
  /** What the guest saw. */
  readonly recorded: Shown;
  /** What the asked rules would have shown. */
  readonly predicted: Shown;
}

/**
 * Every guest access of a recording, and what it would have come to under a rule set. `machine`: what the VM would have
 * been given under the other kernel.
 */
export function answersUnder(
  log: Log,
  ruleSet: string,
  machine: Partial<Pmuv3Config> = {},
): readonly Answer[] {
  const { config, source } = prepareReplay(log);
  const replayer = createReplayer(config);
  const answers: Answer[] = [];
  const all = replayer.vcpus.map((vcpu) => {
    if (!(vcpu instanceof Arm64Vcpu)) throw new Error('arm64 only');
    const runs: Arm64Runs = new Arm64Runs(
      vcpu,
      [arm64RuleSet(ruleSet)!],
      config.recordedKinds.has(EventKind.eventOverflow),
      ({ code, space, write, counter, recorded }) => {
        if (recorded === undefined) return;
        answers.push({
          seq: vcpu.pmu.seq,
          register: arm64RegisterName(code, space),
          write,
          counter,
          recorded,
          predicted: runs.runs[0]!.shown!,
        });
      },
    );
    const { pmu } = runs.runs[0]!;
    pmu.reconfigure({ ...pmu.config, ...machine });
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

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** An answer as the page prints it: `undef`, `0x3000`, `0x30a8 but for 0xffff0000`. */
export function answerText({ refused, low, span, unknownBits }: Shown): string {
  if (refused) return 'undef';
  if (span !== 0n) return `${hex(low)} to ${hex(low + span)}`;
  return unknownBits === 0n ? hex(low) : `${hex(low)} but for ${hex(unknownBits)}`;
}
