import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { U64_MAX } from '../../../src/domain/u64.ts';
import { AccessTimer } from '../../../src/replay/what-if/access-cost.ts';
import { DurationTally } from '../../../src/replay/what-if/duration-tally.ts';
import { likeness, type Shown, shownAs } from '../../../src/replay/what-if/shown.ts';

const value = (low: bigint, span = 0n, width = 64): Shown => ({
  ...shownAs(false, low),
  span,
  width,
});
const bits = (low: bigint, unknownBits: bigint): Shown => ({ ...shownAs(false, low), unknownBits });

describe('comparing what two rule sets showed', () => {
  it.each([
    [value(5n), value(5n), 'same'],
    [value(5n), value(6n), 'apart'],
    [value(5n), value(3n, 2n), 'open'],
    [value(5n), value(6n, 2n), 'apart'],
    [value(5n), value(0n, U64_MAX), 'open'],
    [value(0n, U64_MAX), value(0n, U64_MAX), 'open'],
    [value(3n, 2n), value(5n, 9n), 'open'],
    [value(3n, 2n), value(6n, 9n), 'apart'],
    [value(1n), value(0xffff_fffen, 4n, 32), 'open'], // wraps at its width
    [value(1n), value(0xffff_fffen, 2n, 32), 'apart'],
    [value(1n << 32n), value(0n, 9n, 32), 'apart'], // more than the interval's width can hold
    [value(3n, 2n, 32), value(9n, 1n, 64), 'open'],
    [bits(0b100n, 0b001n), value(0b101n), 'open'],
    [bits(0b100n, 0b001n), value(0b110n), 'apart'],
    [shownAs(true, 0n), shownAs(true, 9n), 'same'],
    [shownAs(true, 0n), value(0n), 'apart'],
    [{ ...value(0n), outcomeUnknown: true }, shownAs(true, 0n), 'open'],
  ] as const)('%#', (a, b, expected) => {
    expect(likeness(a, b)).toBe(expected);
    expect(likeness(b, a)).toBe(expected);
  });
});

describe('durations', () => {
  it('knows least and most exactly, and the median within 0.1 %', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 2 ** 40 }), { minLength: 1, maxLength: 60 }), (ns) => {
        const tally = new DurationTally();
        for (const n of ns) tally.add(n);
        const sorted = [...ns].sort((a, b) => a - b);
        const middle = sorted[Math.ceil(ns.length / 2) - 1]!;
        expect(tally.min).toBe(sorted[0]);
        expect(tally.max).toBe(sorted.at(-1));
        expect(tally.median!).toBeLessThanOrEqual(middle);
        expect(tally.median!).toBeGreaterThanOrEqual(Math.floor(middle * 0.999));
        if (middle < 2048) expect(tally.median).toBe(middle);
      }),
    );
  });

  it('are those of exits with one access, by what it asked of perf', () => {
    const operations = { creates: 0, failedCreates: 0, reuses: 0, releases: 0, periods: 0 };
    const timer = new AccessTimer(operations);
    const exit = (
      from: bigint,
      to: bigint,
      accesses: number,
      act = (): void => undefined,
    ): void => {
      timer.exit(from);
      for (let i = 0; i < accesses; i++) timer.access();
      act();
      timer.enter(to);
    };
    timer.enter(5n); // no exit before it
    exit(10n, 30n, 1);
    exit(100n, 400n, 0); // another exit
    exit(500n, 900n, 2); // two accesses: whose time is it?
    exit(1000n, 1050n, 1, () => {
      operations.creates++;
    });
    exit(2000n, 2007n, 1, () => {
      operations.reuses++;
    });
    exit(3000n, 3009n, 1, () => {
      operations.periods++;
    });
    expect(timer.costs()).toEqual([
      { asked: 'created', accesses: 1, min: 50, median: 50, max: 50 },
      { asked: 'reused', accesses: 2, min: 7, median: 7, max: 9 },
      { asked: 'nothing', accesses: 1, min: 20, median: 20, max: 20 },
    ]);
  });
});
