import type { X86RuleSet } from './x86-rule-set.ts';

export type { X86RuleSet } from './x86-rule-set.ts';

/** What all since event reuse share (5.5). */
const common = {
  selectable: true,
  ownership: 'perf',
  reuse: 'same-config',
  lazyRelease: true, // semantics B.5 step 6; vectors B5-lazy-release-*
  periodOfZero: 'full', // semantics B.6; vectors B6-period-*
  writeSetsPeriod: true, // semantics B.5 last paragraph
  attrType: 'raw',
  version1Gate: 'on', // vector B4-v1-*
  fullWidthWrites: true,
  fixedSignExtended: false,
  ovfCtrlReads: 'zero',
  fixedCtrlReserved: 'by-count',
  hostAbsentAllowed: true, // vectors B1-host-initiated-*
  amdReserved: 'dropped', // semantics B.3
  amdCoreExtension: true,
  pebs: true,
  inTx: 'txcp-on-2', // vectors B3-tsx-bits*
  topdown: false,
  maxFixed: 3,
  rdpmcChecksCpl: true,
  rdpmcAmdEarly: true, // vector B9-rdpmc-amd-no-exit
  rdpmcVmware: true, // vector B9-rdpmc-type-field
  lvtpcMasked: true, // vectors B7-*
} as const;

export const X86_KVM_6_12: X86RuleSet = {
  ...common,
  name: 'x86-kvm-6.12',
  kernels: [
    [6, 12],
    [6, 12],
  ],
  summary:
    'reprogramming deferred to the next entry, events paused and reused, emulated instructions counted apart, PerfMonV2',
  sources: [
    'Linux 6.12.117 arch/x86/kvm pmu.c, vmx/pmu_intel.c, svm/pmu.c, x86.c, lapic.c',
    'conformance vectors',
    'recordings of 6.12.117 (AMD)',
  ],
  reprogram: 'deferred',
  retriesCreate: true, // vectors B5-create-fail-*
  periodOnlyIfSampling: true, // vector B6-intxcp-period-zero-no-pmi
  unavailableEvents: 'counted', // semantics B.2
  pendingCleared: 'when-handled',
  softCount: 'apart', // semantics B.8
  filterStopsSoftCount: true, // vector B8-filter-denies
  filter: 'masked',
  filterReprograms: true, // semantics B.10
  globalCtrlAtRefresh: 'gp', // semantics B.1
  vcpuReset: 'untouched', // vector B4-vcpu-reset
  refreshResets: true, // vector B4-refresh-before-run
  hostStatusChecked: true, // vectors B1-host-initiated-*
  amdPerfMonV2: true,
  rdpmcIndex: 'strict', // semantics B.9
};

export const X86_KVM_6_1: X86RuleSet = {
  ...common,
  name: 'x86-kvm-6.1',
  kernels: [
    [6, 1],
    [6, 1],
  ],
  summary:
    'reprogramming inside the WRMSR, events paused and reused, emulated instructions added to the counter at once',
  sources: [
    'Linux 6.1.192 arch/x86/kvm pmu.c, vmx/pmu_intel.c, svm/pmu.c',
    'conformance vectors',
    'recordings of 6.1.192 (AMD)',
  ],
  reprogram: 'immediate',
  retriesCreate: false,
  periodOnlyIfSampling: false,
  unavailableEvents: 'refused', // vector B2-ebx-unavailable-event
  pendingCleared: 'when-programmed',
  softCount: 'in-base',
  filterStopsSoftCount: false, // vector B8-61-filter-after-create-leaks
  filter: 'exact',
  filterReprograms: false,
  globalCtrlAtRefresh: 'zero',
  vcpuReset: 'cleared',
  refreshResets: false,
  hostStatusChecked: false,
  amdPerfMonV2: false,
  rdpmcIndex: 'stripped',
};

export const X86_KVM_4_14: X86RuleSet = {
  ...common,
  name: 'x86-kvm-4.14',
  kernels: [
    [4, 14],
    [4, 14],
  ],
  summary:
    'every control change releases the perf event and creates a new one; no emulated-instruction counting, no filter',
  sources: ['Linux 4.14.5 arch/x86/kvm pmu.c, pmu_intel.c, pmu_amd.c', 'conformance vectors'],
  reprogram: 'immediate',
  reuse: 'never', // semantics C "State before"
  lazyRelease: false,
  retriesCreate: false,
  periodOnlyIfSampling: false,
  periodOfZero: 'none',
  writeSetsPeriod: false,
  attrType: 'hardware-or-raw',
  unavailableEvents: 'raw',
  pendingCleared: 'when-programmed',
  softCount: 'none',
  filterStopsSoftCount: false,
  filter: 'none',
  filterReprograms: false,
  globalCtrlAtRefresh: 'gp+fixed',
  version1Gate: 'global-ctrl',
  vcpuReset: 'cleared-but-fixed',
  refreshResets: false,
  fullWidthWrites: false,
  fixedSignExtended: true,
  ovfCtrlReads: 'last-written',
  fixedCtrlReserved: 'three-counters',
  hostStatusChecked: false,
  hostAbsentAllowed: false,
  amdReserved: 'fault',
  amdCoreExtension: false,
  amdPerfMonV2: false,
  pebs: false,
  inTx: 'txcp-on-all', // Linux 4.14 vmx PMU refresh: both bits leave the reserved mask together
  rdpmcIndex: 'stripped',
  rdpmcChecksCpl: false,
  rdpmcAmdEarly: false,
  rdpmcVmware: false,
  lvtpcMasked: false,
};

export const X86_REUSE_2019: X86RuleSet = {
  ...X86_KVM_4_14,
  name: 'x86-reuse-2019',
  kernels: undefined,
  summary:
    'the 2019 proposal: 4.14, but a selector write that changes only the enable bit keeps the event',
  sources: [
    'mail "[RFC] [PATCH v2 0/5] Intel Virtual PMU Optimization", Like Xu, 25 Mar 2019',
    'semantics C',
  ],
  reuse: 'enable-bit',
};

/**
 * The RFC of 2023. Only the topdown part is in the source; everything else is what the emulated vPMU does since
 * deferred reprogramming, but for RDPMC, whose posted code still strips bits 31:30.
 */
export const X86_TOPDOWN_2023: X86RuleSet = {
  ...X86_KVM_6_12,
  name: 'x86-topdown-2023',
  kernels: undefined,
  summary:
    'fixed counter 3 (slots) and PERF_METRICS emulated as one perf event group; never merged',
  sources: [
    'mail "[PATCH RFV v2 11/13] KVM: x86/pmu: Support topdown perf metrics feature", Dapeng Mi, 8 Aug 2023',
    'semantics D',
  ],
  topdown: true, // semantics D.2
  maxFixed: 4,
  rdpmcIndex: 'stripped', // the patch's context lines
};

/** What both mediated rule sets share: the guest owns the hardware counters while its context is loaded. */
const mediated = {
  ...X86_KVM_6_12,
  kernels: undefined,
  ownership: 'mediated',
  reprogram: 'immediate', // selector writes trap and change the hardware copy, semantics E.3
  reuse: 'never', // there is no event to keep
  retriesCreate: false,
  lazyRelease: false,
  pendingCleared: 'when-programmed',
  softCount: 'copy', // semantics E.4 last paragraph
  pebs: false, // semantics E.2
  inTx: 'never',
} as const;

export const X86_MEDIATED_2024: X86RuleSet = {
  ...mediated,
  name: 'x86-mediated-2024',
  summary:
    'RFC: the guest owns the counters while it runs; host events that count guests are moved to ERROR at guest enter',
  sources: [
    'mail "[RFC PATCH 02/41] perf: Support guest enter/exit interfaces", Xiong Zhang, Kan Liang, 26 Jan 2024',
    'semantics E',
  ],
  mediation: 'rfc-2024',
};

export const X86_MEDIATED_7_0: X86RuleSet = {
  ...mediated,
  name: 'x86-mediated-7.0',
  summary:
    'as merged: the guest owns the counters while its context is loaded; such VMs and host events that count guests exclude each other',
  sources: [
    'pull kvm-x86-pmu-6.20 (6 Feb 2026)',
    'torvalds/linux 67f8bc848ee3 arch/x86/kvm/pmu.c',
    'semantics E',
  ],
  mediation: 'merged-7.0',
};

/** Oldest first. */
export const X86_RULE_SETS: readonly X86RuleSet[] = [
  X86_KVM_4_14,
  X86_REUSE_2019,
  X86_KVM_6_1,
  X86_TOPDOWN_2023,
  X86_MEDIATED_2024,
  X86_KVM_6_12,
  X86_MEDIATED_7_0,
];
