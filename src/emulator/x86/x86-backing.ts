import { FIXED_BASE } from '../../arch/x86-bits.ts';
import { U64_MAX } from '../../domain/u64.ts';
import type { BackingAttr } from '../host-perf.ts';
import { addSpans } from '../span.ts';
import { UncertaintyReason } from '../uncertainty.ts';
import { X86Reprogramming } from './x86-reprogramming.ts';
import { Backing, Flag, Gate, Slot } from './x86-state.ts';

const { countNotRecorded } = UncertaintyReason;
const ALL_OPEN = Flag.open | Flag.kindOpen | Flag.wrapOpen;

/** Reprogramming that perhaps happens, and what evidence settles. */
export class X86Backing extends X86Reprogramming {
  /** A control change of counter i: acted upon now or at the next entry. `sure` false: perhaps nothing changed. */
  changed(i: number, sure: boolean): void {
    if (this.rules.reprogram === 'deferred') this.requestReprogram(i, sure);
    else if (sure) this.reprogram(i);
    else this.maybeReprogram(i);
  }

  /**
   * KVM may or may not reprogram counter i here. Reprogramming never changes the visible value, and where it does not
   * happen the event is already in line with the registers; so only what KVM keeps inside becomes uncertain.
   */
  maybeReprogram(i: number): void {
    const { state } = this;
    if (this.#isOpen(i) && this.programmed(i) === 2) {
      this.#openAgain(i);
      return;
    }
    const pending = this.registers.counter(Slot.pending, i);
    if (this.mayWrap(i) !== 0) state.flags[i] = state.flags[i]! | Flag.wrapOpen;
    this.perhapsPaused(i);
    let wanted = this.programmed(i);
    if (this.filterStale) wanted = this.local(i) === 0 || this.global(i) === 0 ? 0 : 2;
    if ((state.flags[i]! & Flag.wrapOpen) !== 0 && wanted !== 0)
      this.raiseOverflow(i, false, false);
    this.visible(i);
    const { low, span } = this;
    this.clearSoft(i);
    if (wanted === 0 && state.backing[i] !== Backing.none) {
      this.setBase(i, low, span, countNotRecorded);
      this.#surelyOff(i);
      return;
    }
    this.rebaseAt(i, low, span, countNotRecorded);
    if (wanted === 0) return;
    if (wanted === 2) {
      this.openEvent(i);
      state.foldedSpan[i] = U64_MAX;
      return;
    }
    const inLine = state.gate[i] === Gate.on && this.keptForSure(i);
    // The count perf itself keeps did perhaps not begin anew.
    const most = addSpans(state.folded[i]!, state.foldedSpan[i]!);
    if (!inLine) this.resumeOrCreate(i);
    this.perhapsTakenUp(i, pending);
    state.folded[i] = 0n;
    state.foldedSpan[i] = most;
    state.periodKnown[i] = 0;
  }

  /** Nothing at all is known of GP counter i and its event, perf's count of it included. */
  #isOpen(i: number): boolean {
    const { state } = this;
    return (
      i < FIXED_BASE &&
      state.selectorKnown[i] === 0 &&
      state.gate[i] === Gate.maybe &&
      state.backing[i] === Backing.maybe &&
      (state.flags[i]! & ALL_OPEN) === ALL_OPEN &&
      state.baseIsOpen(i) &&
      !this.filterStale
    );
  }

  /** What is left of `maybeReprogram` for such a counter: by far the most frequent case of recordings that begin late. */
  #openAgain(i: number): void {
    const { state } = this;
    this.perhapsPaused(i);
    this.raiseOverflow(i, false, false);
    this.clearSoft(i);
    this.perf.rebase(i);
    this.openEvent(i);
    state.folded[i] = 0n;
    state.foldedSpan[i] = U64_MAX;
  }

  /** After evidence for a register: brings an open event in line with what the counter is programmed for. */
  settle(i: number): void {
    const { state } = this;
    if (state.backing[i] !== Backing.maybe && state.gate[i] !== Gate.maybe) return;
    if (this.registers.counter(Slot.pending, i) !== 0 || this.filterStale) return;
    if (this.programmed(i) !== 2) this.maybeReprogram(i);
  }

  /** A recorded creation proved that the counter has a fresh, enabled event with these attributes. */
  takeCreation(i: number, attr: Readonly<BackingAttr>): void {
    const { state } = this;
    Object.assign(this.attr, { type: undefined, precise: 0 }, attr);
    state.backing[i] = Backing.live;
    state.gate[i] = Gate.on;
    state.config[i] = this.programLow(i);
    state.configHigh[i] = this.programHigh(i);
    state.configKnown[i] = this.programKnown(i) ? 1 : 0;
    state.folded[i] = 0n;
    state.foldedSpan[i] = 0n;
    this.takeAttr(i, (attr.precise ?? 0) > 0 ? 1 : 0);
    if (!attr.periodKnown || attr.samplePeriod === 0n) return;
    this.adoptValue(i, -attr.samplePeriod & this.shape.mask(i));
  }

  /** The event of a disabled counter is paused, or released where nothing is kept; its count is in the base. */
  #surelyOff(i: number): void {
    const { state } = this;
    if (this.rules.reuse === 'never') {
      this.release(i);
      return;
    }
    this.perf.pause(i);
    state.gate[i] = Gate.off;
    state.folded[i] = 0n;
    state.foldedSpan[i] = 0n;
    if (this.rules.reuse === 'enable-bit') state.backing[i] = Backing.maybe;
  }
}
