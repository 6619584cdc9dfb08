import { describe, expect, it } from 'vitest';
import { METRICS_EVENT } from '../../../src/arch/x86-bits.ts';
import { decodeTopdown } from '../../../src/arch/x86-topdown.ts';
import { DrawnGuest } from './drawn-guest.ts';

/**
 * Topdown metrics over perf (semantics D; the RFC of August and September 2023, never merged, so there is no recording):
 * every expected value is worked out by hand from the rule the test cites.
 */
const RULES = 'x86-topdown-2023';
const PERF_METRICS = 0x329;
const SLOTS = 0x30c;
const FIXED_CTRL = 0x38d;
const GLOBAL_CTRL = 0x38f;
const STATUS = 0x38e;
const OVF_CTRL = 0x390;
/** PERF_CAPABILITIES: full-width writes (13) and PERF_METRICS (15). */
const CAPABLE = 0xa000;
/** GLOBAL_CTRL: fixed counter 3 and EN_PERF_METRICS. */
const ON = (1n << 35n) | (1n << 48n);
/** The slots event (D.1). */
const SLOTS_EVENT = 0x400;

/** Retiring 51, bad speculation 26, frontend 51, backend 127 of 255; level 2: 13, 20, 30, 100. */
const METRICS = 0x641e_140d_7f33_1a33n;

const guest = (change = {}): DrawnGuest =>
  new DrawnGuest(RULES, { perfCapabilities: CAPABLE, fixedCounters: 4, ...change });

/** A guest that has fixed counter 3 on in topdown mode, as Linux does: slots first, then metrics, then enabled. */
function profiling(slots = 0n, metrics = 0n, nibble = 0x3000): DrawnGuest {
  const one = guest();
  one.write(GLOBAL_CTRL, ON);
  one.write(SLOTS, slots);
  one.write(PERF_METRICS, metrics);
  one.write(FIXED_CTRL, nibble);
  one.enter();
  return one;
}

describe('registers (D.1)', () => {
  it('PERF_METRICS is there with capability bit 15, version 2 and fixed counter 3', () => {
    expect(guest().read(PERF_METRICS)).toBe('0x0');
    expect(guest({ perfCapabilities: 0x2000 }).read(PERF_METRICS)).toBe('#GP');
    expect(guest({ perfCapabilities: 0x2000 }).write(PERF_METRICS, 0)).toBe(false);
    expect(guest({ fixedCounters: 3 }).read(PERF_METRICS)).toBe('#GP');
    expect(guest({ version: 1 }).read(PERF_METRICS)).toBe('#GP');
  });

  it('no other rule set has it, nor fixed counter 3', () => {
    const plain = new DrawnGuest('x86-kvm-6.12', { perfCapabilities: CAPABLE, fixedCounters: 4 });
    expect([plain.read(PERF_METRICS), plain.read(SLOTS)]).toEqual(['#GP', '#GP']);
    expect(plain.write(GLOBAL_CTRL, 1n << 48n)).toBe(false);
  });

  it('bit 48 of GLOBAL_CTRL may be set only with the capability; fixed counter 3 is bit 35', () => {
    expect(guest().write(GLOBAL_CTRL, ON)).toBe(true);
    expect(guest().write(OVF_CTRL, 1n << 48n)).toBe(true);
    expect(guest({ perfCapabilities: 0x2000 }).write(GLOBAL_CTRL, 1n << 48n)).toBe(false);
    expect(guest({ perfCapabilities: 0x2000 }).write(GLOBAL_CTRL, 1n << 35n)).toBe(true);
  });

  it('slots is RDPMC 0x40000003 and MSR 0x30c', () => {
    const one = guest();
    one.write(SLOTS, 0x123);
    expect([one.read(SLOTS), one.rdpmc(0x4000_0003)]).toEqual(['0x123', '0x123']);
  });
});

describe('the event group (D.2)', () => {
  it('slots alone is one event like any other: with a period', () => {
    const one = guest();
    one.write(GLOBAL_CTRL, ON);
    one.write(SLOTS, 0xffff_ffff_fff0n);
    one.write(FIXED_CTRL, 0xb000);
    one.enter();
    expect(one.calls()).toEqual(['create 35 0x400 0x10']);
    one.pmu.setLvtpc(0x400);
    one.run(SLOTS_EVENT, 0x10);
    expect(one.enter()).toBe('nmi');
    expect(one.read(STATUS)).toBe('0x800000000');
  });

  it('the first write of PERF_METRICS makes it a group at the next programming: leader first, both with period 0', () => {
    const one = guest();
    one.write(GLOBAL_CTRL, ON);
    one.write(SLOTS, 0x1000);
    one.write(PERF_METRICS, METRICS);
    one.enter();
    expect(one.calls()).toEqual([]); // nothing is enabled yet
    one.wrmsr(FIXED_CTRL, 0x3000);
    expect(one.calls()).toEqual(['create 35 0x400 0x0', 'create 39 vmetrics 0x0']);
  });

  it('a slots event that runs alone becomes the group at its next programming, not by the write', () => {
    const one = guest();
    one.write(GLOBAL_CTRL, ON);
    one.wrmsr(FIXED_CTRL, 0x3000);
    one.calls();
    one.wrmsr(PERF_METRICS, 0);
    expect(one.calls()).toEqual([]);
    one.wrmsr(FIXED_CTRL, 0);
    one.wrmsr(FIXED_CTRL, 0x3000);
    expect(one.calls().slice(-3)).toEqual([
      'release 35',
      'create 35 0x400 0x0',
      'create 39 vmetrics 0x0',
    ]);
  });

  it('a counter that is no group leader never has one', () => {
    const one = guest();
    one.write(GLOBAL_CTRL, 0x1_0000_0001n);
    one.write(PERF_METRICS, 0);
    one.write(0x186, 0x4300c0);
    one.wrmsr(FIXED_CTRL, 0x3);
    expect(one.calls()).toEqual(['create 0 0xc0 2^48', 'create 32 0xc0 2^48']);
  });

  it('if the group cannot be made there is no event, and it is tried again', () => {
    const one = guest();
    one.write(GLOBAL_CTRL, ON);
    one.write(PERF_METRICS, 0);
    one.perf.fails.create = 1;
    one.wrmsr(FIXED_CTRL, 0x3000);
    expect(one.calls()).toEqual(['create 35 0x400 0x0 failed']);
    one.pmu.emulated('instruction', 0);
    one.slice();
    one.wrmsr(0x186, 0x4300c0);
    expect(one.calls().filter((call) => call.startsWith('create'))).toEqual([
      'create 35 0x400 0x0',
      'create 39 vmetrics 0x0',
    ]);
  });
});

describe('PERF_METRICS as the guest reads it (D.2)', () => {
  it('RDMSR and RDPMC give the raw value written last, whatever the hardware has meanwhile', () => {
    const one = profiling(0n, 0x11n);
    one.perf.setCount(METRICS_EVENT, METRICS);
    one.run(SLOTS_EVENT, 1000);
    expect([one.read(PERF_METRICS), one.rdpmc(0x2000_0000)]).toEqual(['0x11', '0x11']);
    expect(one.read(SLOTS)).toBe('0x3e8'); // slots is live
  });

  it('at a pause slots is added to the counter, the metrics are replaced', () => {
    const one = profiling(0x10n, 0x11n);
    one.run(SLOTS_EVENT, 1000);
    one.perf.setCount(METRICS_EVENT, METRICS);
    one.wrmsr(FIXED_CTRL, 0);
    expect(one.read(SLOTS)).toBe('0x3f8');
    expect(one.read(PERF_METRICS)).toBe(`0x${METRICS.toString(16)}`);
    expect(one.rdpmc(0x2000_0000)).toBe(`0x${METRICS.toString(16)}`);
  });

  it('a write while the group lives is stored and asks for no programming', () => {
    const one = profiling(0x10n, 0x11n);
    one.run(SLOTS_EVENT, 1000);
    one.calls();
    one.wrmsr(PERF_METRICS, 0x22);
    expect(one.calls()).toEqual([]);
    expect([one.read(PERF_METRICS), one.read(SLOTS)]).toEqual(['0x22', '0x3f8']);
  });

  it('a stopped group goes on with both events, and no period is asked for', () => {
    const one = profiling();
    one.wrmsr(FIXED_CTRL, 0);
    one.calls();
    one.wrmsr(FIXED_CTRL, 0x3000);
    expect(one.calls()).toEqual(['enable 35', 'enable 39']);
    one.wrmsr(FIXED_CTRL, 0x1000); // USR off: another configuration
    expect(one.calls()).toEqual([
      'pause 35 0x0',
      'pause 39 0x0',
      'release 35',
      'release 39',
      'create 35 0x400 0x0',
      'create 39 vmetrics 0x0',
    ]);
  });

  it('RDPMC: any index with bit 29, with no look at CPL or CR4.PCE', () => {
    const one = profiling(0n, 0x55n);
    for (const ecx of [0x2000_0000, 0x2000_0001, 0x6000_0003, 0xffff_ffff]) {
      expect(one.rdpmc(ecx, 3, false), ecx.toString(16)).toBe('0x55');
    }
    expect(one.rdpmc(0x4000_0003, 3, false)).toBe('#GP');
    expect(guest({ fixedCounters: 3 }).rdpmc(0x2000_0000)).toBe('#GP');
  });

  it('is not touched when other counters are paused (the code tests "slots or metrics" where "and" is meant)', () => {
    const one = profiling(0n, 0x11n, 0x3003);
    one.write(GLOBAL_CTRL, ON | (1n << 32n));
    one.enter();
    one.perf.setCount(METRICS_EVENT, METRICS);
    one.wrmsr(FIXED_CTRL, 0x3000);
    expect(one.read(PERF_METRICS)).toBe('0x11');
  });
});

describe('overflow (D.2)', () => {
  it('slots never overflows in the group: no status, no PMI, no period', () => {
    const one = profiling(0xffff_ffff_fff0n, 0n, 0xb000);
    one.pmu.setLvtpc(0x400);
    one.run(SLOTS_EVENT, 0x20);
    expect(one.enter()).toBe('none');
    expect([one.read(SLOTS), one.read(STATUS)]).toEqual(['0x10', '0x0']);
    one.calls();
    one.wrmsr(SLOTS, 5);
    expect(one.calls()).toEqual([]);
  });

  it('metrics overflow raises status bit 48 and a PMI, also when the PMI bit of the nibble is 0', () => {
    const one = profiling(0n, 0n, 0x3000);
    one.pmu.setLvtpc(0x400);
    one.perf.overflowNow(METRICS_EVENT);
    expect(one.enter()).toBe('nmi');
    expect(one.read(STATUS)).toBe('0x1000000000000');
    one.write(OVF_CTRL, 1n << 48n);
    expect(one.read(STATUS)).toBe('0x0');
  });
});

describe('decoding PERF_METRICS (D.1)', () => {
  const rows = decodeTopdown(METRICS, 255_000n, 2);
  const row = (name: string) => rows.find((one) => one.name === name)!;

  it.each([
    ['retiring', 1, 0x33],
    ['bad speculation', 1, 0x1a],
    ['frontend bound', 1, 0x33],
    ['backend bound', 1, 0x7f],
    ['heavy operations', 2, 0x0d],
    ['branch mispredict', 2, 0x14],
    ['fetch latency', 2, 0x1e],
    ['memory bound', 2, 0x64],
  ] as const)('%s (level %i) is byte/255 of the slots', (name, level, byte) => {
    expect(row(name)).toMatchObject({ level, raw: byte, slots: BigInt(byte) * 1000n });
    expect(row(name).share).toBeCloseTo(byte / 255, 12);
  });

  it.each([
    ['light operations', 'retiring', 'heavy operations', 0x33 - 0x0d],
    ['machine clears', 'bad speculation', 'branch mispredict', 0x1a - 0x14],
    ['fetch bandwidth', 'frontend bound', 'fetch latency', 0x33 - 0x1e],
    ['core bound', 'backend bound', 'memory bound', 0x7f - 0x64],
  ] as const)('%s is %s without %s', (name, _whole, _part, bytes) => {
    expect(row(name)).toMatchObject({ level: 2, slots: BigInt(bytes) * 1000n });
    expect(row(name).share).toBeCloseTo(bytes / 255, 12);
  });

  it('a CPU with level 1 only shows four metrics', () => {
    expect(decodeTopdown(METRICS, 255_000n, 1).map(({ name }) => name)).toEqual([
      'retiring',
      'bad speculation',
      'frontend bound',
      'backend bound',
    ]);
  });

  it('the error is half a step of 1/255, twice that for a difference', () => {
    expect(row('retiring').shareError).toBeCloseTo(0.5 / 255, 12);
    expect(row('light operations').shareError).toBeCloseTo(1 / 255, 12);
    // 255,000 slots: half a step is 500 slots, and one slot for rounding down.
    expect(row('retiring').slotsError).toBe(501n);
    expect(row('light operations').slotsError).toBe(1001n);
  });

  it('the error covers every true share that rounds to the byte', () => {
    for (const slots of [1n, 7n, 254n, 255n, 1000n, 713_200_000_000n]) {
      for (let truth = 0n; truth <= slots; truth += slots / 997n + 1n) {
        const byte = (2n * 255n * truth + slots) / (2n * slots); // rounded half up
        const { slots: claimed, slotsError } = decodeTopdown(byte, slots, 1)[0]!;
        const off = claimed > truth ? claimed - truth : truth - claimed;
        expect(off <= slotsError, `${truth} of ${slots}`).toBe(true);
      }
    }
  });

  it('slots stay exact beyond 2^53', () => {
    const slots = (1n << 60n) + 254n;
    expect(decodeTopdown(0x01n, slots, 1)[0]!.slots).toBe(slots / 255n);
  });

  it('level 1 of this reading sums to 0xff', () => {
    const bytes = rows.filter(({ level }) => level === 1).map(({ raw }) => raw);
    expect(bytes.reduce((sum, byte) => sum + byte, 0)).toBe(0xff);
  });
});
