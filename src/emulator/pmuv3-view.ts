import { Pmcr } from '../arch/arm64-bits.ts';
import type { CounterBank } from './counter-bank.ts';
import {
  AttrBit,
  Backing,
  COUNTER_ITEM,
  Gate,
  type Pmuv3State,
  SLOTS,
  Slot,
  TYPE_ITEM,
} from './pmuv3-state.ts';
import type { RegisterFile, Tri } from './register-file.ts';
import { UncertaintyReason } from './uncertainty.ts';

/** One counter as a person wants to see it. A member is undefined where it is not known. */
export interface CounterView {
  readonly counter: number;
  /** Visible value: lies in [low, low + span] modulo 2^width; span U64_MAX: unknown. */
  readonly low: bigint;
  readonly span: bigint;
  readonly width: number;
  /** Why the value is not exact, and since which event (−1: since before the first). */
  readonly reason: UncertaintyReason;
  readonly since: number;
  /** Number of the event the counter is programmed for. */
  readonly event: number | undefined;
  /** PMEVTYPER (PMCCFILTR) and its unknown bits. */
  readonly type: number;
  readonly typeUnknownBits: number;
  readonly typeReason: UncertaintyReason;
  readonly typeSince: number;
  /** The gates and flags of the counter. */
  readonly pmcrE: boolean | undefined;
  readonly cntEnable: boolean | undefined;
  readonly interruptEnable: boolean | undefined;
  readonly overflowStatus: boolean | undefined;
  /** The counter overflows at 64 bits. */
  readonly overflow64: boolean | undefined;
  /** KVM has a host event for it, and has it enabled. */
  readonly hasEvent: boolean | undefined;
  readonly eventEnabled: boolean | undefined;
  /** What the event was created with; undefined without an event (or if not known). */
  readonly eventConfig: number | undefined;
  /** perf's type of `eventConfig`; undefined: a PMUv3 event number. */
  readonly eventType: 'hardware' | 'hw-cache' | undefined;
  readonly excludeUser: boolean;
  readonly excludeKernel: boolean;
  /** Its present sample period. */
  readonly period: bigint | undefined;
}

/** One plain register for display. */
export interface RegisterView {
  readonly name: string;
  readonly value: bigint;
  /** Bits of `value` that are not known (0 there). */
  readonly unknownBits: bigint;
  readonly reason: UncertaintyReason;
  readonly since: number;
}

const SLOT_NAMES = [
  'PMCR_EL0',
  'PMSELR_EL0',
  'PMUSERENR_EL0',
  'PMCNTENSET_EL0',
  'PMINTENSET_EL1',
  'PMOVSSET_EL0',
] as const;

function known(tri: Tri): boolean | undefined {
  return tri === 2 ? undefined : tri === 1;
}

function valueReason(i: number, state: Pmuv3State, span: bigint): UncertaintyReason {
  if (span === 0n) return UncertaintyReason.none;
  const base = state.reason[COUNTER_ITEM + i]! as UncertaintyReason;
  if (base !== UncertaintyReason.none) return base;
  if (state.backing[i] === Backing.maybe) return UncertaintyReason.typeUnknown;
  return state.gate[i] === Gate.maybe
    ? UncertaintyReason.gateUnknown
    : UncertaintyReason.countNotRecorded;
}

/** An event that perhaps exists is perhaps enabled at most. */
function eventEnabled(backing: number, gate: number): boolean | undefined {
  if (backing === Backing.none || gate === Gate.off) return false;
  return backing === Backing.live && gate === Gate.on ? true : undefined;
}

function eventType(flags: number): 'hardware' | 'hw-cache' | undefined {
  if ((flags & AttrBit.hardware) !== 0) return 'hardware';
  return (flags & AttrBit.hwCache) !== 0 ? 'hw-cache' : undefined;
}

/** The value of a counter alone: visible value in [low, low + span] modulo 2^width; span U64_MAX: unknown. */
export type ValueView = Pick<CounterView, 'low' | 'span' | 'width'>;

export function valueView(i: number, bank: CounterBank): ValueView {
  bank.visible(i);
  return { low: bank.low, span: bank.span, width: bank.width(i) };
}

/** What a counter is programmed for and the gates before it, without its value. */
export type GateView = Pick<
  CounterView,
  'counter' | 'width' | 'event' | 'pmcrE' | 'cntEnable' | 'hasEvent'
>;

export function gateView(
  i: number,
  state: Pmuv3State,
  bank: CounterBank,
  registers: RegisterFile,
): GateView {
  const event = bank.eventNumber(i);
  const backing = state.backing[i]!;
  return {
    counter: i,
    width: bank.width(i),
    event: event < 0 ? undefined : event,
    pmcrE: known(registers.bit(Slot.pmcr, Pmcr.E)),
    cntEnable: known(registers.bit(Slot.cnten, 1 << i)),
    hasEvent: backing === Backing.maybe ? undefined : backing === Backing.live,
  };
}

/** Builds the view of counter i without changing anything. */
export function counterView(
  i: number,
  state: Pmuv3State,
  bank: CounterBank,
  registers: RegisterFile,
): CounterView {
  bank.visible(i);
  const { low, span } = bank;
  const event = bank.eventNumber(i);
  const backing = state.backing[i]!;
  const bit = 1 << i;
  const item = COUNTER_ITEM + i;
  const exact = span === 0n || state.reason[item] === UncertaintyReason.none;
  const typeReason = state.reason[TYPE_ITEM + i]! as UncertaintyReason;
  return {
    counter: i,
    low,
    span,
    width: bank.width(i),
    reason: valueReason(i, state, span),
    since: exact ? -1 : state.since[item]!,
    event: event < 0 ? undefined : event,
    type: state.type[i]!,
    typeUnknownBits: state.typeUnknown[i]!,
    typeReason,
    typeSince: typeReason === UncertaintyReason.none ? -1 : state.since[TYPE_ITEM + i]!,
    pmcrE: known(registers.bit(Slot.pmcr, Pmcr.E)),
    cntEnable: known(registers.bit(Slot.cnten, bit)),
    interruptEnable: known(registers.bit(Slot.inten, bit)),
    overflowStatus: known(registers.bit(Slot.ovs, bit)),
    overflow64: known(bank.overflow64(i)),
    hasEvent: backing === Backing.maybe ? undefined : backing === Backing.live,
    eventEnabled: eventEnabled(backing, state.gate[i]!),
    eventConfig: backing === Backing.none || state.config[i]! < 0 ? undefined : state.config[i]!,
    eventType: backing === Backing.none ? undefined : eventType(state.attrFlags[i]!),
    excludeUser: (state.attrFlags[i]! & AttrBit.excludeUser) !== 0,
    excludeKernel: (state.attrFlags[i]! & AttrBit.excludeKernel) !== 0,
    period: backing === Backing.none || state.periodKnown[i] === 0 ? undefined : state.period[i]!,
  };
}

/** Builds the views of the plain registers. `pmcrHigh`: bits 31:8 of PMCR; `sets`: bits that show of the sets. */
export function registerViews(
  state: Pmuv3State,
  pmcrHigh: bigint,
  pmcrUnknown: bigint,
  sets: number,
): RegisterView[] {
  const views: RegisterView[] = [];
  for (let slot = 0; slot < SLOTS; slot++) {
    const isPmcr = slot === Slot.pmcr;
    const hidden = isPmcr ? ~(Pmcr.P | Pmcr.C) : slot >= Slot.cnten ? sets : -1;
    const open = BigInt((state.unknown[slot]! & hidden) >>> 0) | (isPmcr ? pmcrUnknown : 0n);
    const value = BigInt((state.value[slot]! & hidden) >>> 0) | (isPmcr ? pmcrHigh : 0n);
    const reason = state.reason[slot]! as UncertaintyReason;
    views.push({
      name: SLOT_NAMES[slot]!,
      value: value & ~open,
      unknownBits: open,
      reason,
      since: reason === UncertaintyReason.none ? -1 : state.since[slot]!,
    });
  }
  return views;
}
