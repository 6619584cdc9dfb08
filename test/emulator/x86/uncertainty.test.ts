import { describe, expect, it } from 'vitest';
import { x86RuleSet } from '../../../src/arch/rule-sets.ts';
import { U64_MAX } from '../../../src/domain/u64.ts';
import type { BackingAttr, PausablePerf } from '../../../src/emulator/host-perf.ts';
import { UncertaintyReason } from '../../../src/emulator/uncertainty.ts';
import { X86_DEFAULTS, x86AccessResult } from '../../../src/emulator/x86/x86-config.ts';
import { X86Pmu } from '../../../src/emulator/x86/x86-pmu.ts';

const CTL0 = 0xc001_0200;
const CTR0 = 0xc001_0201;
const SEL = 0x5300c0n;

/** A host whose counts the test sets: [low, span] per counter; notes the calls. */
class SetPerf implements PausablePerf {
  counts: Record<number, [low: bigint, span: bigint]> = {};
  calls: string[] = [];
  create(i: number, attr: Readonly<BackingAttr>): boolean {
    this.calls.push(`create ${i} ${attr.periodKnown ? attr.samplePeriod.toString(16) : '?'}`);
    this.counts[i] = [0n, 0n];
    return true;
  }
  enable(i: number): void {
    this.calls.push(`enable ${i}`);
  }
  disable(i: number): void {
    this.calls.push(`disable ${i}`);
  }
  pause(i: number): void {
    this.calls.push(`pause ${i}`);
    this.counts[i] = [0n, 0n];
  }
  setPeriod(i: number, period: bigint): boolean {
    this.calls.push(`period ${i} ${period.toString(16)}`);
    return true;
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
  }
}

interface Machine {
  readonly pmu: X86Pmu;
  readonly perf: SetPerf;
  write(msr: number, value: bigint): void;
  value(i?: number): [low: bigint, span: bigint];
}

/** An AMD guest, just made (or, `known` false, caught in the middle). */
function machine(rules = 'x86-kvm-6.12', known = true): Machine {
  const perf = new SetPerf();
  const pmu = new X86Pmu(X86_DEFAULTS.amd, x86RuleSet(rules)!, perf);
  if (known) pmu.newVcpu();
  const out = x86AccessResult();
  return {
    pmu,
    perf,
    write: (msr, value) => {
      pmu.wrmsr(msr, value, out);
      expect([out.undef, out.outcomeUnknown]).toEqual([false, false]);
    },
    value: (i = 0) => {
      const { low, span } = pmu.counterView(i);
      return [low, span];
    },
  };
}

/** Counter 0 counts instructions from 0x100. */
function counting(rules?: string): Machine {
  const one = machine(rules);
  one.write(CTR0, 0x100n);
  one.write(CTL0, SEL);
  one.pmu.guestEnter();
  one.perf.calls = [];
  return one;
}

describe('an x86 vPMU of which little is known', () => {
  it('knows nothing at the start, and a counter as soon as it is written', () => {
    const { pmu, write, value } = machine(undefined, false);
    expect(value()).toEqual([0n, U64_MAX]);
    expect(pmu.counterView(0).reason).toBe(UncertaintyReason.initialState);
    expect(pmu.counterView(0).hasEvent).toBe(undefined);
    write(CTL0, 0n);
    write(CTR0, 5n);
    expect(value()).toEqual([5n, 0n]);
    expect(pmu.counterView(1).reason).toBe(UncertaintyReason.initialState);
  });

  it('asks for an event it may have had already, and tells the host so', () => {
    const { pmu, perf, write } = machine(undefined, false);
    write(CTR0, 0n);
    write(CTL0, SEL);
    perf.calls = [];
    pmu.guestEnter();
    const own = perf.calls.filter((call) => / 0( |$)/.test(call));
    expect(own).toEqual(['rebase 0', 'create 0 1000000000000', 'doubt 0']);
    expect(pmu.counterView(0)).toMatchObject({ hasEvent: true, eventEnabled: true });
    expect(pmu.counterView(0).period).toBe(undefined);
  });

  it('shows the bounds of what the event counted, and keeps them when it is paused', () => {
    const { pmu, perf, write, value } = counting();
    perf.counts[0] = [10n, 5n];
    expect(value()).toEqual([0x10an, 5n]);
    write(CTL0, 0n);
    pmu.guestEnter();
    expect(value()).toEqual([0x10an, 5n]);
    expect(pmu.counterView(0).reason).toBe(UncertaintyReason.countNotRecorded);
    expect(perf.calls).toEqual(['pause 0']);
  });

  it('takes a proved value over and counts on from it', () => {
    const { pmu, perf, value } = counting();
    perf.counts[0] = [10n, 5n];
    pmu.adoptRdpmc(0, 0x10cn);
    expect(value()).toEqual([0x10cn, 0n]);
    perf.counts[0] = [7n, 0n];
    expect(value()).toEqual([0x113n, 0n]);
    // What the event counted since its last pause is proved too: 12, then 7.
    expect(pmu.counterView(0).period).toBe(0xffff_ffff_ff00n);
    expect(pmu.overflowPossible(0)).toBe(false);
  });

  it.each([
    ['x86-kvm-6.12', 'pending'],
    ['x86-kvm-6.1', 'added'],
  ])('%s: instructions perhaps emulated widen by as many', (rules) => {
    const { pmu, value } = counting(rules);
    pmu.emulatedPossible(3n);
    expect(value()).toEqual([0x100n, 3n]);
    pmu.emulated('instruction', 0);
    expect(value()).toEqual([0x101n, 3n]);
    pmu.guestEnter();
    expect(value()).toEqual([0x101n, 3n]);
  });

  it('counts an instruction of unknown CPL only if both are counted', () => {
    const { pmu, write, value } = counting();
    pmu.emulated('instruction', -1);
    expect(value()).toEqual([0x101n, 0n]);
    write(CTL0, 0x5100c0n); // user only
    pmu.emulated('instruction', -1);
    expect(value()).toEqual([0x101n, 1n]);
  });

  it('opens the status bit, the waiting bit and the PMI of an overflow without record, nothing else', () => {
    const { pmu, perf } = counting();
    pmu.setLvtpc(0x400);
    perf.counts[0] = [0n, 1n << 48n];
    expect([pmu.overflowPossible(0), pmu.overflowDue(0)]).toEqual([true, false]);
    pmu.markOverflowPossible(0);
    expect(pmu.stored('status')).toEqual({ value: 0n, unknownBits: 1n });
    expect(pmu.pendingReprogram).toEqual({ sure: 0n, open: 1n });
    expect(pmu.requests).toEqual({ pmu: undefined, pmi: undefined });
    expect(pmu.guestEnter()).toBe('unknown');
    expect(pmu.lvtpc).toBe(0x400); // AMD: not masked after delivery
  });

  it('says that an overflow is due when the least count reached the period', () => {
    const { pmu, perf, write } = counting();
    write(CTR0, 0xffff_ffff_fff0n);
    expect(perf.calls).toEqual(['period 0 10']);
    perf.counts[0] = [16n, 4n];
    expect(pmu.overflowDue(0)).toBe(true);
    pmu.overflow(0);
    expect(pmu.overflowDue(0)).toBe(false);
    expect(pmu.stored('status')).toEqual({ value: 1n, unknownBits: 0n });
    expect(pmu.requests).toEqual({ pmu: true, pmi: true });
  });

  it('loses a selector written without its value, and finds it again when it is read', () => {
    const { pmu, perf, value } = counting();
    pmu.wrmsrUnknown(CTL0);
    expect(pmu.counterView(0)).toMatchObject({ event: undefined, selector: undefined });
    expect(pmu.counterView(0).selectorReason).toBe(UncertaintyReason.valueNotRecorded);
    pmu.guestEnter();
    expect(perf.calls).toContain('doubt 0');
    expect(pmu.counterView(0).eventEnabled).toBe(undefined);
    expect(value()).toEqual([0x100n, 0n]);
    pmu.adopt(CTL0, 0n);
    expect(pmu.counterView(0)).toMatchObject({
      event: 0,
      locallyEnabled: false,
      eventEnabled: false,
    });
  });

  it('takes the value from the period of a recorded creation', () => {
    const { pmu, value } = machine(undefined, false);
    const attr: BackingAttr = {
      config: 0xc0,
      wide: false,
      samplePeriod: 0x10n,
      periodKnown: true,
      excludeUser: false,
      excludeKernel: false,
      excludeKnown: true,
      disabled: false,
    };
    pmu.adoptBacking(0, attr);
    expect(value()).toEqual([0xffff_ffff_fff0n, 0n]);
    expect(pmu.counterView(0)).toMatchObject({ hasEvent: true, eventConfig: 0xc0, period: 0x10n });
  });

  it('cannot tell whether RDPMC faults when CPL or CR4.PCE are not known', () => {
    const { pmu } = counting();
    const out = x86AccessResult();
    for (const [cpl, pce, undef, unknown] of [
      [0, 2, false, false],
      [3, 1, false, false],
      [3, 0, true, false],
      [3, 2, false, true],
      [-1, 0, false, true],
    ] as const) {
      pmu.rdpmc(0, cpl, pce, out);
      expect([out.undef, out.outcomeUnknown]).toEqual([undef, unknown]);
    }
  });

  it('forgets everything but the configuration, and tells the host about every counter', () => {
    const { pmu, perf, value } = counting();
    pmu.seq = 7;
    pmu.forget();
    expect(perf.calls).toEqual([0, 1, 2, 3, 4, 5].map((i) => `doubt ${i}`));
    expect(value()).toEqual([0n, U64_MAX]);
    expect(pmu.counterView(0)).toMatchObject({ reason: UncertaintyReason.recordsLost, since: 7 });
  });

  it('comes back from a snapshot, and refuses one of another size', () => {
    const { pmu, write, value } = counting();
    const before = pmu.snapshot();
    write(CTR0, 9n);
    expect(pmu.restore(before.subarray(1))).toBe(false);
    expect(value()).toEqual([9n, 0n]);
    expect(pmu.restore(before)).toBe(true);
    expect(value()).toEqual([0x100n, 0n]);
    expect(pmu.snapshot()).toEqual(before);
  });
});
