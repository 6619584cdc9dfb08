import type { Pmuv3State } from './pmuv3-state.ts';
import { UncertaintyReason } from './uncertainty.ts';

/** A truth value that may be open: 0 no, 1 yes, 2 not known. */
export type Tri = 0 | 1 | 2;

/** The plain registers (Slot) with their unknown bits. An unknown bit is 0 in the value. */
export class RegisterFile {
  readonly #state: Pmuv3State;

  constructor(state: Pmuv3State) {
    this.#state = state;
  }

  /** Bit `bit` (a mask) of a register. */
  bit(slot: number, bit: number): Tri {
    if ((this.#state.unknown[slot]! & bit) !== 0) return 2;
    return (this.#state.value[slot]! & bit) !== 0 ? 1 : 0;
  }

  /** True if some bit of the mask is 1 for sure (1), may be (2), or none is (0). */
  any(slot: number, mask: number): Tri {
    if ((this.#state.value[slot]! & mask) !== 0) return 1;
    return (this.#state.unknown[slot]! & mask) !== 0 ? 2 : 0;
  }

  /** Replaces the register. `reason` is for the bits in `unknown`. */
  set(slot: number, value: number, unknown: number, reason: UncertaintyReason): void {
    const state = this.#state;
    if (unknown === 0) state.reason[slot] = UncertaintyReason.none;
    else if (state.unknown[slot] === 0 || reason !== state.reason[slot]) {
      state.reason[slot] = reason;
      state.since[slot] = state.seq;
    }
    state.value[slot] = (value & ~unknown) >>> 0;
    state.unknown[slot] = unknown >>> 0;
  }

  /** Sets or clears bits, which are known from now on. */
  know(slot: number, bits: number, set: boolean): void {
    const { value, unknown, reason } = this.#state;
    value[slot] = (set ? value[slot]! | bits : value[slot]! & ~bits) >>> 0;
    unknown[slot] = (unknown[slot]! & ~bits) >>> 0;
    if (unknown[slot] === 0) reason[slot] = UncertaintyReason.none;
  }

  /** Makes bits unknown. */
  open(slot: number, bits: number, reason: UncertaintyReason): void {
    if (bits === 0) return;
    const state = this.#state;
    if (state.unknown[slot] === 0) {
      state.reason[slot] = reason;
      state.since[slot] = state.seq;
    }
    state.value[slot] = (state.value[slot]! & ~bits) >>> 0;
    state.unknown[slot] = (state.unknown[slot]! | bits) >>> 0;
  }

  /** Clears all bits outside the mask, unknown ones too. */
  trim(slot: number, mask: number): void {
    this.know(slot, ~mask, false);
  }
}
