import { PmuRegister, registerByCode } from '../../arch/arm64-registers.ts';
import type { RegisterSpace } from '../../domain/event-kind.ts';
import { U64_MAX } from '../../domain/u64.ts';
import type { Pmuv3 } from '../../emulator/pmuv3.ts';
import { CONSTANT_NOT_SEEN, type Why, whyOf } from '../accessed-vcpu.ts';

const CYCLES = 31;

/** The bits of a register that say something; `validCounters`: bits of the counters that exist. */
export function tellingBits(code: number, space: RegisterSpace, validCounters: number): bigint {
  switch (registerByCode(code, space)?.row.register) {
    case PmuRegister.pmcr:
      return 0xffn;
    case PmuRegister.selr:
      return 0x1fn;
    case PmuRegister.userenr:
      return 0xfn;
    case PmuRegister.evtyper:
    case PmuRegister.xevtyper:
    case PmuRegister.ccfiltr:
      return 0xc000_ffffn;
    case PmuRegister.ceid0:
    case PmuRegister.ceid1:
      return U64_MAX;
    default:
      return BigInt(validCounters);
  }
}

/** Why the model does not know a register that is no counter. */
export function registerUncertainty(pmu: Pmuv3, code: number, space: RegisterSpace): Why {
  const match = registerByCode(code, space);
  switch (match?.row.register) {
    case PmuRegister.evtyper:
    case PmuRegister.ccfiltr: {
      const counter = match.row.register === PmuRegister.ccfiltr ? CYCLES : match.index;
      const view = pmu.counterView(counter);
      return whyOf(view.typeReason, view.typeSince);
    }
    case PmuRegister.ceid0:
    case PmuRegister.ceid1:
      return CONSTANT_NOT_SEEN;
    default: {
      const plain = match?.row.name.replace('CLR', 'SET');
      const view = pmu.registerViews().find((register) => register.name === plain);
      if (view === undefined || view.reason === 0) return CONSTANT_NOT_SEEN;
      return whyOf(view.reason, view.since);
    }
  }
}
