import { COUNTER_INDICES, CYCLE_COUNTER, Pmcr } from '../arch/arm64-bits.ts';
import { CHAIN } from '../arch/arm64-events.ts';
import { U64_MAX } from '../domain/u64.ts';
import { CounterWrites } from './counter-writes.ts';
import type { BackingAttr } from './host-perf.ts';
import { Backing, CycleWidth, Gate, Misc, Slot, TYPE_ITEM } from './pmuv3-state.ts';
import { addSpans, meetsZero, U32_MAX } from './span.ts';
import { UncertaintyReason } from './uncertainty.ts';

/** What KVM does to the counters on guest writes and on overflows (semantics A.6, A.7), and what evidence settles. */
export class CounterBank extends CounterWrites {
  // ---- what KVM does on guest writes ---------------------------------------------------------------------------

  /** Enables the events of the counters in `mask` (lowest first) if PMCR.E. `open`: counters perhaps in it. */
  enableMask(mask: number, open: number): void {
    const e = this.registers.bit(Slot.pmcr, Pmcr.E);
    if (e === 0) return;
    for (let i = 0; i < COUNTER_INDICES; i++) {
      const bit = 1 << i;
      if (((mask | open) & bit) === 0) continue;
      if (e === 1 && (mask & bit) !== 0) this.enable(i);
      else this.maybeEnable(i);
    }
  }

  /** Disables the events of the counters in `mask`, whatever PMCR.E. */
  disableMask(mask: number): void {
    for (let i = 0; i < COUNTER_INDICES; i++) {
      if ((mask & (1 << i)) !== 0) this.disable(i);
    }
  }

  /** The counters in `mask` were perhaps disabled. */
  maybeDisableMask(mask: number): void {
    for (let i = 0; i < COUNTER_INDICES; i++) {
      if ((mask & (1 << i)) !== 0) this.maybeDisable(i);
    }
  }

  /** Stores an event type (already masked) with its unknown bits, without acting on it. */
  storeType(i: number, type: number, unknown: number, reason: UncertaintyReason): void {
    const { state } = this;
    const item = TYPE_ITEM + i;
    if (unknown === 0) state.reason[item] = UncertaintyReason.none;
    else if (state.typeUnknown[i] === 0 || state.reason[item] === UncertaintyReason.none) {
      state.reason[item] = reason;
      state.since[item] = state.seq;
    }
    state.type[i] = (type & ~unknown) >>> 0;
    state.typeUnknown[i] = unknown >>> 0;
  }

  /** A type write (semantics A.4); `type` is masked already. */
  setType(i: number, type: number): void {
    const same = this.rules.recreate === 'always' ? 0 : this.countsEvent(i, type & this.eventMask);
    this.storeType(i, type, 0, UncertaintyReason.none);
    if (same === 0) this.create(i);
    else if (same === 2) this.maybeRetype(i);
  }

  /**
   * KVM adds one to the counters in `mask` that are enabled and programmed for `event` (SW_INCR or CHAIN), lowest
   * first, passing overflows on to CHAIN neighbours. `open`: counters perhaps in the mask.
   */
  increment(mask: number, open: number, event: number): void {
    const e = this.rules.swincNeedsE ? this.registers.bit(Slot.pmcr, Pmcr.E) : 1;
    if (e === 0) return;
    for (let i = 0; i < CYCLE_COUNTER; i++) {
      const bit = 1 << i;
      if (((mask | open) & bit) === 0) continue;
      const enabled = this.registers.bit(Slot.cnten, bit);
      const counts = this.countsEvent(i, event);
      if (enabled === 0 || counts === 0) continue;
      this.#tick(i, e === 1 && enabled === 1 && counts === 1 && (mask & bit) !== 0);
    }
  }

  #tick(i: number, sure: boolean): void {
    const { state } = this;
    const base = state.base[i]!;
    let span = state.baseSpan[i]!;
    let next = BigInt.asUintN(this.width(i), base + 1n);
    if (!this.rules.swIncrUnbacked) {
      // An event may count beside: KVM looks at what it stores itself.
      this.stored(i);
    }
    if (!sure) this.setBase(i, base, addSpans(span, 1n), UncertaintyReason.gateUnknown);
    else if (span !== U64_MAX) state.base[i] = next;
    if (!this.rules.swIncrUnbacked) {
      next = BigInt.asUintN(this.width(i), this.low + 1n);
      span = this.span;
    }
    // The incremented value lies in [next, next + span]: did it become zero in its overflow width?
    const long = this.overflow64(i);
    if (!meetsZero(next, span, long === 1 && this.width(i) === 64 ? 64 : 32)) return;
    this.#overflowed(i, sure && span === 0n && (long !== 2 || next === 0n));
  }

  /** Sets the counter's overflow status and ticks its CHAIN neighbour. */
  #overflowed(i: number, sure: boolean): void {
    const { registers } = this;
    const bit = 1 << i;
    if (sure) registers.know(Slot.ovs, bit, true);
    else if (registers.bit(Slot.ovs, bit) === 0) {
      registers.open(Slot.ovs, bit, UncertaintyReason.overflowNotRecorded);
    }
    const chain = this.canChain(i);
    if (chain === 0) return;
    const neighbour = 1 << (i + 1);
    if (sure && chain === 1) this.increment(neighbour, 0, CHAIN);
    else this.increment(0, neighbour, CHAIN);
  }

  // ---- writes that were perhaps done ---------------------------------------------------------------------------

  /** The counter's type was perhaps replaced: the count goes on from here, of whatever event. */
  maybeRetype(i: number): void {
    this.loseUpper(i);
    this.visible(i);
    let { low, span } = this;
    if (!this.rules.stopFolds && this.state.backing[i] !== Backing.none) {
      // Or the count was lost: the value falls back by it.
      this.countSinceCreation(i);
      span = addSpans(span, addSpans(this.low, this.span));
      low = BigInt.asUintN(64, low - this.low - this.span);
    }
    this.setBase(i, low, span, UncertaintyReason.countNotRecorded);
    this.maybeRecreate(i);
  }

  // ---- overflow of a backing event -----------------------------------------------------------------------------

  /** The overflow handler of the counter's event ran (semantics A.7): re-arms from the event's count alone. */
  overflow(i: number): void {
    this.countSinceCreation(i);
    const { low, span, attr } = this;
    if (this.rules.rearm === 'fixed') this.#nextPeriod(i);
    else {
      this.period(i, low, span);
      this.arm(i, attr.samplePeriod, attr.periodKnown, low);
    }
    this.#overflowed(i, true);
  }

  /** perf goes on by itself: the next period begins where the last ended, or, a whole period late, now (early B.5). */
  #nextPeriod(i: number): void {
    const { state } = this;
    if (state.periodKnown[i] === 0) return;
    const period = state.period[i]!;
    const end = BigInt.asUintN(64, state.armed[i]! + period);
    const late = BigInt.asIntN(64, this.low - end);
    if (this.span !== U64_MAX && late + this.span < period) state.armed[i] = end;
    else if (this.span === 0n) state.armed[i] = this.low;
    else state.periodKnown[i] = 0;
  }

  /** Between 0 and `times` overflows happened without a record. */
  maybeOverflow(i: number, times: bigint): void {
    const { state } = this;
    state.periodKnown[i] = 0;
    this.#overflowed(i, false);
    const next = i + 1;
    if (times <= 1n || this.canChain(i) === 0) return;
    if (this.gate(next) === 0 || this.countsEvent(next, CHAIN) === 0) return;
    const base = state.base[next]!;
    const span = addSpans(state.baseSpan[next]!, times - 1n);
    if (meetsZero(base, span, 32)) this.#overflowed(next, false);
    this.setBase(next, base, span, UncertaintyReason.overflowNotRecorded);
  }

  // ---- evidence ------------------------------------------------------------------------------------------------

  /** A read proved this visible value. */
  adoptValue(i: number, value: bigint): void {
    const { state, perf } = this;
    if (value > U32_MAX && this.cycleIs(i, CycleWidth.either)) {
      state.misc[Misc.cycleWidth] = CycleWidth.wide;
    }
    this.visible(i);
    if (this.span === 0n && this.low === value) return;
    this.loseUpper(i);
    let base = value;
    if (state.backing[i] === Backing.live && perf.countSpan(i) === 0n) {
      base = BigInt.asUintN(64, value - perf.countLow(i));
    } else if (state.backing[i] !== Backing.none) {
      // Also for an event that perhaps is not there: then the base alone is the value.
      this.#settleCount(i, value);
      perf.rebase(i);
    }
    this.setBase(i, base, 0n, UncertaintyReason.none);
  }

  /** Before a rebase: a known base turns a proved value into a proved count (modulo the width) of the live event. */
  #settleCount(i: number, value: bigint): void {
    const { state, perf } = this;
    const low = perf.countLow(i);
    const span = perf.countSpan(i);
    const width = this.width(i);
    const skip = BigInt.asUintN(width, value - state.base[i]! - low);
    if (state.baseSpan[i] !== 0n || skip > span) {
      state.countedSpan[i] = U64_MAX;
      return;
    }
    state.counted[i] = BigInt.asUintN(64, state.counted[i]! + low + skip);
    // A 32-bit value does not say how often the count went round.
    const once = width === 64 && !this.cycleIs(i, CycleWidth.either);
    const turns = once ? 0n : span === U64_MAX ? U64_MAX : ((span - skip) >> 32n) << 32n;
    state.countedSpan[i] = addSpans(state.countedSpan[i]!, turns);
  }

  /** A 32-bit read of a counter proved its low half. */
  adoptLowHalf(i: number, half: bigint): void {
    if (this.width(i) === 32) {
      this.adoptValue(i, half);
      return;
    }
    this.visible(i);
    const { low, span, state } = this;
    if (span === U64_MAX) return;
    const skip = BigInt.asUintN(32, half - low);
    const more = skip > span ? 0n : ((span - skip) >> 32n) << 32n;
    if (more === 0n) {
      // One value fits; or none does: then the recorded half wins over the lowest upper half thought possible.
      const value = skip > span ? ((low >> 32n) << 32n) | half : BigInt.asUintN(64, low + skip);
      this.adoptValue(i, value);
      return;
    }
    if (state.backing[i] !== Backing.none) {
      state.countedSpan[i] = U64_MAX;
      this.perf.rebase(i);
    }
    const first = BigInt.asUintN(64, low + skip);
    this.setBase(i, first, more, UncertaintyReason.upperHalfUnknown);
  }

  /** After evidence for PMCR.E or PMCNTEN: brings the events of the counters in `mask` in line with their gate. */
  regate(mask: number): void {
    const { state } = this;
    for (let i = 0; i < COUNTER_INDICES; i++) {
      if ((mask & (1 << i)) === 0 || state.backing[i] === Backing.none) continue;
      const gate = this.gate(i);
      if (gate === state.gate[i] || gate === 2) continue;
      if (gate === 1) this.enable(i);
      // An event that starts enabled may count with its gate closed.
      else if (this.rules.created === 'gated') this.disable(i);
    }
  }

  /** After evidence for an event type: a counter that KVM never backs surely has no event. */
  settleBacking(i: number): void {
    if (this.state.backing[i] !== Backing.maybe || this.backed(i) !== 0) return;
    this.perf.release(i);
    this.clear(i);
  }

  /** A recorded creation proved that the counter has a fresh event with these attributes. */
  adoptBacking(i: number, attr: Readonly<BackingAttr>): void {
    this.state.backing[i] = Backing.live;
    this.state.gate[i] = attr.disabled ? Gate.off : Gate.on;
    this.takeAttr(i, attr);
    if (!attr.periodKnown) return;
    // The period is minus the value: in 64 bits if the counter overflows there, else at least its low half.
    const value = BigInt.asUintN(64, -attr.samplePeriod);
    if (this.width(i) === 64 && this.overflow64(i) === 1) this.adoptValue(i, value);
    else this.adoptLowHalf(i, BigInt.asUintN(32, value));
  }

  /** Everything about this counter becomes unknown; the host's perf is not told. */
  forget(i: number, reason: UncertaintyReason): void {
    const { state } = this;
    if (i === CYCLE_COUNTER) state.misc[Misc.cycleWidth] = CycleWidth.either;
    this.setBase(i, 0n, U64_MAX, reason);
    this.storeType(i, 0, this.typeBits, reason);
    state.backing[i] = Backing.maybe;
    state.gate[i] = Gate.maybe;
    state.config[i] = this.eventNumber(i);
    state.attrFlags[i] = 0;
    this.arm(i, 0n, false, 0n);
    state.counted[i] = 0n;
    state.countedSpan[i] = U64_MAX;
  }
}
