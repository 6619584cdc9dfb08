/** Names of the bits and counter numbers of the x86 PMU (SDM volume 3 chapter 21, APM volume 2 chapter 13). */

/** KVM's counter number: GP i = i, fixed i = 32 + i. */
export const FIXED_BASE = 32;
/** Arrays indexed by counter number have this length: 0..31 general purpose, 32..39 fixed. */
export const X86_COUNTERS = 40;
/** Fixed counter 3 counts slots; its number, and that of the PERF_METRICS enable and overflow bit. */
export const SLOTS_COUNTER = FIXED_BASE + 3;
export const METRICS_BIT = 48;
/** Not a counter: the number under which HostPerf keeps the metrics event of the slots group. */
export const METRICS_EVENT = 39;

/** Low half of a selector (IA32_PERFEVTSELx, PERF_CTLx). */
export const Sel = {
  event: 0xff,
  umask: 0xff00,
  eventAndUmask: 0xffff,
  usr: 1 << 16,
  os: 1 << 17,
  edge: 1 << 18,
  pin: 1 << 19,
  int: 1 << 20,
  any: 1 << 21,
  en: 1 << 22,
  inv: 1 << 23,
  cmask: 0xff000000,
} as const;

/** High half of a selector: bit n stands for bit 32 + n. */
export const SelHigh = {
  inTx: 1,
  inTxCheckpointed: 2,
  adaptivePebs: 4,
  amdEvent: 0xf,
} as const;

/** One nibble of IA32_FIXED_CTR_CTRL. */
export const FixedCtrl = { os: 1, usr: 2, enable: 3, any: 4, pmi: 8 } as const;

/** High half of GLOBAL_STATUS. */
export const StatusHigh = {
  toPa: 1 << 23,
  metrics: 1 << 16,
  pebsBuffer: 1 << 30,
  changed: 1 << 31,
} as const;

/** IA32_PERF_CAPABILITIES. */
export const PerfCap = {
  lbrFormat: 0x3f,
  pebsFormat: 0xf00,
  pebsFormatShift: 8,
  fullWidthWrites: 1 << 13,
  pebsBaseline: 1 << 14,
  perfMetrics: 1 << 15,
} as const;

/** LVTPC of the local APIC. */
export const Lvt = { vector: 0xff, modeShift: 8, mode: 7, masked: 1 << 16 } as const;
export const LvtMode = { fixed: 0, lowest: 1, smi: 2, nmi: 4, init: 5, extInt: 7 } as const;

/** RDPMC index bits (SDM RDPMC; semantics B.9, D.2). */
export const Rdpmc = {
  fast: 0x8000_0000,
  fixed: 0x4000_0000,
  metrics: 0x2000_0000,
  typeShift: 16,
  fixedType: 0x4000,
  index: 0xffff,
  vmwareFirst: 0x1_0000,
  vmwareLast: 0x1_0002,
} as const;
