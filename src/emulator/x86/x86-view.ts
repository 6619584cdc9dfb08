import { FIXED_BASE } from '../../arch/x86-bits.ts';
import { Msr } from '../../arch/x86-msrs.ts';
import type { RegisterView } from '../pmuv3-view.ts';
import type { Tri } from '../register-file.ts';
import { UncertaintyReason } from '../uncertainty.ts';
import type { X86Core } from './x86-core.ts';
import { Backing, COUNTER_ITEM, Flag, Gate, SELECTOR_ITEM, Slot } from './x86-state.ts';

/** One counter as a person wants to see it. A member is undefined where it is not known. */
export interface X86CounterView {
  /** KVM's number: GP i = i, fixed i = 32 + i. */
  readonly counter: number;
  /** Visible value: lies in [low, low + span] modulo 2^width; span U64_MAX: unknown. */
  readonly low: bigint;
  readonly span: bigint;
  readonly width: number;
  /** Why the value is not exact, and since which event (−1: since before the first). */
  readonly reason: UncertaintyReason;
  readonly since: number;
  /** Raw event the counter is programmed for (select and umask, AMD bits 35:32): a fixed counter's is its general event. */
  readonly event: number | undefined;
  /** The selector; for a fixed counter its nibble of FIXED_CTR_CTRL. Undefined where not known as a whole. */
  readonly selector: number | undefined;
  readonly selectorReason: UncertaintyReason;
  readonly selectorSince: number;
  /** The gates and flags of the counter. */
  readonly locallyEnabled: boolean | undefined;
  readonly globallyEnabled: boolean | undefined;
  readonly interruptEnable: boolean | undefined;
  readonly overflowStatus: boolean | undefined;
  /** Refused by the event filter (or as not available) where the event is known. */
  readonly denied: boolean | undefined;
  /** Events KVM counted itself that are not folded yet: [softLow, softLow + softSpan]. */
  readonly softLow: bigint;
  readonly softSpan: bigint;
  /** It waits to be reprogrammed at the next entry. */
  readonly pending: boolean | undefined;
  /** KVM has a host event for it, and has it enabled (not paused). */
  readonly hasEvent: boolean | undefined;
  readonly eventEnabled: boolean | undefined;
  /** What the event was created with; undefined without an event (or if not known). */
  readonly eventConfig: number | undefined;
  /** perf_event_attr.type of it. */
  readonly eventType: 'raw' | 'hardware' | undefined;
  readonly excludeUser: boolean;
  readonly excludeKernel: boolean;
  /** Its present sample period. */
  readonly period: bigint | undefined;
}

export type X86RegisterView = RegisterView;

function known(tri: Tri): boolean | undefined {
  return tri === 2 ? undefined : tri === 1;
}

function valueReason(core: X86Core, i: number, span: bigint): UncertaintyReason {
  if (span === 0n) return UncertaintyReason.none;
  const base = core.state.reason[COUNTER_ITEM + i]! as UncertaintyReason;
  if (base !== UncertaintyReason.none) return base;
  return core.state.gate[i] === Gate.maybe
    ? UncertaintyReason.gateUnknown
    : UncertaintyReason.countNotRecorded;
}

/** The value of a counter alone: visible value in [low, low + span] modulo 2^width; span U64_MAX: unknown. */
export type X86ValueView = Pick<X86CounterView, 'low' | 'span' | 'width'>;

export function valueView(core: X86Core, i: number): X86ValueView {
  core.visible(i);
  return { low: core.low, span: core.span, width: core.shape.width(i) };
}

/** What a counter is programmed for and the gates before it, without its value. */
export type X86GateView = Pick<
  X86CounterView,
  | 'counter'
  | 'width'
  | 'event'
  | 'locallyEnabled'
  | 'globallyEnabled'
  | 'denied'
  | 'pending'
  | 'hasEvent'
>;

export function gateView(core: X86Core, i: number): X86GateView {
  const backing = core.state.backing[i]!;
  return {
    counter: i,
    width: core.shape.width(i),
    event: eventOf(core, i),
    locallyEnabled: known(core.local(i)),
    globallyEnabled: known(core.global(i)),
    denied: deniedOf(core, i),
    pending: known(core.registers.counter(Slot.pending, i)),
    hasEvent: backing === Backing.maybe ? undefined : backing === Backing.live,
  };
}

function eventOf(core: X86Core, i: number): number | undefined {
  return core.eventKnown(i) ? core.eventLow(i) + core.eventHigh(i) * 2 ** 32 : undefined;
}

function deniedOf(core: X86Core, i: number): boolean | undefined {
  const allowed = core.allowed(i);
  return known((allowed === 2 ? 2 : 1 - allowed) as Tri);
}

/** Builds the view of counter i without changing anything. */
export function counterView(core: X86Core, i: number): X86CounterView {
  const { state, registers } = core;
  core.visible(i);
  const { low, span } = core;
  const backing = state.backing[i]!;
  const gate = state.gate[i]!;
  const programKnown = core.programKnown(i);
  const item = COUNTER_ITEM + i;
  const exact = span === 0n || state.reason[item] === UncertaintyReason.none;
  const selectorItem = i < FIXED_BASE ? SELECTOR_ITEM + i : Slot.fixedCtrl;
  const selectorReason = programKnown
    ? UncertaintyReason.none
    : (state.reason[selectorItem]! as UncertaintyReason);
  const hasConfig = backing !== Backing.none && (state.flags[i]! & Flag.open) === 0;
  const hardware = (state.flags[i]! & Flag.hardware) !== 0;
  return {
    counter: i,
    low,
    span,
    width: core.shape.width(i),
    reason: valueReason(core, i, span),
    since: exact ? -1 : state.since[item]!,
    event: eventOf(core, i),
    selector: programKnown ? core.programLow(i) + core.programHigh(i) * 2 ** 32 : undefined,
    selectorReason,
    selectorSince: programKnown ? -1 : state.since[selectorItem]!,
    locallyEnabled: known(core.local(i)),
    globallyEnabled: known(core.global(i)),
    interruptEnable: known(core.wantsInterrupt(i)),
    overflowStatus: known(registers.counter(Slot.status, i)),
    denied: deniedOf(core, i),
    softLow: state.soft[i]!,
    softSpan: state.softSpan[i]!,
    pending: known(registers.counter(Slot.pending, i)),
    hasEvent: backing === Backing.maybe ? undefined : backing === Backing.live,
    eventEnabled:
      backing === Backing.none || gate === Gate.off
        ? false
        : backing === Backing.live && gate === Gate.on
          ? true
          : undefined,
    eventConfig: hasConfig ? state.event[i]! : undefined,
    eventType: hasConfig ? (hardware ? 'hardware' : 'raw') : undefined,
    excludeUser: (state.flags[i]! & Flag.excludeUser) !== 0,
    excludeKernel: (state.flags[i]! & Flag.excludeKernel) !== 0,
    period: backing === Backing.none || state.periodKnown[i] === 0 ? undefined : state.period[i]!,
  };
}

function slotView(core: X86Core, name: string, slot: number): X86RegisterView {
  const { registers, state } = core;
  const half = state.unknown[slot] !== 0 ? slot : slot + 1;
  const reason = state.reason[half]! as UncertaintyReason;
  return {
    name,
    value: registers.value64(slot),
    unknownBits: registers.unknown64(slot),
    reason,
    since: reason === UncertaintyReason.none ? -1 : state.since[half]!,
  };
}

/** Builds the views of the registers that are sets of bits, by the vendor's names. */
export function registerViews(core: X86Core): X86RegisterView[] {
  const { shape } = core;
  const views: X86RegisterView[] = [];
  if (shape.has(Msr.fixedCtrl)) {
    views.push(slotView(core, 'IA32_FIXED_CTR_CTRL', Slot.fixedCtrl));
    views.push(slotView(core, 'IA32_PERF_GLOBAL_CTRL', Slot.globalCtrl));
    views.push(slotView(core, 'IA32_PERF_GLOBAL_STATUS', Slot.status));
  }
  if (shape.has(Msr.amdCtrl)) {
    views.push(slotView(core, 'PerfCntrGlobalCtl', Slot.globalCtrl));
    views.push(slotView(core, 'PerfCntrGlobalStatus', Slot.status));
  }
  if (shape.pebs) views.push(slotView(core, 'IA32_PEBS_ENABLE', Slot.pebsEnable));
  return views;
}
