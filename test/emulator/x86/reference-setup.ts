import type { Vendor } from './reference-perf.ts';

/** Which rules: a kernel's, or a proposal's on top of one. */
export type Kernel =
  | '4.14'
  | '2019'
  | '6.1'
  | '6.12'
  | 'topdown-2023'
  | 'mediated-2024'
  | 'mediated-7.0';

/** A guest's PMU. Counts and widths are those the guest has after the host's limits. */
export interface Setup {
  kernel: Kernel;
  vendor: Vendor;
  /** 0: no vPMU. Intel: CPUID leaf 0xA; AMD: 1, 2 with PerfMonV2. */
  version: number;
  gp: number;
  fixed: number;
  gpWidth: number;
  fixedWidth: number;
  /** Leaf 0xA: length of the event vector and EBX (bit set: event not there). */
  vectorLength: number;
  ebx: number;
  perfCapabilities: bigint;
  hostTsx: boolean;
  leaf7Ebx: number | undefined;
  /** AMD: CPUID PERFCTR_CORE. */
  core: boolean;
  /** In-kernel local APIC, and whether it is software-enabled (it takes NMIs in any case). */
  lapic: boolean;
  apicEnabled: boolean;
  hostGp: number;
  hostFixed: number;
}

/** What an MSR is to this guest. */
export type Register =
  | { kind: 'counter'; i: number; fullWidth: boolean }
  | { kind: 'selector'; i: number }
  | { kind: 'fixedCtrl' | 'status' | 'globalCtrl' | 'clear' | 'set' }
  | { kind: 'pebsEnable' | 'pebsData' | 'perfMetrics' }
  /** Reads 0 and drops writes (corrections 1). */
  | { kind: 'ignored' }
  /** Belongs to the PMU, but this guest has no counter behind it. */
  | { kind: 'empty' };

export const bit = (i: number | bigint): bigint => 1n << BigInt(i);
export const low = (n: number | bigint): bigint => bit(n) - 1n;
export const FIXED = 32;
/** Where perf keeps the metrics event of a topdown group (semantics D): beside the counters. */
export const METRICS_EVENT = 39;

export const isOld = (setup: Setup): boolean => setup.kernel === '4.14' || setup.kernel === '2019';
/** Semantics E: the guest owns the counters while its context is loaded; the registers are 6.12's. */
export const isMediated = (setup: Setup): boolean => setup.kernel.startsWith('mediated');
export const has612 = (setup: Setup): boolean =>
  setup.kernel === '6.12' || setup.kernel === 'topdown-2023' || isMediated(setup);

/** Idx of every counter the guest has, in KVM's order. */
export function counters(setup: Setup): number[] {
  const all = Array.from({ length: setup.gp }, (_, i) => i);
  for (let i = 0; i < setup.fixed; i++) all.push(FIXED + i);
  return all;
}

export const width = (setup: Setup, i: number): number =>
  i < FIXED ? setup.gpWidth : setup.fixedWidth;
export const mask = (setup: Setup, i: number): bigint => low(width(setup, i));

/** B.1, corrections 1: MSRs common code answers when no vendor has them. */
function commonLow(msr: number): boolean {
  return (
    msr === 0xc1 ||
    msr === 0xc2 ||
    msr === 0x186 ||
    msr === 0x187 ||
    (msr >= 0xc0010000 && msr <= 0xc0010007)
  );
}

/** B.11: PEBS registers follow PERF_CAPABILITIES alone (format in 11:8, baseline bit 14), not the version. */
function pebsRegister(setup: Setup, msr: number): Register | undefined {
  // E.2: PEBS is not offered to mediated guests.
  if (isOld(setup) || isMediated(setup) || setup.version === 0) return undefined;
  const format = (setup.perfCapabilities >> 8n) & 0xfn;
  const baseline = (setup.perfCapabilities & bit(14)) !== 0n;
  if (msr === 0x3f1 && format !== 0n) return { kind: 'pebsEnable' };
  if (msr === 0x3f2 && baseline && format > 3n) return { kind: 'pebsData' };
  return undefined;
}

/** B.1, Intel column. */
function intelRegister(setup: Setup, msr: number): Register | undefined {
  const within = (base: number, count: number): boolean => msr >= base && msr < base + count;
  if (within(0xc1, setup.gp)) return { kind: 'counter', i: msr - 0xc1, fullWidth: false };
  if (within(0x186, setup.gp)) return { kind: 'selector', i: msr - 0x186 };
  const fullWidthWrites = !isOld(setup) && (setup.perfCapabilities & bit(13)) !== 0n;
  if (fullWidthWrites && within(0x4c1, setup.gp)) {
    return { kind: 'counter', i: msr - 0x4c1, fullWidth: true };
  }
  if (within(0x309, setup.fixed))
    return { kind: 'counter', i: FIXED + msr - 0x309, fullWidth: false };
  const pebs = pebsRegister(setup, msr);
  if (pebs !== undefined) return pebs;
  if (setup.version < 2) return undefined;
  if (msr === 0x38d) return { kind: 'fixedCtrl' };
  if (msr === 0x38e) return { kind: 'status' };
  if (msr === 0x38f) return { kind: 'globalCtrl' };
  if (msr === 0x390) return { kind: 'clear' };
  // D.2: PERF_METRICS when PERF_CAPABILITIES bit 15 says so.
  if (
    msr === 0x329 &&
    setup.kernel === 'topdown-2023' &&
    (setup.perfCapabilities & bit(15)) !== 0n
  ) {
    return { kind: 'perfMetrics' };
  }
  return undefined;
}

/** B.1, AMD rows. */
function amdRegister(setup: Setup, msr: number): Register | undefined {
  if (setup.version === 0) return undefined;
  const behind = (i: number, kind: 'selector' | 'counter'): Register => {
    if (i >= setup.gp) return { kind: 'empty' };
    return kind === 'selector' ? { kind, i } : { kind, i, fullWidth: false };
  };
  if (msr >= 0xc0010000 && msr <= 0xc0010003) return behind(msr - 0xc0010000, 'selector');
  if (msr >= 0xc0010004 && msr <= 0xc0010007) return behind(msr - 0xc0010004, 'counter');
  if (setup.core && msr >= 0xc0010200 && msr <= 0xc001020b) {
    const offset = msr - 0xc0010200;
    return behind(offset >> 1, offset % 2 === 0 ? 'selector' : 'counter');
  }
  if (setup.version < 2) return undefined;
  if (msr === 0xc0000300) return { kind: 'status' };
  if (msr === 0xc0000301) return { kind: 'globalCtrl' };
  if (msr === 0xc0000302) return { kind: 'clear' };
  if (msr === 0xc0000303) return { kind: 'set' };
  return undefined;
}

/** B.1: what the guest finds at this MSR; undefined: nothing, #GP. */
export function registerAt(setup: Setup, msr: number): Register | undefined {
  const own = setup.vendor === 'intel' ? intelRegister(setup, msr) : amdRegister(setup, msr);
  return own ?? (commonLow(msr) ? { kind: 'ignored' } : undefined);
}

/** Corrections 13: MSRs KVM lists for saving on this host; the host may read them and write 0 even where the vCPU lacks them. */
export function advertised(setup: Setup, msr: number): boolean {
  if (setup.vendor === 'amd' || isOld(setup)) return false;
  const within = (base: number, count: number): boolean => msr >= base && msr < base + count;
  return (
    within(0xc1, setup.hostGp) ||
    within(0x186, setup.hostGp) ||
    within(0x309, setup.hostFixed) ||
    within(0x38d, 4)
  );
}
