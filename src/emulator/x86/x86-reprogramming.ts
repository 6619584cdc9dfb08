import type { Tri } from '../register-file.ts';
import { UncertaintyReason } from '../uncertainty.ts';
import { X86Overflows } from './x86-overflows.ts';
import { or } from './x86-registers.ts';
import { Backing, Flag, Gate, Slot } from './x86-state.ts';

const { countNotRecorded, gateUnknown } = UncertaintyReason;

/** Pausing, resuming and making events anew when a counter's programming changes: semantics B.5 and C. */
export class X86Reprogramming extends X86Overflows {
  /** KVM reprograms counter i. False: creation failed and is to be tried again (deferred rule sets). */
  reprogram(i: number): boolean {
    return this.rules.reuse === 'same-config' ? this.pauseAndResume(i) : this.#recreate(i);
  }

  /** 5.5 and later: pause, then resume or release and create. */
  protected pauseAndResume(i: number): boolean {
    const wrapped = this.#pause(i);
    const wanted = this.programmed(i);
    if (wanted === 0) return true;
    if (wanted === 2) {
      if (wrapped !== 0) this.raiseOverflow(i, false, false);
      this.openEvent(i);
      return true;
    }
    if (wrapped !== 0) this.raiseOverflow(i, wrapped === 1, false);
    const { state } = this;
    if (state.backing[i] === Backing.live && this.sameConfig(i) === 1) {
      if (this.#resume(i)) return true;
    } else if (state.backing[i] !== Backing.none && this.sameConfig(i) !== 0) {
      return this.resumeOrCreate(i);
    }
    this.release(i);
    return this.create(i);
  }

  /** Before 5.5: fold, release, create if enabled. */
  #recreate(i: number): boolean {
    this.stop(i);
    const wanted = this.programmed(i);
    if (wanted === 2) this.openEvent(i);
    return wanted !== 1 || this.create(i);
  }

  /** Folds perf's and the software count into the base; whether the latter wrapped it. */
  #pause(i: number): Tri {
    const { state } = this;
    const wrapped = or(this.mayWrap(i), (state.flags[i]! & Flag.wrapOpen) !== 0 ? 2 : 0);
    state.flags[i] = state.flags[i]! & ~Flag.wrapOpen;
    this.visible(i);
    const { low, span } = this;
    if (state.backing[i] !== Backing.none && state.gate[i] !== Gate.off) {
      this.perf.pause(i);
      this.operations.pauses++;
      this.paused(i);
    }
    if (state.backing[i] !== Backing.none) {
      state.gate[i] = Gate.off;
      state.folded[i] = 0n;
      state.foldedSpan[i] = 0n;
    }
    this.clearSoft(i);
    this.setBase(i, low, span, countNotRecorded);
    return wrapped;
  }

  /** The configuration is the one the event was last created with. */
  protected sameConfig(i: number): Tri {
    const { state } = this;
    if (state.configKnown[i] === 0 || !this.programKnown(i)) return 2;
    const same =
      state.config[i] === this.programLow(i) && state.configHigh[i] === this.programHigh(i);
    return same ? this.keepsEvent(i) : 0;
  }

  /** The live event is what a programming now would end with. */
  protected keptForSure(i: number): boolean {
    const { state } = this;
    if (state.backing[i] !== Backing.live || this.sameConfig(i) !== 1) return false;
    const flags = state.flags[i]!;
    const precise = this.registers.counter(Slot.pebsEnable, i);
    return (flags & Flag.kindOpen) === 0 && precise === ((flags & Flag.precise) !== 0 ? 1 : 0);
  }

  #resume(i: number): boolean {
    const { state } = this;
    const exact = state.baseSpan[i] === 0n;
    const flags = state.flags[i]!;
    const mayBeRefused = !exact && this.rules.periodOfZero === 'none';
    if ((flags & Flag.kindOpen) !== 0 || mayBeRefused) return this.resumeOrCreate(i);
    if (!this.rules.periodOnlyIfSampling || (flags & Flag.sampling) !== 0) {
      if (exact) {
        this.periodFor(i, state.base[i]!);
        if (!this.setPeriod(i, this.periodValue)) return false;
      }
      this.arm(i, this.periodValue, exact, 0n);
    }
    const precise = this.registers.counter(Slot.pebsEnable, i);
    if (precise === 2) return this.resumeOrCreate(i);
    if ((precise === 1) !== ((flags & Flag.precise) !== 0)) return false;
    this.#enable(i);
    return true;
  }

  #enable(i: number): void {
    this.perf.enable(i);
    this.operations.reuses++;
    this.state.gate[i] = Gate.on;
    this.resumed(i);
    if (this.rules.pendingCleared === 'when-programmed') {
      this.registers.setCounter(Slot.pending, i, false);
    }
  }

  /**
   * KVM either enables the event there is or makes one anew: both count from here with the same attributes. HostPerf is
   * asked for a new one and told that it may be the old.
   */
  protected resumeOrCreate(i: number): boolean {
    const done = this.create(i);
    this.perf.doubt(i);
    return done;
  }

  /** Counter i was perhaps programmed, which takes it off the waiting list where that is the rule. */
  protected perhapsTakenUp(i: number, before: Tri): void {
    if (before === 0 || this.rules.pendingCleared !== 'when-programmed') return;
    this.registers.setCounter(Slot.pending, i, false);
    this.registers.openCounter(Slot.pending, i, gateUnknown);
  }

  /** Whether counter i is enabled is not known: from here on it perhaps has a counting event. */
  protected openEvent(i: number): void {
    const { state } = this;
    this.perhapsTakenUp(i, this.registers.counter(Slot.pending, i));
    state.backing[i] = Backing.maybe;
    state.gate[i] = Gate.maybe;
    state.configKnown[i] = 0;
    state.interrupts[i] = 2;
    state.flags[i] = state.flags[i]! | Flag.open | Flag.kindOpen;
    state.periodKnown[i] = 0;
    this.perf.doubt(i);
  }

  // ---- hooks of events that have a companion (topdown) ---------------------------------------------------------

  /** The event of counter i was paused, enabled again, perhaps paused. */
  protected paused(_i: number): void {}
  protected resumed(_i: number): void {}
  protected perhapsPaused(_i: number): void {}
  /** The event may be kept, its configuration being the same. */
  protected keepsEvent(_i: number): Tri {
    return 1;
  }
}
