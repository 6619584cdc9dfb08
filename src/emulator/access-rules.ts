import { Userenr } from '../arch/arm64-bits.ts';
import { PmuRegister } from '../arch/arm64-registers.ts';
import type { AccessResult } from './pmuv3-config.ts';
import type { Pmuv3Core } from './pmuv3-core.ts';
import { Slot } from './pmuv3-state.ts';
import type { Tri } from './register-file.ts';

/** One access, decoded. `wideForm`: the AArch32 64-bit form. */
export interface Access {
  register: PmuRegister;
  index: number;
  isWrite: boolean;
  wideForm: boolean;
  /** AArch32's form for the upper half. */
  highHalf: boolean;
  /** 0 or 1. */
  el: number;
}

function refuse(out: AccessResult, warn: boolean): false {
  out.undef = true;
  out.outcomeUnknown = false;
  out.warn = warn;
  return false;
}

/** True if there is no PMU and the rules let accesses pass all the same: reads give zero, writes do nothing (early B.1). */
export function ignored(core: Pmuv3Core, register: PmuRegister): boolean {
  return (
    !core.config.pmuPresent &&
    core.rules.withoutPmu === 'raz-wi' &&
    register !== PmuRegister.mmir &&
    register !== PmuRegister.none
  );
}

/**
 * Semantics A.2: is the access let through? Presence, direction, PMUSERENR, index. False: `out` says how it is refused;
 * true with `outcomeUnknown`: the model cannot tell.
 */
export function permitted(core: Pmuv3Core, access: Access, out: AccessResult): boolean {
  const { register, isWrite } = access;
  const { rules } = core;
  if (register === PmuRegister.none) return true;
  if (register === PmuRegister.mmir) return rules.mmir === 'raz-wi' || refuse(out, false);
  if (!core.config.pmuPresent) return refuse(out, false);
  const readOnly = register === PmuRegister.ceid0 || register === PmuRegister.ceid1;
  // KVM meets the wrong direction before it looks at PMUSERENR for PMCEID, after it for PMSWINC.
  if (access.highHalf && !rules.aarch32CeidHigh) return refuse(out, false);
  if (isWrite && readOnly) return refuse(out, rules.warnsOnDirection);
  const user = access.el === 0 ? userMay(core, access) : 1;
  if (user === 0) return refuse(out, false);
  if (!isWrite && register === PmuRegister.swinc) return refuse(out, rules.warnsOnDirection);
  const index = indexValid(core, access);
  if (index === 0) return refuse(out, false);
  out.outcomeUnknown = user === 2 || index === 2;
  return true;
}

/** PMUSERENR_EL0 for an EL0 access (semantics A.2 column "EL0 needs" and its quirks). */
function userMay(core: Pmuv3Core, access: Access): Tri {
  const { register, isWrite } = access;
  const any = (bits: number): Tri => core.registers.any(Slot.userenr, bits);
  switch (register) {
    case PmuRegister.userenr:
      return isWrite ? 0 : 1;
    case PmuRegister.intenset:
    case PmuRegister.intenclr:
      return 0;
    case PmuRegister.swinc:
      return any(Userenr.SW | Userenr.EN);
    case PmuRegister.selr:
      return any(Userenr.ER | Userenr.EN);
    case PmuRegister.ccntr:
    case PmuRegister.evcntr:
    case PmuRegister.xevcntr: {
      // A write needs EN besides; the 64-bit AArch32 form of PMCCNTR is checked like an event counter.
      if (isWrite) return any(Userenr.EN);
      const own = register === PmuRegister.ccntr && !access.wideForm ? Userenr.CR : Userenr.ER;
      return any(own | Userenr.EN);
    }
    default:
      return any(Userenr.EN);
  }
}

/** Index at or above N and not 31: refused. */
function indexValid(core: Pmuv3Core, access: Access): Tri {
  switch (access.register) {
    case PmuRegister.evcntr:
    case PmuRegister.evtyper:
      return core.validIndex(access.index) ? 1 : 0;
    case PmuRegister.xevcntr:
    case PmuRegister.xevtyper: {
      let valid = false;
      let invalid = false;
      core.eachSelectable((i) => {
        if (core.validIndex(i)) valid = true;
        else invalid = true;
      });
      return !valid ? 0 : invalid ? 2 : 1;
    }
    default:
      return 1;
  }
}
