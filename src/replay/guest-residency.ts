import type { FieldVisitor } from './fields.ts';

/** Where the vCPU's thread is, as far as the records tell. */
export const Residency = {
  /** In the host: the guest runs nothing. */
  host: 0,
  /** Between a recorded guest-enter and its guest-exit. */
  guest: 1,
  /** Enter and exit are not recorded: the guest may be running. */
  maybe: 2,
} as const;
export type Residency = (typeof Residency)[keyof typeof Residency];

/**
 * An upper bound of the time one vCPU spent in guest mode. A span between two printed times can be longer than their
 * difference by one step of the clock's resolution; that is added for each span.
 */
export class GuestResidency {
  mode: Residency = Residency.maybe;
  /** Start of the open span, ns after the log's first event. */
  since = 0;
  /** Closed spans so far, ns. */
  total = 0;
  private readonly resolution: number;

  constructor(resolution: number) {
    this.resolution = resolution;
  }

  /** Bound of the guest time up to `now` (ns after the log's first event). */
  upTo(now: number): number {
    if (this.mode === Residency.host) return this.total;
    return this.total + Math.max(0, now - this.since) + this.resolution;
  }

  /** Changes where the vCPU is from `now` on. */
  change(mode: Residency, now: number): void {
    if (this.mode !== Residency.host) this.total += Math.max(0, now - this.since) + this.resolution;
    this.mode = mode;
    this.since = now;
  }

  fields(visitor: FieldVisitor): void {
    this.mode = visitor.number(this.mode) as Residency;
    this.since = visitor.number(this.since);
    this.total = visitor.number(this.total);
  }
}
