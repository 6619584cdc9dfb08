import { type AccessResult, PackedAccessResult } from '../pmuv3-config.ts';
import type { X86EventFilter } from './x86-filter.ts';

/** What does not change while the vCPU runs. */
export interface X86Config {
  readonly vendor: 'intel' | 'amd';
  /** Intel: version of the guest's leaf 0xA (0: none). AMD: 2 with PerfMonV2, else 1. */
  readonly version: number;
  /** Counters in the guest's leaf (AMD: 0x80000022 EBX with PerfMonV2; ignored otherwise). */
  readonly gpCounters: number;
  readonly fixedCounters: number;
  readonly gpWidth: number;
  readonly fixedWidth: number;
  /** Leaf 0xA EBX (bit i: architectural event i not available) and EAX[31:24]. */
  readonly eventsNotAvailable: number;
  readonly eventMaskLength: number;
  /** IA32_PERF_CAPABILITIES as the guest sees it. */
  readonly perfCapabilities: number;
  /** AMD: CPUID 0x80000001 ECX[23]. */
  readonly perfctrCore: boolean;
  readonly inKernelApic: boolean;
  /** False: the APIC is software-disabled (SVR bit 8 clear) and takes NMIs only. Default true. */
  readonly apicEnabled?: boolean;
  /** False: KVM_PMU_CAP_DISABLE or the module parameter took the vPMU away. */
  readonly pmuEnabled: boolean;
  /** The host has HLE or RTM; EBX of the guest's leaf 7 (0 if there is none). */
  readonly hostHasTsx: boolean;
  readonly leaf7Ebx: number;
  /** CPUID 1 EDX[21]: the guest has IA32_DS_AREA. */
  readonly hasDs: boolean;
  /** What the host PMU has: the guest's numbers are cut to it. */
  readonly hostGpCounters: number;
  readonly hostFixedCounters: number;
  readonly hostGpWidth: number;
  readonly hostFixedWidth: number;
  /** Module parameter ignore_msrs: accesses of unknown MSRs read 0 and drop writes. */
  readonly ignoreMsrs: boolean;
  readonly filter?: X86EventFilter;
}

/** A plain guest of each vendor: what a recording does not tell otherwise. */
export const X86_DEFAULTS: Readonly<Record<'intel' | 'amd', X86Config>> = {
  intel: {
    vendor: 'intel',
    version: 2,
    gpCounters: 8,
    fixedCounters: 3,
    gpWidth: 48,
    fixedWidth: 48,
    eventsNotAvailable: 0,
    eventMaskLength: 7,
    perfCapabilities: 0x2000,
    perfctrCore: false,
    inKernelApic: true,
    pmuEnabled: true,
    hostHasTsx: false,
    leaf7Ebx: 0,
    hasDs: false,
    hostGpCounters: 8,
    hostFixedCounters: 4,
    hostGpWidth: 48,
    hostFixedWidth: 48,
    ignoreMsrs: false,
  },
  amd: {
    vendor: 'amd',
    version: 1,
    gpCounters: 6,
    fixedCounters: 0,
    gpWidth: 48,
    fixedWidth: 0,
    eventsNotAvailable: 0,
    eventMaskLength: 0,
    perfCapabilities: 0,
    perfctrCore: true,
    inKernelApic: true,
    pmuEnabled: true,
    hostHasTsx: false,
    leaf7Ebx: 0,
    hasDs: false,
    hostGpCounters: 6,
    hostFixedCounters: 0,
    hostGpWidth: 48,
    hostFixedWidth: 0,
    ignoreMsrs: false,
  },
};

/** What one access came to. `undef` means #GP. */
export interface X86AccessResult extends AccessResult {
  /** AMD RDPMC that faulted before the intercept: there is no exit. */
  noExit: boolean;
  /** The value is host time (VMware backdoor), which nothing here models: unknown. */
  hostTime: boolean;
}

class PackedX86Result extends PackedAccessResult implements X86AccessResult {
  noExit = false;
  hostTime = false;
}

/** A fresh result object, to be reused for many accesses. */
export function x86AccessResult(): X86AccessResult {
  return new PackedX86Result();
}
