import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyCase } from './programs.ts';
import { runEngine, runReference } from './reference-runs.ts';
import type { Kernel } from './reference-setup.ts';

/** More of them by hand: VPMU_RUNS=20000 (or RUNS). fast-check prints the seed of a failure. */
const RUNS = Number(process.env['VPMU_RUNS'] ?? process.env['RUNS'] ?? 100);

const KERNELS: readonly Kernel[] = [
  '4.14',
  '2019',
  '6.1',
  '6.12',
  'topdown-2023',
  'mediated-2024',
  'mediated-7.0',
];

describe('the plain x86 reference and the emulator', () => {
  it.each<Kernel>(KERNELS)(
    'agree step by step on every random program, for the rules of %s',
    (kernel) => {
      fc.assert(
        fc.property(anyCase(kernel), ({ setup, steps }) => {
          expect(runEngine(setup, steps)).toEqual(runReference(setup, steps));
        }),
        { numRuns: RUNS },
      );
    },
    60_000 + 200 * RUNS,
  );
});
