import { StatusHigh } from '../../arch/x86-bits.ts';
import { U64_MAX } from '../../domain/u64.ts';
import type { Tri } from '../register-file.ts';
import { UncertaintyReason } from '../uncertainty.ts';
import { X86Events } from './x86-backing-events.ts';
import { Backing, Flag, Gate, Misc, Slot } from './x86-state.ts';

const { gateUnknown, overflowNotRecorded } = UncertaintyReason;

/** Requests to the next entry, overflow status and PMI (semantics B.5 to B.7). */
export class X86Overflows extends X86Events {
  /** Raises KVM_REQ_PMU (or perhaps). */
  request(misc: number, sure: boolean): void {
    const before = this.state.misc[misc]!;
    this.state.misc[misc] = sure ? 1 : before === 1 ? 1 : 2;
  }

  /** Marks counter i for reprogramming at the next entry. */
  requestReprogram(i: number, sure: boolean): void {
    if (sure) this.registers.setCounter(Slot.pending, i, true);
    else if (this.registers.counter(Slot.pending, i) === 0) {
      this.registers.openCounter(Slot.pending, i, gateUnknown);
    }
    this.request(Misc.requestPmu, sure);
  }

  /** Status and PMI of an overflow. `fromPerf`: by the event's callback, not by software (semantics B.7, B.11). */
  raiseOverflow(i: number, sure: boolean, fromPerf: boolean): void {
    const { registers, state } = this;
    const flags = state.flags[i]!;
    const event: Tri = state.backing[i] === Backing.maybe ? 2 : (state.backing[i]! as Tri);
    const precise: Tri =
      event === 0
        ? 0
        : (flags & Flag.kindOpen) !== 0 && this.shape.pebs
          ? 2
          : (flags & Flag.precise) !== 0
            ? 1
            : 0;
    const bit = StatusHigh.pebsBuffer;
    let pmi: Tri = state.interrupts[i] as Tri;
    if (precise === 1) {
      if (!fromPerf) return; // KVM writes no PEBS record for software events
      const before = registers.bit(Slot.status + 1, bit);
      if (before !== 0) pmi = before === 1 || pmi === 0 ? 0 : 2;
      if (sure) registers.know(Slot.status + 1, bit, true);
      else if (before === 0) registers.open(Slot.status + 1, bit, overflowNotRecorded);
    } else if (precise === 0 && sure) {
      registers.setCounter(Slot.status, i, true);
    } else {
      if (registers.counter(Slot.status, i) === 0) {
        registers.openCounter(Slot.status, i, overflowNotRecorded);
      }
      if (precise === 2 && registers.bit(Slot.status + 1, bit) === 0) {
        registers.open(Slot.status + 1, bit, overflowNotRecorded);
      }
    }
    if (pmi !== 0) this.request(Misc.requestPmi, pmi === 1 && sure && precise !== 2);
  }

  /** The overflow callback of the counter's event ran. */
  overflow(i: number): void {
    const { state } = this;
    if (!this.isPerf) {
      this.#hardwareWrap(i);
      return;
    }
    const pending = this.registers.counter(Slot.pending, i);
    state.backing[i] = Backing.live; // what overflows exists and is enabled
    state.gate[i] = Gate.on;
    if (state.periodKnown[i] === 1) state.armed[i] = state.armed[i]! + state.period[i]!;
    if (pending === 1) return; // a racing write (or an earlier overflow) wins
    // An event that overflows while its counter waits has had the request raised with it.
    this.requestReprogram(i, true);
    this.raiseOverflow(i, pending === 0, true);
  }

  /** The hardware counter of a mediated guest passed its top: it goes on from 0 (semantics E.4 "PMI"). */
  #hardwareWrap(i: number): void {
    const { state } = this;
    state.backing[i] = Backing.live;
    state.gate[i] = Gate.on;
    this.raiseOverflow(i, true, true);
    const turn = this.shape.mask(i) + 1n;
    const reached = state.armed[i]! + state.period[i]!;
    this.perf.setPeriod(i, turn);
    this.arm(i, turn, state.periodKnown[i] === 1, reached);
  }

  /** Overflows happened, or did not, without a record. */
  maybeOverflow(i: number): void {
    this.state.periodKnown[i] = 0;
    if (this.registers.counter(Slot.pending, i) === 1) return;
    if (this.isPerf) this.requestReprogram(i, false);
    this.raiseOverflow(i, false, true);
  }

  /** Has the event reached its period since it was last armed: no, surely, or perhaps. */
  periodReached(i: number): Tri {
    const { state } = this;
    if (state.backing[i] === Backing.none) return 0;
    if ((state.flags[i]! & (Flag.sampling | Flag.kindOpen)) === 0) return 0;
    if (state.periodKnown[i] === 0) return 2;
    if (state.period[i] === 0n) return 0;
    this.sincePause(i);
    if (this.span === U64_MAX) return 2;
    const least = this.low - state.armed[i]!;
    if (least >= state.period[i]!) return 1;
    return least + this.span >= state.period[i]! ? 2 : 0;
  }
}
