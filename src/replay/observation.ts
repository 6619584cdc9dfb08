import type { RegisterSpace } from '../domain/event-kind.ts';

/**
 * What became of a prediction. `bounded`: the recorded value lies inside the predicted interval or agrees in all bits
 * that are known; `unknown`: nothing was predicted, with the reason.
 */
export type Verdict = 'confirmed' | 'bounded' | 'unknown' | 'contradicted';

/** One guest read of a PMU register, predicted before its recorded value was looked at. */
export interface Observation {
  readonly seq: number;
  readonly time: bigint;
  readonly vcpu: number;
  readonly code: number;
  readonly space: RegisterSpace;
  /** Counter index of a counter read, −1 for any other register. */
  readonly counter: number;
  readonly verdict: Verdict;
  /** Predicted: [low, low + span] for counters, low with `unknownBits` not known for registers. */
  readonly low: bigint;
  readonly span: bigint;
  readonly unknownBits: bigint;
  /** True when the model says the access is UNDEFINED at this exception level. */
  readonly predictedUndef: boolean;
  readonly recorded: bigint;
  readonly recordedUndef: boolean;
  /** The record the prediction rests on last, 0 none. */
  readonly evidence: number;
  /** Why the prediction is not exact; empty when it is. */
  readonly reason: string;
  /** Since which event that is so, 0 from the start. */
  readonly since: number;
}

/** Sums that cost nothing to keep while replaying; all counts. */
export interface ReplayTallies {
  /** Reads of PMU registers whose value was not recorded. */
  unrecordedReads: number;
  /** Writes of PMU registers whose value was not recorded. */
  unrecordedWrites: number;
  /** PMU interrupt line changes against the predicted level. */
  irqConfirmed: number;
  irqUnknown: number;
  irqContradicted: number;
}
