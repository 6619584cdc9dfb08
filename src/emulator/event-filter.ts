/** One KVM_ARM_VCPU_PMU_V3_FILTER range. */
export interface EventFilterRange {
  readonly base: number;
  readonly nevents: number;
  /** `allow`, `deny`; KVM refuses any other number. */
  readonly action: 'allow' | 'deny' | number;
}

const EINVAL = 22;
const EBUSY = 16;

/**
 * The event filter of a VM: one bit per event number (semantics A.8). The first range decides the default: after a
 * first `deny` everything else is allowed, after a first `allow` everything else is denied.
 */
export class EventFilter {
  readonly #allowed = new Uint8Array(0x10000);
  readonly #events: number;
  #set = false;

  /** `events`: size of the host's event space, 0x400 or 0x10000; ranges beyond it are refused. */
  constructor(events: number) {
    this.#events = events;
  }

  /** True once a range was accepted. */
  get active(): boolean {
    return this.#set;
  }

  /** KVM's answer: 0 or a negative errno; `hasRun`: some vCPU has entered the guest. */
  add(range: EventFilterRange, hasRun: boolean): number {
    const { base, nevents, action } = range;
    const known = action === 'allow' || action === 'deny';
    if (!known || base + nevents > this.#events) return -EINVAL;
    if (hasRun) return -EBUSY;
    if (!this.#set) {
      this.#allowed.fill(action === 'deny' ? 1 : 0);
      this.#set = true;
    }
    this.#allowed.fill(action === 'allow' ? 1 : 0, base, base + nevents);
    return 0;
  }

  allows(event: number): boolean {
    return !this.#set || this.#allowed[event] === 1;
  }

  /**
   * The bits of PMCEID<half> that stay visible. `guestEvents`: size of the guest's event space; the upper word exists
   * only if the guest's space reaches that far.
   */
  ceidMask(half: 0 | 1, guestEvents: number): bigint {
    let mask = 0n;
    const first = 32 * half;
    for (let i = 0; i < 32; i++) {
      if (this.allows(first + i)) mask |= 1n << BigInt(i);
      if (guestEvents >= 0x4000 + first + 32 && this.allows(0x4000 + first + i)) {
        mask |= 1n << BigInt(32 + i);
      }
    }
    return mask;
  }
}
