import { FIXED_BASE, FixedCtrl, Sel, SelHigh } from '../../arch/x86-bits.ts';
import { architecturalEvent, FIXED_EVENTS, SOFT_EVENTS } from '../../arch/x86-events.ts';
import type { X86RuleSet } from '../../arch/x86-rules.ts';
import type { Tri } from '../register-file.ts';
import { UncertaintyReason } from '../uncertainty.ts';
import type { CompiledFilter } from './x86-filter.ts';
import { and, type X86Registers } from './x86-registers.ts';
import type { X86Shape } from './x86-shape.ts';
import { Misc, SELECTOR_ITEM, Slot, type X86State } from './x86-state.ts';

/** What follows about a counter from registers, configuration and rule set, without its value. */
export class X86Facts {
  readonly state: X86State;
  readonly registers: X86Registers;
  readonly rules: X86RuleSet;
  shape: X86Shape;
  filter: CompiledFilter | undefined;

  constructor(state: X86State, registers: X86Registers, rules: X86RuleSet, shape: X86Shape) {
    this.state = state;
    this.registers = registers;
    this.rules = rules;
    this.shape = shape;
  }

  /** Nibble of FIXED_CTR_CTRL of fixed counter i (KVM's number), and its unknown bits. */
  nibble(i: number): number {
    return (this.state.value[Slot.fixedCtrl]! >>> (4 * (i - FIXED_BASE))) & 0xf;
  }
  nibbleUnknown(i: number): number {
    return (this.state.unknown[Slot.fixedCtrl]! >>> (4 * (i - FIXED_BASE))) & 0xf;
  }

  /** What KVM compares to decide on reuse is known. */
  programKnown(i: number): boolean {
    return i < FIXED_BASE ? this.state.selectorKnown[i] === 1 : this.nibbleUnknown(i) === 0;
  }

  /** The selector, or the nibble of a fixed counter: what `config` is compared with. Valid where `programKnown`. */
  programLow(i: number): number {
    return i < FIXED_BASE ? this.state.selector[i]! : this.nibble(i);
  }
  programHigh(i: number): number {
    return i < FIXED_BASE ? this.state.selectorHigh[i]! : 0;
  }

  /** A selector bit (Sel), read for a fixed counter from its nibble: `fixed` is the nibble's bit. */
  #flag(i: number, selector: number, fixed: number): Tri {
    if (i < FIXED_BASE) {
      if (this.state.selectorKnown[i] === 0) return 2;
      return (this.state.selector[i]! & selector) !== 0 ? 1 : 0;
    }
    if ((this.nibble(i) & fixed) !== 0) return 1;
    return (this.nibbleUnknown(i) & fixed) !== 0 ? 2 : 0;
  }

  /** EN, or OS or USR of a fixed counter. */
  local(i: number): Tri {
    return this.#flag(i, Sel.en, FixedCtrl.enable);
  }
  countsUser(i: number): Tri {
    return this.#flag(i, Sel.usr, FixedCtrl.usr);
  }
  countsKernel(i: number): Tri {
    return this.#flag(i, Sel.os, FixedCtrl.os);
  }
  wantsInterrupt(i: number): Tri {
    return this.#flag(i, Sel.int, FixedCtrl.pmi);
  }

  /** GLOBAL_CTRL lets it count. */
  global(i: number): Tri {
    const { shape } = this;
    // AMD before PerfMonV2 has no such register at all; Intel version 1 may have an invisible one.
    if (!shape.hasGlobalCtrl && (!shape.intel || this.rules.version1Gate === 'on')) return 1;
    return this.registers.counter(Slot.globalCtrl, i);
  }

  /** Low 16 bits (select, umask) of the event, or of the general event of a fixed counter. */
  eventLow(i: number): number {
    return i < FIXED_BASE
      ? this.state.selector[i]! & Sel.eventAndUmask
      : FIXED_EVENTS[i - FIXED_BASE]!;
  }
  eventHigh(i: number): number {
    return i < FIXED_BASE ? this.state.selectorHigh[i]! & SelHigh.amdEvent : 0;
  }
  eventKnown(i: number): boolean {
    return i >= FIXED_BASE || this.state.selectorKnown[i] === 1;
  }

  /** The event filter, and availability where that counts (semantics B.10, B.2). */
  allowed(i: number): Tri {
    if (this.rules.unavailableEvents === 'refused' && this.shape.intel) {
      if (!this.eventKnown(i)) {
        if (this.shape.config.eventsNotAvailable !== 0) return 2;
      } else if (!this.available(i)) return 0;
    }
    const { filter } = this;
    if (filter === undefined) return 1;
    if (i >= FIXED_BASE) return filter.allowsFixed(i - FIXED_BASE) ? 1 : 0;
    if (this.state.selectorKnown[i] === 0) return 2;
    return filter.allowsGp(this.state.selector[i]!, this.state.selectorHigh[i]!) ? 1 : 0;
  }

  /** False for an architectural event that leaf 0xA says is missing. */
  available(i: number): boolean {
    return this.hasLeafBit(architecturalEvent(this.eventLow(i)));
  }

  /** Leaf 0xA does not call architectural event number `event` missing; −1 stands for any other event. */
  protected hasLeafBit(event: number): boolean {
    if (event < 0) return true;
    const { eventMaskLength, eventsNotAvailable } = this.shape.config;
    return event < eventMaskLength && (eventsNotAvailable & (1 << event)) === 0;
  }

  /** It counts as soon as the guest runs: enabled here and globally, allowed, and (mediated) the guest's context loaded. */
  programmed(i: number): Tri {
    const gate = and(and(this.local(i), this.global(i)), this.allowed(i));
    if (this.rules.ownership === 'perf') return gate;
    return and(gate, this.state.misc[Misc.loaded] as Tri);
  }

  /** The counter counts this soft event at this CPL (−1 unknown), gates apart. `kind`: 0 instruction, 1 branch. */
  countsSoft(i: number, kind: 0 | 1): Tri {
    if (!this.eventKnown(i)) return 2;
    const event = SOFT_EVENTS[this.shape.intel ? 0 : 1][kind];
    return this.eventLow(i) === event && this.eventHigh(i) === 0 ? 1 : 0;
  }

  /** Stores a selector, or (known false) that nobody knows it. */
  storeSelector(
    i: number,
    low: number,
    high: number,
    known: boolean,
    reason: UncertaintyReason,
  ): void {
    const { state } = this;
    const item = SELECTOR_ITEM + i;
    if (known) state.reason[item] = UncertaintyReason.none;
    else if (state.selectorKnown[i] === 1 || state.reason[item] === UncertaintyReason.none) {
      state.reason[item] = reason;
      state.since[item] = state.seq;
    }
    state.selector[i] = known ? low : 0;
    state.selectorHigh[i] = known ? high : 0;
    state.selectorKnown[i] = known ? 1 : 0;
  }

  /** Events of this counter may have been programmed under another filter than the present one. */
  get filterStale(): boolean {
    return this.state.misc[Misc.filterStale] === 1;
  }
}
