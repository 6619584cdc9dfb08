/**
 * PMU registers that processors have and that KVM gives no guest: an access faults (unless the module parameter
 * ignore_msrs is set). Inclusive ranges. Last-branch registers are left out for Intel: guests can have them.
 */
const FOREIGN: readonly (readonly [first: number, last: number, vendor?: 'amd'])[] = [
  [0x1a6, 0x1a7], // OFFCORE_RSP_0/1
  [0x1c8, 0x1c8, 'amd'], // LBR_SELECT
  [0x391, 0x392], // IA32_PERF_GLOBAL_STATUS_SET, _INUSE
  [0x3f6, 0x3f6], // MSR_PEBS_LD_LAT_THRESHOLD
  [0x680, 0x69f, 'amd'], // LBR_FROM
  [0x14ce, 0x14ce, 'amd'], // IA32_LBR_CTL
  [0xc001_020c, 0xc001_020f], // PERF_CTL6 and up
  [0xc001_0230, 0xc001_023b], // L3 counters
  [0xc001_0240, 0xc001_0247], // data fabric counters
  [0xc001_1030, 0xc001_103d], // IBS
];

/** True for a PMU register that guests on a host of this vendor never have. */
export function isForeignPmuMsr(msr: number, vendor: 'intel' | 'amd'): boolean {
  return FOREIGN.some(
    ([first, last, only]) => msr >= first && msr <= last && (only === undefined || only === vendor),
  );
}
