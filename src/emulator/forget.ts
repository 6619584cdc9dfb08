import { Userenr } from '../arch/arm64-bits.ts';
import { PmuRegister } from '../arch/arm64-registers.ts';
import { U64_MAX } from '../domain/u64.ts';
import { type Pmuv3Core, SELECTOR } from './pmuv3-core.ts';
import { LEVEL_UNKNOWN, Misc, Slot } from './pmuv3-state.ts';
import type { UncertaintyReason } from './uncertainty.ts';

/** Makes every register, counter and the interrupt line unknown; the configuration stays. Calls no perf function. */
export function forgetAll(core: Pmuv3Core, reason: UncertaintyReason): void {
  const { bank, registers, state } = core;
  const valid = core.setMask();
  forgetPmcr(core, reason);
  registers.set(Slot.selr, 0, SELECTOR, reason);
  registers.set(Slot.userenr, 0, Userenr.mask, reason);
  registers.set(Slot.cnten, 0, valid, reason);
  registers.set(Slot.inten, 0, valid, reason);
  registers.set(Slot.ovs, 0, valid, reason);
  core.eachValid((i) => bank.forget(i, reason));
  state.misc[Misc.irqLevel] = LEVEL_UNKNOWN;
  state.misc[Misc.irqPending] = 0;
}

/** Makes one register, or the counter or event type `index` of it, unknown. Calls no perf function. */
export function forgetRegister(
  core: Pmuv3Core,
  register: PmuRegister,
  index: number,
  reason: UncertaintyReason,
): void {
  const { bank, registers } = core;
  const target = core.targetIndex(register, index);
  const valid = core.setMask();
  switch (register) {
    case PmuRegister.pmcr:
      forgetPmcr(core, reason);
      break;
    case PmuRegister.selr:
      registers.set(Slot.selr, 0, SELECTOR, reason);
      break;
    case PmuRegister.userenr:
      registers.set(Slot.userenr, 0, Userenr.mask, reason);
      break;
    case PmuRegister.cntenset:
    case PmuRegister.cntenclr:
      registers.set(Slot.cnten, 0, valid, reason);
      break;
    case PmuRegister.intenset:
    case PmuRegister.intenclr:
      registers.set(Slot.inten, 0, valid, reason);
      break;
    case PmuRegister.ovsset:
    case PmuRegister.ovsclr:
      registers.set(Slot.ovs, 0, valid, reason);
      break;
    case PmuRegister.evcntr:
    case PmuRegister.ccntr:
    case PmuRegister.xevcntr:
      if (target >= 0) bank.setBase(target, 0n, U64_MAX, reason);
      break;
    case PmuRegister.evtyper:
    case PmuRegister.ccfiltr:
    case PmuRegister.xevtyper:
      if (target >= 0) bank.storeType(target, 0, bank.typeBits, reason);
      break;
    default:
  }
}

/** PMCR.C and P stay as they were stored until the first run looks at them; the fixed LC stays known. */
function forgetPmcr(core: Pmuv3Core, reason: UncertaintyReason): void {
  const { pmcrStored, registers, rules, state } = core;
  const lc = core.fixedLc();
  const stored = state.misc[Misc.hasRun] === 0 ? rules.pmcrWritable : pmcrStored;
  registers.set(Slot.pmcr, lc, stored & ~lc, reason);
}
