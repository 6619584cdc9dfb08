import { describe, expect, it } from 'vitest';
import {
  ARM64_PMU_REGISTERS,
  arm64RegisterName,
  cp15Code,
  cp15WideCode,
  parseArm64Register,
  registerByCode,
  sysregCode,
} from '../../src/arch/arm64-registers.ts';
import { RegisterSpace } from '../../src/domain/event-kind.ts';

const { sysreg, cp15, msr } = RegisterSpace;

describe('arm64 PMU register codes', () => {
  it('pack the encoding as the event column does', () => {
    expect(sysregCode(3, 3, 9, 12, 0)).toBe((3 << 14) | (3 << 11) | (9 << 7) | (12 << 3));
    expect(cp15Code(0, 14, 15, 7)).toBe((14 << 7) | (15 << 3) | 7);
    expect(cp15WideCode(0, 9)).toBe(0x1_0048);
  });

  it.each([
    [sysregCode(3, 3, 9, 12, 0), sysreg, 'PMCR_EL0'],
    [sysregCode(3, 3, 9, 12, 7), sysreg, 'PMCEID1_EL0'],
    [sysregCode(3, 0, 9, 14, 1), sysreg, 'PMINTENSET_EL1'],
    [sysregCode(3, 3, 9, 13, 2), sysreg, 'PMXEVCNTR_EL0'],
    [sysregCode(3, 3, 14, 8, 0), sysreg, 'PMEVCNTR0_EL0'],
    [sysregCode(3, 3, 14, 11, 6), sysreg, 'PMEVCNTR30_EL0'],
    [sysregCode(3, 3, 14, 13, 2), sysreg, 'PMEVTYPER10_EL0'],
    [sysregCode(3, 3, 14, 15, 7), sysreg, 'PMCCFILTR_EL0'],
    [sysregCode(3, 3, 14, 11, 7), sysreg, 'S3_3_C14_C11_7'],
    [sysregCode(3, 0, 1, 0, 0), sysreg, 'S3_0_C1_C0_0'],
    [cp15Code(0, 9, 13, 0), cp15, 'PMCCNTR'],
    [cp15WideCode(0, 9), cp15, 'PMCCNTR (64-bit)'],
    [cp15Code(0, 9, 12, 3), cp15, 'PMOVSR'],
    [cp15Code(0, 9, 14, 4), cp15, 'PMCEID0 (bits 63:32)'],
    [cp15Code(0, 9, 14, 5), cp15, 'PMCEID1 (bits 63:32)'],
    [cp15Code(0, 14, 9, 1), cp15, 'PMEVCNTR9'],
    [cp15Code(0, 1, 0, 0), cp15, 'p15 0,c1,c0,0'],
    [cp15WideCode(1, 14), cp15, 'p15 1,c14 (64-bit)'],
  ])('%i in space %i is %s', (code, space, name) => {
    expect(arm64RegisterName(code, space)).toBe(name);
  });

  it('every code names one register: no two rows share one', () => {
    const seen = new Map<string, string>();
    for (const row of ARM64_PMU_REGISTERS) {
      for (let index = 0; index < row.indices; index++) {
        for (const [space, code] of [
          [sysreg, row.sysreg + index],
          [cp15, row.cp15 + index],
        ] as const) {
          const key = `${space}:${code}`;
          expect(seen.get(key), `${row.name} ${index}`).toBeUndefined();
          seen.set(key, row.name);
          expect(registerByCode(code, space)).toMatchObject({ row, index });
        }
      }
    }
    expect(registerByCode(0xc1, msr)).toBeUndefined();
  });
});

describe('names people type', () => {
  const codes = (text: string): string | undefined =>
    parseArm64Register(text)
      ?.map(({ space, code }) => arm64RegisterName(code, space))
      .join(' ');

  it.each([
    ['PMCR_EL0', 'PMCR_EL0'],
    ['pmcr_el0', 'PMCR_EL0'],
    ['SYS_PMCR_EL0', 'PMCR_EL0'],
    ['pmcr', 'PMCR_EL0 PMCR'],
    ['PMEVCNTR3_EL0', 'PMEVCNTR3_EL0'],
    ['PMEVCNTR3', 'PMEVCNTR3_EL0 PMEVCNTR3'],
    ['PMOVSCLR', 'PMOVSCLR_EL0 PMOVSR'],
    ['PMINTENSET_EL1', 'PMINTENSET_EL1'],
    ['pmccntr', 'PMCCNTR_EL0 PMCCNTR PMCCNTR (64-bit)'],
    ['PMCEID1', 'PMCEID1_EL0 PMCEID1 PMCEID1 (bits 63:32)'],
    ['3,3,9,12,0', 'PMCR_EL0'],
    ['(3, 3, 14, 8, 5)', 'PMEVCNTR5_EL0'],
    ['S3_3_C9_C13_0', 'PMCCNTR_EL0'],
    ['3,0,1,0,0', 'S3_0_C1_C0_0'],
  ])('%s is %s', (text, names) => {
    expect(codes(text)).toBe(names);
  });

  it('an n stands for every index', () => {
    expect(parseArm64Register('PMEVTYPERn_EL0')).toHaveLength(31);
    expect(parseArm64Register('PMEVCNTRn')).toHaveLength(62);
  });

  it.each(['', 'PMEVCNTR31', 'PMEVCNTR3_EL1', 'IA32_PMC0', '4,0,0,0,0', '3,8,0,0,0', 'PM', 'n'])(
    '%j is none',
    (text) => {
      expect(parseArm64Register(text)).toBeUndefined();
    },
  );
});
