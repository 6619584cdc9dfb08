import { describe, expect, it } from 'vitest';
import { x86RuleSet } from '../../../src/arch/rule-sets.ts';
import { DrawnGuest } from './drawn-guest.ts';

/**
 * The mediated vPMU (semantics E): the guest owns the hardware counters while its context is loaded. The vCPU's side is
 * the same in the RFC of 2024 and as merged; what the host's own events suffer (E.1) is in host-perf-core.
 */
const RULES = ['x86-mediated-2024', 'x86-mediated-7.0'] as const;

const range = (first: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => first + i);

const passing = (guest: DrawnGuest, msrs: readonly number[]): number[] =>
  msrs.filter((msr) => guest.pmu.passesThrough(msr));

const GLOBAL = [0x38e, 0x38f, 0x390];
const AMD_GLOBAL = range(0xc0000300, 4);
const HOST = { hostGpCounters: 8, hostFixedCounters: 3 };

describe.each(RULES)('%s: what traps (E.3)', (rules) => {
  it('Intel, as many counters as the host: counters, GLOBAL_* and RDPMC are direct; selectors always trap', () => {
    const guest = new DrawnGuest(rules, HOST);
    const direct = [...range(0xc1, 8), ...range(0x309, 3), ...range(0x4c1, 8), ...GLOBAL];
    const trapped = [...range(0x186, 8), 0x38d, 0xc9, 0x30c, 0x4c9, 0x329, 0x391, 0x345, 0x3f1];
    expect(passing(guest, [...direct, ...trapped])).toEqual(direct);
    expect(guest.pmu.rdpmcPassesThrough).toBe(true);
  });

  it('Intel, fewer counters than the host: only its own counters are direct', () => {
    for (const less of [{ gpCounters: 4 }, { fixedCounters: 2 }]) {
      const guest = new DrawnGuest(rules, { ...HOST, ...less });
      expect(passing(guest, GLOBAL)).toEqual([]);
      expect(guest.pmu.rdpmcPassesThrough).toBe(false);
    }
    const four = new DrawnGuest(rules, { ...HOST, gpCounters: 4 });
    expect(passing(four, range(0xc1, 8))).toEqual(range(0xc1, 4));
    const two = new DrawnGuest(rules, { ...HOST, fixedCounters: 2 });
    expect(passing(two, range(0x309, 3))).toEqual(range(0x309, 2));
  });

  it('narrower counters: RDPMC traps, the registers do not', () => {
    const guest = new DrawnGuest(rules, { ...HOST, gpWidth: 40 });
    expect(guest.pmu.rdpmcPassesThrough).toBe(false);
    expect(passing(guest, [0xc1, ...GLOBAL])).toEqual([0xc1, ...GLOBAL]);
  });

  it('full-width aliases are direct only for guests that have them', () => {
    const guest = new DrawnGuest(rules, { ...HOST, perfCapabilities: 0 });
    expect(passing(guest, [0x4c1, 0xc1])).toEqual([0xc1]);
  });

  it('AMD: both aliases of the counters; GLOBAL registers and RDPMC with all six', () => {
    const all = new DrawnGuest(rules, { vendor: 'amd', version: 2, gpCounters: 6 });
    const counters = [...range(0xc0010004, 4), ...range(0, 6).map((i) => 0xc0010201 + 2 * i)];
    const selectors = [...range(0xc0010000, 4), ...range(0, 6).map((i) => 0xc0010200 + 2 * i)];
    expect(passing(all, [...counters, ...selectors, ...AMD_GLOBAL])).toEqual([
      ...counters,
      ...AMD_GLOBAL,
    ]);
    expect(all.pmu.rdpmcPassesThrough).toBe(true);
    const four = new DrawnGuest(rules, { vendor: 'amd', version: 2, gpCounters: 4 });
    expect(passing(four, AMD_GLOBAL)).toEqual([]);
    expect(passing(four, [0xc0010207, 0xc0010209])).toEqual([0xc0010207]);
    expect(four.pmu.rdpmcPassesThrough).toBe(false);
  });

  it('over perf everything traps', () => {
    for (const emulated of ['x86-kvm-4.14', 'x86-kvm-6.1', 'x86-kvm-6.12', 'x86-topdown-2023']) {
      const guest = new DrawnGuest(emulated, HOST);
      expect(passing(guest, [0xc1, 0x309, 0x4c1, ...GLOBAL])).toEqual([]);
      expect(guest.pmu.rdpmcPassesThrough).toBe(false);
    }
  });
});

describe.each(RULES)('%s: counting (E.4)', (rules) => {
  const programmed = (selector = 0x5300c0): DrawnGuest => {
    const guest = new DrawnGuest(rules, HOST);
    guest.pmu.setLvtpc(0x400);
    guest.write(0x38f, 1);
    guest.write(0x186, selector);
    guest.enter();
    return guest;
  };

  it('the counter counts while the context is loaded, and keeps its value when it is put', () => {
    const guest = programmed();
    guest.run(0xc0, 7); // host time
    guest.pmu.contextLoad();
    guest.run(0xc0, 100);
    expect(guest.read(0xc1)).toBe('0x64');
    guest.pmu.contextPut();
    guest.run(0xc0, 7);
    expect(guest.read(0xc1)).toBe('0x64');
    guest.enter();
    guest.pmu.contextLoad();
    guest.run(0xc0, 1);
    guest.pmu.contextPut();
    expect(guest.read(0xc1)).toBe('0x65');
  });

  it('nothing is asked of perf: no creation, reuse or release to pay for', () => {
    const guest = programmed();
    for (const selector of [0x5300c4, 0x1300c4, 0x5300c0]) {
      guest.write(0x186, selector);
      guest.enter();
      guest.pmu.contextLoad();
      guest.pmu.contextPut();
    }
    expect(guest.pmu.operations).toMatchObject({ creates: 0, reuses: 0, releases: 0, periods: 0 });
  });

  it('USR, OS, EN and GLOBAL_CTRL gate as on hardware', () => {
    const guest = programmed(0x5100c0); // USR only
    guest.pmu.contextLoad();
    guest.run(0xc0, 5, 0);
    guest.run(0xc0, 3, 3);
    guest.pmu.contextPut();
    expect(guest.read(0xc1)).toBe('0x3');
    for (const [msr, value] of [
      [0x38f, 0],
      [0x186, 0x1100c0],
    ] as const) {
      guest.write(0x38f, 1);
      guest.write(0x186, 0x5100c0);
      guest.write(msr, value);
      guest.enter();
      guest.pmu.contextLoad();
      guest.run(0xc0, 3);
      guest.pmu.contextPut();
      expect(guest.read(0xc1), msr.toString(16)).toBe('0x3');
    }
  });

  it('a filtered event has EN cleared in the hidden copy: the selector reads as written, the counter stands', () => {
    const guest = programmed();
    guest.pmu.setFilter({ action: 'deny', events: [0xc0n], fixedBitmap: 0, masked: false });
    guest.enter();
    guest.pmu.contextLoad();
    guest.run(0xc0, 5);
    guest.pmu.contextPut();
    expect([guest.read(0xc1), guest.read(0x186)]).toEqual(['0x0', '0x5300c0']);
  });

  it('an overflow sets STATUS, and the PMI comes at the next entry, masking LVTPC', () => {
    const guest = programmed();
    guest.write(0x4c1, 0xffff_ffff_fff6n);
    guest.enter();
    guest.pmu.contextLoad();
    guest.run(0xc0, 12);
    guest.pmu.contextPut();
    expect(guest.read(0x38e)).toBe('0x1');
    expect(guest.enter()).toBe('nmi');
    expect(guest.pmu.lvtpc).toBe(0x10400);
    expect(guest.read(0xc1)).toBe('0x2');
  });

  it('without INT the overflow only sets STATUS', () => {
    const guest = programmed(0x4300c0);
    guest.write(0x4c1, 0xffff_ffff_ffffn);
    guest.enter();
    guest.pmu.contextLoad();
    guest.run(0xc0, 1);
    guest.pmu.contextPut();
    expect(guest.read(0x38e)).toBe('0x1');
    expect(guest.enter()).toBe('none');
  });

  it('emulated instructions add to the saved copy at once, with CPL and filter looked at', () => {
    const guest = programmed(0x5100c0);
    guest.pmu.emulated('instruction', 3);
    guest.pmu.emulated('instruction', 0);
    expect(guest.read(0xc1)).toBe('0x1');
  });

  it('a wrap of emulated instructions to exactly 0 sets STATUS and raises the PMI (K15)', () => {
    const guest = programmed();
    guest.write(0x4c1, 0xffff_ffff_fffen);
    guest.pmu.emulated('instruction', 3);
    expect([guest.read(0x38e), guest.enter()]).toEqual(['0x0', 'none']);
    guest.pmu.emulated('instruction', 3);
    expect([guest.read(0xc1), guest.read(0x38e)]).toEqual(['0x0', '0x1']);
    expect(guest.enter()).toBe('nmi');
    guest.pmu.emulated('instruction', 3);
    expect([guest.read(0xc1), guest.enter()]).toEqual(['0x1', 'none']);
  });

  it('reserved bits and resets are those of 6.12; PEBS is not offered (E.2)', () => {
    const guest = new DrawnGuest(rules, { ...HOST, perfCapabilities: 0x2400 });
    expect(guest.read(0x38f)).toBe('0xff');
    expect(guest.write(0x186, 0x6300c0)).toBe(false);
    expect(guest.read(0x3f1)).toBe('#GP');
    expect(guest.write(0x38e, 0)).toBe(false);
  });

  it('AMD: reserved selector bits vanish, GuestOnly and HostOnly with them', () => {
    const guest = new DrawnGuest(rules, { vendor: 'amd', version: 2, gpCounters: 6 });
    guest.write(0xc0010200, (1n << 41n) | (1n << 40n) | 0x5300c0n);
    expect(guest.read(0xc0010200)).toBe('0x5300c0');
    guest.enter();
    guest.pmu.contextLoad();
    guest.run(0xc0, 9);
    guest.pmu.contextPut();
    expect(guest.read(0xc0010201)).toBe('0x9');
  });
});

describe('the two mediated rule sets and the others', () => {
  it('differ in what the host does with its own events (E.1)', () => {
    expect(RULES.map((rules) => x86RuleSet(rules)?.mediation)).toEqual(['rfc-2024', 'merged-7.0']);
  });

  it('load and put mean nothing over perf, and putting twice is putting once', () => {
    const emulated = new DrawnGuest('x86-kvm-6.12');
    emulated.write(0x186, 0x4300c0);
    emulated.enter();
    emulated.calls();
    emulated.pmu.contextLoad();
    emulated.run(0xc0, 5);
    emulated.pmu.contextPut();
    expect([emulated.calls(), emulated.read(0xc1)]).toEqual([[], '0x5']);
    for (const rules of RULES) {
      const guest = new DrawnGuest(rules, HOST);
      guest.write(0x186, 0x4300c0);
      guest.enter();
      guest.pmu.contextLoad();
      guest.pmu.contextLoad();
      guest.run(0xc0, 5);
      guest.pmu.contextPut();
      guest.pmu.contextPut();
      expect([guest.read(0xc1), guest.pmu.contextLoaded]).toEqual(['0x5', false]);
    }
  });
});
