import {
  countedBy,
  GUEST_ONLY,
  HOST_ONLY,
  isEnabled,
  rawConfig,
  selectorIndex,
} from './selectors.ts';

/** Guest event selects remembered; a guest uses a few dozen. */
const EVENTS_KEPT = 1024;
/** Events that must have reached perf before the absence of another says anything. */
const ENOUGH = 1;

/**
 * Looks for events that a guest enables and KVM never asks perf for: nothing else records an event filter
 * (KVM_SET_PMU_EVENT_FILTER). What KVM asks for shows in its event creations, or in the host's selector writes.
 */
export class FilterSuspicion {
  /** By vCPU and counter: what its selector counts, when enabled. */
  private readonly enabled = new Map<number, bigint>();
  /** Enabled over a guest entry. */
  private readonly wanted = new Set<bigint>();
  private readonly created = new Set<bigint>();
  private readonly hardware = new Set<bigint>();

  wrote(vcpu: number, msr: number, value: bigint): void {
    const index = selectorIndex(msr);
    if (index < 0) return;
    const key = vcpu * 64 + index;
    if (isEnabled(value)) this.enabled.set(key, countedBy(value));
    else this.enabled.delete(key);
  }

  entered(vcpu: number): void {
    if (this.wanted.size >= EVENTS_KEPT) return;
    for (const [key, what] of this.enabled) {
      if (Math.floor(key / 64) === vcpu) this.wanted.add(what);
    }
  }

  /** An event was created with this config. */
  asked(config: bigint): void {
    this.created.add(config);
  }

  /** The host wrote a selector. */
  programmed(msr: number, value: bigint): void {
    if (selectorIndex(msr) < 0 || !isEnabled(value)) return;
    // perf counts the host with HostOnly where it can tell the two apart.
    if ((value & HOST_ONLY) !== 0n && (value & GUEST_ONLY) === 0n) return;
    if (this.hardware.size < EVENTS_KEPT) this.hardware.add(countedBy(value));
  }

  /** Raw selects (event, umask, AMD bits 35:32) that were wanted and never asked for, while others were. */
  denied(vendor: 'intel' | 'amd'): number[] {
    const wanted = [...this.wanted];
    const [reached, missing] =
      this.created.size > 0
        ? split(wanted, (what) => this.created.has(rawConfig(what)))
        : split(wanted, (what) => this.hardware.has(what));
    if (reached.length < ENOUGH) return [];
    const mask = vendor === 'amd' ? 0xf_0000_ffffn : 0xffffn;
    const working = new Set(reached.map((what) => what & mask));
    const denied = new Set(missing.map((what) => what & mask).filter((what) => !working.has(what)));
    return [...denied].map(Number);
  }
}

function split(
  values: readonly bigint[],
  test: (value: bigint) => boolean,
): readonly [bigint[], bigint[]] {
  return [values.filter(test), values.filter((value) => !test(value))];
}
