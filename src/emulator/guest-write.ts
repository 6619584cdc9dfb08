import { Userenr } from '../arch/arm64-bits.ts';
import { SW_INCR } from '../arch/arm64-events.ts';
import { PmuRegister } from '../arch/arm64-registers.ts';
import { type Access, ignored, permitted } from './access-rules.ts';
import type { AccessResult } from './pmuv3-config.ts';
import { type Pmuv3Core, SELECTOR } from './pmuv3-core.ts';
import { Slot } from './pmuv3-state.ts';
import { UncertaintyReason } from './uncertainty.ts';

/** Low 32 bits of a u64 as a number. */
export function low32(value: bigint): number {
  return Number(BigInt.asUintN(32, value));
}

/** Carries out a guest write (semantics A.2, A.4, A.6). `value` is cut to 32 bits already for 32-bit forms. */
export function guestWrite(
  core: Pmuv3Core,
  access: Access,
  value: bigint,
  aarch32: boolean,
  out: AccessResult,
): void {
  if (ignored(core, access.register)) return;
  if (!permitted(core, access, out)) return;
  const { register, index } = access;
  if (out.outcomeUnknown) {
    const throughSelector = core.targetIndex(register, index) < 0;
    perhapsWrite(
      core,
      register,
      index,
      throughSelector ? UncertaintyReason.selectorUnknown : UncertaintyReason.outcomeUnknown,
    );
    return;
  }
  const target = core.targetIndex(register, index);
  switch (register) {
    case PmuRegister.evcntr:
    case PmuRegister.ccntr:
    case PmuRegister.xevcntr:
      if (target < 0) {
        perhapsWrite(core, register, index, UncertaintyReason.selectorUnknown);
        break;
      }
      out.counter = target;
      out.width = core.bank.width(target);
      core.bank.setValue(target, value, aarch32);
      break;
    case PmuRegister.evtyper:
    case PmuRegister.ccfiltr:
    case PmuRegister.xevtyper:
      if (target < 0) perhapsWrite(core, register, index, UncertaintyReason.selectorUnknown);
      else {
        core.bank.setType(target, (low32(value) & core.bank.typeMask) >>> 0);
      }
      break;
    default:
      writePlain(core, register, low32(value));
  }
}

function writePlain(core: Pmuv3Core, register: PmuRegister, value: number): void {
  const { bank, registers } = core;
  const masked = (value & core.validMask()) >>> 0;
  switch (register) {
    case PmuRegister.pmcr:
      core.handlePmcr((value & core.rules.pmcrWritable) | core.fixedLc());
      break;
    case PmuRegister.cntenset:
      registers.know(Slot.cnten, masked, true);
      bank.enableMask(masked, 0);
      break;
    case PmuRegister.cntenclr:
      registers.know(Slot.cnten, masked, false);
      bank.disableMask(masked);
      break;
    case PmuRegister.intenset:
      registers.know(Slot.inten, masked, true);
      break;
    case PmuRegister.intenclr:
      registers.know(Slot.inten, masked, false);
      break;
    case PmuRegister.ovsset:
      registers.know(Slot.ovs, masked, true);
      break;
    case PmuRegister.ovsclr:
      registers.know(Slot.ovs, masked, false);
      break;
    case PmuRegister.swinc:
      bank.increment(masked, 0, SW_INCR);
      break;
    case PmuRegister.selr:
      registers.set(Slot.selr, value & SELECTOR, 0, UncertaintyReason.none);
      break;
    case PmuRegister.userenr:
      registers.set(Slot.userenr, value & Userenr.mask, 0, UncertaintyReason.none);
      break;
    default:
  }
}

/** A write that was done, of a value that is not known: what it touches becomes unknown. */
export function writeUnknownValue(core: Pmuv3Core, register: PmuRegister, index: number): void {
  const { bank } = core;
  if (ignored(core, register)) return;
  const reason = UncertaintyReason.valueNotRecorded;
  const target = core.targetIndex(register, index);
  switch (register) {
    case PmuRegister.evcntr:
    case PmuRegister.ccntr:
    case PmuRegister.xevcntr:
      if (target < 0) perhapsWrite(core, register, index, reason);
      else if (core.validIndex(target)) bank.setUnknownValue(target, reason);
      break;
    case PmuRegister.evtyper:
    case PmuRegister.ccfiltr:
    case PmuRegister.xevtyper:
      if (target < 0) perhapsWrite(core, register, index, reason);
      else if (core.validIndex(target)) {
        bank.storeType(target, 0, bank.typeMask, reason);
        if (core.rules.recreate === 'always') bank.create(target);
        else bank.maybeRetype(target);
      }
      break;
    default:
      perhapsWrite(core, register, index, reason);
  }
}

/** A write of unknown value, or one that perhaps was refused or reached another counter. */
function perhapsWrite(
  core: Pmuv3Core,
  register: PmuRegister,
  index: number,
  reason: UncertaintyReason,
): void {
  const { bank, registers } = core;
  const valid = core.validMask();
  switch (register) {
    case PmuRegister.pmcr:
      core.handleUnknownPmcr(reason);
      break;
    case PmuRegister.cntenset:
      registers.open(Slot.cnten, settable(core, Slot.cnten), reason);
      bank.enableMask(0, valid);
      break;
    case PmuRegister.cntenclr: {
      const bits = clearable(core, Slot.cnten);
      registers.open(Slot.cnten, bits, reason);
      bank.maybeDisableMask(valid);
      break;
    }
    case PmuRegister.intenset:
      registers.open(Slot.inten, settable(core, Slot.inten), reason);
      break;
    case PmuRegister.intenclr:
      registers.open(Slot.inten, clearable(core, Slot.inten), reason);
      break;
    case PmuRegister.ovsset:
      registers.open(Slot.ovs, settable(core, Slot.ovs), reason);
      break;
    case PmuRegister.ovsclr:
      registers.open(Slot.ovs, clearable(core, Slot.ovs), reason);
      break;
    case PmuRegister.swinc:
      bank.increment(0, valid, SW_INCR);
      break;
    case PmuRegister.selr:
      registers.set(Slot.selr, 0, SELECTOR, reason);
      break;
    case PmuRegister.userenr:
      registers.set(Slot.userenr, 0, Userenr.mask, reason);
      break;
    case PmuRegister.evcntr:
    case PmuRegister.ccntr:
    case PmuRegister.xevcntr:
      eachTarget(core, register, index, (i) => bank.maybeRewrite(i, reason));
      break;
    case PmuRegister.evtyper:
    case PmuRegister.ccfiltr:
    case PmuRegister.xevtyper:
      eachTarget(core, register, index, (i) => {
        bank.storeType(i, 0, bank.typeBits, reason);
        bank.maybeRetype(i);
      });
      break;
    default:
  }
}

/** Bits an unknown write can clear, or set. */
function clearable(core: Pmuv3Core, slot: number): number {
  return (core.state.value[slot]! & core.validMask()) >>> 0;
}

function settable(core: Pmuv3Core, slot: number): number {
  const { value, unknown } = core.state;
  return (~value[slot]! & ~unknown[slot]! & core.validMask()) >>> 0;
}

/** Every counter an access may reach. */
function eachTarget(
  core: Pmuv3Core,
  register: PmuRegister,
  index: number,
  act: (i: number) => void,
): void {
  const direct = core.targetIndex(register, index);
  if (direct >= 0) {
    act(direct);
    return;
  }
  core.eachSelectable((i) => {
    if (core.validIndex(i)) act(i);
  });
}
