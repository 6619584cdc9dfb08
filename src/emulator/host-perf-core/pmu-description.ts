import { CPU_CYCLES } from '../../arch/arm64-events.ts';

/** Which counters an event may use: a fact about a PMU, with its source. The first rule that matches decides. */
export interface CounterRule {
  /** It matches when the event's number equals `event` in the bits of `mask`. */
  readonly event: number;
  readonly mask: number;
  /** Counters it may use, the preferred first. */
  readonly counters: readonly number[];
  readonly source: string;
}

/** The counters of one core PMU and how its driver hands them out. */
export interface PmuDescription {
  readonly name: string;
  /** Counters an event without a rule of its own may use, in the order the driver tries them. */
  readonly counters: readonly number[];
  readonly rules: readonly CounterRule[];
  /**
   * What becomes of events that have a counter when another one asks: `keep` them where they are (arm64: first fit), or
   * move them as long as all fit (x86: the driver assigns the whole set anew).
   */
  readonly placed: 'keep' | 'move';
  /** An event of 64 bits takes a pair of neighbouring counters (even, odd), unless its counter is in `alwaysLong`. */
  readonly longTakesPair: boolean;
  /** Counters that are 64 bits wide by themselves. */
  readonly alwaysLong: readonly number[];
}

/** The arm64 cycle counter's number in every vpmu table. */
export const ARM64_CYCLE_COUNTER = 31;

/** KVM's and the x86 drivers' number of fixed counter `i`. */
export const fixedCounter = (i: number): number => 32 + i;

const upTo = (n: number): readonly number[] => Array.from({ length: n }, (_, i) => i);

/**
 * An Armv8 PMU with `eventCounters` event counters and one cycle counter. `long`: PMUv3p5 and later, where every counter
 * has 64 bits; before it a 64-bit event that misses the cycle counter takes a pair (semantics F.2). FEAT_PMUv3_ICNTR's
 * instruction counter is not described.
 */
export function arm64Pmuv3(eventCounters: number, long: boolean): PmuDescription {
  return {
    name: `armv8_pmuv3 with ${eventCounters} event counters${long ? ', 64 bits wide' : ''}`,
    counters: upTo(eventCounters),
    rules: [
      {
        event: CPU_CYCLES,
        mask: 0xffff,
        counters: [ARM64_CYCLE_COUNTER, ...upTo(eventCounters)],
        source: 'semantics F.2: the one cycle counter first, then an event counter',
      },
    ],
    placed: 'keep',
    longTakesPair: !long,
    alwaysLong: [ARM64_CYCLE_COUNTER],
  };
}

/** An AMD core PMU: any event on any of `counters` counters (4 of the K7, 6 with the core extension). */
export function amdCore(counters: number): PmuDescription {
  return {
    name: `AMD core PMU with ${counters} counters`,
    counters: upTo(counters),
    rules: [],
    placed: 'move',
    longTakesPair: false,
    alwaysLong: upTo(counters),
  };
}

/** Event select, unit mask and every modifier that keeps an event off the fixed counters (edge, invert, counter mask). */
const INTEL_FIXED_MASK = 0xff84_ffff;

/**
 * An Intel architectural PMU: `gp` general and `fixed` fixed counters (0 instructions, 1 cycles, 2 reference cycles).
 * The first two events also run on a general counter, the third does not. Model-specific constraints are not in it: add
 * rules for those.
 */
export function intelCore(
  gp: number,
  fixed: number,
  extra: readonly CounterRule[] = [],
): PmuDescription {
  const general = upTo(gp);
  const rule = (i: number, event: number, alsoGeneral: boolean): CounterRule => ({
    event,
    mask: INTEL_FIXED_MASK,
    counters: [fixedCounter(i), ...(alsoGeneral ? general : [])],
    source: 'semantics B.3 and F.2: the fixed counter is preferred; reference cycles have no other',
  });
  const rules = [rule(0, 0x00c0, true), rule(1, 0x003c, true), rule(2, 0x0300, false)];
  return {
    name: `Intel core PMU with ${gp} general and ${fixed} fixed counters`,
    counters: general,
    rules: [...extra, ...rules.slice(0, fixed)],
    placed: 'move',
    longTakesPair: false,
    alwaysLong: [...general, ...upTo(fixed).map(fixedCounter)],
  };
}

/** Counters an event may use, the preferred first. */
export function countersFor(pmu: PmuDescription, event: number): readonly number[] {
  const bits = (value: number, mask: number): number => (value & mask) >>> 0;
  const rule = pmu.rules.find(({ event: of, mask }) => bits(event, mask) === bits(of, mask));
  return rule?.counters ?? pmu.counters;
}
