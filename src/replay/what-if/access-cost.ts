import type { PerfOperations } from '../../emulator/perf-operations.ts';
import { DurationTally } from './duration-tally.ts';

/** What KVM asked of perf in a guest access (and the entry after it), the costliest first. */
export const COST_CLASSES = ['created', 'released', 'reused', 'nothing'] as const;
export type CostClass = (typeof COST_CLASSES)[number];

/** How long guest accesses of one class took, guest-exit to guest-enter, ns. */
export interface AccessCost {
  readonly asked: CostClass;
  readonly accesses: number;
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** Times the guest's PMU accesses of one vCPU: those that are the only one between an exit and the entry after it. */
export class AccessTimer {
  readonly #tallies = new Map<CostClass, DurationTally>();
  readonly #operations: Readonly<PerfOperations>;
  #exitAt: bigint | undefined;
  #accesses = 0;
  #before: PerfOperations;

  /** `operations`: what the recorded rules asked of perf so far; looked at, not kept. */
  constructor(operations: Readonly<PerfOperations>) {
    this.#operations = operations;
    this.#before = { ...operations };
  }

  exit(time: bigint): void {
    this.#exitAt = time;
    this.#accesses = 0;
    this.#before = { ...this.#operations };
  }

  access(): void {
    this.#accesses++;
  }

  enter(time: bigint): void {
    if (this.#exitAt !== undefined && this.#accesses === 1) {
      const asked = this.#asked();
      let tally = this.#tallies.get(asked);
      if (tally === undefined) {
        tally = new DurationTally();
        this.#tallies.set(asked, tally);
      }
      tally.add(Number(time - this.#exitAt));
    }
    this.#exitAt = undefined;
  }

  costs(): readonly AccessCost[] {
    return COST_CLASSES.flatMap((asked) => {
      const tally = this.#tallies.get(asked);
      if (tally === undefined) return [];
      const { count, min, max } = tally;
      return [{ asked, accesses: count, min, median: tally.median ?? min, max }];
    });
  }

  #asked(): CostClass {
    const now = this.#operations;
    const was = this.#before;
    if (now.creates !== was.creates) return 'created';
    if (now.releases !== was.releases) return 'released';
    return now.reuses !== was.reuses || now.periods !== was.periods ? 'reused' : 'nothing';
  }
}
