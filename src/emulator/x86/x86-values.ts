import type { X86RuleSet } from '../../arch/x86-rules.ts';
import { U64_MAX } from '../../domain/u64.ts';
import type { PausablePerf } from '../host-perf.ts';
import type { Tri } from '../register-file.ts';
import { addSpans } from '../span.ts';
import { UncertaintyReason } from '../uncertainty.ts';
import { X86Facts } from './x86-facts.ts';
import type { X86Registers } from './x86-registers.ts';
import type { X86Shape } from './x86-shape.ts';
import { Backing, COUNTER_ITEM, Flag, Gate, type X86State } from './x86-state.ts';

/** Counter values: base + software count + what perf counted, as intervals modulo the width. */
export class X86Values extends X86Facts {
  readonly perf: PausablePerf;
  /** Kept in a typed array: a bigint at rest in an object field is several times slower. */
  readonly #words = new BigUint64Array(3);
  /** Results of `visible` and `sincePause`: [low, low + span], U64_MAX = unknown. */
  get low(): bigint {
    return this.#words[0]!;
  }
  set low(value: bigint) {
    this.#words[0] = value;
  }
  get span(): bigint {
    return this.#words[1]!;
  }
  set span(value: bigint) {
    this.#words[1] = value;
  }
  /** Result of `periodFor`. */
  get periodValue(): bigint {
    return this.#words[2]!;
  }
  set periodValue(value: bigint) {
    this.#words[2] = value;
  }

  constructor(
    state: X86State,
    registers: X86Registers,
    rules: X86RuleSet,
    shape: X86Shape,
    perf: PausablePerf,
  ) {
    super(state, registers, rules, shape);
    this.perf = perf;
  }

  /** Cuts `low`, `span` to the width of counter i. */
  #cut(i: number, low: bigint, span: bigint): void {
    const mask = this.shape.mask(i);
    if (span >= mask && mask !== 0n) {
      this.low = 0n;
      this.span = U64_MAX;
    } else {
      this.low = BigInt.asUintN(64, low & mask);
      this.span = mask === 0n ? 0n : span;
    }
  }

  /** Computes the value the guest would read now into `low` and `span`. */
  visible(i: number): void {
    const { state } = this;
    let low = BigInt.asUintN(64, state.base[i]! + state.soft[i]!);
    let span = addSpans(state.baseSpan[i]!, state.softSpan[i]!);
    if (state.backing[i] !== Backing.none) {
      low = BigInt.asUintN(64, low + this.perf.countLow(i));
      span = addSpans(span, this.perf.countSpan(i));
    }
    this.#cut(i, low, span);
  }

  /** Base plus perf's count, without the software count. */
  protected accumulated(i: number): void {
    const { state } = this;
    let low = state.base[i]!;
    let span = state.baseSpan[i]!;
    if (state.backing[i] !== Backing.none) {
      low = BigInt.asUintN(64, low + this.perf.countLow(i));
      span = addSpans(span, this.perf.countSpan(i));
    }
    this.#cut(i, low, span);
  }

  /** Events perf counted since the last pause (or creation), into `low` and `span`. */
  protected sincePause(i: number): void {
    const { state } = this;
    const span = addSpans(state.foldedSpan[i]!, this.perf.countSpan(i));
    this.low = span === U64_MAX ? 0n : state.folded[i]! + this.perf.countLow(i);
    this.span = span;
  }

  /** Stores a base interval; the first `reason` for not being exact is kept until it is exact again. */
  setBase(i: number, low: bigint, span: bigint, reason: UncertaintyReason): void {
    const { state } = this;
    const item = COUNTER_ITEM + i;
    if (span === 0n) {
      state.reason[item] = UncertaintyReason.none;
    } else if (state.baseSpan[i] === 0n || state.reason[item] === UncertaintyReason.none) {
      state.reason[item] = reason;
      state.since[item] = state.seq;
    }
    this.#cut(i, low, span);
    state.base[i] = this.low;
    state.baseSpan[i] = this.span;
  }

  protected clearSoft(i: number): void {
    this.state.soft[i] = 0n;
    this.state.softSpan[i] = 0n;
  }

  /** get_sample_period of an exact base, into `periodValue` (semantics B.6). */
  protected periodFor(i: number, base: bigint): void {
    const mask = this.shape.mask(i);
    const left = BigInt.asUintN(64, BigInt.asUintN(64, -base) & mask);
    this.periodValue = left !== 0n ? left : this.rules.periodOfZero === 'full' ? mask + 1n : 0n;
  }

  /** The event's period from now on, set when it had counted `count` since the last pause. */
  protected arm(i: number, period: bigint, known: boolean, count: bigint): void {
    const { state } = this;
    state.period[i] = known ? period : 0n;
    state.periodKnown[i] = known ? 1 : 0;
    state.armed[i] = count;
  }

  /**
   * What perf counted so far moves into the base, and HostPerf counts from now: for a value that is proved, or a state
   * that is the join of "paused" and "not paused".
   */
  protected rebaseAt(i: number, low: bigint, span: bigint, reason: UncertaintyReason): void {
    const { state } = this;
    if (state.backing[i] !== Backing.none) {
      this.sincePause(i);
      state.folded[i] = this.low;
      state.foldedSpan[i] = this.span;
      this.perf.rebase(i);
    }
    this.setBase(i, low, span, reason);
  }

  /**
   * A counter write (semantics B.5; corrections 8): the visible value becomes `value`, but a live event's period comes
   * from the base, which lacks what perf counted since the last pause.
   */
  writeCounter(i: number, value: bigint): void {
    const { state } = this;
    const cut = value & this.shape.mask(i);
    this.clearSoft(i);
    state.flags[i] = state.flags[i]! & ~Flag.wrapOpen;
    if (state.backing[i] === Backing.none) {
      this.setBase(i, cut, 0n, UncertaintyReason.none);
      return;
    }
    if (this.perf.countSpan(i) === 0n) {
      this.setBase(i, cut - this.perf.countLow(i), 0n, UncertaintyReason.none);
    } else {
      this.rebaseAt(i, cut, 0n, UncertaintyReason.none);
    }
    if (!this.rules.writeSetsPeriod) return;
    const running = state.gate[i]!;
    if (running === Gate.off) return;
    const sure = state.backing[i] === Backing.live && running === Gate.on;
    this.sincePause(i);
    this.#writePeriod(i, cut - this.low, this.span === 0n, this.low, sure);
  }

  #writePeriod(i: number, base: bigint, known: boolean, count: bigint, sure: boolean): void {
    const { state } = this;
    const flags = state.flags[i]!;
    const sampling: Tri = (flags & Flag.kindOpen) !== 0 ? 2 : (flags & Flag.sampling) !== 0 ? 1 : 0;
    if (this.rules.periodOnlyIfSampling && sampling === 0) return;
    if (!sure || !known || sampling === 2) {
      state.periodKnown[i] = 0;
      return;
    }
    this.periodFor(i, base);
    if (this.setPeriod(i, this.periodValue)) this.arm(i, this.periodValue, true, count);
  }

  /** perf_event_period; overridden to count the call. */
  protected setPeriod(i: number, period: bigint): boolean {
    return this.perf.setPeriod(i, period);
  }

  /** A counter write of a value that is not known, or (`sure` false) perhaps none at all. */
  writeUnknownCounter(i: number, reason: UncertaintyReason, sure: boolean): void {
    const { state } = this;
    if (sure) this.clearSoft(i);
    this.setBase(i, 0n, U64_MAX, reason);
    if (state.backing[i] !== Backing.none && this.rules.writeSetsPeriod) state.periodKnown[i] = 0;
    if (!sure && state.softSpan[i] !== U64_MAX) {
      // The software count is perhaps gone: it is somewhere between nothing and what it was.
      state.softSpan[i] = addSpans(state.soft[i]!, state.softSpan[i]!);
      state.soft[i] = 0n;
    }
  }

  /** A read proved this visible value. */
  adoptValue(i: number, value: bigint): void {
    this.visible(i);
    if (this.span === 0n && this.low === value) return;
    const { state, perf } = this;
    if (state.backing[i] !== Backing.none && perf.countSpan(i) !== 0n) {
      if (state.backing[i] === Backing.live) this.#settleCount(i, value);
      else state.foldedSpan[i] = U64_MAX;
      perf.rebase(i);
    }
    const counted = state.backing[i] === Backing.none ? 0n : perf.countLow(i);
    if (state.softSpan[i] !== 0n) {
      // The value does not tell software events from others: their number stays open, only their sum is proved.
      this.#adoptOpenSoft(i, value - counted);
      return;
    }
    this.setBase(i, value - counted - state.soft[i]!, 0n, UncertaintyReason.none);
  }

  /** Folds an open software count into the base; the wrap it may have made is noticed at the next reprogramming. */
  #adoptOpenSoft(i: number, sum: bigint): void {
    const { state } = this;
    if (this.mayWrap(i) !== 0) state.flags[i] = state.flags[i]! | Flag.wrapOpen;
    this.clearSoft(i);
    this.setBase(i, sum, 0n, UncertaintyReason.none);
  }

  /** Before a rebase: an exact base turns a proved value into a proved count (modulo the width) of the live event. */
  #settleCount(i: number, value: bigint): void {
    const { state, perf } = this;
    const low = perf.countLow(i);
    const span = perf.countSpan(i);
    const mask = this.shape.mask(i);
    const skip = (value - state.base[i]! - state.soft[i]! - low) & mask;
    if (state.baseSpan[i] !== 0n || state.softSpan[i] !== 0n || skip > span || span > mask) {
      state.foldedSpan[i] = U64_MAX;
      state.folded[i] = 0n;
      return;
    }
    state.folded[i] = BigInt.asUintN(64, state.folded[i]! + low + skip);
  }

  /** Would folding the software count wrap the counter: KVM compares before and after (semantics B.5 step 1). */
  protected mayWrap(i: number): Tri {
    const { state } = this;
    if (state.soft[i] === 0n && state.softSpan[i] === 0n) return 0;
    const most = state.soft[i]! + state.softSpan[i]!;
    this.accumulated(i);
    if (this.span === U64_MAX) return 2;
    const room = this.shape.mask(i) - this.low; // events until the value passes the top
    if (this.low + this.span > this.shape.mask(i)) return 2;
    if (state.soft[i]! > room) return state.soft[i]! <= this.shape.mask(i) ? 1 : 2;
    return most > room - this.span ? 2 : 0;
  }
}
