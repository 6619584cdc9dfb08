import { Evtyper } from './arm64-bits.ts';
import type { Arm64RuleSet } from './arm64-rules.ts';

/** Nothing runs these rules any more: they come from reading, and no recording or vector checks them. */
const read = { selectable: true, checked: 'read' } as const;

/**
 * The first vPMU of a released kernel, the series "KVM: ARM64: Add guest PMU support" as merged in 4.6. "early" is section
 * B of docs/semantics-arm64.md, "draft" its section C.
 */
export const ARM64_KVM_4_6: Arm64RuleSet = {
  ...read,
  name: 'arm64-kvm-4.6',
  kernels: [
    [4, 6],
    [4, 6],
  ],
  summary:
    'the first vPMU: host event kept over counter writes with its first period for good, no software CHAIN, RAZ/WI without PMU',
  sources: [
    'series "KVM: ARM64: Add guest PMU support" v13 (Feb 2016): access handlers',
    'Linux 4.6 arch/arm64/include/asm/kvm_perf_event.h: masks',
    'Linux 4.9 virt/kvm/arm/pmu.c, arch/arm64/kvm/sys_regs.c and reset.c less the later fix of PMCCFILTR: the rest',
  ],
  eventBitsBy: 10, // early B.2: masks 0x3ff and 0xc80003ff
  typeBits: { always: (Evtyper.P | Evtyper.U | Evtyper.NSH) >>> 0, el2: 0, el3: 0 }, // early B.2
  typeResetMask: 'as-written', // early B.2: the poison is cut when it is read
  unusedEvent: null,
  cycleEvent: 'as-typed', // early B.3: the number in PMCCFILTR is asked for, and 0 is taken for SW_INCR
  swIncrUnbacked: true, // early B.3
  recreate: 'always', // early B.3
  hostEvent: 'raw', // early B.3: PERF_TYPE_RAW
  created: 'gated', // early B.3
  stopFolds: true, // early B.3
  excludeHv: 'always', // early B.3
  excludeBy: 'U,P', // early B.3
  wideEventCounters: 'never', // early B.4
  cycleWidth: '64-once-lc', // early B.4: the mask grows when PMCR.LC is written, and stays
  longHostCounter: false, // early B.3: config1 is not set
  lpMovesOverflow: false, // PMCR bit 7 does not exist
  lpDroppedBelow35: false,
  widePeriodMasked: true, // early B.5: cut to the counter's width
  rearm: 'fixed', // early B.5: the handler only sets PMOVS
  counterWrite: 'adjust-keep', // early B.4
  aarch32KeepsUpper: false,
  pmcrResetLow: 0x2c, // early B.2: 0xdecafbad cut to the seven writable bits, less E
  pmcrWritable: 0x7f, // early B.2
  pmcrIdentity: 'host', // early B.2
  lcFixedWithoutAarch32: false, // early B.2: no such rule
  pmcrDisables: 'valid', // early B.4
  resetReaches: 'all', // early B.4: 0 to 30, whatever N
  resetOrder: 'registers-first', // early B.2: the count of a live event is added to the reset value
  overflowReset: 'poison', // early B.2
  counterReset: 'poison', // early B.2
  setsCut: 'at-use', // early B.2: reset stores the whole poison
  userspacePmcr: 'stored', // early B.2: no rule for what the VMM stores
  reloadAtFirstRun: false, // early B.4: nothing happens at the first run
  trimAtFirstRun: false,
  eventFilter: false, // came with 5.7
  ceidShowsChain: false, // early B.2: the host's registers as they are
  ceid1Hidden: 0,
  aarch32CeidHigh: false, // early B.1: not in the table
  mmir: 'undef', // early B.1: not in the table
  // A write of PMCEID hits a BUG() of the host, which no processor lets happen: it is UNDEFINED before it traps.
  warnsOnDirection: false,
  levelNeedsEnable: true, // early B.5
  enableCreates: false, // early B.4
  chainBySoftware: false, // early B.3: 0x1e is asked of the host
  swincNeedsE: false, // early B.5
  withoutPmu: 'raz-wi', // early B.1: while not "ready"
};

/** The same after two changes: 16 event bits (4.7) and the cycle counter's own event (4.10). */
export const ARM64_KVM_4_14: Arm64RuleSet = {
  ...ARM64_KVM_4_6,
  name: 'arm64-kvm-4.14',
  kernels: [
    [4, 10],
    [5, 2],
  ],
  summary: 'as 4.6 with 16 event bits and a cycle counter that counts cycles whatever PMCCFILTR',
  sources: [
    'Linux 4.9 (stable, with the fix of PMCCFILTR) virt/kvm/arm/pmu.c, arch/arm64/kvm/sys_regs.c and reset.c',
    'Linux 4.15 arch/arm64/include/asm/perf_event.h: masks',
  ],
  eventBitsBy: 16, // early B.2: masks 0xffff and 0xc800ffff
  cycleEvent: 'cpu-cycles', // early B.3
};

/**
 * The draft of July 2015, patch 07 of 18: how a type write makes a host event. Of the rest of that draft nothing is at
 * hand; what patch 07 does not say is assumed, and marked so: as 4.6 where 4.6 has a rule for it.
 */
export const ARM64_KVM_2015: Arm64RuleSet = {
  ...ARM64_KVM_4_6,
  name: 'arm64-kvm-2015',
  kernels: undefined,
  summary:
    'the draft: event numbers mapped back to perf hardware and cache events, a new host event only when the number changes',
  sources: [
    'mail "[PATCH 07/18] KVM: ARM64: PMU: Add perf event map and introduce perf event creating function" (Jul 2015)',
    'what that patch does not say: assumed as arm64-kvm-4.6',
  ],
  eventBitsBy: 10, // assumed: the driver's mask of that time, 0x3ff
  unusedEvent: 0xff, // draft C.1. Assumed: a type register never written reads it too
  cycleEvent: 'as-typed', // draft C.1: the index is not looked at
  swIncrUnbacked: false, // draft C.1: no event is left out
  recreate: 'event-changed', // draft C.1
  hostEvent: 'generic-maps', // draft C.2
  created: 'enabled', // draft C.1: attr.disabled is not set. Assumed: the attr starts zeroed (the author agreed to)
  stopFolds: false, // draft C.1
  excludeHv: 'unless-nsh', // draft C.1
  cycleWidth: 32, // assumed: the period is cut to 32 bits for every counter, no other width is named
  overflowReset: 'zero', // draft C.1
  counterReset: 'kept', // draft C.1: the counter field is not touched. Assumed: a new vCPU's is 0
  // Assumed as 4.6, though patch 07 passes no overflow handler: a later patch of the draft must have, or PMOVS would never
  // be set (rearm, levelNeedsEnable). Assumed as 4.6 without a word in patch 07: counterWrite, enableCreates, pmcr*, sets*,
  // reset*, swincNeedsE, withoutPmu, userspacePmcr, mmir, ceid*.
};
