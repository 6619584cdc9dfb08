import { type Happening, happened } from './guest-window.ts';
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
  private readonly happenings = Object.fromEntries(
    OBSERVED.map((name) => [name, { count: 0, evidence: [] }]),
  ) as unknown as { readonly [name in (typeof OBSERVED)[number]]: Happening };

  saw(name: (typeof OBSERVED)[number], seq: number): void {
    happened(this.happenings[name], seq);
  }

  with(hostEvents: readonly HostEventRecord[]): Observed {
    return { ...this.happenings, hostEvents };
  }
}
