import { CYCLE_COUNTER } from '../arch/arm64-bits.ts';
import { U64_MAX } from '../domain/u64.ts';
import { BackingEvents } from './backing-events.ts';
import { Backing, CycleWidth, Misc } from './pmuv3-state.ts';
import { addSpans, U32_MAX } from './span.ts';
import { UncertaintyReason } from './uncertainty.ts';

/** Writes of counters, by the guest, by PMCR and by a reset, and the width the cycle counter shows (semantics A.6, early B.4). */
export class CounterWrites extends BackingEvents {
  /**
   * A counter write. Releasing and adjusting with a fold end in the same state and the same perf calls: the adjusting
   * form adds the difference to the visible value and folds, so that the event's count cancels out; it only reads the
   * event twice. Adjusting without a fold leaves the event as it is.
   */
  setValue(i: number, value: bigint, aarch32: boolean): void {
    if (this.rules.counterWrite === 'adjust-keep') {
      this.#adjust(i, value);
      return;
    }
    if (aarch32 && this.keepsUpper(i)) this.#setLowHalf(i, value);
    else this.setBase(i, value, 0n, UncertaintyReason.none);
    this.release(i);
    this.create(i);
  }

  /** The visible value becomes `value` while the event counts on, its period not knowing of it (early B.4). */
  #adjust(i: number, value: bigint): void {
    const { state, perf } = this;
    const { none } = UncertaintyReason;
    const exact = state.backing[i] === Backing.none || perf.countSpan(i) === 0n;
    if (this.cycleIs(i, CycleWidth.narrow)) {
      if (exact && state.backing[i] !== Backing.maybe) {
        // The difference to the 32 bits that show is added to all 64.
        this.visible(i);
        this.setBase(i, BigInt.asUintN(64, state.base[i]! + value - this.low), 0n, none);
        return;
      }
      this.loseUpper(i);
    } else if (this.cycleIs(i, CycleWidth.either) && value > U32_MAX) {
      this.setBase(i, 0n, U64_MAX, UncertaintyReason.upperHalfUnknown);
      return;
    }
    if (state.backing[i] === Backing.live && exact) {
      this.setBase(i, BigInt.asUintN(64, value - perf.countLow(i)), 0n, none);
      return;
    }
    this.#absorb(i);
    this.setBase(i, value, 0n, none);
  }

  /** The base becomes the visible value as of now; what the event counted so far is kept apart. */
  #absorb(i: number): void {
    const { state, perf } = this;
    if (state.backing[i] === Backing.none) return;
    state.counted[i] = BigInt.asUintN(64, state.counted[i]! + perf.countLow(i));
    state.countedSpan[i] = addSpans(state.countedSpan[i]!, perf.countSpan(i));
    perf.rebase(i);
  }

  /** PMCR.LC was written 1: the cycle counter shows 64 bits from now on, where that is a rule (early B.4). */
  widenCycle(): void {
    const { state } = this;
    const before = state.misc[Misc.cycleWidth]!;
    state.misc[Misc.cycleWidth] = CycleWidth.wide;
    if (before === CycleWidth.narrowLow || before === CycleWidth.either) {
      this.setBase(CYCLE_COUNTER, 0n, U64_MAX, UncertaintyReason.upperHalfUnknown);
    }
  }

  /** PMCR.LC was perhaps written 1. */
  maybeWidenCycle(): void {
    const { state, perf } = this;
    const before = state.misc[Misc.cycleWidth]!;
    if (before === CycleWidth.wide) return;
    state.misc[Misc.cycleWidth] = CycleWidth.either;
    const i = CYCLE_COUNTER;
    const event = state.backing[i] !== Backing.none;
    const top = state.base[i]! + (event ? perf.countLow(i) + perf.countSpan(i) : 0n);
    if (before === CycleWidth.narrow && top <= U32_MAX) return;
    this.setBase(i, 0n, U64_MAX, UncertaintyReason.upperHalfUnknown);
  }

  /** KVM stores a reset value, of which nothing is cut; a live event stays. */
  resetBase(i: number, value: bigint): void {
    const { state } = this;
    if (this.cycleIs(i, CycleWidth.narrowLow)) state.misc[Misc.cycleWidth] = CycleWidth.narrow;
    if (state.backing[i] === Backing.none) this.setBase(i, value, 0n, UncertaintyReason.none);
    else {
      // What the event counted before a rebase goes on top, if there is one.
      const sure = state.backing[i] === Backing.live;
      const low = BigInt.asUintN(64, value + (sure ? state.counted[i]! : 0n));
      const span = addSpans(state.countedSpan[i]!, sure ? 0n : state.counted[i]!);
      this.setBase(i, low, span, UncertaintyReason.countNotRecorded);
    }
  }

  /** The vCPU was reset: the cycle counter shows 32 bits, of a base that may have more. */
  narrowCycle(): void {
    const { state } = this;
    const i = CYCLE_COUNTER;
    state.misc[Misc.cycleWidth] = CycleWidth.narrow;
    this.setBase(i, state.base[i]!, state.baseSpan[i]!, UncertaintyReason.countNotRecorded);
  }

  /** The upper half that stays is that of KVM's stored base: without what the event counted before a rebase. */
  #setLowHalf(i: number, value: bigint): void {
    const { state } = this;
    const event = state.backing[i] !== Backing.none;
    const low = event ? BigInt.asUintN(64, state.base[i]! - state.counted[i]!) : state.base[i]!;
    // For a 64-bit counter `counted` is exact or unknown, nothing between.
    const span = addSpans(state.baseSpan[i]!, event ? state.countedSpan[i]! : 0n);
    const half = BigInt.asUintN(32, value);
    const first = low >> 32n;
    const last = (low + span) >> 32n;
    const reason = UncertaintyReason.upperHalfUnknown;
    if (span === U64_MAX || last > U32_MAX) this.setBase(i, 0n, U64_MAX, reason);
    else this.setBase(i, (first << 32n) | half, (last - first) << 32n, reason);
  }

  /** A counter write whose value is not known. */
  setUnknownValue(i: number, reason: UncertaintyReason): void {
    if (this.rules.counterWrite === 'adjust-keep') {
      this.setBase(i, 0n, U64_MAX, reason);
      return;
    }
    this.release(i);
    this.setBase(i, 0n, U64_MAX, reason);
    this.create(i);
  }

  /** The counter was perhaps written, with an unknown value. */
  maybeRewrite(i: number, reason: UncertaintyReason): void {
    this.setBase(i, 0n, U64_MAX, reason);
    this.#afterPossibleWrite(i);
  }

  #afterPossibleWrite(i: number): void {
    if (this.rules.counterWrite === 'adjust-keep') this.#absorb(i);
    else this.maybeRecreate(i);
  }

  /** The counter was perhaps set to zero (PMCR.C or P of an unknown write): the hull of zero and its value. */
  maybeReset(i: number, reason: UncertaintyReason): void {
    this.loseUpper(i);
    this.visible(i);
    const top = this.low + this.span;
    const wraps = top >= (this.width(i) === 32 ? U32_MAX : U64_MAX);
    this.setBase(i, 0n, this.span === U64_MAX || wraps ? U64_MAX : top, reason);
    this.#afterPossibleWrite(i);
  }
}
