import { CYCLE_COUNTER, Evtyper, Pmcr, Userenr } from '../arch/arm64-bits.ts';
import { PmuRegister } from '../arch/arm64-registers.ts';
import { low32 } from './guest-write.ts';
import type { BackingAttr } from './host-perf.ts';
import { PMCR_STORED, type Pmuv3Core, SELECTOR } from './pmuv3-core.ts';
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
      registers.know(Slot.pmcr, PMCR_STORED, false);
      // C and P read as zero whatever is stored, and only the first run looks at them.
      registers.know(Slot.pmcr, number & PMCR_STORED, true);
      if (before !== registers.bit(Slot.pmcr, Pmcr.E)) bank.regate(ALL_COUNTERS);
      break;
    }
    case PmuRegister.cntenset:
    case PmuRegister.cntenclr: {
      const changed = (number ^ core.state.value[Slot.cnten]!) | core.state.unknown[Slot.cnten]!;
      registers.set(Slot.cnten, number, 0, none);
      bank.regate(changed);
      break;
    }
    case PmuRegister.intenset:
    case PmuRegister.intenclr:
      registers.set(Slot.inten, number, 0, none);
      break;
    case PmuRegister.ovsset:
    case PmuRegister.ovsclr:
      registers.set(Slot.ovs, number, 0, none);
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

/** Takes over what a recorded creation proves of a counter: event, filter, enables, value. */
export function adoptCreation(core: Pmuv3Core, counter: number, attr: Readonly<BackingAttr>): void {
  const { bank, registers, state } = core;
  if (counter !== CYCLE_COUNTER && attr.config >= 0) {
    const kept = state.type[counter]! & ~bank.eventMask;
    const open = state.typeUnknown[counter]! & ~bank.eventMask;
    const type = (kept | (attr.config & bank.eventMask)) >>> 0;
    bank.storeType(counter, type, open >>> 0, UncertaintyReason.typeUnknown);
  }
  adoptFilter(core, counter, Evtyper.U, Evtyper.NSU, attr.excludeUser);
  adoptFilter(core, counter, Evtyper.P, Evtyper.NSK, attr.excludeKernel);
  bank.adoptBacking(counter, attr);
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
