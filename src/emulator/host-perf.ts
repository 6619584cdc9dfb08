/** The part of a perf_event_attr that KVM derives from guest state (semantics A.4 step 5). */
export interface BackingAttr {
  /** Event number asked from the host PMU; −1 when the model does not know it. */
  config: number;
  /** config1 bit 0: a counter of 64 bits. */
  wide: boolean;
  samplePeriod: bigint;
  /** False: `samplePeriod` is 0n and means nothing. */
  periodKnown: boolean;
  excludeUser: boolean;
  excludeKernel: boolean;
  /** False: the two excludes are only what is known of the type (a recorded attr always has true). */
  excludeKnown: boolean;
  disabled: boolean;
  /** attr.type where it is not RAW (or the VM's own PMU): numbers of PERF_TYPE_HARDWARE or PERF_TYPE_HW_CACHE. */
  type?: 'hardware' | 'hw-cache' | undefined;
  /** exclude_hv; absent: true. */
  excludeHv?: boolean;
  /** precise_ip; absent: 0. */
  precise?: number;
}

/** Where a perf event stands (semantics F.1), as far as KVM can tell states apart. */
export type EventState = 'active' | 'inactive' | 'off' | 'error';

/**
 * The host's perf as one vCPU's vPMU sees it. The counter index names the backing event: there is at most one per
 * counter. The model calls it in the order and with the arguments KVM would; a test double counts by itself, the
 * replay answers from what was recorded.
 *
 * Counts are those of the counter's present event since it was created (or since `rebase`); without an event, 0.
 */
export interface HostPerf {
  /** Creates the event. False: creation failed, there is no event. `attr` is reused by the caller: copy what you keep. */
  create(counter: number, attr: Readonly<BackingAttr>): boolean;
  enable(counter: number): void;
  disable(counter: number): void;
  /** Ends the event; the count is gone. */
  release(counter: number): void;
  /** Lower end of the count. */
  countLow(counter: number): bigint;
  /** Width of the interval the count lies in: 0n exact, U64_MAX unknown. */
  countSpan(counter: number): bigint;
  /** From now on counts are relative to now: a visible value was proved while the count was only bounded. */
  rebase(counter: number): void;
  /**
   * The model cannot tell what KVM did to this counter's event here (created, enabled, disabled or nothing): from now
   * on, until the next create or release, the interval must hold the count of whatever event there really is.
   * Calls made in doubt may name a counter that has no event.
   */
  doubt(counter: number): void;
}

/** What KVM on x86 asks of perf besides (since event reuse, semantics C). */
export interface PausablePerf extends HostPerf {
  /** perf_event_pause with reset: the event is disabled and its count begins at 0 again. Read the count before. */
  pause(counter: number): void;
  /** perf_event_period: sets period and what is left of it. False: refused, nothing changed. */
  setPeriod(counter: number, period: bigint): boolean;
}
