import { describe, expect, it } from 'vitest';
import { U64_MAX } from '../../src/domain/u64.ts';
import { Guest } from './guest.ts';

const INST = 0x08n;
const CYCLES = 0x11;
const CHAIN = 0x1en;
const KERNELS = ['6.1', '6.12'] as const;

/** [what the 6.1 guest printed, what the 6.12 guest printed] */
type PerKernel = readonly [old: string, now: string];
const pick = (kernel: '6.1' | '6.12', [old, now]: PerKernel): string =>
  kernel === '6.1' ? old : now;

describe.each(KERNELS)('what the S5 guest printed on Linux %s', (kernel) => {
  const says = (...texts: PerKernel): string => pick(kernel, texts);

  it('T0 identification', () => {
    const guest = new Guest(kernel);
    guest.pmu.guestEnter();
    expect(guest.read('PMCR')).toBe(says('0x410130a8', '0x3000'));
    expect(guest.read('PMCEID0')).toBe(says('0x20101', '0x40020101'));
    expect(guest.read('PMCEID1')).toBe('0x10000018');
  });

  it('T1 software increment and its chain', () => {
    const guest = new Guest(kernel).started();
    guest.write('PMEVTYPER0', 0n, 'PMEVTYPER1', CHAIN, 'PMEVCNTR0', 0xffff_fffdn, 'PMEVCNTR1', 5n);
    guest.write('PMCNTENSET', 3n, 'PMSWINC', 1n, 'PMSWINC', 1n, 'PMSWINC', 1n);
    expect([guest.read('PMEVCNTR0'), guest.read('PMEVCNTR1')]).toEqual(['0xfffffffd', '0x5']);
    guest.write('PMCR', 0x41n);
    for (let i = 0; i < 5; i++) guest.write('PMSWINC', 1n);
    expect([guest.read('PMEVCNTR0'), guest.read('PMEVCNTR1'), guest.read('PMOVSSET')]).toEqual([
      says('0x2', '0x100000002'),
      '0x6',
      '0x1',
    ]);
    guest.write('PMCNTENCLR', 1n, 'PMSWINC', 3n);
    expect([guest.read('PMEVCNTR0'), guest.read('PMEVCNTR1')]).toEqual([
      says('0x2', '0x100000002'),
      '0x6',
    ]);
  });

  it('T2 a chained hardware counter', () => {
    const guest = new Guest(kernel).started();
    guest.write(
      'PMEVTYPER2',
      INST,
      'PMEVTYPER3',
      CHAIN,
      'PMEVCNTR2',
      0xffff_f000n,
      'PMEVCNTR3',
      0n,
    );
    guest.write('PMCNTENSET', 0xcn, 'PMCR', 1n);
    guest.hw(0x08, 0x2_1d47n);
    expect([guest.read('PMEVCNTR2'), guest.read('PMEVCNTR3'), guest.read('PMOVSCLR')]).toEqual([
      says('0x20d47', '0x100020d47'),
      '0x1',
      '0x4',
    ]);
  });

  it('T3 PMCR.LP', () => {
    const guest = new Guest(kernel).started().write('PMCR', 0xc0n);
    guest.write(
      'PMEVTYPER2',
      INST,
      'PMEVCNTR2',
      0xffff_ffff_ffff_f000n,
      'PMCNTENSET',
      4n,
      'PMCR',
      0xc1n,
    );
    guest.hw(0x08, 0x2_1d47n);
    guest.write('PMCR', 0xc0n);
    expect([guest.read('PMCR'), guest.read('PMEVCNTR2'), guest.read('PMOVSSET')]).toEqual([
      says('0x410130c0', '0x30c0'),
      '0x20d47',
      '0x4',
    ]);
  });

  it('T5 filters: without EL3 the NSK bit is not kept, so P and NSK count as P', () => {
    const guest = new Guest(kernel).started().write('PMCR', 1n, 'PMCNTENSET', 0xfn);
    const filters = [0n, 0x8000_0000n, 0x4000_0000n, 0xa000_0000n];
    for (const [i, filter] of filters.entries()) {
      guest.write(`PMEVTYPER${i}`, INST | filter, `PMEVCNTR${i}`, 0n);
    }
    guest.hw(0x08, 40_000n, 1);
    guest.hw(0x08, 60_000n, 0);
    expect([0, 1, 2, 3].map((i) => BigInt(guest.read(`PMEVCNTR${i}`)))).toEqual([
      100_000n,
      60_000n,
      40_000n,
      60_000n,
    ]);
  });

  it('T7 the selector', () => {
    const guest = new Guest(kernel).started();
    guest.write('PMSELR', 3n, 'PMXEVTYPER', 8n, 'PMXEVCNTR', 0x1234n);
    expect([guest.read('PMEVCNTR3'), guest.read('PMEVTYPER3')]).toEqual(['0x1234', '0x8']);
    guest.write('PMSELR', 0xffff_fffen);
    expect([guest.read('PMSELR'), guest.read('PMXEVCNTR')]).toEqual(['0x1e', 'undef']);
  });

  it('T8 register bits', () => {
    const guest = new Guest(kernel).started();
    guest.write('PMINTENSET', U64_MAX, 'PMUSERENR', U64_MAX);
    expect([guest.read('PMINTENSET'), guest.read('PMUSERENR'), guest.read('PMCNTENSET')]).toEqual([
      '0x8000003f',
      '0xf',
      '0x0',
    ]);
    guest.write('PMINTENCLR', 0x15n);
    expect(guest.read('PMINTENCLR')).toBe('0x8000002a');
  });

  it('T9 the cycle counter wraps: 6.1 never tells', () => {
    const guest = new Guest(kernel).started();
    guest.write('PMCCFILTR', 0n, 'PMCCNTR', 0xffff_f000n, 'PMCNTENSET', 0x8000_0000n, 'PMCR', 1n);
    expect(guest.pmu.counterView(31).period).toBe(
      kernel === '6.1' ? 0xffff_ffff_0000_1000n : 0x1000n,
    );
    guest.hw(CYCLES, 0x1_388an);
    expect([guest.read('PMCCNTR'), guest.read('PMOVSSET')]).toEqual([
      '0x10001288a',
      says('0x0', '0x80000000'),
    ]);
    // With LC = 1 set only after the counter: the period of the write stays.
    guest.write('PMCR', 0n, 'PMOVSCLR', U64_MAX, 'PMCCNTR', 0xffff_ffff_ffff_f000n, 'PMCR', 0x41n);
    guest.hw(CYCLES, 0x1_388cn);
    expect([guest.read('PMCCNTR'), guest.read('PMOVSSET')]).toEqual([
      '0x1288c',
      says('0x0', '0x80000000'),
    ]);
    // With LC = 1 first, both kernels tell.
    guest.write(
      'PMCR',
      0x40n,
      'PMOVSCLR',
      U64_MAX,
      'PMCCNTR',
      0xffff_ffff_ffff_f000n,
      'PMCR',
      0x41n,
    );
    guest.hw(CYCLES, 0x1000n);
    expect([guest.read('PMCCNTR'), guest.read('PMOVSSET')]).toEqual(['0x0', '0x80000000']);
  });

  it('T10 value and type rewritten while counting', () => {
    const guest = new Guest(kernel).started();
    guest.write('PMEVTYPER0', INST, 'PMCNTENSET', 1n, 'PMCR', 0x41n);
    guest.hw(0x08, 20_007n);
    guest.write('PMEVCNTR0', 0xf4240n);
    guest.hw(0x08, 20_006n);
    expect(guest.read('PMEVCNTR0')).toBe('0xf9066');
    guest.hw(0x08, 2n);
    guest.write('PMEVTYPER0', 0x11n);
    guest.hw(CYCLES, 40_012n);
    expect(guest.read('PMEVCNTR0')).toBe('0x102cb4');
  });
});

describe('the first run', () => {
  it('acts on the reset PMCR: on 6.1 its C bit zeroes the cycle counter and makes its event', () => {
    const old = new Guest('6.1');
    expect(old.read('PMCCNTR')).toBe('0x1de7ec7edbadc0de');
    old.pmu.guestEnter();
    expect(old.read('PMCCNTR')).toBe('0x0');
    expect(old.perf.calls).toEqual([
      {
        call: 'create',
        pmc: 31,
        config: '0x11',
        config1: '0x1',
        period: '0x0',
        xu: 0,
        xk: 0,
        disabled: 1,
        state: 'off',
      },
    ]);
    const now = new Guest('6.12');
    now.pmu.guestEnter();
    expect([now.read('PMCCNTR'), now.perf.calls]).toEqual(['0x1de7ec7edbadc0de', []]);
  });

  it('happens once', () => {
    const guest = new Guest('6.1');
    guest.pmu.guestEnter();
    guest.write('PMCCNTR', 77n);
    guest.pmu.guestEnter();
    expect(guest.read('PMCCNTR')).toBe('0x4d');
  });

  it('trims what lies beyond N on 6.12', () => {
    const guest = new Guest('6.12', { pmcrN: 6 });
    guest.pmu.userspaceSetPmcr(0x1000n);
    expect([guest.read('PMCR'), guest.read('PMCNTENSET')]).toEqual(['0x1000', '0x8000001e']);
    guest.pmu.guestEnter();
    expect([guest.read('PMCNTENSET'), guest.read('PMINTENSET'), guest.read('PMOVSSET')]).toEqual([
      '0x80000002',
      '0x80000002',
      '0x80000002',
    ]);
  });
});

describe.each(KERNELS)('hand vectors K on Linux %s', (kernel) => {
  it('K8 index at or above N is UNDEF, 31 through PMXEVCNTR is the cycle counter', () => {
    const guest = new Guest(kernel).started();
    for (let i = 6; i < 31; i++) {
      expect([guest.read(`PMEVCNTR${i}`), guest.read(`PMEVTYPER${i}`)]).toEqual(['undef', 'undef']);
    }
    guest.write('PMSELR', 31n, 'PMXEVCNTR', 5n, 'PMXEVTYPER', 0x8000_0008n);
    expect([guest.read('PMCCNTR'), guest.read('PMCCFILTR')]).toEqual(['0x5', '0x80000008']);
  });

  it('K9 PMCR = 7 stores E and zeroes every counter', () => {
    const guest = new Guest(kernel).started();
    guest.write('PMEVCNTR0', 9n, 'PMEVCNTR5', 9n, 'PMCCNTR', 9n, 'PMCR', 7n);
    expect(guest.read('PMCR')).toBe(kernel === '6.1' ? '0x41013001' : '0x3001');
    expect(['PMEVCNTR0', 'PMEVCNTR5', 'PMCCNTR'].map((reg) => guest.read(reg))).toEqual([
      '0x0',
      '0x0',
      '0x0',
    ]);
  });

  it('K9 without AArch32 at EL0 PMCR.LC is fixed to 1', () => {
    const guest = new Guest(kernel, { el0Aarch32: false }).started().write('PMCR', 7n);
    expect(guest.read('PMCR')).toBe(kernel === '6.1' ? '0x41013041' : '0x3041');
  });

  it('K10 a 32-bit wrap sets OVS and ticks the CHAIN neighbour; from zero it does neither', () => {
    const guest = new Guest(kernel, { pmuVer: 5 }).started();
    guest.write(
      'PMEVTYPER0',
      INST,
      'PMEVTYPER1',
      CHAIN,
      'PMEVCNTR0',
      0xffff_fff0n,
      'PMEVCNTR1',
      0n,
    );
    guest.write('PMCNTENSET', 3n, 'PMCR', 1n);
    expect(guest.hw(0x08, 16n)).toBe(1n);
    expect([guest.read('PMEVCNTR0'), guest.read('PMEVCNTR1'), guest.read('PMOVSSET')]).toEqual([
      '0x0',
      '0x1',
      '0x1',
    ]);
    guest.write('PMOVSCLR', 1n, 'PMEVCNTR0', 0n);
    expect(guest.hw(0x08, 0x1_0000_0000n)).toBe(0n);
    expect([guest.read('PMEVCNTR0'), guest.read('PMEVCNTR1'), guest.read('PMOVSSET')]).toEqual([
      '0x0',
      '0x1',
      '0x0',
    ]);
  });

  it('K10 the re-arm forgets the base: with skid the next overflow comes where the visible value is R again', () => {
    const guest = new Guest(kernel, { pmuVer: 5 }).started();
    guest.write('PMEVTYPER0', INST, 'PMEVCNTR0', 0xffff_ff00n, 'PMCNTENSET', 1n, 'PMCR', 1n);
    expect(guest.hw(0x08, 0x100n, 1, 0n)).toBe(1n);
    expect(guest.pmu.counterView(0).period).toBe(0xffff_ff00n);
    expect(guest.hw(0x08, 0xffff_ff00n)).toBe(1n);
    expect(guest.read('PMEVCNTR0')).toBe('0xffffff00');
    // The count is now exactly 2^32: the new period is 0, there is no third overflow.
    expect([guest.pmu.counterView(0).period, guest.hw(0x08, 0x3_0000_0000n)]).toEqual([0n, 0n]);
  });

  it('K11 software increment at the top', () => {
    const guest = new Guest(kernel, { pmuVer: 5 })
      .started()
      .write('PMEVTYPER0', 0n, 'PMEVCNTR0', 0xffff_ffffn);
    guest.write('PMSWINC', 1n, 'PMCR', 1n, 'PMSWINC', 1n);
    expect(guest.read('PMEVCNTR0')).toBe('0xffffffff');
    guest.write('PMCNTENSET', 1n, 'PMSWINC', 1n);
    expect([guest.read('PMEVCNTR0'), guest.read('PMOVSSET')]).toEqual(['0x0', '0x1']);
  });

  it('K12 a PMUv3.0 PMU has 10 event bits', () => {
    const guest = new Guest(kernel, { pmuVer: 1, hostPmuVer: 1 })
      .started()
      .write('PMEVTYPER0', 0x4004n);
    expect(guest.read('PMEVTYPER0')).toBe('0x4');
  });

  it('K12 whose version counts: the host on 6.1, the guest on 6.12', () => {
    const guest = new Guest(kernel, { pmuVer: 1, hostPmuVer: 6 })
      .started()
      .write('PMEVTYPER0', 0x4004n);
    expect(guest.read('PMEVTYPER0')).toBe(kernel === '6.1' ? '0x4004' : '0x4');
  });

  it('K13 level is E and OVS and INTEN, whatever CNTEN', () => {
    const guest = new Guest(kernel).started().write('PMOVSSET', 1n, 'PMINTENSET', 1n);
    expect(guest.pmu.lineLevel()).toBe(0);
    guest.write('PMCR', 1n);
    expect([guest.pmu.lineLevel(), guest.pmu.irqLevel]).toEqual([1, 0]);
    expect([guest.pmu.guestEnter(), guest.pmu.irqLevel, guest.pmu.guestExit()]).toEqual([
      true,
      1,
      false,
    ]);
    guest.write('PMOVSCLR', 1n);
    expect([guest.pmu.guestEnter(), guest.pmu.irqLevel]).toEqual([true, 0]);
  });
});

describe('differences of 6.1 and 6.12', () => {
  it('exclude bits: U xor NSU on 6.12 (with EL3), U alone on 6.1', () => {
    const calls = (kernel: '6.1' | '6.12'): unknown[] => {
      const guest = new Guest(kernel, { el2: true, el3: true }).started();
      guest.perf.calls = [];
      guest.write('PMEVTYPER0', 0x5000_0008n, 'PMEVTYPER1', 0x2000_0008n);
      return [
        guest.perf.calls.map(({ xu, xk }) => [xu, xk]),
        guest.read('PMEVTYPER0'),
        guest.read('PMEVTYPER1'),
      ];
    };
    expect(calls('6.12')).toEqual([
      [
        [0, 0],
        [0, 1],
      ],
      '0x50000008',
      '0x20000008',
    ]);
    expect(calls('6.1')).toEqual([
      [
        [1, 0],
        [0, 0],
      ],
      '0x40000008',
      '0x8',
    ]);
  });

  it('PMEVTYPER keeps NSH always on 6.1, only for a guest with EL2 on 6.12', () => {
    expect(new Guest('6.1').started().write('PMEVTYPER0', 0xffff_ffffn).read('PMEVTYPER0')).toBe(
      '0xc800ffff',
    );
    expect(new Guest('6.12').started().write('PMEVTYPER0', 0xffff_ffffn).read('PMEVTYPER0')).toBe(
      '0xc000ffff',
    );
    expect(
      new Guest('6.12', { el2: true })
        .started()
        .write('PMEVTYPER0', 0xffff_ffffn)
        .read('PMEVTYPER0'),
    ).toBe('0xc800ffff');
  });

  it('an AArch32 counter write keeps the upper half of the stored base on 6.12, without the count', () => {
    const guest = new Guest('6.12').started();
    guest.write('PMEVTYPER0', INST, 'PMEVCNTR0', 0x5_ffff_fff0n, 'PMCNTENSET', 1n, 'PMCR', 1n);
    guest.hw(0x08, 0x20n);
    expect(guest.read('PMEVCNTR0')).toBe('0x600000010');
    guest.pmu.write((14 << 7) | (8 << 3), 1, 7n, 1, guest.out);
    expect(guest.read('PMEVCNTR0')).toBe('0x500000007');
  });

  it('PMCR.N: 6.12 takes what fits before the first run, 6.1 whatever is stored', () => {
    for (const [kernel, over] of [
      ['6.1', '0x41014800'],
      ['6.12', '0x3000'],
    ] as const) {
      const guest = new Guest(kernel);
      guest.pmu.userspaceSetPmcr(0x4800n);
      expect(guest.read('PMCR')).toBe(over);
    }
  });

  it('a vCPU without PMU answers UNDEF, PMMIR reads zero', () => {
    for (const kernel of KERNELS) {
      const guest = new Guest(kernel, { pmuPresent: false });
      expect([guest.read('PMCR'), guest.read('PMEVCNTR0'), guest.read('PMMIR')]).toEqual([
        'undef',
        'undef',
        '0x0',
      ]);
    }
  });
});

describe('corrections', () => {
  it('15: LC or LP written alone does not re-arm a live event', () => {
    const guest = new Guest('6.12').started();
    guest.write('PMCCFILTR', 0n, 'PMCCNTR', 0xffff_fff0n, 'PMCR', 0x40n);
    expect(guest.pmu.counterView(31).period).toBe(0x10n);
    guest.write('PMCCNTR', 0xffff_fff0n);
    expect(guest.pmu.counterView(31).period).toBe(0xffff_ffff_0000_0010n);
  });

  it('7: a failed creation is tried again by every later enable or write', () => {
    const guest = new Guest('6.12').started().write('PMCR', 1n);
    guest.perf.createFails = 2;
    guest.write('PMEVTYPER0', INST);
    expect(guest.pmu.counterView(0).hasEvent).toBe(false);
    guest.write('PMCNTENSET', 1n);
    expect(guest.pmu.counterView(0).hasEvent).toBe(false);
    guest.write('PMCNTENSET', 1n);
    expect(guest.pmu.counterView(0).hasEvent).toBe(true);
  });

  it('A.8: events beyond the guest event space show no PMCEID bits under a filter', () => {
    const full = {
      hostPmceid0: 0xffff_ffff_ffff_ffffn,
      eventFilter: [{ base: 8, nevents: 1, action: 'deny' as const }],
    };
    expect(new Guest('6.12', full).read('PMCEID0')).toBe('0xfffffffffffffeff');
    expect(new Guest('6.12', { ...full, pmuVer: 1 }).read('PMCEID0')).toBe('0xfffffeff');
    expect(new Guest('6.12', full).read('PMCEID0', { aa32: true })).toBe('0xfffffeff');
  });
});
