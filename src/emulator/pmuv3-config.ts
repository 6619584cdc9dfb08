import type { EventFilterRange } from './event-filter.ts';

/** What does not change while the vCPU runs. */
export interface Pmuv3Config {
  /** PMCR.N the guest sees. */
  readonly pmcrN: number;
  /** Event counters of the host PMU: the limit for a VMM that sets PMCR.N (default: pmcrN). */
  readonly hostCounters?: number;
  /** ID_AA64DFR0_EL1.PMUVer of the guest and of the host (1 = v3.0, 4 = v3.1, 5 = v3.4, 6 = v3.5, …). */
  readonly pmuVer: number;
  readonly hostPmuVer: number;
  /** AArch32 is implemented at EL0: without it PMCR.LC is always 1. */
  readonly el0Aarch32: boolean;
  /** The guest has EL2, EL3. */
  readonly el2: boolean;
  readonly el3: boolean;
  /** The host's PMCEID registers, undefined if nobody knows. */
  readonly hostPmceid0: bigint | undefined;
  readonly hostPmceid1: bigint | undefined;
  /** Bits 31:16 of PMCR as the guest sees them, for rule sets that show the host's. */
  readonly pmcrIdentity: bigint;
  /** Bits of PMCR reads nobody knows. */
  readonly pmcrUnknownMask: bigint;
  /** The vCPU has the PMU feature. */
  readonly pmuPresent: boolean;
  /** KVM_ARM_VCPU_PMU_V3_FILTER ranges in the order the VMM set them. */
  readonly eventFilter?: readonly EventFilterRange[];
}

/** Outcome of one register access. One object is reused for many accesses. */
export interface AccessResult {
  /** KVM injects an UNDEFINED exception. */
  undef: boolean;
  /** The model cannot tell whether the access is refused (`undef` is false then). */
  outcomeUnknown: boolean;
  /** KVM also prints a warning in the host's log (write of a read-only register or the reverse). */
  warn: boolean;
  /** Index of the counter whose value was read or written, −1 if none (or if PMSELR is not known). */
  counter: number;
  /** 32 or 64: visible bits of the value. */
  width: number;
  /** The value read lies in [low, low + span] modulo 2^width. */
  low: bigint;
  /** 0n exact, U64_MAX unknown. */
  span: bigint;
  /** For a register that is a set of bits: those of `low` that are not known (they are 0 in `low`). */
  unknownBits: bigint;
}

/** Keeps its u64 fields in a typed array: a bigint at rest in an object field is several times slower. */
export class PackedAccessResult implements AccessResult {
  readonly #words = new BigUint64Array(3);
  undef = false;
  outcomeUnknown = false;
  warn = false;
  counter = -1;
  width = 64;
  get low(): bigint {
    return this.#words[0]!;
  }
  set low(value: bigint) {
    this.#words[0] = value;
  }
  get span(): bigint {
    return this.#words[1]!;
  }
  set span(value: bigint) {
    this.#words[1] = value;
  }
  get unknownBits(): bigint {
    return this.#words[2]!;
  }
  set unknownBits(value: bigint) {
    this.#words[2] = value;
  }
}

/** Makes a result what a fresh one is. */
export function clearAccessResult(out: AccessResult): void {
  out.undef = false;
  out.outcomeUnknown = false;
  out.warn = false;
  out.counter = -1;
  out.width = 64;
  out.low = 0n;
  out.span = 0n;
  out.unknownBits = 0n;
}

/** A fresh result object to pass to `read` and `write`. */
export function accessResult(): AccessResult {
  return new PackedAccessResult();
}
