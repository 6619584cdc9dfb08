import { X86_COUNTERS } from '../../arch/x86-bits.ts';
import { StateBuffer } from '../state-buffer.ts';

export { Backing, Gate } from '../state-buffer.ts';

/** Layout version of X86Pmu snapshots: raise it with every change of this file or of a number stored in it. */
export const X86_STATE_VERSION = 1;

/**
 * Registers that are sets of bits, each kept as two 32-bit halves (low at `slot`, high at `slot + 1`): bit i of the low
 * half belongs to GP counter i, bit i of the high half to fixed counter i.
 */
export const Slot = {
  globalCtrl: 0,
  status: 2,
  fixedCtrl: 4,
  pebsEnable: 6,
  /** Counters that wait to be reprogrammed. */
  pending: 8,
  /** Counters that were written since the last clean-up. */
  inUse: 10,
} as const;
export const SLOTS = 12;

/** 64-bit registers known or unknown as a whole, in `word` and `wordKnown`. */
export const Word = { dsArea: 0, pebsDataCfg: 1, ovfCtrl: 2, metrics: 3 } as const;
const WORDS = 4;

/** First uncertainty item of the counters and of the selectors; items below are the halves of the registers. */
export const COUNTER_ITEM = SLOTS;
export const SELECTOR_ITEM = SLOTS + X86_COUNTERS;
export const ITEMS = SLOTS + 2 * X86_COUNTERS;

/** Bits of `flags`: what the event was created with, and what is open about the counter. */
export const Flag = {
  excludeUser: 1,
  excludeKernel: 2,
  /** The exclude bits and the config are not known. */
  open: 4,
  /** Created with a sample period. */
  sampling: 8,
  precise: 16,
  /** Whether sampling or precise is not known. */
  kindOpen: 32,
  /** Software events may have wrapped the counter without KVM having noticed yet. */
  wrapOpen: 64,
  /** Asked for as PERF_TYPE_HARDWARE. */
  hardware: 128,
} as const;

/** Truth values (0 no, 1 yes, 2 not known) in `misc`. */
export const Misc = {
  requestPmu: 0,
  requestPmi: 1,
  needCleanup: 2,
  lvtpcKnown: 3,
  /** The counters of the slots event also has a metrics event (topdown). */
  metricsMode: 4,
  /** Mediated: the guest's context is on the CPU. */
  loaded: 5,
  /** An event filter was set while counters may have been programmed under another (rule sets that do not reprogram). */
  filterStale: 6,
} as const;
const MISC = 8;

/**
 * The whole state of one vCPU's vPMU in one buffer, so that a snapshot is one copy. A counter's stored value is an
 * interval [base, base + baseSpan] modulo its width (baseSpan U64_MAX: unknown), likewise its software count; a selector
 * is known or not as a whole; bit registers have a mask of unknown bits (which are 0 in the value).
 */
export class X86State extends StateBuffer {
  readonly base: BigUint64Array;
  readonly baseSpan: BigUint64Array;
  readonly #baseSpanHalves: Uint32Array;
  /** Events KVM counted itself and has not folded into the base yet. */
  readonly soft: BigUint64Array;
  readonly softSpan: BigUint64Array;
  /** Sample period of the event; valid where `periodKnown`. */
  readonly period: BigUint64Array;
  /** Events since the last pause that HostPerf no longer counts because of a rebase. */
  readonly folded: BigUint64Array;
  readonly foldedSpan: BigUint64Array;
  /** Events since the last pause when the period was last set or reached; valid where `periodKnown`. */
  readonly armed: BigUint64Array;
  readonly word: BigUint64Array;
  readonly since: Float64Array;
  /** attr.config the event was created with. */
  readonly event: Float64Array;
  readonly value: Uint32Array;
  readonly unknown: Uint32Array;
  readonly selector: Uint32Array;
  readonly selectorHigh: Uint32Array;
  /** KVM's current_config: what the event was last created with (0 without an event). */
  readonly config: Uint32Array;
  readonly configHigh: Uint32Array;
  readonly lvtpc: Uint32Array;
  readonly selectorKnown: Uint8Array;
  readonly configKnown: Uint8Array;
  readonly periodKnown: Uint8Array;
  readonly backing: Uint8Array;
  readonly gate: Uint8Array;
  /** Overflows of the event raise a PMI: 0 no, 1 yes, 2 not known. */
  readonly interrupts: Uint8Array;
  readonly flags: Uint8Array;
  readonly reason: Uint8Array;
  readonly wordKnown: Uint8Array;
  readonly misc: Uint8Array;

  constructor() {
    const n = X86_COUNTERS;
    const words64 = 9 * n + WORDS + ITEMS;
    const words32 = 2 * SLOTS + 4 * n + 2;
    const bytes = 7 * n + ITEMS + WORDS + MISC;
    super(8 * words64 + 4 * words32 + bytes);
    this.base = this.u64(n);
    this.baseSpan = this.u64(n);
    this.#baseSpanHalves = new Uint32Array(this.buffer, this.baseSpan.byteOffset, 2 * n);
    this.soft = this.u64(n);
    this.softSpan = this.u64(n);
    this.period = this.u64(n);
    this.folded = this.u64(n);
    this.foldedSpan = this.u64(n);
    this.armed = this.u64(n);
    this.word = this.u64(WORDS);
    this.since = this.f64(ITEMS);
    this.event = this.f64(n);
    this.value = this.u32(SLOTS);
    this.unknown = this.u32(SLOTS);
    this.selector = this.u32(n);
    this.selectorHigh = this.u32(n);
    this.config = this.u32(n);
    this.configHigh = this.u32(n);
    this.lvtpc = this.u32(2);
    this.selectorKnown = this.u8(n);
    this.configKnown = this.u8(n);
    this.periodKnown = this.u8(n);
    this.backing = this.u8(n);
    this.gate = this.u8(n);
    this.interrupts = this.u8(n);
    this.flags = this.u8(n);
    this.reason = this.u8(ITEMS);
    this.wordKnown = this.u8(WORDS);
    this.misc = this.u8(MISC);
  }

  /** The stored value of counter i is wholly unknown, and why is known. */
  baseIsOpen(i: number): boolean {
    const halves = this.#baseSpanHalves;
    return (
      halves[2 * i] === 0xffff_ffff &&
      halves[2 * i + 1] === 0xffff_ffff &&
      this.reason[COUNTER_ITEM + i] !== 0
    );
  }
}
