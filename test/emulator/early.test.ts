import { describe, expect, it } from 'vitest';
import { cp15Code } from '../../src/arch/arm64-registers.ts';
import { RegisterSpace } from '../../src/domain/event-kind.ts';
import { Guest } from './guest.ts';

/** Values worked out by hand from docs/semantics-arm64.md; every test names the rule. */

const OFF = [
  'PMCNTENCLR',
  0xffff_ffffn,
  'PMINTENCLR',
  0xffff_ffffn,
  'PMOVSCLR',
  0xffff_ffffn,
] as const;
const INST = 0x08n;
const ON = ['PMCNTENSET', 0x8000_003fn, 'PMCR', 1n] as const;

describe.each(['4.6', '4.14'] as const)('the vPMU of Linux %s', (kernel) => {
  const fresh = (): Guest => new Guest(kernel).write(...OFF);

  it('B.2: PMCR resets to 0xdecafbad cut to seven bits without E, over the host identity', () => {
    // 0xad & 0x7f = 0x2d, less E = 0x2c; C (0x04) reads as zero; N = 6.
    expect(new Guest(kernel).read('PMCR')).toBe('0x41013028');
    // LP does not exist, so that 0xff leaves 0x7f less P and C.
    expect(fresh().write('PMCR', 0xffn).read('PMCR')).toBe('0x41013079');
  });

  it('B.2: LC is not fixed for a guest without AArch32', () => {
    expect(new Guest(kernel, { el0Aarch32: false }).write('PMCR', 0n).read('PMCR')).toBe(
      '0x41013000',
    );
  });

  it('B.2: PMCEID are the registers of the host', () => {
    const guest = new Guest(kernel, { hostPmceid1: 0xffff_ffffn });
    expect([guest.read('PMCEID0'), guest.read('PMCEID1')]).toEqual(['0x20101', '0xffffffff']);
  });

  it('B.2: event number bits', () => {
    // 0xc80003ff and 0xc800ffff.
    expect(fresh().write('PMEVTYPER0', 0xffff_ffffn).read('PMEVTYPER0')).toBe(
      kernel === '4.6' ? '0xc80003ff' : '0xc800ffff',
    );
  });

  it('B.1: refusals', () => {
    const guest = fresh();
    expect([guest.read('PMEVCNTR6'), guest.read('PMMIR'), guest.read('PMSWINC')]).toEqual([
      'undef',
      'undef',
      'undef',
    ]);
    expect(guest.out.warn).toBe(false);
    guest.write('PMSELR', 31n, 'PMXEVCNTR', 5n);
    expect(guest.read('PMCCNTR')).toBe('0x5');
    // PMCEID0's upper half has no AArch32 encoding yet.
    guest.pmu.read(cp15Code(0, 9, 14, 4), RegisterSpace.cp15, 1, guest.out);
    expect(guest.out.undef).toBe(true);
  });

  it('B.1: without a PMU that is ready everything reads zero and writes do nothing, at EL0 too', () => {
    const guest = new Guest(kernel, { pmuPresent: false });
    guest.write('PMCR', 1n, 'PMEVTYPER0', INST, 'PMEVCNTR30', 7n);
    for (const reg of ['PMCR', 'PMCNTENSET', 'PMEVCNTR30', 'PMCEID0', 'PMSWINC', 'PMUSERENR']) {
      expect([reg, guest.read(reg, { el: 0 })]).toEqual([reg, '0x0']);
    }
    expect(guest.perf.calls).toEqual([]);
    expect(guest.read('PMMIR')).toBe('undef');
  });

  it('B.3: a RAW event of no special width; enabling never makes one', () => {
    const guest = fresh();
    guest.write(...ON);
    expect(guest.perf.calls).toEqual([]);
    guest.write('PMEVCNTR0', 0xffff_fff0n, 'PMEVTYPER0', 0x8000_0000n | INST);
    expect(guest.perf.calls).toEqual([
      {
        call: 'create',
        pmc: 0,
        config: '0x8',
        config1: '0x0',
        period: '0x10',
        xu: 0,
        xk: 1,
        disabled: 0,
        state: 'active',
      },
    ]);
  });

  it('B.3: CHAIN is asked of the host like any other number', () => {
    const guest = fresh().write('PMEVTYPER1', 0x1en, 'PMEVTYPER0', INST, 'PMEVCNTR0', 0xffff_ffffn);
    guest.write(...ON);
    guest.hw(0x08, 5n);
    expect([guest.read('PMEVCNTR0'), guest.read('PMEVCNTR1')]).toEqual(['0x4', '0xdbadc0de']);
    guest.hw(0x1e, 1n);
    expect(guest.read('PMEVCNTR1')).toBe('0xdbadc0df');
  });

  it('B.3: PMCCFILTR = 0 is taken for SW_INCR until 4.10, so that the cycle counter stands still', () => {
    const guest = fresh().write('PMCCNTR', 0n, 'PMCCFILTR', 0n, ...ON);
    guest.hw(0x11, 100n);
    expect(guest.read('PMCCNTR')).toBe(kernel === '4.6' ? '0x0' : '0x64');
    guest.write('PMCCFILTR', 0x11n);
    guest.hw(0x11, 100n);
    expect(guest.read('PMCCNTR')).toBe(kernel === '4.6' ? '0x64' : '0xc8');
  });

  it('B.3: a failed creation is tried again by a type write only', () => {
    const guest = fresh().write(...ON);
    guest.perf.createFails = 1;
    guest.write('PMEVTYPER0', INST, 'PMEVCNTR0', 7n, ...ON);
    guest.hw(0x08, 100n);
    expect([guest.read('PMEVCNTR0'), guest.perf.calls.length]).toEqual(['0x7', 1]);
    guest.write('PMEVTYPER0', INST);
    guest.hw(0x08, 100n);
    expect(guest.read('PMEVCNTR0')).toBe('0x6b');
  });

  it('B.4, B.5: a counter write keeps the event and its period, which is stale from then on', () => {
    const guest = fresh().write(...ON, 'PMEVCNTR0', 0xffff_ff00n, 'PMEVTYPER0', INST);
    guest.perf.calls = [];
    guest.hw(0x08, 0x80n);
    guest.write('PMEVCNTR0', 0n);
    expect(guest.perf.calls).toEqual([]);
    // The period is still 0x100, of which 0x80 are left: an overflow at a visible 0x80.
    expect(guest.hw(0x08, 0x7fn)).toBe(0n);
    expect(guest.read('PMOVSSET')).toBe('0x0');
    expect(guest.hw(0x08, 1n)).toBe(1n);
    expect([guest.read('PMEVCNTR0'), guest.read('PMOVSSET')]).toEqual(['0x80', '0x1']);
  });

  it('B.5: the first period stays: an overflow every 0x100 events, with skid too', () => {
    const guest = fresh().write(...ON, 'PMEVCNTR0', 0xffff_ff00n, 'PMEVTYPER0', INST);
    expect(guest.hw(0x08, 0x1000n)).toBe(16n);
    expect(guest.pmu.counterView(0).period).toBe(0x100n);
    // 0x105 events: the overflow at 0x100 is taken 5 late; the next is due 0xfb later.
    expect(guest.hw(0x08, 0x105n, 1, 5n)).toBe(1n);
    expect(guest.pmu.overflowDue(0)).toBe(false);
    expect(guest.hw(0x08, 0xfan)).toBe(0n);
    expect(guest.hw(0x08, 1n)).toBe(1n);
  });

  it('B.4: PMCCNTR shows 32 bits of its 64 until LC is written 1, and 64 from then on', () => {
    const guest = fresh();
    expect(guest.read('PMCCNTR')).toBe('0xdbadc0de');
    // The difference 5 - 0xdbadc0de is added to all 64 bits.
    guest.write('PMCCNTR', 5n, 'PMCR', 0x40n);
    expect(guest.read('PMCCNTR')).toBe('0x1de7ec7e00000005');
    guest.write('PMCR', 0n);
    expect(guest.read('PMCCNTR')).toBe('0x1de7ec7e00000005');
    guest.pmu.vcpuReset();
    expect(guest.read('PMCCNTR')).toBe('0xdbadc0de');
  });

  it('B.4: the period of the cycle counter is as wide as what it shows', () => {
    const guest = fresh().write('PMCCNTR', 0xffff_fff0n, 'PMCCFILTR', 0x11n);
    expect(guest.pmu.counterView(31).period).toBe(0x10n);
    guest.write('PMCR', 0x40n, 'PMCCNTR', 0xffff_ffff_ffff_fff0n, 'PMCCFILTR', 0x11n);
    expect(guest.pmu.counterView(31).period).toBe(0x10n);
    guest.write('PMCCNTR', 0xffff_fff0n, 'PMCCFILTR', 0x11n);
    expect(guest.pmu.counterView(31).period).toBe(0xffff_ffff_0000_0010n);
  });

  it('B.4: E = 0 disables the events of all valid counters, enabled or not', () => {
    const guest = fresh().write('PMEVTYPER0', INST);
    guest.perf.calls = [];
    guest.write('PMCR', 0n);
    expect(guest.perf.calls).toEqual([{ call: 'disable', pmc: 0 }]);
  });

  it('B.5: PMSWINC needs the enable bit, not PMCR.E', () => {
    const guest = fresh().write('PMEVTYPER0', 0n, 'PMEVCNTR0', 0xffff_ffffn, 'PMSWINC', 1n);
    expect(guest.read('PMEVCNTR0')).toBe('0xffffffff');
    guest.write('PMCR', 0n, 'PMCNTENSET', 1n, 'PMSWINC', 1n);
    expect([guest.read('PMEVCNTR0'), guest.read('PMOVSSET')]).toEqual(['0x0', '0x1']);
  });

  it('B.5: the interrupt line needs the enable bit besides E, PMOVS and PMINTEN', () => {
    const guest = fresh().write('PMOVSSET', 1n, 'PMINTENSET', 1n, 'PMCR', 1n);
    expect(guest.pmu.lineLevel()).toBe(0);
    guest.write('PMCNTENSET', 1n);
    expect(guest.pmu.lineLevel()).toBe(1);
  });

  it('B.2: a reset adds what a live event counted to the reset value', () => {
    const guest = fresh().write(...ON, 'PMEVTYPER0', INST);
    guest.hw(0x08, 0x10n);
    guest.pmu.vcpuReset();
    expect([guest.read('PMEVCNTR0'), guest.perf.events.size]).toEqual(['0xdbadc0ee', 0]);
  });

  it('B.2: bits of PMCNTEN beyond N are stored at reset and show when the VMM raises N', () => {
    const guest = new Guest(kernel, { pmcrN: 2 });
    // 0xdbadc0de cut to bits 31, 1, 0; then to 31 and 5..0.
    expect(guest.read('PMCNTENSET')).toBe('0x80000002');
    guest.pmu.userspaceSetPmcr(6n << 11n);
    expect(guest.read('PMCNTENSET')).toBe('0x8000001e');
  });

  it('B.1: there is no event filter', () => {
    const range = { base: 8, nevents: 1, action: 'deny' } as const;
    const guest = new Guest(kernel, { eventFilter: [range] }).write('PMEVTYPER0', INST);
    expect([guest.pmu.setEventFilter(range), guest.perf.calls.length]).toEqual([-6, 1]);
  });
});

describe('the draft of 2015', () => {
  const fresh = (): Guest => new Guest('2015').write(...OFF);

  it.each([
    // C.2: [event number, perf type, config]; hardware before cache events, the first match winning.
    [0x11n, 'hardware', '0x0'],
    [0x08n, 'hardware', '0x1'],
    [0x04n, 'hardware', '0x2'],
    [0x03n, 'hardware', '0x3'],
    [0x10n, 'hardware', '0x5'],
    [0x12n, 'hw-cache', '0x5'],
    [0x1en, undefined, '0x1e'],
    [0x00n, undefined, '0x0'],
    [0x21n, undefined, '0x21'],
  ])('C.2: event %s is asked as %s %s', (event, type, config) => {
    const guest = fresh().write('PMEVTYPER0', event);
    expect(guest.perf.calls).toMatchObject([{ call: 'create', config }]);
    expect([guest.perf.calls[0]!.type, guest.pmu.counterView(0).eventType]).toEqual([type, type]);
  });

  it('C.1: the event starts enabled, whatever PMCR.E and PMCNTEN', () => {
    const guest = fresh().write('PMEVTYPER0', INST);
    expect(guest.perf.calls[0]!.disabled).toBe(0);
    guest.hw(0x08, 9n);
    expect(guest.read('PMEVCNTR0')).toBe('0x9');
    expect(guest.pmu.counterView(0)).toMatchObject({ cntEnable: false, eventEnabled: true });
  });

  it('C.1: the same event number again makes nothing, so that new filter bits do not count', () => {
    const guest = fresh().write('PMEVTYPER0', INST, 'PMEVTYPER0', 0x8000_0000n | INST);
    expect(guest.perf.calls).toHaveLength(1);
    guest.hw(0x08, 9n, 1);
    expect([guest.read('PMEVCNTR0'), guest.read('PMEVTYPER0')]).toEqual(['0x9', '0x80000008']);
  });

  it('C.1: another event number ends the event, and its count is lost', () => {
    const guest = fresh().write('PMEVCNTR0', 100n, 'PMEVTYPER0', INST);
    guest.hw(0x08, 9n);
    expect(guest.read('PMEVCNTR0')).toBe('0x6d');
    guest.write('PMEVTYPER0', 0x11n);
    expect(guest.read('PMEVCNTR0')).toBe('0x64');
  });

  it('C.1: 0xff means unused: a fresh counter programmed for event 0xff never counts', () => {
    const guest = fresh().write('PMEVTYPER0', 0xffn);
    expect(guest.perf.calls).toEqual([]);
    // Programmed for something else first it does.
    guest.write('PMEVTYPER0', INST, 'PMEVTYPER0', 0xffn);
    expect(guest.perf.calls.map(({ call }) => call)).toEqual([
      'create',
      'disable',
      'release',
      'create',
    ]);
    guest.pmu.vcpuReset();
    guest.perf.calls = [];
    guest.write('PMEVTYPER0', 0xffn);
    expect(guest.perf.calls).toEqual([]);
  });

  it('C.1: a failed creation is never tried again for that number: the counter never moves', () => {
    const guest = fresh();
    guest.perf.createFails = 1;
    guest.write('PMEVTYPER0', INST, 'PMEVTYPER0', INST, ...ON);
    guest.hw(0x08, 9n);
    expect([guest.read('PMEVCNTR0'), guest.perf.calls.length]).toEqual(['0x0', 1]);
  });

  it.each([
    // C.1: period = -value mod 2^32.
    [0n, '0x0'],
    [1n, '0xffffffff'],
    [0xffff_fff0n, '0x10'],
    [0x8000_0000n, '0x80000000'],
  ])('C.1: a counter at %s has the period %s', (value, period) => {
    const guest = fresh().write('PMEVCNTR0', value, 'PMEVTYPER0', INST);
    expect(guest.perf.calls[0]!.period).toBe(period);
  });

  it('C.1: the filter bits become exclude_user, exclude_kernel and (inverted) exclude_hv', () => {
    const guest = fresh();
    guest.write('PMEVTYPER0', 0x4000_0008n, 'PMEVTYPER1', 0x8000_0008n, 'PMEVTYPER2', 0x0800_0008n);
    expect(guest.perf.calls.map(({ xu, xk, xhv }) => [xu, xk, xhv ?? 1])).toEqual([
      [1, 0, 1],
      [0, 1, 1],
      [0, 0, 0],
    ]);
  });

  it('C.1: the cycle counter asks for the number in PMCCFILTR', () => {
    const guest = fresh().write('PMCCFILTR', INST);
    expect(guest.perf.calls).toMatchObject([{ pmc: 31, type: 'hardware', config: '0x1' }]);
  });

  it('C.1: a reset clears the overflow status, ends the events and leaves the counters', () => {
    const guest = fresh().write('PMEVCNTR0', 100n, 'PMEVTYPER0', INST, 'PMOVSSET', 1n);
    guest.hw(0x08, 9n);
    guest.pmu.vcpuReset();
    expect([guest.read('PMOVSSET'), guest.read('PMEVCNTR0'), guest.perf.events.size]).toEqual([
      '0x0',
      '0x64',
      0,
    ]);
  });
});
