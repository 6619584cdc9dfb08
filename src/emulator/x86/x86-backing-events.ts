import { FIXED_BASE, Sel, SelHigh } from '../../arch/x86-bits.ts';
import {
  FIXED_EVENTS,
  hardwareEvent,
  PSEUDO_REF_BIT,
  PSEUDO_REF_CYCLES,
} from '../../arch/x86-events.ts';
import type { BackingAttr } from '../host-perf.ts';
import { NO_OPERATIONS, type PerfOperations } from '../perf-operations.ts';
import type { Tri } from '../register-file.ts';
import { UncertaintyReason } from '../uncertainty.ts';
import { or } from './x86-registers.ts';
import { Backing, Flag, Gate, Slot } from './x86-state.ts';
import { X86Values } from './x86-values.ts';

const { countNotRecorded } = UncertaintyReason;

/** What the x86 vPMU asked of perf so far. */
export interface X86PerfOperations extends PerfOperations {
  pauses: number;
}

/** What KVM asks perf for where nothing is to be said of it; to be filled in anew for each event. */
export function x86BackingAttr(config: number): BackingAttr {
  return {
    config,
    wide: false,
    samplePeriod: 0n,
    periodKnown: true,
    excludeUser: false,
    excludeKernel: false,
    excludeKnown: true,
    disabled: false,
    type: undefined,
    precise: 0,
  };
}

/** The perf events behind the counters: what is asked for, made and released (semantics B.5 step 5). */
export class X86Events extends X86Values {
  readonly operations: X86PerfOperations = { ...NO_OPERATIONS, pauses: 0 };
  protected readonly attr = x86BackingAttr(0);

  /** False: HostPerf stands for hardware the guest owns, so that nothing is asked of the host's perf. */
  protected get isPerf(): boolean {
    return this.rules.ownership === 'perf';
  }

  /** Releases the event, its count is lost. */
  release(i: number): void {
    const { state } = this;
    if (state.backing[i] === Backing.none) return;
    this.perf.release(i);
    if (this.isPerf) this.operations.releases++;
    this.clear(i);
  }

  /** The counter has no event (any more). */
  clear(i: number): void {
    const { state } = this;
    state.backing[i] = Backing.none;
    state.gate[i] = Gate.off;
    state.config[i] = 0;
    state.configHigh[i] = 0;
    state.configKnown[i] = 1;
    state.folded[i] = 0n;
    state.foldedSpan[i] = 0n;
    state.periodKnown[i] = 0;
  }

  /** Folds the count into the base and releases the event. */
  stop(i: number): void {
    const { state } = this;
    if (state.backing[i] === Backing.none) return;
    this.accumulated(i);
    this.setBase(i, this.low, this.span, countNotRecorded);
    this.release(i);
  }

  /** Asks the host for the event the counter is programmed for, enabled. The counter is paused or has none. */
  create(i: number): boolean {
    const { state, attr } = this;
    const known = this.fillAttr(i);
    if (this.isPerf) this.operations.creates++;
    const ok = this.perf.create(i, attr);
    state.config[i] = this.programLow(i);
    state.configHigh[i] = this.programHigh(i);
    state.configKnown[i] = this.programKnown(i) ? 1 : 0;
    state.folded[i] = 0n;
    state.foldedSpan[i] = 0n;
    if (!ok) {
      if (this.isPerf) this.operations.failedCreates++;
      state.backing[i] = Backing.none;
      state.gate[i] = Gate.off;
      return !this.rules.retriesCreate;
    }
    state.backing[i] = Backing.live;
    state.gate[i] = Gate.on;
    this.takeAttr(i, this.registers.counter(Slot.pebsEnable, i));
    if (!known) this.perf.doubt(i);
    if (this.rules.pendingCleared === 'when-programmed') {
      this.registers.setCounter(Slot.pending, i, false);
    }
    return true;
  }

  /** Remembers what `attr` asked for, `precise` apart. */
  protected takeAttr(i: number, precise: Tri): void {
    const { state, attr } = this;
    // Whether a period was asked for at all: 0 stands for none.
    const mayBeZero = this.rules.periodOfZero === 'none' || !this.programKnown(i);
    const kindOpen = precise === 2 || (!attr.periodKnown && mayBeZero);
    state.event[i] = attr.config;
    state.flags[i] =
      (attr.excludeUser ? Flag.excludeUser : 0) |
      (attr.excludeKernel ? Flag.excludeKernel : 0) |
      (attr.excludeKnown && attr.config >= 0 ? 0 : Flag.open) |
      (!attr.periodKnown || attr.samplePeriod !== 0n ? Flag.sampling : 0) |
      (precise === 1 ? Flag.precise : 0) |
      (kindOpen ? Flag.kindOpen : 0) |
      (attr.type === 'hardware' ? Flag.hardware : 0) |
      (state.flags[i]! & Flag.wrapOpen);
    state.interrupts[i] = or(this.wantsInterrupt(i), precise);
    this.arm(i, attr.samplePeriod, attr.periodKnown, 0n);
  }

  /** What the counter's programming asks of the host; false if some of it is not known. */
  protected fillAttr(i: number): boolean {
    const { attr, state } = this;
    const user = this.countsUser(i);
    const kernel = this.countsKernel(i);
    const known = this.eventKnown(i);
    attr.excludeUser = user === 0;
    attr.excludeKernel = kernel === 0;
    attr.excludeKnown = user !== 2 && kernel !== 2;
    attr.precise = this.registers.counter(Slot.pebsEnable, i) === 1 ? 1 : 0;
    attr.type = undefined;
    attr.config = known ? this.#rawConfig(i) : -1;
    if (known && this.rules.attrType === 'hardware-or-raw') this.#preferHardware(i);
    this.periodFor(i, state.base[i]!);
    attr.periodKnown = state.baseSpan[i] === 0n;
    attr.samplePeriod = attr.periodKnown ? this.periodValue : 0n;
    if (this.shape.inTx && i < FIXED_BASE) this.#checkpointedPeriod(i, known);
    return known && attr.excludeKnown;
  }

  /** perf takes no period with IN_TXCP (semantics B.6). */
  #checkpointedPeriod(i: number, known: boolean): void {
    const { attr, state } = this;
    if (!known) attr.periodKnown = false;
    else if ((state.selectorHigh[i]! & SelHigh.inTxCheckpointed) !== 0) attr.periodKnown = true;
    else return;
    attr.samplePeriod = 0n;
  }

  #rawConfig(i: number): number {
    if (i >= FIXED_BASE) return FIXED_EVENTS[i - FIXED_BASE]!;
    const low = (this.state.selector[i]! & this.shape.rawLow) >>> 0;
    return low + (this.state.selectorHigh[i]! & this.shape.rawHigh) * 2 ** 32;
  }

  /** An architectural event that the guest has is asked for by perf's own number (semantics C "State before"). */
  #preferHardware(i: number): void {
    const { attr, shape, state } = this;
    if (i < FIXED_BASE) {
      const modifiers = Sel.edge | Sel.inv | Sel.cmask;
      if ((state.selector[i]! & modifiers) !== 0) return;
      if (shape.intel && (state.selectorHigh[i]! & 3) !== 0) return;
      if (shape.intel && !this.available(i)) return;
      if (this.eventLow(i) === PSEUDO_REF_CYCLES && !this.hasLeafBit(PSEUDO_REF_BIT)) return;
    }
    const number = hardwareEvent(this.eventLow(i), shape.intel, i >= FIXED_BASE);
    if (number < 0) return;
    attr.type = 'hardware';
    attr.config = number;
  }

  protected override setPeriod(i: number, period: bigint): boolean {
    this.operations.periods++;
    return super.setPeriod(i, period);
  }
}
