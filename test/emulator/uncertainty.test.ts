import { describe, expect, it } from 'vitest';
import { RegisterSpace } from '../../src/domain/event-kind.ts';
import { U64_MAX } from '../../src/domain/u64.ts';
import type { BackingAttr, HostPerf } from '../../src/emulator/host-perf.ts';
import { Pmuv3 } from '../../src/emulator/pmuv3.ts';
import { accessResult } from '../../src/emulator/pmuv3-config.ts';
import { PMUV3_STATE_VERSION } from '../../src/emulator/pmuv3-state.ts';
import { addSpans, inInterval, meetsZero } from '../../src/emulator/span.ts';
import { UNCERTAINTY_REASONS, UncertaintyReason } from '../../src/emulator/uncertainty.ts';
import { machine, RULES } from './guest.ts';
import { codeOf } from './programs.ts';

const { sysreg, cp15 } = RegisterSpace;

const EL1 = { el: 1, aa32: false, wide: false } as const;

const ATTR: BackingAttr = {
  config: 0x11,
  wide: false,
  samplePeriod: 0x10n,
  periodKnown: true,
  excludeUser: true,
  excludeKernel: false,
  excludeKnown: true,
  disabled: false,
};

/** A host whose counts the test sets: [low, span] per counter; notes the calls. */
class SetPerf implements HostPerf {
  counts: Record<number, [low: bigint, span: bigint]> = {};
  calls: string[] = [];
  create(i: number, attr: Readonly<BackingAttr>): boolean {
    const period = attr.periodKnown ? attr.samplePeriod.toString(16) : '?';
    this.calls.push(
      `create ${i} ${attr.config.toString(16)} ${period} ${attr.disabled ? 'off' : 'on'}`,
    );
    this.counts[i] = [0n, 0n];
    return true;
  }
  enable(i: number): void {
    this.calls.push(`enable ${i}`);
  }
  disable(i: number): void {
    this.calls.push(`disable ${i}`);
  }
  release(i: number): void {
    this.calls.push(`release ${i}`);
    delete this.counts[i];
  }
  countLow(i: number): bigint {
    return this.counts[i]?.[0] ?? 0n;
  }
  countSpan(i: number): bigint {
    return this.counts[i]?.[1] ?? 0n;
  }
  rebase(i: number): void {
    this.calls.push(`rebase ${i}`);
    this.counts[i] = [0n, 0n];
  }
  doubt(i: number): void {
    this.calls.push(`doubt ${i}`);
    this.counts[i] = [0n, U64_MAX];
  }
}

/** A vPMU on a host whose counts are set by hand. `start`: a fresh vCPU, or nothing known. */
function setUp(start: 'fresh' | 'unknown', kernel: '6.1' | '6.12' = '6.12', pmuVer = 5) {
  const perf = new SetPerf();
  const pmu = new Pmuv3(machine(kernel, { pmuVer }), RULES[kernel], perf);
  if (start === 'fresh') {
    pmu.newVcpu();
    pmu.guestEnter();
  } else pmu.unknownState();
  perf.calls = [];
  const out = accessResult();
  return {
    perf,
    pmu,
    out,
    write(...pairs: (string | bigint)[]): void {
      for (let i = 0; i < pairs.length; i += 2) {
        pmu.write(codeOf(pairs[i] as string, EL1).code, sysreg, pairs[i + 1] as bigint, 1, out);
      }
    },
    hide(reg: string): void {
      pmu.writeUnknown(codeOf(reg, EL1).code, sysreg, 1);
    },
    adopt(reg: string, value: bigint): void {
      pmu.adopt(codeOf(reg, EL1).code, sysreg, value);
    },
    read(reg: string, el = 1): [low: bigint, span: bigint, unknownBits: bigint] {
      pmu.read(codeOf(reg, EL1).code, sysreg, el, out);
      return [out.low, out.span, out.unknownBits];
    },
    register(reg: string) {
      return pmu.registerViews().find((view) => view.name.startsWith(reg))!;
    },
  };
}

const COUNTING = [
  'PMCNTENCLR',
  U64_MAX,
  'PMEVTYPER0',
  8n,
  'PMEVCNTR0',
  1000n,
  'PMCNTENSET',
  1n,
  'PMCR',
  1n,
] as const;

describe('intervals', () => {
  it('add, contain and meet zero', () => {
    expect([
      addSpans(0n, 7n),
      addSpans(3n, 4n),
      addSpans(U64_MAX, 0n),
      addSpans(U64_MAX, 5n),
      addSpans(U64_MAX - 1n, 2n),
    ]).toEqual([7n, 7n, U64_MAX, U64_MAX, U64_MAX]);
    expect([
      inInterval(1n, 0xffff_ffffn, 2n, 32),
      inInterval(2n, 0xffff_ffffn, 2n, 32),
      inInterval(5n, 9n, U64_MAX, 64),
    ]).toEqual([true, false, true]);
    expect([
      meetsZero(0xffff_ffffn, 0n, 32),
      meetsZero(0xffff_ffffn, 1n, 32),
      meetsZero(0x1_0000_0000n, 0n, 32),
      meetsZero(0x1_0000_0000n, 0n, 64),
    ]).toEqual([false, true, true, false]);
  });
});

describe('nothing known', () => {
  it('answers unknown, with reason and event, and keeps what never varies', () => {
    const { pmu, read, register } = setUp('unknown');
    expect(read('PMEVCNTR0')).toEqual([0n, U64_MAX, 0n]);
    expect(read('PMCNTENSET')).toEqual([0n, 0n, 0x8000_003fn]);
    expect(read('PMCR')).toEqual([0x3000n, 0n, 0xf9n]);
    expect(read('PMUSERENR')).toEqual([0n, 0n, 0xfn]);
    expect(register('PMINTEN').reason).toBe(UncertaintyReason.initialState);
    expect(pmu.lineLevel()).toBeUndefined();
    expect(pmu.irqLevel).toBeUndefined();
    const view = pmu.counterView(3);
    expect([
      view.event,
      view.hasEvent,
      view.eventEnabled,
      view.period,
      view.pmcrE,
      view.reason,
    ]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
      UncertaintyReason.initialState,
    ]);
    expect(UNCERTAINTY_REASONS[view.reason]!.code).toBe('initial-state-not-recorded');
  });

  it('cannot tell if EL0 or an unknown selector is refused', () => {
    const { out, read } = setUp('unknown');
    read('PMCR', 0);
    expect([out.undef, out.outcomeUnknown]).toEqual([false, true]);
    expect(read('PMXEVCNTR')).toEqual([0n, U64_MAX, 0n]);
    expect([out.undef, out.outcomeUnknown, out.counter]).toEqual([false, true, -1]);
    expect(read('PMXEVTYPER')[2]).toBe(0xffff_ffffn);
    // What no state could change stays certain.
    read('PMEVCNTR9', 1);
    expect([out.undef, out.outcomeUnknown]).toEqual([true, false]);
    read('PMINTENSET', 0);
    expect([out.undef, out.outcomeUnknown]).toEqual([true, false]);
  });

  it('becomes exact by what a guest does: a driver that resets everything leaves no doubt', () => {
    const { perf, pmu, read, write } = setUp('unknown');
    write(
      'PMCNTENCLR',
      U64_MAX,
      'PMINTENCLR',
      U64_MAX,
      'PMOVSCLR',
      U64_MAX,
      'PMUSERENR',
      0n,
      'PMCR',
      0x46n,
    );
    for (let i = 0; i < 6; i++) write(`PMEVTYPER${i}`, 8n);
    write('PMCCFILTR', 0n, 'PMSELR', 0n);
    for (const reg of [
      'PMCR',
      'PMCNTENSET',
      'PMINTENSET',
      'PMOVSSET',
      'PMUSERENR',
      'PMEVCNTR5',
      'PMCCNTR',
      'PMXEVTYPER',
    ]) {
      expect(read(reg).slice(1), reg).toEqual([0n, 0n]);
    }
    expect(pmu.lineLevel()).toBe(0);
    expect(pmu.counterView(2)).toMatchObject({
      hasEvent: true,
      eventEnabled: false,
      period: 0n,
      event: 8,
      reason: 0,
    });
    // An event that perhaps was there is released before the one that surely is there is made.
    expect(perf.calls.filter((call) => call.endsWith(' 2') || call.includes(' 2 '))).toEqual([
      'disable 2', // PMCNTENCLR
      'disable 2',
      'release 2',
      // PMCR.P: whether SW_INCR or a real event is not known yet, but it would be disabled
      'disable 2',
      'release 2',
      'create 2 8 0 off', // PMEVTYPER2
    ]);
  });
});

describe('counts that are only bounded', () => {
  it('pass through to the value, and a fold keeps them with its reason', () => {
    const { perf, pmu, read, write } = setUp('fresh');
    write(...COUNTING);
    perf.counts[0] = [20n, 5n];
    expect(read('PMEVCNTR0')).toEqual([1020n, 5n, 0n]);
    expect(pmu.counterView(0).reason).toBe(UncertaintyReason.countNotRecorded);
    pmu.seq = 42;
    write('PMEVTYPER0', 0x11n);
    expect(perf.calls.at(-1)).toBe('create 0 11 ? on');
    expect(read('PMEVCNTR0')).toEqual([1020n, 5n, 0n]);
    expect(pmu.counterView(0)).toMatchObject({
      reason: UncertaintyReason.countNotRecorded,
      since: 42,
      period: undefined,
    });
  });

  it('a 32-bit counter whose interval covers everything is unknown', () => {
    const { perf, read, write } = setUp('fresh');
    write(...COUNTING);
    perf.counts[0] = [0n, 0xffff_fffen];
    expect(read('PMEVCNTR0')).toEqual([1000n, 0xffff_fffen, 0n]);
    perf.counts[0] = [0n, 0xffff_ffffn];
    expect(read('PMEVCNTR0')).toEqual([0n, U64_MAX, 0n]);
  });

  it('an adopted value makes it exact again and starts counting from there', () => {
    const { adopt, perf, pmu, read, write } = setUp('fresh');
    write(...COUNTING);
    perf.counts[0] = [20n, 5n];
    adopt('PMEVCNTR0', 1023n);
    expect(perf.calls.at(-1)).toBe('rebase 0');
    expect(read('PMEVCNTR0')).toEqual([1023n, 0n, 0n]);
    // The count since creation is known too: the re-arm uses it, not what was counted since the rebase.
    perf.counts[0] = [7n, 0n];
    pmu.overflow(0);
    expect(pmu.counterView(0).period).toBe(0x1_0000_0000n - 30n);
  });

  it('an exact count needs no rebase: a different value corrects the base', () => {
    const { adopt, perf, read, write } = setUp('fresh');
    write(...COUNTING);
    perf.counts[0] = [20n, 0n];
    perf.calls = [];
    adopt('PMEVCNTR0', 5000n);
    expect([perf.calls, read('PMEVCNTR0')]).toEqual([[], [5000n, 0n, 0n]]);
    perf.counts[0] = [21n, 0n];
    expect(read('PMEVCNTR0')).toEqual([5001n, 0n, 0n]);
  });

  it('a value proved while it is open whether there is an event holds without one', () => {
    const { adopt, perf, read } = setUp('unknown');
    perf.counts[0] = [70n, 0n];
    adopt('PMEVCNTR0', 1000n);
    expect(perf.calls.at(-1)).toBe('rebase 0');
    adopt('PMEVTYPER0', 0n);
    expect(read('PMEVCNTR0')).toEqual([1000n, 0n, 0n]);
  });

  it('a 32-bit read of a 64-bit counter settles the low half', () => {
    const { perf, pmu, read, write } = setUp('fresh', '6.12', 6);
    write('PMEVTYPER0', 8n, 'PMEVCNTR0', 0xffff_fff0n, 'PMCNTENSET', 1n, 'PMCR', 1n);
    perf.counts[0] = [0n, 100n];
    pmu.adopt(codeOf('PMEVCNTR0', { el: 1, aa32: true, wide: false }).code, cp15, 4n);
    expect(read('PMEVCNTR0')).toEqual([0x1_0000_0004n, 0n, 0n]);
    perf.counts[0] = [0n, 0x2_0000_0000n];
    pmu.adopt(codeOf('PMEVCNTR0', { el: 1, aa32: true, wide: false }).code, cp15, 6n);
    expect(read('PMEVCNTR0')).toEqual([0x1_0000_0006n, 0x1_0000_0000n, 0n]);
    expect(pmu.counterView(0).reason).toBe(UncertaintyReason.upperHalfUnknown);
  });
});

describe('overflows', () => {
  it('are possible once the count may have reached the period, due once it surely has', () => {
    const { perf, pmu, write } = setUp('fresh');
    write('PMEVTYPER0', 8n, 'PMEVCNTR0', 0xffff_fff0n, 'PMCNTENSET', 1n, 'PMCR', 1n);
    const state = (low: bigint, span: bigint): boolean[] => {
      perf.counts[0] = [low, span];
      return [pmu.overflowPossible(0), pmu.overflowDue(0)];
    };
    expect([
      state(0n, 15n),
      state(0n, 16n),
      state(15n, 1n),
      state(16n, 0n),
      state(0n, U64_MAX),
    ]).toEqual([
      [false, false],
      [true, false],
      [true, false],
      [true, true],
      [true, false],
    ]);
  });

  it('are impossible for a counter made at zero', () => {
    const { perf, pmu, write } = setUp('fresh');
    write('PMEVTYPER0', 8n, 'PMEVCNTR0', 0n, 'PMCNTENSET', 1n, 'PMCR', 1n);
    perf.counts[0] = [0n, U64_MAX];
    expect(pmu.overflowPossible(0)).toBe(false);
  });

  it('that may have happened open the status bit and widen the CHAIN neighbour', () => {
    const { pmu, read, register, write } = setUp('fresh');
    write('PMEVTYPER0', 8n, 'PMEVTYPER1', 0x1en, 'PMEVCNTR0', 0xffff_fff0n, 'PMEVCNTR1', 5n);
    write(
      'PMCNTENCLR',
      U64_MAX,
      'PMOVSCLR',
      U64_MAX,
      'PMINTENSET',
      1n,
      'PMCNTENSET',
      3n,
      'PMCR',
      1n,
    );
    pmu.seq = 77;
    pmu.markOverflowPossible(0);
    expect(read('PMOVSSET')).toEqual([0n, 0n, 1n]);
    expect(register('PMOVSSET')).toMatchObject({
      reason: UncertaintyReason.overflowNotRecorded,
      since: 77,
    });
    expect(read('PMEVCNTR1')).toEqual([5n, 1n, 0n]);
    expect([pmu.lineLevel(), pmu.counterView(0).period, pmu.counterView(1).reason]).toEqual([
      undefined,
      undefined,
      UncertaintyReason.gateUnknown,
    ]);
    pmu.markOverflowPossible(0, 4n);
    expect(read('PMEVCNTR1')).toEqual([5n, 5n, 0n]);
    write('PMOVSCLR', 1n);
    expect([read('PMOVSSET'), pmu.lineLevel(), register('PMOVSSET').reason]).toEqual([
      [0n, 0n, 0n],
      0,
      0,
    ]);
  });
});

describe('values and records that are missing', () => {
  it('an unknown PMCR value opens E, hides every counter but keeps bounds, and a read of PMCR settles the gate', () => {
    const { adopt, hide, perf, pmu, read, write } = setUp('fresh');
    write(...COUNTING);
    perf.counts[0] = [7n, 0n];
    perf.calls = [];
    pmu.seq = 9;
    hide('PMCR');
    expect(read('PMCR')).toEqual([0x3000n, 0n, 0x79n]);
    perf.counts[0] = [0n, 0n];
    // Zero if P was written, else what it was.
    expect(read('PMEVCNTR0')).toEqual([0n, 1007n, 0n]);
    expect(pmu.counterView(0)).toMatchObject({
      reason: UncertaintyReason.valueNotRecorded,
      since: 9,
      eventEnabled: undefined,
    });
    expect(perf.calls).toContain('doubt 0');
    perf.calls = [];
    adopt('PMCR', 0x3000n);
    expect(perf.calls).toEqual(['disable 0']);
    expect(pmu.counterView(0).eventEnabled).toBe(false);
  });

  it('an unknown counter value leaves the event sure and its period open', () => {
    const { hide, perf, read, write } = setUp('fresh');
    write(...COUNTING);
    perf.calls = [];
    hide('PMEVCNTR0');
    expect([perf.calls, read('PMEVCNTR0')[1]]).toEqual([
      ['disable 0', 'release 0', 'create 0 8 ? on'],
      U64_MAX,
    ]);
  });

  it('a write through an unknown PMSELR may have hit any counter, a known one only its own', () => {
    const { hide, pmu, read, write } = setUp('fresh');
    for (let i = 0; i < 6; i++) write(`PMEVTYPER${i}`, 0n, `PMEVCNTR${i}`, 3n);
    hide('PMSELR');
    write('PMXEVCNTR', 9n);
    expect([read('PMEVCNTR4')[1], pmu.counterView(4).reason]).toEqual([
      U64_MAX,
      UncertaintyReason.selectorUnknown,
    ]);
    write('PMSELR', 2n, 'PMXEVCNTR', 9n);
    expect(read('PMEVCNTR2')).toEqual([9n, 0n, 0n]);
  });

  it('set and clear of unknown bits open only what they can change', () => {
    const { hide, read, write } = setUp('fresh');
    write('PMINTENCLR', U64_MAX, 'PMINTENSET', 0x3n);
    hide('PMINTENCLR');
    expect(read('PMINTENSET')).toEqual([0n, 0n, 3n]);
    write('PMINTENSET', 1n);
    hide('PMINTENSET');
    expect(read('PMINTENSET')).toEqual([1n, 0n, 0x8000_003en]);
  });

  it('lost records: everything, with the event they were lost at', () => {
    const { perf, pmu, read, write } = setUp('fresh');
    write(...COUNTING);
    pmu.seq = 1234;
    perf.calls = [];
    pmu.forget();
    expect(read('PMEVCNTR0')[1]).toBe(U64_MAX);
    expect(pmu.counterView(0)).toMatchObject({
      reason: UncertaintyReason.recordsLost,
      since: 1234,
      typeReason: UncertaintyReason.recordsLost,
    });
    expect(perf.calls).toEqual([
      'doubt 0',
      'doubt 1',
      'doubt 2',
      'doubt 3',
      'doubt 4',
      'doubt 5',
      'doubt 31',
    ]);
  });

  it('one register can be forgotten alone', () => {
    const { pmu, read } = setUp('fresh');
    const { code } = codeOf('PMCNTENSET', EL1);
    pmu.seq = 5;
    pmu.forgetRegister(code, sysreg, UncertaintyReason.userspaceUnknown);
    expect([read('PMCNTENSET'), read('PMINTENSET')]).toEqual([
      [0n, 0n, 0x8000_003fn],
      [0x8000_001en, 0n, 0n],
    ]);
    expect(pmu.registerViews()[3]).toMatchObject({
      name: 'PMCNTENSET_EL0',
      reason: UncertaintyReason.userspaceUnknown,
      since: 5,
    });
  });
});

describe('what the model cannot be sure of', () => {
  it('a creation with an open filter: only an enabled event puts the host in doubt', () => {
    const { hide, perf, pmu, write } = setUp('fresh');
    write('PMCNTENCLR', U64_MAX);
    perf.calls = [];
    hide('PMCCFILTR');
    expect(perf.calls).toEqual(['create 31 11 24523f22 off']);
    write('PMCR', 1n);
    perf.calls = [];
    write('PMCNTENSET', 0x8000_0000n);
    expect(perf.calls).toEqual(['enable 31', 'doubt 31']);
    perf.calls = [];
    hide('PMCCFILTR');
    expect(perf.calls.slice(-2)).toEqual(['create 31 11 ? on', 'doubt 31']);
    expect(pmu.counterView(31).reason).toBe(UncertaintyReason.countNotRecorded);
  });

  it('a creation with an open gate is asked for disabled, then doubted', () => {
    const { perf, pmu, write } = setUp('fresh');
    write('PMCNTENCLR', U64_MAX, 'PMCR', 1n);
    pmu.forgetRegister(codeOf('PMCNTENSET', EL1).code, sysreg, UncertaintyReason.userspaceUnknown);
    perf.calls = [];
    write('PMEVTYPER5', 8n);
    expect(perf.calls.slice(-2)).toEqual(['create 5 8 24523f22 off', 'doubt 5']);
    expect(pmu.counterView(5)).toMatchObject({
      hasEvent: true,
      eventEnabled: undefined,
      reason: UncertaintyReason.gateUnknown,
    });
  });

  it('when a missing event was made: its period is known only if both moments agree on it', () => {
    const { pmu, write } = setUp('fresh', '6.12', 6);
    write('PMCNTENCLR', U64_MAX);
    pmu.forgetRegister(codeOf('PMCNTENSET', EL1).code, sysreg, UncertaintyReason.userspaceUnknown);
    write('PMCR', 1n);
    expect(pmu.counterView(5)).toMatchObject({ hasEvent: undefined, period: 0x2452_3f22n });
    write('PMCR', 1n);
    expect(pmu.counterView(5).period).toBe(0x2452_3f22n);
    write('PMCR', 0x81n);
    expect(pmu.counterView(5).period).toBeUndefined();
  });

  it('what a write through an unknown selector left: value, type, event and its count', () => {
    const { hide, perf, pmu, read, write } = setUp('fresh');
    write(...COUNTING);
    perf.counts[0] = [30n, 0n];
    hide('PMSELR');
    write('PMXEVTYPER', 0x11n);
    expect(pmu.counterView(0)).toMatchObject({
      hasEvent: undefined,
      eventEnabled: undefined,
      event: undefined,
    });
    perf.counts[0] = [0n, 0n];
    expect(read('PMEVCNTR0')).toEqual([1030n, 0n, 0n]);
    pmu.overflow(0);
    expect(pmu.counterView(0).period).toBeUndefined();
  });

  it('the upper half an AArch32 write keeps is that of the stored base, also after a proved value', () => {
    const { adopt, perf, pmu, read, write, out } = setUp('fresh', '6.12', 6);
    write('PMEVTYPER0', 8n, 'PMEVCNTR0', 0xffff_fff0n, 'PMCNTENSET', 1n, 'PMCR', 1n);
    perf.counts[0] = [0n, 100n];
    adopt('PMEVCNTR0', 0x1_0000_0004n);
    pmu.write(codeOf('PMEVCNTR0', { el: 1, aa32: true, wide: false }).code, cp15, 7n, 1, out);
    expect(read('PMEVCNTR0')).toEqual([7n, 0n, 0n]);
    // A base that may lie on either side of a multiple of 2^32, or of 2^64.
    pmu.userspaceSetCounter(0, 0n);
    perf.counts[0] = [0xffff_fff0n, 0x20n];
    write('PMEVTYPER0', 8n);
    pmu.write(codeOf('PMEVCNTR0', { el: 1, aa32: true, wide: false }).code, cp15, 7n, 1, out);
    expect(read('PMEVCNTR0')).toEqual([7n, 0x1_0000_0000n, 0n]);
    pmu.userspaceSetCounter(0, 0xffff_ffff_ffff_fff0n);
    perf.counts[0] = [0n, 0x20n];
    write('PMEVTYPER0', 8n);
    pmu.write(codeOf('PMEVCNTR0', { el: 1, aa32: true, wide: false }).code, cp15, 7n, 1, out);
    expect(read('PMEVCNTR0')[1]).toBe(U64_MAX);
  });

  it('an increment to a multiple of 2^32 overflows only perhaps while PMCR.LP is open', () => {
    const { hide, pmu, read, write } = setUp('fresh', '6.12', 6);
    write('PMCNTENCLR', U64_MAX, 'PMOVSCLR', U64_MAX, 'PMCNTENSET', 3n);
    write('PMEVTYPER0', 0n, 'PMEVCNTR0', 0x1_ffff_ffffn, 'PMEVTYPER1', 0x1en, 'PMEVCNTR1', 5n);
    hide('PMCR');
    write('PMEVCNTR0', 0x1_ffff_ffffn, 'PMEVCNTR1', 5n);
    // An enabled creation elsewhere proves E.
    pmu.adoptBacking(2, { ...ATTR, config: 8, periodKnown: false });
    write('PMSWINC', 1n);
    expect([read('PMEVCNTR0'), read('PMOVSSET'), read('PMEVCNTR1')]).toEqual([
      [0x2_0000_0000n, 0n, 0n],
      [0n, 0n, 1n],
      [5n, 1n, 0n],
    ]);
  });

  it('several unrecorded overflows may have carried a CHAIN neighbour over its own top', () => {
    const { pmu, read, write } = setUp('fresh');
    write(
      'PMEVTYPER0',
      8n,
      'PMEVTYPER1',
      0x1en,
      'PMEVCNTR0',
      0xffff_fff0n,
      'PMEVCNTR1',
      0xffff_fffdn,
    );
    write('PMCNTENCLR', U64_MAX, 'PMOVSCLR', U64_MAX, 'PMCNTENSET', 3n, 'PMCR', 1n);
    pmu.markOverflowPossible(0, 2n);
    expect([read('PMEVCNTR1'), read('PMOVSSET')]).toEqual([
      [0xffff_fffdn, 2n, 0n],
      [0n, 0n, 1n],
    ]);
    pmu.markOverflowPossible(0, 3n);
    expect([read('PMEVCNTR1'), read('PMOVSSET')]).toEqual([
      [0xffff_fffdn, 5n, 0n],
      [0n, 0n, 3n],
    ]);
    // Also when only the later ones of a single report reach it.
    write('PMOVSCLR', U64_MAX, 'PMEVCNTR1', 0xffff_fffdn);
    pmu.markOverflowPossible(0, 4n);
    expect([read('PMEVCNTR1'), read('PMOVSSET')]).toEqual([
      [0xffff_fffdn, 4n, 0n],
      [0n, 0n, 3n],
    ]);
  });

  it('an unknown value written to PMCNTENCLR opens what was enabled, and the host is in doubt of it', () => {
    const { adopt, hide, perf, pmu, read, write } = setUp('fresh');
    write(...COUNTING);
    perf.calls = [];
    hide('PMCNTENCLR');
    expect([read('PMCNTENSET'), perf.calls]).toEqual([[0n, 0n, 1n], ['doubt 0']]);
    expect(pmu.counterView(0)).toMatchObject({ hasEvent: true, eventEnabled: undefined });
    adopt('PMCNTENSET', 0n);
    expect([perf.calls, pmu.counterView(0).eventEnabled]).toEqual([
      ['doubt 0', 'disable 0'],
      false,
    ]);
  });

  it('a 32-bit read of a 64-bit counter that may have gone round says nothing', () => {
    const { out, perf, pmu, write } = setUp('fresh', '6.12', 6);
    write(...COUNTING);
    const low = (span: bigint): [bigint, bigint, number] => {
      perf.counts[0] = [0x1_0000_0000n, span];
      pmu.read(codeOf('PMEVCNTR0', { el: 1, aa32: true, wide: false }).code, cp15, 1, out);
      return [out.low, out.span, out.width];
    };
    expect([low(0n), low(9n), low(0xffff_ffffn)]).toEqual([
      [1000n, 0n, 32],
      [1000n, 9n, 32],
      [0n, U64_MAX, 32],
    ]);
  });

  it('the upper half an AArch32 write keeps is open while it is open which event counted', () => {
    const { hide, out, perf, pmu, read, write } = setUp('fresh', '6.12', 6);
    write('PMEVTYPER0', 8n, 'PMEVCNTR0', 0xffff_fff0n, 'PMCNTENSET', 1n, 'PMCR', 1n);
    perf.counts[0] = [0x20n, 0n];
    hide('PMSELR');
    write('PMXEVTYPER', 8n);
    perf.counts[0] = [0n, 0n];
    expect(read('PMEVCNTR0')).toEqual([0x1_0000_0010n, 0n, 0n]);
    pmu.write(codeOf('PMEVCNTR0', { el: 1, aa32: true, wide: false }).code, cp15, 7n, 1, out);
    perf.counts[0] = [0n, 0n];
    expect(read('PMEVCNTR0')[1]).toBe(U64_MAX);
  });

  it('E = 0 turns every event off, also where PMCNTEN is open', () => {
    const { pmu, write } = setUp('fresh');
    write('PMCNTENCLR', U64_MAX);
    pmu.forgetRegister(codeOf('PMCNTENSET', EL1).code, sysreg, UncertaintyReason.userspaceUnknown);
    write('PMCR', 1n);
    expect(pmu.counterView(2).eventEnabled).toBeUndefined();
    write('PMCR', 0n);
    expect(pmu.counterView(2).eventEnabled).toBe(false);
  });

  it('the vGIC is told of a change only if the level before is known', () => {
    const { pmu, write } = setUp('unknown');
    write('PMOVSSET', 1n, 'PMINTENSET', 1n, 'PMCR', 1n);
    expect([pmu.guestEnter(), pmu.irqLevel]).toEqual([false, 1]);
    write('PMCR', 0n);
    expect([pmu.guestExit(), pmu.irqLevel]).toEqual([true, 0]);
  });

  it('records lost before the first run hide whether it zeroes the cycle counter', () => {
    const pmu = new Pmuv3(machine('6.1'), RULES['6.1'], new SetPerf());
    pmu.newVcpu();
    pmu.forget();
    for (let i = 0; i < 6; i++) pmu.adopt(codeOf(`PMEVTYPER${i}`, EL1).code, sysreg, 0n);
    pmu.adopt(codeOf('PMCR', EL1).code, sysreg, 0x4101_30a8n);
    pmu.adopt(codeOf('PMCCNTR', EL1).code, sysreg, 5n);
    pmu.guestEnter();
    expect(pmu.counterView(31)).toMatchObject({ low: 0n, span: U64_MAX });
  });

  it('a possible reset of a counter whose interval goes round says nothing', () => {
    const { hide, perf, read, write } = setUp('fresh');
    write('PMCCFILTR', 0n, 'PMCCNTR', U64_MAX - 4n, 'PMCNTENSET', 0x8000_0000n, 'PMCR', 1n);
    perf.counts[31] = [0n, 10n];
    hide('PMCR');
    perf.counts[31] = [0n, 0n];
    expect(read('PMCCNTR')[1]).toBe(U64_MAX);
  });

  it('a PMCR that was read before the first run does not show its C bit: 6.1 still zeroes the cycle counter', () => {
    const pmu = new Pmuv3(machine('6.1'), RULES['6.1'], new SetPerf());
    pmu.newVcpu();
    pmu.adopt(codeOf('PMCR', EL1).code, sysreg, 0x4101_30a8n);
    pmu.guestEnter();
    expect(pmu.counterView(31)).toMatchObject({ low: 0n, span: 0n });
  });

  it('the count behind a proved value: not if the base was open, and only modulo 2^32 for a 32-bit counter', () => {
    const rearmed = (base: 'exact' | 'open', counted: [bigint, bigint]): bigint | undefined => {
      const { adopt, perf, pmu, write } = setUp('fresh');
      write(
        'PMCNTENCLR',
        U64_MAX,
        'PMEVTYPER0',
        8n,
        'PMEVCNTR0',
        1000n,
        'PMCNTENSET',
        1n,
        'PMCR',
        1n,
      );
      if (base === 'open') {
        perf.counts[0] = [0n, 3n];
        write('PMEVTYPER0', 8n);
      }
      perf.counts[0] = counted;
      adopt('PMEVCNTR0', 1010n);
      pmu.overflow(0);
      return pmu.counterView(0).period;
    };
    expect(rearmed('exact', [5n, 10n])).toBe(0x1_0000_0000n - 10n);
    expect(rearmed('exact', [5n, 0xffff_fff0n])).toBe(0x1_0000_0000n - 10n);
    expect(rearmed('exact', [5n, 0x2_0000_0000n])).toBeUndefined();
    expect(rearmed('exact', [20n, 10n])).toBeUndefined();
    expect(rearmed('open', [5n, 10n])).toBeUndefined();
  });

  it('a low half says nothing of a counter that is wholly unknown', () => {
    const { perf, pmu, read } = setUp('unknown', '6.12', 6);
    perf.calls = [];
    pmu.adopt(codeOf('PMEVCNTR0', { el: 1, aa32: true, wide: false }).code, cp15, 4n);
    expect([perf.calls, read('PMEVCNTR0')[1]]).toEqual([[], U64_MAX]);
  });

  it('a proved SW_INCR type settles that there is no event', () => {
    const { adopt, perf, pmu } = setUp('unknown');
    perf.calls = [];
    adopt('PMEVTYPER0', 0n);
    expect([perf.calls, pmu.counterView(0).hasEvent]).toEqual([['release 0'], false]);
    adopt('PMEVTYPER1', 8n);
    expect([perf.calls, pmu.counterView(1).hasEvent]).toEqual([['release 0'], undefined]);
  });
});

describe('a recorded creation', () => {
  it('proves event, filter, enables and value', () => {
    const { perf, pmu, read } = setUp('unknown');
    perf.counts[2] = [0n, 0n];
    pmu.adoptBacking(2, ATTR);
    expect(read('PMEVCNTR2')).toEqual([0xffff_fff0n, 0n, 0n]);
    expect(pmu.counterView(2)).toMatchObject({
      event: 0x11,
      hasEvent: true,
      eventEnabled: true,
      period: 0x10n,
      pmcrE: true,
      cntEnable: true,
      excludeUser: true,
    });
    expect(read('PMEVTYPER2')).toEqual([0x4000_0011n, 0n, 0n]);
  });

  it('disabled: settles the other gate when one is known', () => {
    const { pmu, read, write } = setUp('unknown');
    write('PMCNTENSET', 4n);
    pmu.adoptBacking(2, { ...ATTR, disabled: true });
    expect(read('PMCR')[2] & 1n).toBe(0n);
    expect(pmu.counterView(2)).toMatchObject({ pmcrE: false, eventEnabled: false });
  });
});

describe('snapshots', () => {
  it('carry the whole state, also the uncertain part', () => {
    const { hide, perf, pmu, read, write } = setUp('fresh');
    write(...COUNTING);
    hide('PMOVSSET');
    const bytes = pmu.snapshot();
    const before = [read('PMOVSSET'), read('PMEVCNTR0'), pmu.counterView(0)];
    pmu.forget();
    write('PMCR', 0n, 'PMUSERENR', 15n);
    expect(pmu.restore(bytes)).toBe(true);
    perf.counts[0] = [0n, 0n];
    expect([read('PMOVSSET'), read('PMEVCNTR0'), pmu.counterView(0)]).toEqual(before);
    expect(pmu.restore(bytes.subarray(1))).toBe(false);
  });

  it('have the layout version their bytes were pinned with', () => {
    // If this changes, raise PMUV3_STATE_VERSION: checkpoints of older versions must not be read.
    const { pmu } = setUp('fresh');
    expect([PMUV3_STATE_VERSION, pmu.snapshot().byteLength]).toEqual([2, 2734]);
  });
});
