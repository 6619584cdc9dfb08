/**
 * What one generation of KVM's x86 vPMU does, as data. The engine (emulator/x86) reads these fields and nothing else to
 * tell generations apart. "vector X" is a conformance vector; "semantics X" is docs/semantics-x86.md.
 */
export interface X86RuleSet {
  readonly name: string;
  /** First and last kernel version (major, minor) the rules are for; undefined for proposals that were never merged. */
  readonly kernels:
    | readonly [first: readonly [number, number], last: readonly [number, number]]
    | undefined;
  readonly summary: string;
  readonly sources: readonly string[];
  /** False: the row states what is known but the engine does not run it; `missing` says why. */
  readonly selectable: boolean;
  readonly missing?: string;

  /** Who owns the hardware counters while the guest runs: host perf events, or the guest itself. */
  readonly ownership: 'perf' | 'mediated';
  /** Mediated: whose rules the host's own events follow (emulator/host-perf-core/mediated-rules.ts). */
  readonly mediation?: 'rfc-2024' | 'merged-7.0';

  // ---- when and how an event is made ----
  /** Reprogramming happens inside the WRMSR, or at KVM_REQ_PMU before the next entry. */
  readonly reprogram: 'immediate' | 'deferred';
  /**
   * What an existing event is kept for: nothing (fold, release, create); a selector write that changed only EN; or any
   * reprogramming that ends at the configuration it was last created with (pause, resume).
   */
  readonly reuse: 'never' | 'enable-bit' | 'same-config';
  /** A refused creation is tried again at every later KVM_REQ_PMU. */
  readonly retriesCreate: boolean;
  /** Events of disabled counters not written in a scheduling slice are released at its end. */
  readonly lazyRelease: boolean;
  /** perf_event_period is not called for an event created with period 0. */
  readonly periodOnlyIfSampling: boolean;
  /** Sample period for a counter at 0: 2^W, or 0 (no overflow ever). */
  readonly periodOfZero: 'full' | 'none';
  /** A counter write sets the period of a live event; otherwise the old one stays. */
  readonly writeSetsPeriod: boolean;
  /** An available architectural event is asked for as PERF_TYPE_HARDWARE. */
  readonly attrType: 'raw' | 'hardware-or-raw';
  /** What a set bit in leaf 0xA EBX does to that architectural event: nothing, or it is never programmed. */
  readonly unavailableEvents: 'counted' | 'refused' | 'raw';
  /** A pending bit (waiting for reprogramming) is cleared when it is taken up, or when an event counts again. */
  readonly pendingCleared: 'when-handled' | 'when-programmed';

  // ---- events KVM counts itself ----
  /**
   * Emulated instructions and branches: not counted; added to the base and reprogrammed at once; kept apart until
   * reprogramming; added to the software copy of the hardware counter.
   */
  readonly softCount: 'none' | 'in-base' | 'apart' | 'copy';
  /** The event filter also stops those. */
  readonly filterStopsSoftCount: boolean;

  // ---- event filter ----
  readonly filter: 'none' | 'exact' | 'masked';
  /** Setting a filter reprograms every counter. */
  readonly filterReprograms: boolean;

  // ---- registers ----
  /** GLOBAL_CTRL after the VMM sets CPUID. */
  readonly globalCtrlAtRefresh: 'zero' | 'gp' | 'gp+fixed';
  /** Counters of a version-1 guest are always globally on, or follow the invisible GLOBAL_CTRL. */
  readonly version1Gate: 'on' | 'global-ctrl';
  /** The vCPU's RESET: nothing; registers cleared and events released; the same but fixed counters keep their values. */
  readonly vcpuReset: 'untouched' | 'cleared' | 'cleared-but-fixed';
  /** The VMM's KVM_SET_CPUID before the first run also resets the registers. */
  readonly refreshResets: boolean;
  readonly fullWidthWrites: boolean;
  /** A write of a fixed counter is sign-extended from 32 bits like the legacy GP alias. */
  readonly fixedSignExtended: boolean;
  /** GLOBAL_OVF_CTRL reads 0, or the value written last. */
  readonly ovfCtrlReads: 'zero' | 'last-written';
  /** Reserved bits of FIXED_CTR_CTRL follow the number of fixed counters, or are the AnyThread bits of three. */
  readonly fixedCtrlReserved: 'by-count' | 'three-counters';
  /** Host-initiated writes of GLOBAL_STATUS with reserved bits are refused. */
  readonly hostStatusChecked: boolean;
  /** Host-initiated reads, and writes of 0, of PMU registers the vCPU lacks succeed. */
  readonly hostAbsentAllowed: boolean;
  /** Reserved selector bits on AMD are dropped, or fault. */
  readonly amdReserved: 'dropped' | 'fault';
  /** PERFCTR_CORE (six counters at 0xc0010200) is offered. */
  readonly amdCoreExtension: boolean;
  /** PerfMonV2 (0xc0000300..303) is offered. */
  readonly amdPerfMonV2: boolean;
  readonly pebs: boolean;
  /**
   * Selector bits IN_TX and IN_TXCP of an Intel guest: never writable; or, where KVM's test of host TSX and guest
   * CPUID(7).EBX & 0x12f passes, IN_TX everywhere and IN_TXCP on counter 2 or on all.
   */
  readonly inTx: 'never' | 'txcp-on-2' | 'txcp-on-all';
  /** Fixed counter 3 and PERF_METRICS are emulated as one event group. */
  readonly topdown: boolean;
  /** Most fixed counters KVM offers. */
  readonly maxFixed: number;

  // ---- RDPMC and PMI ----
  /** ECX: type in 31:16 checked, or bits 31:30 stripped with bit 31 meaning "low 32 bits". */
  readonly rdpmcIndex: 'strict' | 'stripped';
  /** KVM checks CPL and CR4.PCE itself (hardware does so before the exit in any case). */
  readonly rdpmcChecksCpl: boolean;
  /** An AMD index out of range faults before the intercept: no exit. */
  readonly rdpmcAmdEarly: boolean;
  /** VMware backdoor indices are answered. */
  readonly rdpmcVmware: boolean;
  /** KVM masks LVTPC after delivering a PMI to an Intel-compatible guest. */
  readonly lvtpcMasked: boolean;
}
