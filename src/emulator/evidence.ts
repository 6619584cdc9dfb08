import { CYCLE_COUNTER, Evtyper, Pmcr, Userenr } from '../arch/arm64-bits.ts';
import { PmuRegister } from '../arch/arm64-registers.ts';
import { eventOfGeneric } from '../arch/perf-maps.ts';
import { low32 } from './guest-write.ts';
import type { BackingAttr } from './host-perf.ts';
import { type Pmuv3Core, SELECTOR } from './pmuv3-core.ts';
import { Part } from './pmuv3-dispatch.ts';
import { Slot } from './pmuv3-state.ts';
import { UncertaintyReason } from './uncertainty.ts';

const ALL_COUNTERS = -1;

/** Takes over a value that a recorded read proved. */
export function adoptRead(
  core: Pmuv3Core,
  register: PmuRegister,
  index: number,
  part: number,
  value: bigint,
): void {
  const { bank, registers } = core;
  const { none } = UncertaintyReason;
  const number = low32(value);
  const target = core.targetIndex(register, index);
  switch (register) {
    case PmuRegister.pmcr: {
      const before = registers.bit(Slot.pmcr, Pmcr.E);
      registers.know(Slot.pmcr, core.pmcrStored, false);
      // C and P read as zero whatever is stored, and only the first run looks at them.
      registers.know(Slot.pmcr, number & core.pmcrStored, true);
      if (before !== registers.bit(Slot.pmcr, Pmcr.E)) bank.regate(ALL_COUNTERS);
      break;
    }
    case PmuRegister.cntenset:
    case PmuRegister.cntenclr: {
      const changed = (number ^ core.state.value[Slot.cnten]!) | core.state.unknown[Slot.cnten]!;
      adoptSet(core, Slot.cnten, number);
      bank.regate(changed);
      break;
    }
    case PmuRegister.intenset:
    case PmuRegister.intenclr:
      adoptSet(core, Slot.inten, number);
      break;
    case PmuRegister.ovsset:
    case PmuRegister.ovsclr:
      adoptSet(core, Slot.ovs, number);
      break;
    case PmuRegister.selr:
      registers.set(Slot.selr, number & SELECTOR, 0, none);
      break;
    case PmuRegister.userenr:
      registers.set(Slot.userenr, number & Userenr.mask, 0, none);
      break;
    case PmuRegister.evcntr:
    case PmuRegister.ccntr:
    case PmuRegister.xevcntr:
      if (target < 0) break;
      if (part === Part.low) bank.adoptLowHalf(target, BigInt.asUintN(32, value));
      else bank.adoptValue(target, BigInt.asUintN(bank.width(target), value));
      break;
    case PmuRegister.evtyper:
    case PmuRegister.ccfiltr:
    case PmuRegister.xevtyper:
      if (target < 0) break;
      bank.storeType(target, number, 0, none);
      bank.settleBacking(target);
      break;
    default:
  }
}

/** PMCNTEN, PMINTEN or PMOVS: what a read shows; bits that do not show stay. */
function adoptSet(core: Pmuv3Core, slot: number, number: number): void {
  const { registers, rules, state } = core;
  const { none } = UncertaintyReason;
  if (rules.setsCut === 'at-reset') registers.set(slot, number, 0, none);
  else {
    const hidden = ~core.validMask();
    const { value, unknown, reason } = state;
    const kept = (value[slot]! & hidden) | (number & ~hidden);
    const why = reason[slot]! as UncertaintyReason;
    registers.set(slot, kept, (unknown[slot]! & hidden) >>> 0, why);
  }
}

/** The PMUv3 number a host event counts; −1 if that is not known. */
function eventNumberOf({ type, config }: Readonly<BackingAttr>): number {
  return type === undefined ? config : (eventOfGeneric(type, config) ?? -1);
}

/** Takes over what a recorded creation proves of a counter: event, filter, enables, value. */
export function adoptCreation(core: Pmuv3Core, counter: number, attr: Readonly<BackingAttr>): void {
  const { bank, registers, state, rules } = core;
  const number = eventNumberOf(attr);
  const typed = counter !== CYCLE_COUNTER || rules.cycleEvent === 'as-typed';
  if (typed && number >= 0) {
    const kept = state.type[counter]! & ~bank.eventMask;
    const open = state.typeUnknown[counter]! & ~bank.eventMask;
    const type = (kept | (number & bank.eventMask)) >>> 0;
    bank.storeType(counter, type, open >>> 0, UncertaintyReason.typeUnknown);
  }
  adoptFilter(core, counter, Evtyper.U, Evtyper.NSU, attr.excludeUser);
  adoptFilter(core, counter, Evtyper.P, Evtyper.NSK, attr.excludeKernel);
  bank.adoptBacking(counter, attr);
  // An event that starts enabled whatever the gates tells nothing of them.
  if (rules.created === 'enabled') return;
  const bit = 1 << counter;
  if (!attr.disabled) {
    registers.know(Slot.pmcr, Pmcr.E, true);
    registers.know(Slot.cnten, bit, true);
    bank.regate(ALL_COUNTERS);
  } else if (registers.bit(Slot.pmcr, Pmcr.E) === 1) {
    registers.know(Slot.cnten, bit, false);
  } else if (registers.bit(Slot.cnten, bit) === 1) {
    registers.know(Slot.pmcr, Pmcr.E, false);
    bank.regate(ALL_COUNTERS);
  }
}

/** exclude_user or exclude_kernel fixes the own filter bit where the non-secure one is known or not there. */
function adoptFilter(
  core: Pmuv3Core,
  i: number,
  own: number,
  nonSecure: number,
  excluded: boolean,
): void {
  const { bank, state } = core;
  const type = state.type[i]!;
  const open = state.typeUnknown[i]!;
  const inverted = core.rules.excludeBy === 'U,P' ? 0 : nonSecure & bank.typeMask;
  if ((open & inverted) !== 0) return;
  const set = excluded !== ((type & inverted) !== 0);
  const next = set ? type | own : type & ~own;
  bank.storeType(i, next >>> 0, (open & ~own) >>> 0, UncertaintyReason.typeUnknown);
}
