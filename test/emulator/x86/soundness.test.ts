import fc from 'fast-check';
import { describe, it } from 'vitest';
import { X86_RULE_SETS } from '../../../src/arch/x86-rules.ts';
import { play, twist } from './soundness-play.ts';
import { anyMachine, anySteps } from './soundness-programs.ts';

/** More of them by hand: VPMU_RUNS=20000. fast-check prints the seed of a failure. */
const RUNS = Number(process.env['VPMU_RUNS'] ?? 200);

describe.each(X86_RULE_SETS.filter((rules) => rules.selectable))('$name, uncertain', (rules) => {
  it(
    'never claims what is not true',
    () => {
      fc.assert(
        fc.property(
          anyMachine,
          fc.oneof(fc.constant([]), anySteps),
          anySteps,
          fc
            .constantFrom(1_000_000, 100, 30, 10, 4)
            .chain((rarity) => fc.array(twist(rarity), { minLength: 30, maxLength: 60 })),
          fc.boolean(),
          fc.boolean(),
          (config, prefix, steps, twists, overflowsLost, byCalls) =>
            play(rules, config, prefix, steps, twists, overflowsLost, byCalls),
        ),
        { numRuns: RUNS },
      );
    },
    60_000 + 100 * RUNS,
  );
});
