import { describe, expect, it } from 'vitest';
import { RegisterSpace } from '../../src/domain/event-kind.ts';
import { U64_MAX } from '../../src/domain/u64.ts';
import type { BackingAttr, HostPerf } from '../../src/emulator/host-perf.ts';
import { Pmuv3 } from '../../src/emulator/pmuv3.ts';
import { accessResult } from '../../src/emulator/pmuv3-config.ts';
import { machine, RULES } from './guest.ts';
import { codeOf } from './programs.ts';
import type { Kernel } from './reference.ts';

const { sysreg } = RegisterSpace;
const EL1 = { el: 1, aa32: false, wide: false } as const;

/** A host whose counts the test sets: [low, span] per counter. */
class SetPerf implements HostPerf {
  counts: Record<number, [low: bigint, span: bigint]> = {};
  rebased: number[] = [];
  create(i: number): boolean {
    this.counts[i] = [0n, 0n];
    return true;
  }
  enable(): void {}
  disable(): void {}
  release(i: number): void {
    delete this.counts[i];
  }
  countLow(i: number): bigint {
    return this.counts[i]?.[0] ?? 0n;
  }
  countSpan(i: number): bigint {
    return this.counts[i]?.[1] ?? 0n;
  }
  rebase(i: number): void {
    this.rebased.push(i);
    this.counts[i] = [0n, 0n];
  }
  doubt(i: number): void {
    this.counts[i] = [0n, U64_MAX];
  }
}

function setUp(kernel: Kernel, start: 'fresh' | 'unknown' = 'fresh') {
  const perf = new SetPerf();
  const pmu = new Pmuv3(machine(kernel), RULES[kernel], perf);
  if (start === 'fresh') pmu.newVcpu();
  const out = accessResult();
  const code = (reg: string): number => codeOf(reg, EL1).code;
  return {
    perf,
    pmu,
    write(...pairs: (string | bigint)[]): void {
      for (let i = 0; i < pairs.length; i += 2) {
        pmu.write(code(pairs[i] as string), sysreg, pairs[i + 1] as bigint, 1, out);
      }
    },
    hide: (reg: string): void => pmu.writeUnknown(code(reg), sysreg, 1),
    adopt: (reg: string, value: bigint): void => pmu.adopt(code(reg), sysreg, value),
    read(reg: string): readonly [low: bigint, span: bigint] {
      pmu.read(code(reg), sysreg, 1, out);
      return [out.low, out.span];
    },
  };
}

const UNKNOWN = [0n, U64_MAX];

describe('the cycle counter whose upper half may come to light (B.4)', () => {
  it('is exact from the start, and unknown after a PMCR write of unknown value', () => {
    const { read, hide } = setUp('4.6');
    expect(read('PMCCNTR')).toEqual([0xdbad_c0den, 0n]);
    hide('PMCR');
    expect(read('PMCCNTR')).toEqual(UNKNOWN);
  });

  it('shows a read value as long as it needs no more than 32 bits', () => {
    const { read, hide, adopt, perf, write } = setUp('4.14');
    write('PMCCFILTR', 0n);
    hide('PMCR');
    adopt('PMCCNTR', 0xffff_fff0n);
    perf.counts[31] = [0xfn, 0n];
    expect(read('PMCCNTR')).toEqual([0xffff_ffffn, 0n]);
    // One more, and it is 0 or 2^32.
    perf.counts[31] = [0x10n, 0n];
    expect(read('PMCCNTR')).toEqual(UNKNOWN);
    // A value that needs more settles it.
    adopt('PMCCNTR', 0x1_0000_0000n);
    perf.counts[31] = [0x17n, 0n];
    expect(read('PMCCNTR')).toEqual([0x1_0000_0007n, 0n]);
  });

  it('may show other bits after each PMCR write that may have set LC', () => {
    const { read, hide, write } = setUp('4.6', 'unknown');
    write('PMCCNTR', 5n);
    expect(read('PMCCNTR')).toEqual([5n, 0n]);
    hide('PMCR');
    expect(read('PMCCNTR')).toEqual(UNKNOWN);
  });

  it('has no known upper half once a read was its only source', () => {
    const { read, adopt, pmu, write } = setUp('4.6');
    pmu.forgetRegister(codeOf('PMCCNTR', EL1).code, sysreg, 11);
    adopt('PMCCNTR', 5n);
    expect(read('PMCCNTR')).toEqual([5n, 0n]);
    write('PMCR', 0x40n);
    expect(read('PMCCNTR')).toEqual(UNKNOWN);
  });

  it('has none after a fold, which stores what shows', () => {
    const { read, write, perf } = setUp('4.14');
    write('PMCCFILTR', 0n);
    perf.counts[31] = [0x10n, 0n];
    write('PMCCFILTR', 0n, 'PMCR', 0x40n);
    expect(read('PMCCNTR')).toEqual([0xdbad_c0een, 0n]);
  });

  it('survives a snapshot', () => {
    const { read, write, pmu } = setUp('4.6');
    write('PMCR', 0x40n);
    const saved = pmu.snapshot();
    pmu.vcpuReset();
    expect(read('PMCCNTR')).toEqual([0xdbad_c0den, 0n]);
    expect(pmu.restore(saved)).toBe(true);
    expect(read('PMCCNTR')).toEqual([0x1de7_ec7e_dbad_c0den, 0n]);
  });
});

describe('a kept event (B.4, B.5)', () => {
  it('makes a written value exact though its count is only bounded, and keeps the period', () => {
    const { read, write, perf, pmu } = setUp('4.6');
    write('PMEVCNTR0', 0xffff_ff00n, 'PMEVTYPER0', 8n);
    perf.counts[0] = [0x10n, 0x20n];
    write('PMEVCNTR0', 0n);
    expect([read('PMEVCNTR0'), perf.rebased]).toEqual([[0n, 0n], [0]]);
    // 0x10 to 0x30 of 0x100 events were counted before the write.
    perf.counts[0] = [0xcfn, 0n];
    expect([pmu.overflowPossible(0), pmu.overflowDue(0)]).toEqual([false, false]);
    perf.counts[0] = [0xd0n, 0n];
    expect([pmu.overflowPossible(0), pmu.overflowDue(0)]).toEqual([true, false]);
    perf.counts[0] = [0xf0n, 0n];
    expect([pmu.overflowPossible(0), pmu.overflowDue(0)]).toEqual([true, true]);
  });

  it('begins its next period where the last ended, as far as the count tells', () => {
    const { write, perf, pmu } = setUp('4.6');
    write('PMEVCNTR0', 0xffff_ff00n, 'PMEVTYPER0', 8n);
    perf.counts[0] = [0x100n, 0x7fn];
    pmu.overflow(0);
    perf.counts[0] = [0x1ffn, 0n];
    expect(pmu.overflowPossible(0)).toBe(false);
    perf.counts[0] = [0x200n, 0n];
    expect(pmu.overflowDue(0)).toBe(true);
    // Perhaps a whole period late: then perf would have begun anew.
    perf.counts[0] = [0x200n, 0x100n];
    pmu.overflow(0);
    expect(pmu.counterView(0).period).toBeUndefined();
  });
});

describe('the draft of 2015 (C.1)', () => {
  const attr: BackingAttr = {
    config: 1,
    type: 'hardware',
    wide: false,
    samplePeriod: 0xffff_ffffn,
    periodKnown: true,
    excludeUser: false,
    excludeKernel: false,
    excludeKnown: true,
    disabled: false,
  };

  it('a type write over an unknown one may have lost the count or not', () => {
    const { read, write, hide, perf } = setUp('2015');
    write('PMEVCNTR0', 100n, 'PMEVTYPER0', 8n);
    perf.counts[0] = [9n, 0n];
    hide('PMEVTYPER0');
    expect(read('PMEVCNTR0')).toEqual(UNKNOWN);
    // As soon as the new event's count is known: what was, or that without the 9.
    perf.counts[0] = [0n, 0n];
    expect(read('PMEVCNTR0')).toEqual([100n, 9n]);
  });

  it('a recorded creation tells the event behind a generic one, and nothing of the enables', () => {
    const { pmu, read } = setUp('2015', 'unknown');
    pmu.adoptBacking(0, attr);
    expect(pmu.counterView(0)).toMatchObject({
      event: 0x08,
      eventConfig: 1,
      eventType: 'hardware',
      cntEnable: undefined,
      pmcrE: undefined,
    });
    expect(read('PMEVCNTR0')).toEqual([1n, 0n]);
  });
});
