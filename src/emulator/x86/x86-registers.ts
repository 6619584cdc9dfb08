import { FIXED_BASE } from '../../arch/x86-bits.ts';
import type { Tri } from '../register-file.ts';
import { UncertaintyReason } from '../uncertainty.ts';
import type { X86State } from './x86-state.ts';

/** The bit-set registers (Slot) with their unknown bits. An unknown bit is 0 in the value. */
export class X86Registers {
  readonly #state: X86State;

  constructor(state: X86State) {
    this.#state = state;
  }

  /** The bit of counter i. */
  counter(slot: number, i: number): Tri {
    return i < FIXED_BASE ? this.bit(slot, 1 << i) : this.bit(slot + 1, 1 << (i - FIXED_BASE));
  }

  /** One bit (a mask) of one half. */
  bit(half: number, bit: number): Tri {
    if ((this.#state.unknown[half]! & bit) !== 0) return 2;
    return (this.#state.value[half]! & bit) !== 0 ? 1 : 0;
  }

  /** True if some bit of the mask is 1 for sure (1), may be (2), or none is (0). */
  any(half: number, mask: number): Tri {
    if ((this.#state.value[half]! & mask) !== 0) return 1;
    return (this.#state.unknown[half]! & mask) !== 0 ? 2 : 0;
  }

  setCounter(slot: number, i: number, on: boolean): void {
    if (i < FIXED_BASE) this.know(slot, 1 << i, on);
    else this.know(slot + 1, 1 << (i - FIXED_BASE), on);
  }

  openCounter(slot: number, i: number, reason: UncertaintyReason): void {
    if (i < FIXED_BASE) this.open(slot, 1 << i, reason);
    else this.open(slot + 1, 1 << (i - FIXED_BASE), reason);
  }

  /** Replaces both halves by a known value. */
  set(slot: number, low: number, high: number): void {
    const { value, unknown, reason } = this.#state;
    value[slot] = low;
    value[slot + 1] = high;
    unknown[slot] = 0;
    unknown[slot + 1] = 0;
    reason[slot] = UncertaintyReason.none;
    reason[slot + 1] = UncertaintyReason.none;
  }

  /** Makes exactly these bits unknown, the others 0. */
  forget(slot: number, low: number, high: number, reason: UncertaintyReason): void {
    this.set(slot, 0, 0);
    this.open(slot, low, reason);
    this.open(slot + 1, high, reason);
  }

  /** Sets or clears bits of one half, which are known from now on. */
  know(half: number, bits: number, set: boolean): void {
    const { value, unknown, reason } = this.#state;
    value[half] = set ? value[half]! | bits : value[half]! & ~bits;
    unknown[half] = unknown[half]! & ~bits;
    if (unknown[half] === 0) reason[half] = UncertaintyReason.none;
  }

  /** Makes bits of one half unknown. */
  open(half: number, bits: number, reason: UncertaintyReason): void {
    if (bits === 0) return;
    const state = this.#state;
    if (state.unknown[half] === 0) {
      state.reason[half] = reason;
      state.since[half] = state.seq;
    }
    state.value[half] = state.value[half]! & ~bits;
    state.unknown[half] = state.unknown[half]! | bits;
  }

  /** The known part as one number. */
  value64(slot: number): bigint {
    return (BigInt(this.#state.value[slot + 1]!) << 32n) | BigInt(this.#state.value[slot]!);
  }

  unknown64(slot: number): bigint {
    return (BigInt(this.#state.unknown[slot + 1]!) << 32n) | BigInt(this.#state.unknown[slot]!);
  }
}

export function and(a: Tri, b: Tri): Tri {
  if (a === 0 || b === 0) return 0;
  return a === 1 && b === 1 ? 1 : 2;
}

export function or(a: Tri, b: Tri): Tri {
  if (a === 1 || b === 1) return 1;
  return a === 0 && b === 0 ? 0 : 2;
}
