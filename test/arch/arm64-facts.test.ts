import { describe, expect, it } from 'vitest';
import { eventNumberMask, pmuVersionName } from '../../src/arch/arm64-bits.ts';
import {
  ARM64_EVENTS,
  arm64Event,
  arm64EventByName,
  arm64EventLabel,
  arm64EventNames,
  perfEventStem,
} from '../../src/arch/arm64-events.ts';
import {
  exceptionClassByName,
  exceptionClassName,
  exitTypeName,
} from '../../src/arch/arm64-exits.ts';
import { ARM64_RULE_SETS } from '../../src/arch/arm64-rules.ts';
import { samePerfEvent } from '../../src/arch/perf-generic.ts';
import { draftHostEvent, eventOfGeneric, perfCacheName } from '../../src/arch/perf-maps.ts';
import { arm64RuleSet, ruleSetForKernel, ruleSets } from '../../src/arch/rule-sets.ts';

describe('arm64 events', () => {
  it.each([
    [0x00, 'SW_INCR'],
    [0x08, 'INST_RETIRED'],
    [0x11, 'CPU_CYCLES'],
    [0x13, 'MEM_ACCESS'],
    [0x1e, 'CHAIN'],
    [0x21, 'BR_RETIRED'],
    [0x23, 'STALL_FRONTEND'],
    [0x2d, 'L2D_TLB_REFILL'],
    [0x34, 'DTLB_WALK'],
    [0x3c, 'STALL'],
    [0x3f, 'STALL_SLOT'],
    [0x4004, 'CNT_CYCLES'],
    [0x400b, 'L3D_CACHE_LMISS_RD'],
    [0x4026, 'MEM_ACCESS_CHECKED_WR'],
  ])('%i is %s', (number, name) => {
    expect(arm64Event(number)?.name).toBe(name);
  });

  it('have distinct numbers and names, 64 of them below 0x40', () => {
    expect(new Set(ARM64_EVENTS.map((event) => event.number)).size).toBe(ARM64_EVENTS.length);
    expect(new Set(ARM64_EVENTS.map((event) => event.name)).size).toBe(ARM64_EVENTS.length);
    expect(ARM64_EVENTS.filter((event) => event.number < 0x40)).toHaveLength(64);
  });

  it('are labelled with name and number', () => {
    expect([arm64EventLabel(0x08), arm64EventLabel(0xc0de)]).toEqual([
      'INST_RETIRED 0x08',
      '0xc0de',
    ]);
  });

  it.each([
    ['cycles', 0x11],
    ['cpu-cycles', 0x11],
    ['CPU_CYCLES', 0x11],
    ['instructions', 0x08],
    ['inst_retired', 0x08],
    ['armv8_pmuv3_0/inst_retired/', 0x08],
    ['armv8_pmuv3/event=0x23/', 0x23],
    ['branch-misses', 0x10],
    ['r4004', 0x4004],
    ['0x1e', 0x1e],
    ['nonsense', undefined],
    ['r12345', undefined],
    ['L1-dcache-load-misses', 0x03],
    ['l1-dcache-loads', 0x04],
    ['branch-loads', 0x12],
    ['dTLB-load-misses', 0x05],
    ['iTLB-loads', 0x26],
    ['LLC-load-misses', 0x37],
    ['LLC-prefetches', undefined],
    ['ref-cycles', undefined],
  ])('%s is %s', (text, number) => {
    expect(arm64EventByName(text)).toBe(number);
  });
});

describe('perf names', () => {
  it('of an event number are all that perf takes for it', () => {
    expect(arm64EventNames(0x11)).toEqual(['CPU_CYCLES', 'cycles', 'cpu-cycles']);
    expect(arm64EventNames(0x10)).toEqual([
      'BR_MIS_PRED',
      'branch-misses',
      'branch-load-misses',
      'branch-store-misses',
    ]);
    expect(arm64EventNames(0x25)).toEqual(['L1D_TLB', 'dTLB-loads']);
    expect(arm64EventNames(0xc0de)).toEqual([]);
  });

  it('lead back to the number', () => {
    for (const { number } of ARM64_EVENTS) {
      for (const name of arm64EventNames(number))
        expect([name, arm64EventByName(name)]).toEqual([name, number]);
    }
  });

  it.each([
    [0x0, 'L1-dcache-loads'],
    [0x1_0000, 'L1-dcache-load-misses'],
    [0x1_0100, 'L1-dcache-store-misses'],
    [0x200, 'L1-dcache-prefetches'],
    [0x5, 'branch-loads'],
    [0x1_0002, 'LLC-load-misses'],
    [0x1_0003, 'dTLB-load-misses'],
    [0x7, undefined],
    [0x300, undefined],
    [0x2_0000, undefined],
  ])('of the cache config %i is %s', (config, name) => {
    expect(perfCacheName(config)).toBe(name);
  });

  it('are cut of their modifiers', () => {
    expect(
      ['cycles:Gu', 'armv8_pmuv3/inst_retired/uH', 'cycles', 'a/b/'].map(perfEventStem),
    ).toEqual(['cycles', 'armv8_pmuv3/inst_retired/', 'cycles', 'a/b/']);
  });
});

describe('the maps of the 2015 draft', () => {
  it('name a host event for the numbers they list, the first match winning', () => {
    const numbers = [0x11, 0x08, 0x04, 0x03, 0x10, 0x12];
    expect(
      numbers.map((number) => [draftHostEvent(number)!.type, draftHostEvent(number)!.config]),
    ).toEqual([
      ['hardware', 0],
      ['hardware', 1],
      ['hardware', 2],
      ['hardware', 3],
      ['hardware', 5],
      ['hw-cache', 5],
    ]);
    for (let number = 0; number < 0x400; number++) {
      const event = draftHostEvent(number);
      expect(event !== undefined).toBe(numbers.includes(number));
      if (event !== undefined) expect(eventOfGeneric(event.type, event.config)).toBe(number);
    }
  });

  it('say that a cache config wider than an event number is a cache event', () => {
    expect([samePerfEvent(0x03, 0x1_0000), samePerfEvent(0x04, 0x1_0000)]).toEqual([true, false]);
    expect([samePerfEvent(0x11, 0), samePerfEvent(0x08, 0x08), samePerfEvent(0x08, 1)]).toEqual([
      true,
      true,
      true,
    ]);
  });
});

describe('PMU versions', () => {
  it('are named and have their event number width', () => {
    expect([1, 4, 5, 6, 7, 8, 15, 0, 3].map(pmuVersionName)).toEqual([
      'PMUv3',
      'PMUv3p1',
      'PMUv3p4',
      'PMUv3p5',
      'PMUv3p7',
      'PMUv3p8',
      'IMPLEMENTATION DEFINED PMU',
      'no PMU',
      'PMUVer 3',
    ]);
    expect([1, 4, 6].map(eventNumberMask)).toEqual([0x3ff, 0xffff, 0xffff]);
  });
});

describe('exits', () => {
  it('have the names kvm_exit prints', () => {
    expect([exceptionClassName(0x18), exceptionClassName(0x01), exceptionClassName(0x3e)]).toEqual([
      'SYS64',
      'WFx',
      'EC 0x3e',
    ]);
    expect([exceptionClassByName('DABT_LOW'), exceptionClassByName('x')]).toEqual([
      0x24,
      undefined,
    ]);
    expect([exitTypeName(0), exitTypeName(2), exitTypeName(9)]).toEqual(['IRQ', 'TRAP', 'exit 9']);
  });
});

describe('rule sets', () => {
  it('are listed with their sources, and a row that is not run says why', () => {
    expect(
      [...ruleSets()]
        .filter(([, info]) => info.arch === 'arm64' && info.selectable)
        .map(([name, info]) => [name, info.selectable, info.missing !== undefined]),
    ).toEqual([
      ['arm64-kvm-2015', true, false],
      ['arm64-kvm-4.6', true, false],
      ['arm64-kvm-4.14', true, false],
      ['arm64-kvm-6.1', true, false],
      ['arm64-kvm-6.12', true, false],
    ]);
    for (const info of ruleSets().values()) expect(info.sources.length).toBeGreaterThan(0);
    expect(arm64RuleSet('arm64-kvm-6.1')?.name).toBe('arm64-kvm-6.1');
    expect(arm64RuleSet('arm64-kvm-4.6')?.name).toBe('arm64-kvm-4.6');
    expect(arm64RuleSet('arm64-kvm-9')).toBeUndefined();
  });

  it.each([
    ['6.12.117+deb12-arm64', 'arm64-kvm-6.12', true],
    ['6.1.0-56-arm64', 'arm64-kvm-6.1', true],
    ['6.1.192', 'arm64-kvm-6.1', true],
    ['6.2.0', 'arm64-kvm-6.12', false],
    ['6.8.0-31-generic', 'arm64-kvm-6.12', false],
    ['6.15.3', 'arm64-kvm-6.12', false],
    ['7.0.0-rc1', 'arm64-kvm-6.12', false],
    ['5.15.0', 'arm64-kvm-6.1', false],
    ['5.3.0', 'arm64-kvm-6.1', false],
    ['5.2.9', 'arm64-kvm-4.14', false],
    ['4.19.0-25-arm64', 'arm64-kvm-4.14', false],
    ['4.9.337', 'arm64-kvm-4.6', false],
    ['4.6.7', 'arm64-kvm-4.6', false],
  ])('%s: %s, checked %s', (release, name, exact) => {
    const choice = ruleSetForKernel(release)!;
    expect([choice.rules.name, choice.exact]).toEqual([name, exact]);
    expect(choice.reason.includes('guess')).toBe(!exact);
  });

  it('say of old kernels that nothing checked their rules', () => {
    expect(ruleSetForKernel('5.2.9')!.reason).toContain('checked against no recording');
    expect(ruleSetForKernel('5.3.0')!.reason).not.toContain('checked against no recording');
    expect(ruleSetForKernel('not a release')).toBeUndefined();
  });

  it('keep what decides their difference', () => {
    expect(
      ARM64_RULE_SETS.map((rules) => [
        rules.name,
        rules.counterWrite,
        rules.widePeriodMasked,
        rules.pmcrResetLow,
      ]),
    ).toEqual([
      ['arm64-kvm-2015', 'adjust-keep', true, 0x2c],
      ['arm64-kvm-4.6', 'adjust-keep', true, 0x2c],
      ['arm64-kvm-4.14', 'adjust-keep', true, 0x2c],
      ['arm64-kvm-6.1', 'adjust-fold', false, 0xac],
      ['arm64-kvm-6.12', 'release-assign', true, 0],
    ]);
  });
});
