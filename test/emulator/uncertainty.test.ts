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
  const el1 = { el: 1, aa32: false, wide: false } as const;
  return {
    perf,
    pmu,
    out,
    write(...pairs: (string | bigint)[]): void {
      for (let i = 0; i < pairs.length; i += 2) {
        pmu.write(codeOf(pairs[i] as string, el1).code, sysreg, pairs[i + 1] as bigint, 1, out);
      }
    },
    hide(reg: string): void {
      pmu.writeUnknown(codeOf(reg, el1).code, sysreg, 1);
    },
    adopt(reg: string, value: bigint): void {
      pmu.adopt(codeOf(reg, el1).code, sysreg, value);
    },
    read(reg: string, el = 1): [low: bigint, span: bigint, unknownBits: bigint] {
      pmu.read(codeOf(reg, el1).code, sysreg, el, out);
      return [out.low, out.span, out.unknownBits];
    },
    register(reg: string) {
      return pmu.registerViews().find((view) => view.name.startsWith(reg))!;
    },
  };
}

const COUNTING = ['PMEVTYPER0', 8n, 'PMEVCNTR0', 1000n, 'PMCNTENSET', 1n, 'PMCR', 1n] as const;

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
      'doubt 2', // PMCR.P: whether SW_INCR or a real event is not known yet
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
    const { code } = codeOf('PMCNTENSET', { el: 1, aa32: false, wide: false });
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

describe('a recorded creation', () => {
  const attr: BackingAttr = {
    config: 0x11,
    wide: false,
    samplePeriod: 0x10n,
    periodKnown: true,
    excludeUser: true,
    excludeKernel: false,
    disabled: false,
  };

  it('proves event, filter, enables and value', () => {
    const { perf, pmu, read } = setUp('unknown');
    perf.counts[2] = [0n, 0n];
    pmu.adoptBacking(2, attr);
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
    pmu.adoptBacking(2, { ...attr, disabled: true });
    expect(read('PMCR')[2] & 1n).toBe(0n);
    expect(pmu.counterView(2)).toMatchObject({ pmcrE: false, eventEnabled: false });
  });
});

describe('snapshots', () => {
  it('carry the whole state, also the uncertain part', () => {
    const { hide, pmu, read, write } = setUp('fresh');
    write(...COUNTING);
    hide('PMOVSSET');
    const bytes = pmu.snapshot();
    const before = [read('PMOVSSET'), read('PMEVCNTR0'), pmu.counterView(0)];
    pmu.forget();
    write('PMCR', 0n, 'PMUSERENR', 15n);
    expect(pmu.restore(bytes)).toBe(true);
    expect([read('PMOVSSET'), read('PMEVCNTR0'), pmu.counterView(0)]).toEqual(before);
    expect(pmu.restore(bytes.subarray(1))).toBe(false);
  });

  it('have the layout version their bytes were pinned with', () => {
    // If this changes, raise PMUV3_STATE_VERSION: checkpoints of older versions must not be read.
    const { pmu } = setUp('fresh');
    expect([PMUV3_STATE_VERSION, pmu.snapshot().byteLength]).toEqual([1, 3072]);
  });
});
