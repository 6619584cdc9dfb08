import type { Happening } from './guest-window.ts';
import type { HostEventRecord } from './host-inventory.ts';

/** What is counted over the whole log, whether or not there is a window for it. */
export const OBSERVED = [
  /** Guest accesses to PMU registers that KVM took, writes among them that let something count, and refused ones. */
  'taken',
  'controlWrite',
  'refused',
  /** Backing events that were made, or could not be. */
  'created',
  'createFailed',
  'entered',
  'contextLoad',
  'contextPut',
  'lost',
] as const;

/** What the whole recording shows beside its windows. */
export type Observed = {
  readonly [name in (typeof OBSERVED)[number]]: Happening;
} & {
  readonly hostEvents: readonly HostEventRecord[];
};

/** Collects it. */
export class Observation {
  /** By name; note with `happened`. */
  readonly of = Object.fromEntries(
    OBSERVED.map((name) => [name, { count: 0, evidence: [] }]),
  ) as unknown as { readonly [name in (typeof OBSERVED)[number]]: Happening };

  with(hostEvents: readonly HostEventRecord[]): Observed {
    return { ...this.of, hostEvents };
  }
}
