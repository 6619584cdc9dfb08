import { PmuRegister, registerByCode } from '../../arch/arm64-registers.ts';
import { decodeMsr, Msr, msrKind } from '../../arch/x86-msrs.ts';
import { RegisterSpace } from '../../domain/event-kind.ts';

/** An access to the register that says which counters overflowed; bit n is counter n's. */
export interface StatusAccess {
  readonly reads: boolean;
  readonly write: 'clears' | 'sets' | 'none';
}

/** What an access to this register is to the overflow status; undefined: nothing. */
export function statusAccess(code: number, space: RegisterSpace): StatusAccess | undefined {
  if (space === RegisterSpace.rdpmc) return undefined;
  if (space === RegisterSpace.msr) {
    switch (msrKind(decodeMsr(code))) {
      case Msr.globalStatus:
      case Msr.amdStatus:
        return { reads: true, write: 'none' };
      case Msr.globalOvfCtrl:
      case Msr.amdStatusClear:
        return { reads: false, write: 'clears' };
      case Msr.amdStatusSet:
        return { reads: false, write: 'sets' };
      default:
        return undefined;
    }
  }
  switch (registerByCode(code, space)?.row.register) {
    case PmuRegister.ovsset:
      return { reads: true, write: 'sets' };
    case PmuRegister.ovsclr:
      return { reads: true, write: 'clears' };
    default:
      return undefined;
  }
}
