/**
 * Bit positions of the arm64 PMU registers (Arm ARM D8 and D19, semantics A.2, A.4).
 * Values are JS numbers: all of these registers hold their state in 32 bits.
 */

/** PMCR_EL0. Writable bits are 7:0; C and P read as zero. */
export const Pmcr = {
  E: 1 << 0,
  P: 1 << 1,
  C: 1 << 2,
  D: 1 << 3,
  X: 1 << 4,
  DP: 1 << 5,
  LC: 1 << 6,
  LP: 1 << 7,
  writable: 0xff,
  nShift: 11,
  nMask: 0x1f,
} as const;

/** Names of the PMCR_EL0 flag bits, lowest first: for printing. */
export const PMCR_FLAG_NAMES = ['E', 'P', 'C', 'D', 'X', 'DP', 'LC', 'LP'] as const;

/** PMUSERENR_EL0. */
export const Userenr = { EN: 1, SW: 2, CR: 4, ER: 8, mask: 0xf } as const;

/** PMEVTYPERn_EL0 and PMCCFILTR_EL0. `event` is the widest event number field (PMUv3.1 and later). */
export const Evtyper = {
  P: 0x8000_0000,
  U: 0x4000_0000,
  NSK: 0x2000_0000,
  NSU: 0x1000_0000,
  NSH: 0x0800_0000,
  M: 0x0400_0000,
  event: 0xffff,
  eventV30: 0x3ff,
} as const;

/** Index of the cycle counter in counter masks, and the number of counter indices. */
export const CYCLE_COUNTER = 31;
export const COUNTER_INDICES = 32;

/** ID_AA64DFR0_EL1.PMUVer: what the versions are called. */
export const PmuVersion = {
  none: 0,
  v3: 1,
  v3p1: 4,
  v3p4: 5,
  v3p5: 6,
  v3p7: 7,
  v3p8: 8,
  v3p9: 9,
  impdef: 15,
} as const;

/** `PMUv3p5` for 6. */
export function pmuVersionName(version: number): string {
  switch (version) {
    case PmuVersion.none:
      return 'no PMU';
    case PmuVersion.v3:
      return 'PMUv3';
    case PmuVersion.impdef:
      return 'IMPLEMENTATION DEFINED PMU';
    case PmuVersion.v3p1:
      return 'PMUv3p1';
    default:
      return version >= PmuVersion.v3p4 && version <= PmuVersion.v3p9
        ? `PMUv3p${version === PmuVersion.v3p4 ? 4 : version === PmuVersion.v3p5 ? 5 : version}`
        : `PMUVer ${version}`;
  }
}

/**
 * The event number field a PMU version has: 10 bits in PMUv3.0, 16 bits from PMUv3.1 on
 * (semantics A.3; FEAT_PMUv3p1 in the Arm ARM).
 */
export function eventNumberMask(pmuVer: number): number {
  return pmuVer === PmuVersion.v3 ? Evtyper.eventV30 : Evtyper.event;
}
