import { ARM64_PMU_REGISTERS, CP15_WIDE, PmuRegister } from '../arch/arm64-registers.ts';
import { RegisterSpace } from '../domain/event-kind.ts';

/** Bits of a dispatch entry: register kind, index, and which part an AArch32 access reaches. */
const INDEX_SHIFT = 8;
export const Part = { full: 0, low: 1 << 13, high: 2 << 13 } as const;
export const PART_MASK = 3 << 13;

const sysregTable = new Uint16Array(1 << 16);
const cp15Table = new Uint16Array(CP15_WIDE * 2);
for (const row of ARM64_PMU_REGISTERS) {
  for (let index = 0; index < row.indices; index++) {
    const entry = row.register | (index << INDEX_SHIFT);
    sysregTable[row.sysreg + index] = entry | Part.full;
    cp15Table[row.cp15 + index] = entry | Part.low;
  }
  if (row.cp15High !== undefined) cp15Table[row.cp15High] = row.register | Part.high;
  if (row.cp15Wide !== undefined) cp15Table[row.cp15Wide] = row.register | Part.full;
}

/** What an access reaches, packed; 0 for a register the vPMU does not own. */
export function dispatch(code: number, space: RegisterSpace): number {
  if (space === RegisterSpace.sysreg) return sysregTable[code] ?? 0;
  return space === RegisterSpace.cp15 ? (cp15Table[code] ?? 0) : 0;
}

export function registerOf(entry: number): PmuRegister {
  return (entry & 0xff) as PmuRegister;
}

export function indexOf(entry: number): number {
  return (entry >> INDEX_SHIFT) & 0x1f;
}

/** True if the vPMU model emulates the register. */
export function isPmuv3Register(code: number, space: RegisterSpace): boolean {
  return registerOf(dispatch(code, space)) !== PmuRegister.none;
}
