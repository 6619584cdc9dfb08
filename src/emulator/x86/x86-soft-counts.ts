import { FIXED_BASE } from '../../arch/x86-bits.ts';
import type { Tri } from '../register-file.ts';
import { addSpans } from '../span.ts';
import { UncertaintyReason } from '../uncertainty.ts';
import { and } from './x86-registers.ts';
import { Slot } from './x86-state.ts';
import { X86Topdown } from './x86-topdown.ts';

const { gateUnknown } = UncertaintyReason;

/** Events KVM counts itself: emulated instructions and branches (semantics B.8). */
export class X86SoftCounts extends X86Topdown {
  /** KVM emulated one instruction (kind 0) or executed one branch (kind 1) for the guest (semantics B.8). */
  trigger(kind: 0 | 1, cpl: number): void {
    if (this.rules.softCount === 'none') return;
    const { counters } = this.shape;
    for (let k = 0; k < counters.length; k++) {
      const i = counters[k]!;
      const counts = this.#countsSoftNow(i, kind, cpl);
      if (counts !== 0) this.#softEvent(i, counts === 1, 1n);
    }
  }

  /** Between 0 and `times` instructions, branches among them, may have been emulated without a record. */
  maybeTrigger(times: bigint): void {
    if (this.rules.softCount === 'none' || times === 0n) return;
    for (const i of this.shape.counters) {
      if (this.#countsSoftNow(i, 0, -1) !== 0 || this.#countsSoftNow(i, 1, -1) !== 0) {
        this.#softEvent(i, false, times);
      }
    }
  }

  #countsSoftNow(i: number, kind: 0 | 1, cpl: number): Tri {
    const event = this.countsSoft(i, kind);
    if (event === 0) return 0;
    let gate = and(this.global(i), this.local(i));
    if (gate !== 0 && this.rules.filterStopsSoftCount) gate = and(gate, this.allowed(i));
    return gate === 0 ? 0 : and(and(event, gate), this.#cplMatches(i, cpl));
  }

  /** OS and USR of the selector; before the software count, those of the event last created. */
  #cplMatches(i: number, cpl: number): Tri {
    let kernel = this.countsKernel(i);
    let user = this.countsUser(i);
    if (this.rules.softCount === 'in-base') {
      if (this.state.configKnown[i] === 0) return 2;
      const shift = i < FIXED_BASE ? 16 : 0;
      const config = this.state.config[i]! >>> shift;
      const [osBit, usrBit] = i < FIXED_BASE ? [2, 1] : [1, 2];
      kernel = (config & osBit) !== 0 ? 1 : 0;
      user = (config & usrBit) !== 0 ? 1 : 0;
    }
    if (cpl < 0) return kernel === user ? kernel : 2;
    return cpl === 0 ? kernel : user;
  }

  #softEvent(i: number, sure: boolean, times: bigint): void {
    const { state } = this;
    if (this.rules.softCount === 'in-base') {
      this.#addToBase(i, sure, times);
      return;
    }
    if (this.rules.softCount === 'copy') {
      this.#addToCopy(i, sure, times);
      return;
    }
    if (sure) state.soft[i] = state.soft[i]! + times;
    else state.softSpan[i] = addSpans(state.softSpan[i]!, times);
    this.requestReprogram(i, sure);
  }

  /** 6.1: base + 1, reprogram, and an overflow if the base came out below what it was (corrections 12). */
  #addToBase(i: number, sure: boolean, times: bigint): void {
    const { state } = this;
    const before = state.base[i]!;
    const span = state.baseSpan[i]!;
    if (sure) {
      // KVM's own base lacks what was rebased into this one.
      const exact = span === 0n && state.foldedSpan[i] === 0n;
      const own = (before - state.folded[i]!) & this.shape.mask(i);
      this.setBase(i, before + times, span, UncertaintyReason.countNotRecorded);
      this.reprogram(i);
      if (exact && state.baseSpan[i] === 0n) {
        if (state.base[i]! < own) this.#softOverflow(i, true);
      } else {
        this.#softOverflow(i, false);
      }
      return;
    }
    this.setBase(i, before, addSpans(span, times), gateUnknown);
    this.maybeReprogram(i);
    this.#softOverflow(i, false);
  }

  /** Mediated: the saved counter + 1; status and PMI if that makes it exactly 0 (semantics E.4, K15). */
  #addToCopy(i: number, sure: boolean, times: bigint): void {
    const { state } = this;
    const more = sure ? 0n : times;
    const low = state.base[i]! + (sure ? times : 0n);
    this.setBase(i, low, addSpans(state.baseSpan[i]!, more), gateUnknown);
    this.visible(i);
    const { low: value, span } = this;
    if (span !== 0n ? value !== 0n && value + span <= this.shape.mask(i) : value !== 0n) return;
    state.interrupts[i] = this.wantsInterrupt(i);
    this.raiseOverflow(i, sure && span === 0n, false);
  }

  #softOverflow(i: number, sure: boolean): void {
    const pending = this.registers.counter(Slot.pending, i);
    if (pending === 1) return;
    const certain = sure && pending === 0;
    this.requestReprogram(i, certain);
    this.raiseOverflow(i, certain, false);
  }
}
