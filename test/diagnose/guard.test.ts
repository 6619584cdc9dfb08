import { describe, expect, it } from 'vitest';
import { impossibleText } from '../../src/cli/render/impossible.ts';
import { type Diagnosis, diagnoseLog } from '../../src/diagnose/diagnose-log.ts';
import type { RecordingFacts } from '../../src/domain/log-facts.ts';
import { draw, MemoryLog } from '../drawn-trace.ts';
import { ARM_CYCLES } from './cases/draw-parts.ts';
import { CASES } from './cases/index.ts';
import { runCase } from './cases/run-case.ts';

const ARM64 = { arch: 'arm64', kernelRelease: '6.12.0' } as const;
const INTEL = { arch: 'x86', kernelRelease: '6.12.0' } as const;

function diagnosed(
  drawing: string,
  facts: Partial<RecordingFacts> = ARM64,
  rules?: string,
): Diagnosis {
  return diagnoseLog(new MemoryLog(draw(drawing), 64, facts), rules === undefined ? {} : { rules });
}

const codes = ({ windows }: Diagnosis): string[] =>
  windows.flatMap(({ impossible }) => impossible.map(({ code }) => code));

/** The cycle counter after 1 ms of guest time. */
const cyclesAfterOneMs = (value: number): string => `
  ${ARM_CYCLES}
  +100 v0 enter
  +1ms v0 exit SYS64
  +100 v0 entry read PMCCNTR_EL0
  +50  v0 count e1 ${value}
  +50  v0 done read PMCCNTR_EL0 = ${value}
  +100 v0 enter
`;

describe('the guard against impossible values', () => {
  it('knows how many cycles fit into guest time', () => {
    // 10 GHz and 2 us of slack: 10,020,000 in 1 ms fit (the entry ends 100 ns later), twice as many do not.
    expect(codes(diagnosed(cyclesAfterOneMs(10_000_000)))).toEqual([]);
    const fast = diagnosed(cyclesAfterOneMs(20_000_000));
    expect(codes(fast)).toEqual(['too-fast']);
    expect(fast.windows.flatMap(({ impossible }) => impossible)[0]!.text).toMatch(/20,000,000/);
  });

  it('knows the width of a counter', () => {
    const drawing = (value: string): string => `
      0    v0 refresh
      1us  v0 enter
      +300 v0 exit MSR_WRITE
      +100 v0 wrmsr 0x38f=0x1
      +100 v0 wrmsr 0x186=0x5300c0
      +100 v0 enter
      +1ms v0 exit MSR_READ
      +100 v0 rdmsr 0xc1=${value}
      +100 v0 enter
    `;
    expect(codes(diagnosed(drawing('0x0000000000001000'), INTEL))).toEqual([]);
    expect(codes(diagnosed(drawing('0xffff000000001000'), INTEL))).toContain('too-wide');
  });

  it('knows that an event runs no longer than it is enabled', () => {
    const drawing = (running: number): string => `
      ${ARM_CYCLES}
      +100 v0 enter
      +1ms v0 exit IRQ
      +100 v0 hread e1 1000 1000000 ${running} 1
      +100 v0 enter
    `;
    expect(codes(diagnosed(drawing(1_000_000)))).toEqual([]);
    expect(codes(diagnosed(drawing(1_000_001)))).toEqual(['runs-longer']);
  });

  it('knows that a counter goes forward', () => {
    const drawing = (second: number): string => `
      ${ARM_CYCLES}
      +100 v0 enter
      +1ms v0 exit SYS64
      +100 v0 entry read PMCCNTR_EL0
      +50  v0 count e1 5000
      +50  v0 done read PMCCNTR_EL0 = 5000
      +100 v0 enter
      +1ms v0 exit SYS64
      +100 v0 read PMCCNTR_EL0 = ${second}
    `;
    expect(codes(diagnosed(drawing(5001)))).toEqual([]);
    const back = diagnosed(drawing(4000));
    expect(back.windows.flatMap(({ window }) => window.records.contradicted)).toHaveLength(1);
  });

  it('knows that a window that went back below its start did so', () => {
    const back = runCase(CASES.find(({ id }) => id === 'C19')!);
    expect(back.window?.impossible.map(({ code }) => code)).toEqual(['backwards']);
  });

  it('knows that four metrics share the whole', () => {
    const of = CASES.find(({ id }) => id === 'F06')!;
    expect(runCase(of).window?.impossible).toEqual([]);
    const wrong = runCase(of, of.drawing.replace('0x55555501', '0x55555555'));
    expect(wrong.window?.impossible.map(({ code }) => code)).toEqual(['metric-sum']);
  });

  it('finds nothing in the known cases but the counters that went back', () => {
    const found = CASES.flatMap((of) => {
      const windows = runCase(of).diagnosis.windows;
      return windows.flatMap(({ impossible }) => impossible.map(({ code }) => `${of.id} ${code}`));
    });
    expect(found.filter((text) => !text.endsWith(' backwards'))).toEqual([]);
    expect([...new Set(found)]).toEqual(['C19 backwards']);
  });

  it('is told first, with what to do', () => {
    const text = impossibleText(diagnosed(cyclesAfterOneMs(20_000_000)));
    expect(text[0]).toBe('1 value that cannot be:');
    expect(text[1]).toMatch(/^vcpu0 counter 31: .*@\d+.*too-fast: check the clock/);
    expect(impossibleText(diagnosed(cyclesAfterOneMs(1000)))).toEqual([]);
  });
});
