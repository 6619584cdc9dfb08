import { U64_MAX } from '../../domain/u64.ts';
import { addSpans } from '../../emulator/span.ts';
import type { FactualCounts } from './factual-counts.ts';

/** How a counter's event grows while the guest runs. */
export const Growth = {
  /** It is off, or there is none. */
  none: 0,
  /** As the recorded event of that counter, which counts the same thing. */
  recorded: 1,
  /** At most as much: it may have missed its hardware counter while the recorded one did not. */
  atMostRecorded: 2,
  /** No record tells: between nothing and what a core can do in that time. */
  free: 3,
} as const;

/** No event, or a number nobody knows. */
export const NOT_KNOWN = -1;

/**
 * What the events of a vPMU under other rules have counted: intervals that grow with what the recorded events of the
 * same counters counted in the same guest time, or with what a core can count.
 */
export class GrownCounts {
  /** Growth.* of each counter's event; its number, NOT_KNOWN: not known. */
  readonly growth: Uint8Array;
  readonly config: Float64Array;
  readonly #counts: FactualCounts;
  /** Count up to the last fold, as an interval. */
  readonly #low: BigUint64Array;
  readonly #span: BigUint64Array;
  /** The recorded count and the guest residency at the last fold. */
  readonly #fromLow: BigUint64Array;
  readonly #fromSpan: BigUint64Array;
  readonly #fromResidency: Float64Array;

  constructor(counts: FactualCounts) {
    this.#counts = counts;
    const { size } = counts.perf;
    this.#low = new BigUint64Array(size);
    this.#span = new BigUint64Array(size).fill(U64_MAX);
    this.#fromLow = new BigUint64Array(size);
    this.#fromSpan = new BigUint64Array(size).fill(U64_MAX);
    this.#fromResidency = new Float64Array(size);
    this.growth = new Uint8Array(size).fill(Growth.recorded);
    this.config = new Float64Array(size).fill(NOT_KNOWN);
  }

  low(counter: number): bigint {
    const low = this.#low[counter]!;
    return this.#span[counter] === U64_MAX ? 0n : low + this.#grownLow(counter);
  }

  span(counter: number): bigint {
    return addSpans(this.#span[counter]!, this.#grownSpan(counter));
  }

  /** The count is exactly zero from now on, and stays so. */
  zero(counter: number): void {
    this.#low[counter] = 0n;
    this.#span[counter] = 0n;
    this.growth[counter] = Growth.none;
    this.#from(counter);
  }

  /** The count begins at zero now and goes on as it did. */
  rebase(counter: number): void {
    this.fold(counter);
    this.#low[counter] = 0n;
    this.#span[counter] = 0n;
  }

  /** Another event, or the same: the count is at most what it was, and grows as it may. */
  doubt(counter: number): void {
    this.fold(counter);
    const high = this.#low[counter]! + this.#span[counter]!;
    this.#low[counter] = 0n;
    this.#span[counter] = high >= U64_MAX ? U64_MAX : high;
    this.growth[counter] = Growth.free;
  }

  /** Nothing is known of any count. */
  forget(): void {
    this.growth.fill(Growth.free);
    this.#low.fill(0n);
    this.#span.fill(U64_MAX);
  }

  /** From now on it grows so. `anew`: the recorded count began anew in this step. */
  grow(counter: number, growth: number, anew: boolean): void {
    if (!anew && growth === this.growth[counter]) return;
    if (anew) {
      this.#foldTo(counter, this.#counts.endLow[counter]!, this.#counts.endSpan[counter]!);
      this.#from(counter);
    } else this.fold(counter);
    this.growth[counter] = growth;
  }

  /** Puts the growth up to now into the count. */
  fold(counter: number): void {
    const { perf } = this.#counts;
    this.#foldTo(counter, perf.countLow(counter), perf.countSpan(counter));
    this.#from(counter);
  }

  #from(counter: number): void {
    const { perf } = this.#counts;
    this.#fromLow[counter] = perf.countLow(counter);
    this.#fromSpan[counter] = perf.countSpan(counter);
    this.#fromResidency[counter] = perf.residency;
  }

  /** The same where the recorded count, before it began anew, ended in [low, low + span]. */
  #foldTo(counter: number, low: bigint, span: bigint): void {
    if (this.growth[counter] === Growth.none) return;
    const least = this.#least(counter, low);
    const most = this.#most(counter, low, span);
    if (this.#span[counter] === U64_MAX) return;
    this.#low[counter] = this.#low[counter]! + least;
    this.#span[counter] = addSpans(this.#span[counter]!, most - least);
  }

  #grownLow(counter: number): bigint {
    if (this.growth[counter] === Growth.none) return 0n;
    return this.#least(counter, this.#counts.perf.countLow(counter));
  }

  #grownSpan(counter: number): bigint {
    if (this.growth[counter] === Growth.none) return 0n;
    const { perf } = this.#counts;
    const low = perf.countLow(counter);
    return this.#most(counter, low, perf.countSpan(counter)) - this.#least(counter, low);
  }

  /** Least and most growth since the last fold when the recorded count lies in [low, low + span] now. */
  #least(counter: number, low: bigint): bigint {
    if (this.growth[counter] !== Growth.recorded) return 0n;
    const span = this.#fromSpan[counter]!;
    if (span === U64_MAX) return 0n;
    const from = this.#fromLow[counter]! + span;
    return low > from ? low - from : 0n;
  }

  #most(counter: number, low: bigint, span: bigint): bigint {
    const ceiling = this.#ceiling(counter);
    if (this.growth[counter] === Growth.free || span === U64_MAX) return ceiling;
    const high = low + span;
    const from = this.#fromLow[counter]!;
    const grown = high > from ? high - from : 0n;
    // The least is never above it: both come from the same recorded interval.
    if (grown <= ceiling) return grown;
    const least = this.#least(counter, low);
    return ceiling > least ? ceiling : least;
  }

  /** The most a core can count in the guest time since the last fold. */
  #ceiling(counter: number): bigint {
    const { perf, ceiling } = this.#counts;
    const ns = perf.residency - this.#fromResidency[counter]!;
    if (ns <= 0) return 0n;
    const config = this.config[counter]!;
    return BigInt(Math.ceil(ns * ceiling(config === NOT_KNOWN ? undefined : config)));
  }
}
