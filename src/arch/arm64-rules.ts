import { Evtyper } from './arm64-bits.ts';
import { ARM64_KVM_4_6, ARM64_KVM_4_14, ARM64_KVM_2015 } from './arm64-rules-early.ts';

/**
 * What one generation of KVM's arm64 vPMU does, as data. The engine (emulator/pmuv3.ts) reads these fields and nothing
 * else to tell generations apart. "semantics X" is docs/semantics-arm64.md; "recorded" means seen in the shipped arm64
 * recordings of that kernel.
 */
export interface Arm64RuleSet {
  readonly name: string;
  /** First and last kernel version (major, minor) the rules are for; undefined: no released kernel had them. */
  readonly kernels:
    | readonly [first: readonly [number, number], last: readonly [number, number]]
    | undefined;
  /** `run`: checked against vectors or recordings of such a kernel; `read`: from its source or text only. */
  readonly checked: 'run' | 'read';
  readonly summary: string;
  readonly sources: readonly string[];
  /** False: the row states what is known but the engine does not run it; `missing` says why. */
  readonly selectable: boolean;
  readonly missing?: string;

  /** Whose ID_AA64DFR0_EL1.PMUVer decides how wide the event number is; or a fixed number of bits. */
  readonly eventBitsBy: 'guest-pmuver' | 'host-pmuver' | 10 | 16;
  /** Bits of PMEVTYPER kept besides the event number: always, with EL2, with EL3 in the guest. */
  readonly typeBits: { readonly always: number; readonly el2: number; readonly el3: number };
  /** Mask on the reset poison of PMEVTYPER: a constant, or the same mask as for writes. */
  readonly typeResetMask: 'as-written' | number;
  /** Event number that stands for "never programmed": PMEVTYPER and PMCCFILTR hold it after reset. Null: there is none. */
  readonly unusedEvent: number | null;
  /** The cycle counter counts CPU_CYCLES whatever PMCCFILTR holds, or the event number in it. */
  readonly cycleEvent: 'cpu-cycles' | 'as-typed';
  /** A counter for SW_INCR gets no host event; false: event 0 is asked of the host as any other. */
  readonly swIncrUnbacked: boolean;
  /** A type write makes the event anew, or only one that changes the event number (the filter bits are then only stored). */
  readonly recreate: 'always' | 'event-changed';
  /** The event asked of the host: its PMUv3 number, or what perf's generic maps make of it (perf-generic.ts), else the number. */
  readonly hostEvent: 'raw' | 'generic-maps';
  /** A new event starts disabled unless PMCR.E and the PMCNTEN bit are set, or always starts enabled. */
  readonly created: 'gated' | 'enabled';
  /** Ending an event adds its count to the counter; false: the count is lost and the counter falls back. */
  readonly stopFolds: boolean;
  /** exclude_hv of the host event: always set, or unless PMEVTYPER.NSH. */
  readonly excludeHv: 'always' | 'unless-nsh';
  /** U and P alone decide exclude_user/exclude_kernel, or U xor NSU / P xor NSK. */
  readonly excludeBy: 'U,P' | 'U^NSU,P^NSK';
  /** Event counters are 64 bits wide for a PMUv3p5 guest, or never. */
  readonly wideEventCounters: 'guest-pmuver-3.5' | 'never';
  /** The cycle counter shows 64 bits, 32, or 32 until PMCR.LC is written 1 and 64 from then on (until reset). */
  readonly cycleWidth: 64 | 32 | '64-once-lc';
  /** A 64-bit counter is asked of the host for a 64-bit wide one (config1 bit 0). */
  readonly longHostCounter: boolean;
  /** PMCR.LP moves the overflow of event counters to 64 bits, or is stored without effect. */
  readonly lpMovesOverflow: boolean;
  /** PMCR.LP is dropped from writes unless the guest has PMUv3p5. */
  readonly lpDroppedBelow35: boolean;
  /** A 32-bit period of a 64-bit wide counter is reduced mod 2^32; otherwise it is −(low half) mod 2^64. */
  readonly widePeriodMasked: boolean;
  /** An overflow computes the period anew, or the first one stays for good. */
  readonly rearm: 'recomputed' | 'fixed';
  /** A counter write releases the event and assigns, adds the difference and folds, or adds it and leaves the event alone. */
  readonly counterWrite: 'release-assign' | 'adjust-fold' | 'adjust-keep';
  /** An AArch32 write of an event counter keeps bits 63:32 of the stored value. */
  readonly aarch32KeepsUpper: boolean;
  /** Low byte of PMCR after reset. */
  readonly pmcrResetLow: number;
  /** Bits of PMCR that a write reaches. */
  readonly pmcrWritable: number;
  /** PMCR.LC is fixed to 1 for a guest without AArch32 EL0. */
  readonly lcFixedWithoutAarch32: boolean;
  /** PMCR.E = 0 disables the events of the counters in PMCNTEN, or of every valid one. */
  readonly pmcrDisables: 'enabled' | 'valid';
  /** PMCR.P and the vCPU reset reach the valid counters, or also those at and above N. */
  readonly resetReaches: 'valid' | 'all';
  /** A vCPU reset ends the events first, or after the registers have their reset values (so that counts end up in those). */
  readonly resetOrder: 'events-first' | 'registers-first';
  /** PMOVS after reset. */
  readonly overflowReset: 'poison' | 'zero';
  /** Counters after reset: the poison, or as they were (zero in a new vCPU). */
  readonly counterReset: 'poison' | 'kept';
  /** PMCNTEN, PMINTEN and PMOVS are cut to the valid counters when they are reset, or only when they are used. */
  readonly setsCut: 'at-reset' | 'at-use';
  /** Bits 31:16 of PMCR show the host's implementer and ID code, or zero. */
  readonly pmcrIdentity: 'host' | 'zero';
  /** Who may change PMCR.N: the VMM up to the host's number before the first run, or whatever the VMM stores counts. */
  readonly userspacePmcr: 'n-limited' | 'stored';
  /** The first run acts on the stored PMCR as if the guest wrote it. */
  readonly reloadAtFirstRun: boolean;
  /** …and trims PMOVS, PMINTEN and PMCNTEN to the valid counters. */
  readonly trimAtFirstRun: boolean;
  /** KVM_ARM_VCPU_PMU_V3_FILTER exists. */
  readonly eventFilter: boolean;
  /** PMCEID0 always shows CHAIN. */
  readonly ceidShowsChain: boolean;
  /** Bits of PMCEID1 that are never shown (bit i = event 0x20 + i). */
  readonly ceid1Hidden: number;
  /** The interrupt line also needs the counter's PMCNTEN bit. */
  readonly levelNeedsEnable: boolean;
  /** Enabling a counter without a perf event creates one. */
  readonly enableCreates: boolean;
  /** CHAIN counters are ticked by KVM; otherwise 0x1e is passed to the host as a raw event. */
  readonly chainBySoftware: boolean;
  /** PMSWINC needs PMCR.E. */
  readonly swincNeedsE: boolean;
  /** The upper halves of PMCEID can be read from AArch32. */
  readonly aarch32CeidHigh: boolean;
  /** PMMIR_EL1 reads zero, or is UNDEFINED. */
  readonly mmir: 'raz-wi' | 'undef';
  /** A write of PMCEID or read of PMSWINC also prints a warning in the host's log. */
  readonly warnsOnDirection: boolean;
  /** An access on a vCPU whose PMU is missing (or not initialised) is UNDEFINED, or reads zero and ignores writes. */
  readonly withoutPmu: 'undef' | 'raz-wi';
}

/** KVM's "UNKNOWN" reset value (semantics A.2; recorded on 6.1 and 6.12). */
export const RESET_UNKNOWN = 0x1de7_ec7e_dbad_c0den;

/** What 6.1 and 6.12 share. */
const common = {
  selectable: true,
  checked: 'run',
  unusedEvent: null, // semantics A.2: PMEVTYPER resets to the poison
  cycleEvent: 'cpu-cycles', // semantics A.4 step 3
  swIncrUnbacked: true, // semantics A.4 step 3
  recreate: 'always', // semantics A.4 step 2
  hostEvent: 'raw', // semantics A.4 step 4
  created: 'gated', // semantics A.4 step 4
  stopFolds: true, // semantics A.4 step 2
  excludeHv: 'always', // semantics A.4 step 4
  cycleWidth: 64, // semantics A.1
  longHostCounter: true, // semantics A.4 step 4
  rearm: 'recomputed', // semantics A.7
  pmcrWritable: 0xff, // semantics A.6
  lcFixedWithoutAarch32: true, // semantics A.2
  pmcrDisables: 'enabled', // semantics A.6
  resetReaches: 'valid', // semantics A.6
  resetOrder: 'events-first', // the sources of both
  overflowReset: 'poison', // semantics A.2
  counterReset: 'poison', // semantics A.2
  setsCut: 'at-reset', // semantics A.2
  eventFilter: true, // semantics A.8
  aarch32CeidHigh: true, // semantics A.2
  mmir: 'raz-wi', // semantics A.2
  warnsOnDirection: true, // semantics A.2; vectors A2-pmceid, A2-pmswinc-write-only
  enableCreates: true, // semantics A.3 "create event when"
  chainBySoftware: true, // semantics A.3 "CHAIN"
  swincNeedsE: true, // semantics A.7 last paragraph; recorded: S5-bare T1a (6.1 and 6.12)
  levelNeedsEnable: false, // semantics A.3 "overflow level" (6.1: stable tree)
  reloadAtFirstRun: true, // recorded on both: one PMCR handling before the first guest entry, no access behind it
  withoutPmu: 'undef', // semantics A.2, below the table
} as const;

export const ARM64_KVM_6_12: Arm64RuleSet = {
  ...common,
  name: 'arm64-kvm-6.12',
  kernels: [
    [6, 12],
    [6, 12],
  ],
  summary:
    'counters 64 bits wide for PMUv3p5 guests, PMCR.LP honoured, counter writes assign, PMCR.N per VM',
  sources: [
    'Linux 6.12.117 arch/arm64/kvm pmu-emul.c, sys_regs.c',
    'conformance vectors',
    'recordings of 6.12.117',
  ],
  eventBitsBy: 'guest-pmuver', // semantics A.3 "event bits"
  typeBits: {
    always: (Evtyper.P | Evtyper.U) >>> 0,
    el2: Evtyper.NSH,
    el3: (Evtyper.NSK | Evtyper.NSU | Evtyper.M) >>> 0,
  }, // semantics A.4 step 1
  typeResetMask: 'as-written', // semantics A.2
  excludeBy: 'U^NSU,P^NSK', // semantics A.4 step 5
  wideEventCounters: 'guest-pmuver-3.5', // semantics A.3 "64-bit counters"; recorded: S5-bare T1b
  lpMovesOverflow: true, // semantics A.7; recorded: S5-bare T3
  lpDroppedBelow35: true, // semantics A.6
  widePeriodMasked: true, // semantics A.7
  counterWrite: 'release-assign', // semantics A.6
  aarch32KeepsUpper: true, // semantics A.6; vectors foc-el0-*
  pmcrResetLow: 0, // semantics A.2
  pmcrIdentity: 'zero', // semantics A.2; recorded: S5-bare T0
  userspacePmcr: 'n-limited', // semantics A.3 "PMCR.N"; vector A3-userspace-n
  trimAtFirstRun: true, // semantics A.6 last paragraph
  ceidShowsChain: true, // semantics A.2 PMCEID0; recorded: S5-bare T0
  ceid1Hidden: 0xe000_0000, // semantics A.2: STALL_SLOT, STALL_SLOT_FRONTEND, STALL_SLOT_BACKEND
};

export const ARM64_KVM_6_1: Arm64RuleSet = {
  ...common,
  name: 'arm64-kvm-6.1',
  kernels: [
    [6, 1],
    [6, 1],
  ],
  summary:
    'event counters 32 bits wide, counter writes adjust, cycle-counter period not reduced with PMCR.LC = 0',
  sources: ['Linux 6.1.192 arch/arm64/kvm pmu-emul.c, sys_regs.c', 'recordings of 6.1.192'],
  eventBitsBy: 'host-pmuver', // semantics A.3 "event bits"
  typeBits: {
    always: (Evtyper.P | Evtyper.U | Evtyper.NSH) >>> 0,
    el2: 0,
    el3: 0,
  }, // semantics A.4 step 1: a fixed mask, the driver's writable bits
  typeResetMask: 0xc800_ffff, // the same driver mask, event part not replaced; recorded: config 0xc0de with P and U
  excludeBy: 'U,P', // semantics A.3 "exclude_user / kernel"
  wideEventCounters: 'never', // semantics A.3 "PMUVer shown": at most v3.4; recorded: S5-bare-61 T1b
  lpMovesOverflow: false, // recorded: S5-bare-61 T3
  lpDroppedBelow35: false, // recorded: S5-bare-61 T3 reads LP back
  widePeriodMasked: false, // semantics A.7 "6.1 anomaly"; recorded: S5-bare-61 T9a period 0xffffffff00001000
  counterWrite: 'adjust-fold', // recorded: nested counter reads inside every counter write
  aarch32KeepsUpper: false, // semantics A.3: base fixed up; no AArch32 case
  pmcrResetLow: 0xac, // semantics A.3 "PMCR reset"; recorded: first PMCR handling with 0x410130ac
  pmcrIdentity: 'host', // recorded: S5-bare-61 T0 0x410130a8
  userspacePmcr: 'stored', // semantics A.3 "PMCR.N": host value copied at reset, no rule for writes
  trimAtFirstRun: false, // N cannot change, so nothing to trim
  ceidShowsChain: false, // recorded: S5-bare-61 T0 0x20101
  ceid1Hidden: 0x8000_0000, // semantics A.3 "PMCEID": minus STALL_SLOT
};

/** Oldest first. */
export const ARM64_RULE_SETS: readonly Arm64RuleSet[] = [
  ARM64_KVM_2015,
  ARM64_KVM_4_6,
  ARM64_KVM_4_14,
  ARM64_KVM_6_1,
  ARM64_KVM_6_12,
];
