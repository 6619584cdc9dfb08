import { FIXED_BASE } from './x86-bits.ts';

/** What an emulator switches on: one number per kind of x86 PMU register. */
export const Msr = {
  none: 0,
  /** IA32_PERFCTRn: the legacy alias of a GP counter. */
  counter: 1,
  /** IA32_PMCn: the full-width alias. */
  fullWidth: 2,
  /** IA32_PERFEVTSELn and the AMD selectors. */
  selector: 3,
  /** IA32_FIXED_CTRn. */
  fixedCounter: 4,
  fixedCtrl: 5,
  globalStatus: 6,
  globalCtrl: 7,
  globalOvfCtrl: 8,
  pebsEnable: 9,
  pebsDataCfg: 10,
  dsArea: 11,
  perfMetrics: 12,
  /** AMD K7 and PERFCTR_CORE counters. */
  amdCounter: 13,
  amdSelector: 14,
  amdStatus: 15,
  amdCtrl: 16,
  amdStatusClear: 17,
  amdStatusSet: 18,
  perfCapabilities: 19,
} as const;
export type Msr = (typeof Msr)[keyof typeof Msr];

/** Who may do what; the reserved bits depend on the machine and are in emulator/x86/x86-shape.ts. */
export interface X86Msr {
  /** As the SDM or the APM names it; `n` stands for the index of an indexed register. */
  readonly name: string;
  readonly msr: Msr;
  /** MSR number of index 0. */
  readonly first: number;
  /** How many KVM can ever offer, and the distance of their numbers. */
  readonly indices: number;
  readonly stride: number;
  readonly vendor: 'intel' | 'amd';
  /** What the vCPU needs for it. */
  readonly needs: string;
  /** What a guest write does besides storing the value. */
  readonly write: string;
  readonly source: string;
}

const B1 = 'semantics B.1; Linux arch/x86/include/asm/msr-index.h';

function row(
  msr: Msr,
  name: string,
  first: number,
  indices: number,
  needs: string,
  write: string,
  source = B1,
  stride = 1,
): X86Msr {
  const vendor = first >= 0xc000_0000 ? 'amd' : 'intel';
  return { name, msr, first, indices, stride, vendor, needs, write, source };
}

/** The PMU registers KVM knows, by number. */
export const X86_PMU_MSRS: readonly X86Msr[] = [
  row(
    Msr.counter,
    'IA32_PERFCTRn',
    0xc1,
    8,
    'GP counter n',
    'low 32 bits sign-extended, cut to the width',
  ),
  row(Msr.selector, 'IA32_PERFEVTSELn', 0x186, 8, 'GP counter n', 'reserved bits fault'),
  row(Msr.fixedCounter, 'IA32_FIXED_CTRn', 0x309, 4, 'fixed counter n', 'cut to the width'),
  row(
    Msr.perfMetrics,
    'IA32_PERF_METRICS',
    0x329,
    1,
    'PERF_CAPABILITIES bit 15, rule set with topdown',
    'stored',
    'semantics D.2',
  ),
  row(Msr.perfCapabilities, 'IA32_PERF_CAPABILITIES', 0x345, 1, 'PDCM', 'faults (read-only)'),
  row(Msr.fixedCtrl, 'IA32_FIXED_CTR_CTRL', 0x38d, 1, 'version 2', 'reserved bits fault'),
  row(Msr.globalStatus, 'IA32_PERF_GLOBAL_STATUS', 0x38e, 1, 'version 2', 'faults (read-only)'),
  row(Msr.globalCtrl, 'IA32_PERF_GLOBAL_CTRL', 0x38f, 1, 'version 2', 'reserved bits fault'),
  row(
    Msr.globalOvfCtrl,
    'IA32_PERF_GLOBAL_OVF_CTRL',
    0x390,
    1,
    'version 2',
    'clears status; reserved bits fault',
  ),
  row(Msr.pebsEnable, 'IA32_PEBS_ENABLE', 0x3f1, 1, 'PEBS format', 'reserved bits fault'),
  row(Msr.pebsDataCfg, 'MSR_PEBS_DATA_CFG', 0x3f2, 1, 'adaptive PEBS', 'reserved bits fault'),
  row(
    Msr.fullWidth,
    'IA32_PMCn',
    0x4c1,
    8,
    'GP counter n, PERF_CAPABILITIES bit 13',
    'bits above the width fault',
  ),
  row(Msr.dsArea, 'IA32_DS_AREA', 0x600, 1, 'DS', 'non-canonical address faults'),
  row(Msr.amdStatus, 'PerfCntrGlobalStatus', 0xc000_0300, 1, 'PerfMonV2', 'ignored'),
  row(Msr.amdCtrl, 'PerfCntrGlobalCtl', 0xc000_0301, 1, 'PerfMonV2', 'reserved bits dropped'),
  row(Msr.amdStatusClear, 'PerfCntrGlobalStatusClr', 0xc000_0302, 1, 'PerfMonV2', 'clears status'),
  row(Msr.amdStatusSet, 'PerfCntrGlobalStatusSet', 0xc000_0303, 1, 'PerfMonV2', 'sets status'),
  row(Msr.amdSelector, 'PERF_LEGACY_CTLn', 0xc001_0000, 4, 'AMD', 'reserved bits dropped'),
  row(Msr.amdCounter, 'PERF_LEGACY_CTRn', 0xc001_0004, 4, 'AMD', 'cut to 48 bits'),
  row(Msr.amdSelector, 'PERF_CTLn', 0xc001_0200, 6, 'PERFCTR_CORE', 'reserved bits dropped', B1, 2),
  row(Msr.amdCounter, 'PERF_CTRn', 0xc001_0201, 6, 'PERFCTR_CORE', 'cut to 48 bits', B1, 2),
];

/** Numbers used directly. */
export const MsrNumber = {
  perfctr0: 0xc1,
  evntsel0: 0x186,
  fixedCtr0: 0x309,
  perfMetrics: 0x329,
  perfCapabilities: 0x345,
  fixedCtrCtrl: 0x38d,
  globalStatus: 0x38e,
  globalCtrl: 0x38f,
  globalOvfCtrl: 0x390,
  pebsEnable: 0x3f1,
  pebsDataCfg: 0x3f2,
  pmc0: 0x4c1,
  dsArea: 0x600,
  amdStatus: 0xc000_0300,
  amdCtrl: 0xc000_0301,
  amdStatusClear: 0xc000_0302,
  amdStatusSet: 0xc000_0303,
  k7Evntsel0: 0xc001_0000,
  k7Perfctr0: 0xc001_0004,
  f15Ctl0: 0xc001_0200,
} as const;

const INDEX_BITS = 8;

/** Blocks of numbers that hold PMU registers: Intel's, and the two of AMD. */
const BLOCK = 0x800;
const BLOCKS: readonly number[] = [0, 0xc000_0000, 0xc001_0000];

/** Decoded numbers of the block that begins at `first`: `msr << 8 | index`; 0 for a register that is not the PMU's. */
function decodedBlock(first: number): Uint16Array {
  const table = new Uint16Array(BLOCK);
  for (const entry of X86_PMU_MSRS) {
    for (let i = 0; i < entry.indices; i++) {
      const at = entry.first + i * entry.stride - first;
      if (at >= 0 && at < BLOCK) table[at] = (entry.msr << INDEX_BITS) | i;
    }
  }
  return table;
}
const [INTEL_BLOCK, AMD_GLOBAL_BLOCK, AMD_BLOCK] = BLOCKS.map(decodedBlock) as [
  Uint16Array,
  Uint16Array,
  Uint16Array,
];

/** What an MSR number is, as `msr << 8 | index`; 0 if it is no PMU register. */
export function decodeMsr(number: number): number {
  if (number < BLOCK) return INTEL_BLOCK[number] ?? 0;
  if (number < BLOCKS[1]!) return 0;
  if (number < BLOCKS[2]!) return AMD_GLOBAL_BLOCK[number - BLOCKS[1]!] ?? 0;
  return AMD_BLOCK[number - BLOCKS[2]!] ?? 0;
}

export function msrKind(decoded: number): Msr {
  return (decoded >> INDEX_BITS) as Msr;
}

export function msrIndex(decoded: number): number {
  return decoded & ((1 << INDEX_BITS) - 1);
}

/**
 * Registers of another vendor's (or a missing) PMU that read 0 and drop writes instead of faulting: P6 PERFCTR0-1 and
 * EVNTSEL0-1, K7 EVNTSEL0-3 and PERFCTR0-3 (corrections 1; recorded: X7-unknown-msrs).
 */
export function isSilentWhenAbsent(number: number): boolean {
  return (
    number === 0xc1 ||
    number === 0xc2 ||
    number === 0x186 ||
    number === 0x187 ||
    (number >= 0xc001_0000 && number <= 0xc001_0007)
  );
}

/** `IA32_PERFEVTSEL0`, `PERF_CTR3`; undefined for a register that is not the PMU's. */
export function x86MsrName(number: number): string | undefined {
  for (const entry of X86_PMU_MSRS) {
    const offset = number - entry.first;
    if (offset < 0 || offset % entry.stride !== 0 || offset / entry.stride >= entry.indices)
      continue;
    return entry.indices === 1
      ? entry.name
      : entry.name.replace('n', String(offset / entry.stride));
  }
  return undefined;
}

/** The MSR a person would read for counter `i` (KVM's number). */
export function counterMsr(i: number, vendor: 'intel' | 'amd', coreExtension: boolean): number {
  if (i >= FIXED_BASE) return MsrNumber.fixedCtr0 + i - FIXED_BASE;
  if (vendor === 'intel') return MsrNumber.perfctr0 + i;
  return coreExtension ? MsrNumber.f15Ctl0 + 2 * i + 1 : MsrNumber.k7Perfctr0 + i;
}
