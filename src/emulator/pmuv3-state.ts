import { COUNTER_INDICES } from '../arch/arm64-bits.ts';
import { StateBuffer } from './state-buffer.ts';

export { Backing, Gate } from './state-buffer.ts';

/** Layout version of Pmuv3 snapshots: raise it with every change of this file or of a number stored in it. */
export const PMUV3_STATE_VERSION = 2;

/** Index of the plain registers in `value`, `unknown` and (by the same number) in `reason` and `since`. */
export const Slot = { pmcr: 0, selr: 1, userenr: 2, cnten: 3, inten: 4, ovs: 5 } as const;
export const SLOTS = 6;

/** First uncertainty item of the counters and of the event types; items below are the plain registers. */
export const COUNTER_ITEM = SLOTS;
export const TYPE_ITEM = SLOTS + COUNTER_INDICES;
export const ITEMS = SLOTS + 2 * COUNTER_INDICES;

/**
 * Bits of `attrFlags`: what the live event was created with; `open`: the exclude bits were not known; `hardware`,
 * `hwCache`: `config` is a number of that perf type, not a PMUv3 event number.
 */
export const AttrBit = {
  excludeUser: 1,
  excludeKernel: 2,
  wide: 4,
  open: 8,
  hardware: 16,
  hwCache: 32,
} as const;

/** Small numbers in `misc`. */
export const Misc = { n: 0, irqLevel: 1, irqPending: 2, hasRun: 3, cycleWidth: 4 } as const;
const MISC = 8;

/**
 * `misc[cycleWidth]` for rule sets whose cycle counter shows 32 bits until PMCR.LC was written.
 * `narrow`: 32 shown, the base holds all 64. `wide`: 64 shown. `either`: one of the two; base and count make the shown
 * value as long as their sum stays below 2^32. `narrowLow`: 32 shown, the base holds only those.
 */
export const CycleWidth = { narrow: 0, wide: 1, either: 2, narrowLow: 3 } as const;

/** `irqLevel` when the last level told to the vGIC is not known. */
export const LEVEL_UNKNOWN = 2;

/**
 * The whole state of one vCPU's vPMU in one buffer, so that a snapshot is one copy. Every register is a value and a mask
 * of unknown bits (an unknown bit is 0 in the value); every counter base an interval [base, base + baseSpan] modulo the
 * counter's width, baseSpan = U64_MAX meaning unknown.
 */
export class Pmuv3State extends StateBuffer {
  readonly base: BigUint64Array;
  readonly baseSpan: BigUint64Array;
  /** Sample period of the live event; valid where `periodKnown`. */
  readonly period: BigUint64Array;
  /** Events of the live event that HostPerf no longer counts because of a rebase. */
  readonly counted: BigUint64Array;
  readonly countedSpan: BigUint64Array;
  /** The event's count when its period was last set; valid where `periodKnown`. */
  readonly armed: BigUint64Array;
  readonly since: Float64Array;
  readonly value: Uint32Array;
  readonly unknown: Uint32Array;
  readonly type: Uint32Array;
  readonly typeUnknown: Uint32Array;
  /** attr.config of the live event, −1 unknown. */
  readonly config: Int32Array;
  readonly backing: Uint8Array;
  readonly gate: Uint8Array;
  readonly periodKnown: Uint8Array;
  readonly attrFlags: Uint8Array;
  readonly reason: Uint8Array;
  readonly misc: Uint8Array;

  constructor() {
    const n = COUNTER_INDICES;
    super(8 * (6 * n + ITEMS) + 4 * (2 * SLOTS + 3 * n) + 4 * n + ITEMS + MISC);
    this.base = this.u64(n);
    this.baseSpan = this.u64(n);
    this.period = this.u64(n);
    this.counted = this.u64(n);
    this.countedSpan = this.u64(n);
    this.armed = this.u64(n);
    this.since = this.f64(ITEMS);
    this.value = this.u32(SLOTS);
    this.unknown = this.u32(SLOTS);
    this.type = this.u32(n);
    this.typeUnknown = this.u32(n);
    this.config = this.i32(n);
    this.backing = this.u8(n);
    this.gate = this.u8(n);
    this.periodKnown = this.u8(n);
    this.attrFlags = this.u8(n);
    this.reason = this.u8(ITEMS);
    this.misc = this.u8(MISC);
  }
}
