import { describe, expect, it } from 'vitest';
import { DrawnGuest, type Tally } from './drawn-guest.ts';

/**
 * Event reuse (semantics C): what each generation asks of perf for the same guest sequence. The sequences and the
 * counts of 4.14, 6.1 and 6.12 are those KVM's own code gave (C-seq-*); the column of the 2019 rule is worked out by
 * hand from the mail: a selector write that changes only EN keeps the event, everything else is 4.14.
 */
const OLD = 'x86-kvm-4.14';
const MAIL = 'x86-reuse-2019';
const IMMEDIATE = 'x86-kvm-6.1';
const DEFERRED = 'x86-kvm-6.12';
const MERGED = [IMMEDIATE, DEFERRED];
const ALL = [OLD, MAIL, ...MERGED];

const GLOBAL_CTRL = 0x38f;
const STATUS = 0x38e;
const OVF_CTRL = 0x390;
const SELECT = 0x186;
const COUNT = 0xc1;
const FULL_WIDTH = 0x4c1;

const counts = (create: number, release: number, reuse: number, period = reuse): Tally => ({
  create,
  release,
  reuse,
  period,
});

/** perf stat five times: the driver stops and starts by GLOBAL_CTRL and clears EN in between. */
function perfStat(guest: DrawnGuest): void {
  guest.wrmsr(GLOBAL_CTRL, 0);
  for (let run = 0; run < 5; run++) {
    guest.wrmsr(SELECT, 0x5300c0);
    guest.wrmsr(FULL_WIDTH, 0); // #GP on 4.14: it has no full-width writes
    guest.wrmsr(GLOBAL_CTRL, 1);
    guest.run(0xc0, 10_000 + run);
    guest.wrmsr(GLOBAL_CTRL, 0);
    guest.read(COUNT);
    guest.wrmsr(SELECT, 0x1300c0);
  }
}

/** The task that is counted leaves and comes back: EN off and on, ten times. */
function taskSwitch(guest: DrawnGuest): void {
  guest.wrmsr(GLOBAL_CTRL, 1);
  guest.wrmsr(SELECT, 0x4300c0);
  for (let turn = 0; turn < 10; turn++) {
    guest.run(0xc0, 100);
    guest.wrmsr(SELECT, 0x300c0);
    guest.wrmsr(SELECT, 0x4300c0);
  }
}

/** Two tasks with an event each take turns on one counter. */
function twoTasks(guest: DrawnGuest): void {
  guest.wrmsr(GLOBAL_CTRL, 1);
  for (let turn = 0; turn < 12; turn++) {
    guest.wrmsr(SELECT, turn % 2 === 0 ? 0x4300c0 : 0x4300c4);
    guest.run(turn % 2 === 0 ? 0xc0 : 0xc4, 100);
    guest.wrmsr(SELECT, 0);
  }
}

/** Eight counters stopped and started together, five times. */
function globalToggle(guest: DrawnGuest): void {
  guest.wrmsr(GLOBAL_CTRL, 0);
  for (let i = 0; i < 8; i++) guest.wrmsr(SELECT + i, 0x4300c0 + i);
  guest.wrmsr(GLOBAL_CTRL, 0xff);
  for (let turn = 0; turn < 5; turn++) {
    guest.wrmsr(GLOBAL_CTRL, 0);
    guest.wrmsr(GLOBAL_CTRL, 0xff);
  }
}

/** Twelve events rotated over eight counters, six rotations: each counter gets another event each time. */
function multiplexing(guest: DrawnGuest): void {
  for (let turn = 0; turn < 6; turn++) {
    guest.wrmsr(GLOBAL_CTRL, 0);
    for (let i = 0; i < 8; i++) guest.wrmsr(SELECT + i, 0x430040 + ((8 * turn + i) % 12));
    guest.wrmsr(GLOBAL_CTRL, 0xff);
  }
}

/** Ten samples; the PMI handler stops everything, rewrites the counter and starts again. */
function sampling(guest: DrawnGuest, counter: number, value: bigint): void {
  guest.pmu.setLvtpc(0x400);
  guest.wrmsr(GLOBAL_CTRL, 0);
  guest.wrmsr(counter, value);
  guest.wrmsr(SELECT, 0x5300c0);
  guest.wrmsr(GLOBAL_CTRL, 1);
  for (let sample = 0; sample < 10; sample++) {
    guest.run(0xc0, 1000);
    guest.enter();
    guest.wrmsr(GLOBAL_CTRL, 0);
    guest.wrmsr(counter, value);
    guest.wrmsr(OVF_CTRL, 1);
    guest.pmu.setLvtpc(0x400);
    guest.wrmsr(GLOBAL_CTRL, 1);
  }
}

describe('counts of creations, reuses and releases (corrections, table "Creates / reuses")', () => {
  it.each([
    ['perf stat, 5 runs', perfStat, counts(5, 5, 0), counts(5, 5, 0), counts(1, 0, 4)],
    [
      'EN off and on, 10 times',
      taskSwitch,
      counts(11, 10, 0),
      counts(2, 1, 9, 10),
      counts(1, 0, 10),
    ],
    ['two tasks take turns', twoTasks, counts(12, 12, 0), counts(12, 12, 0), counts(12, 11, 0)],
    [
      '8 counters stopped, 5 times',
      globalToggle,
      counts(48, 40, 0),
      counts(48, 40, 0),
      counts(8, 0, 40),
    ],
    [
      '12 events on 8 counters',
      multiplexing,
      counts(48, 40, 0),
      counts(48, 40, 0),
      counts(48, 40, 0),
    ],
  ] as const)('%s', (_name, sequence, old, mail, merged) => {
    for (const rules of ALL) {
      const guest = new DrawnGuest(rules);
      sequence(guest);
      const expected = rules === OLD ? old : rules === MAIL ? mail : merged;
      expect(guest.tally(), rules).toEqual(expected);
      // The emulator's own counters of operations say the same as its calls.
      const { creates, reuses, releases, periods } = guest.pmu.operations;
      expect({ create: creates, reuse: reuses, release: releases, period: periods }, rules).toEqual(
        guest.tally(),
      );
    }
  });

  it('the 2019 rule: ten EN toggles are ten reuses of one event', () => {
    const guest = new DrawnGuest(MAIL);
    guest.wrmsr(COUNT, 0x1000);
    taskSwitch(guest);
    expect(guest.tally()).toEqual(counts(1, 0, 10));
    expect(guest.read(COUNT)).toBe('0x13e8');
  });

  it('the 2019 rule from 0: an event 4.14 made without a period takes none, so the first toggle makes another', () => {
    const guest = new DrawnGuest(MAIL);
    taskSwitch(guest);
    expect(guest.tally()).toEqual(counts(2, 1, 9, 10));
    expect(guest.read(COUNT)).toBe('0x3e8');
  });

  it('ten samples: 1 creation and 20 reuses instead of 21 creations and 20 releases', () => {
    for (const rules of MERGED) {
      const guest = new DrawnGuest(rules);
      sampling(guest, FULL_WIDTH, 0xffff_ffff_fc18n);
      expect(guest.tally(), rules).toEqual(counts(1, 0, 20));
      expect(guest.read(STATUS)).toBe('0x0');
    }
    for (const rules of [OLD, MAIL]) {
      const guest = new DrawnGuest(rules);
      sampling(guest, COUNT, 0xffff_fc18n);
      // Per sample: anew after the overflow, released by GLOBAL_CTRL off, created by GLOBAL_CTRL on.
      expect(guest.tally(), rules).toEqual(counts(21, 20, 0));
    }
  });

  it('ten samples by full-width writes on 4.14: they fault, so there is no overflow and 11 creations', () => {
    const guest = new DrawnGuest(OLD);
    sampling(guest, FULL_WIDTH, 0xffff_ffff_fc18n);
    expect(guest.tally()).toEqual(counts(11, 10, 0));
  });

  it('AMD K7: four counters stopped and started through their selectors, 5 times', () => {
    const selectors = [0xc0010000, 0xc0010001, 0xc0010002, 0xc0010003];
    for (const rules of ALL) {
      const guest = new DrawnGuest(rules, { vendor: 'amd', perfctrCore: false, gpCounters: 4 });
      for (let turn = 0; turn < 5; turn++) {
        for (const [i, msr] of selectors.entries()) guest.wrmsr(msr, 0x4300c0 + i);
        for (const msr of selectors) guest.wrmsr(msr, 0);
      }
      // Whole selectors cleared: also the mail's rule makes new events; the merged one compares with the last creation.
      const old = rules === OLD || rules === MAIL;
      expect(guest.tally(), rules).toEqual(old ? counts(20, 20, 0) : counts(4, 0, 16));
    }
  });
});

describe('the merged rule (semantics C, "Test vectors")', () => {
  it.each(MERGED)('%s: same config resumes, another config is created anew', (rules) => {
    const guest = new DrawnGuest(rules);
    guest.wrmsr(GLOBAL_CTRL, 1);
    guest.wrmsr(SELECT, 0x5300c0);
    expect(guest.calls()).toEqual(['create 0 0xc0 2^48']);
    guest.wrmsr(SELECT, 0x1300c0);
    expect(guest.calls()).toEqual(['pause 0 0x0']);
    guest.wrmsr(SELECT, 0x5300c0);
    expect(guest.calls()).toEqual(['period 0 2^48', 'enable 0']);
    guest.wrmsr(COUNT, 0x10);
    expect(guest.calls()).toEqual(['period 0 0xfffffffffff0']);
    guest.wrmsr(SELECT, 0x5300c4);
    expect(guest.calls()).toEqual(['pause 0 0x0', 'release 0', 'create 0 0xc4 0xfffffffffff0']);
  });

  it.each(MERGED)(
    '%s: the whole selector is compared, so USR, OS or INT changed creates anew',
    (rules) => {
      for (const other of [0x5200c0, 0x5100c0, 0x4300c0]) {
        const guest = new DrawnGuest(rules);
        guest.wrmsr(GLOBAL_CTRL, 1);
        guest.wrmsr(SELECT, 0x5300c0);
        guest.wrmsr(SELECT, other);
        expect(guest.calls().slice(1), other.toString(16)).toEqual([
          'pause 0 0x0',
          'release 0',
          'create 0 0xc0 2^48',
        ]);
      }
    },
  );

  it('a period perf refuses ends the reuse (B.5 step 4)', () => {
    const guest = new DrawnGuest(DEFERRED);
    guest.wrmsr(GLOBAL_CTRL, 1);
    guest.wrmsr(SELECT, 0x4300c0);
    guest.wrmsr(GLOBAL_CTRL, 0);
    guest.perf.fails.period = 1;
    guest.wrmsr(GLOBAL_CTRL, 1);
    expect(guest.calls().slice(-3)).toEqual([
      'period 0 2^48 refused',
      'release 0',
      'create 0 0xc0 2^48',
    ]);
  });

  it('several writes before one entry: one piece of work in 6.12, each its own in 6.1 (C-n-writes-one-reprogram)', () => {
    const guests = MERGED.map((rules) => new DrawnGuest(rules));
    for (const guest of guests) {
      guest.write(GLOBAL_CTRL, 1);
      for (const value of [0x5300c0, 0x1300c0, 0x5300c0]) guest.write(SELECT, value);
      guest.enter();
    }
    expect(guests.map((guest) => guest.calls())).toEqual([
      ['create 0 0xc0 2^48', 'pause 0 0x0', 'period 0 2^48', 'enable 0'],
      ['create 0 0xc0 2^48'],
    ]);
  });
});

describe('lazy release (B.5 step 6, corrections 10)', () => {
  it.each([
    [OLD, ['create 0 0x1 0x0', 'release 0', 'create 0 0x1 0xfffffffffffb'], counts(2, 1, 0)],
    [IMMEDIATE, undefined, counts(2, 1, 0)],
    [DEFERRED, undefined, counts(2, 1, 0)],
  ] as const)('%s: an idle counter loses its event in the second slice', (rules, calls, total) => {
    const guest = new DrawnGuest(rules);
    guest.wrmsr(GLOBAL_CTRL, 1);
    guest.wrmsr(SELECT, 0x4300c0);
    guest.run(0xc0, 5);
    guest.wrmsr(SELECT, 0x300c0);
    if (calls === undefined) expect(guest.calls()).toEqual(['create 0 0xc0 2^48', 'pause 0 0x5']);
    const released = [1, 2, 3].map(() => {
      guest.slice();
      return calls === undefined ? guest.calls().length : 0;
    });
    if (calls === undefined) expect(released).toEqual([0, 1, 0]);
    expect(guest.read(COUNT)).toBe('0x5');
    guest.wrmsr(SELECT, 0x4300c0);
    if (calls === undefined) expect(guest.calls()).toEqual(['create 0 0xc0 0xfffffffffffb']);
    else expect(guest.calls()).toEqual(calls);
    expect(guest.tally()).toEqual(total);
  });

  it.each([
    [OLD, counts(2, 1, 0)],
    [IMMEDIATE, counts(1, 0, 1)],
    [DEFERRED, counts(1, 0, 1)],
  ] as const)(
    '%s: a counter that stays enabled keeps its event over six slices and one overflow',
    (rules, total) => {
      const guest = new DrawnGuest(rules);
      guest.pmu.setLvtpc(0x400);
      guest.wrmsr(GLOBAL_CTRL, 1);
      guest.wrmsr(COUNT, 0xffff_ff00n);
      guest.wrmsr(SELECT, 0x5300c0);
      const pmis = [1, 2, 3, 4, 5, 6].map(() => {
        guest.run(0xc0, 0x40);
        return guest.slice();
      });
      expect(pmis).toEqual(['none', 'none', 'none', 'nmi', 'none', 'none']);
      expect(guest.read(COUNT)).toBe('0x80');
      expect(guest.tally()).toEqual(total);
    },
  );

  it('a full-width write does not protect the event, the legacy alias does (corrections 10)', () => {
    for (const [msr, left] of [
      [FULL_WIDTH, 0],
      [COUNT, 1],
    ] as const) {
      const guest = new DrawnGuest(DEFERRED);
      guest.wrmsr(GLOBAL_CTRL, 1);
      guest.wrmsr(SELECT, 0x4300c0);
      guest.wrmsr(SELECT, 0x300c0);
      guest.slice();
      guest.wrmsr(msr, 5);
      guest.slice();
      expect(guest.perf.events.size, msr.toString(16)).toBe(left);
    }
  });

  it.each([
    ['known to fault by the model', (guest: DrawnGuest) => guest.write(SELECT, 1n << 43n), 1],
    ['known to fault by the recording', (guest: DrawnGuest) => guest.pmu.wrmsrFaulted(SELECT), 1],
    ['of the other alias', (guest: DrawnGuest) => guest.pmu.wrmsrFaulted(FULL_WIDTH), 0],
    ['of another counter', (guest: DrawnGuest) => guest.pmu.wrmsrFaulted(SELECT + 1), 0],
  ] as const)(
    'a write that faults protects the event too: %s (corrections 10)',
    (_, fault, left) => {
      const guest = new DrawnGuest(DEFERRED);
      guest.wrmsr(GLOBAL_CTRL, 1);
      guest.wrmsr(SELECT, 0x4300c0);
      guest.run(0xc0, 5);
      guest.wrmsr(SELECT, 0x300c0);
      guest.slice();
      fault(guest);
      expect(guest.read(SELECT)).toBe('0x300c0');
      guest.slice();
      expect([guest.perf.events.size, guest.read(COUNT)]).toEqual([left, '0x5']);
      // The mark holds for one slice.
      guest.slice();
      expect(guest.perf.events.size).toBe(0);
    },
  );
});

describe('the 2019 rule (semantics C, [S3])', () => {
  it('anything but EN alone saves the counter and makes a new event', () => {
    for (const other of [0x5300c4, 0x5200c0, 0x4300c0, 0x1300c4, 0x0]) {
      const guest = new DrawnGuest(MAIL);
      guest.wrmsr(GLOBAL_CTRL, 1);
      guest.wrmsr(SELECT, 0x5300c0);
      guest.run(0xc0, 7);
      guest.calls();
      guest.wrmsr(SELECT, other);
      const remade = (other & 0x400000) !== 0;
      expect(
        guest.calls().map((call) => call.split(' ')[0]),
        other.toString(16),
      ).toEqual(remade ? ['release', 'create'] : ['release']);
      expect(guest.read(COUNT), other.toString(16)).toBe('0x7');
    }
  });

  it('"eventsel or fixctrl": a fixed counter off and on again as it was keeps its event, otherwise not', () => {
    const guest = new DrawnGuest(MAIL);
    guest.wrmsr(GLOBAL_CTRL, 0x1_0000_0000n);
    guest.wrmsr(0x309, 5);
    const asked = [0x3, 0x0, 0x3, 0x1, 0x0, 0x3, 0xb].map((nibble) => {
      guest.wrmsr(0x38d, nibble);
      return guest.calls().map((call) => call.split(' ')[0]);
    });
    expect(asked).toEqual([
      ['create'],
      ['pause'],
      ['period', 'enable'],
      ['release', 'create'], // USR taken away
      ['pause'],
      ['release', 'create'], // made for OS alone
      ['release', 'create'], // PMI bit
    ]);
  });

  it('GLOBAL_CTRL is as in 4.14', () => {
    const guest = new DrawnGuest(MAIL);
    guest.wrmsr(COUNT, 5);
    guest.wrmsr(GLOBAL_CTRL, 1);
    guest.wrmsr(SELECT, 0x5300c0);
    guest.wrmsr(GLOBAL_CTRL, 0);
    guest.wrmsr(GLOBAL_CTRL, 1);
    expect(guest.tally()).toEqual(counts(2, 1, 0));
  });

  it('a counter kept through EN off stands still and goes on where it was', () => {
    const guest = new DrawnGuest(MAIL);
    guest.wrmsr(GLOBAL_CTRL, 1);
    guest.wrmsr(COUNT, 0x100);
    guest.wrmsr(SELECT, 0x5300c0);
    guest.run(0xc0, 5);
    guest.wrmsr(SELECT, 0x1300c0);
    guest.run(0xc0, 50);
    expect(guest.read(COUNT)).toBe('0x105');
    guest.wrmsr(SELECT, 0x5300c0);
    guest.run(0xc0, 5);
    expect(guest.read(COUNT)).toBe('0x10a');
  });
});
