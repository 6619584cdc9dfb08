import { PmuRegister, registerByCode } from '../../arch/arm64-registers.ts';
import { FIXED_BASE } from '../../arch/x86-bits.ts';
import { decodeMsr, Msr, msrIndex, msrKind } from '../../arch/x86-msrs.ts';
import { RegisterSpace } from '../../domain/event-kind.ts';

/** What a guest write is to the counters. */
export interface WriteEffect {
  /** A register of the PMU at all. */
  readonly pmu: boolean;
  /** It sets the value of this counter; −1 none, `all` several, `selected` the one PMSELR selects. */
  readonly value: number | 'all' | 'selected';
  /** It can change what counts: selectors, event types, gates. */
  readonly control: boolean;
}

const NOTHING: WriteEffect = { pmu: false, value: -1, control: false };
const STATUS: WriteEffect = { pmu: true, value: -1, control: false };
const CONTROL: WriteEffect = { pmu: true, value: -1, control: true };

const PMCR_RESETS = 0x6n;
const CYCLE_COUNTER = 31;

const counterIs = (value: WriteEffect['value']): WriteEffect => ({
  pmu: true,
  value,
  control: false,
});

function arm64Effect(code: number, space: RegisterSpace, value: bigint): WriteEffect {
  const match = registerByCode(code, space);
  switch (match?.row.register) {
    case undefined:
    case PmuRegister.none:
      return NOTHING;
    case PmuRegister.pmcr:
      return { pmu: true, value: (value & PMCR_RESETS) === 0n ? -1 : 'all', control: true };
    case PmuRegister.evcntr:
      return counterIs(match!.index);
    case PmuRegister.ccntr:
      return counterIs(CYCLE_COUNTER);
    case PmuRegister.xevcntr:
      return counterIs('selected');
    case PmuRegister.cntenset:
    case PmuRegister.cntenclr:
    case PmuRegister.evtyper:
    case PmuRegister.xevtyper:
    case PmuRegister.ccfiltr:
      return CONTROL;
    default:
      return STATUS;
  }
}

function x86Effect(code: number): WriteEffect {
  const decoded = decodeMsr(code);
  const index = msrIndex(decoded);
  switch (msrKind(decoded)) {
    case Msr.none:
      return NOTHING;
    case Msr.counter:
    case Msr.fullWidth:
    case Msr.amdCounter:
      return counterIs(index);
    case Msr.fixedCounter:
      return counterIs(FIXED_BASE + index);
    case Msr.selector:
    case Msr.amdSelector:
    case Msr.fixedCtrl:
    case Msr.globalCtrl:
    case Msr.amdCtrl:
    case Msr.pebsEnable:
      return CONTROL;
    default:
      return STATUS;
  }
}

/** What a completed guest write of `value` does to the counters. */
export function writeEffect(code: number, space: RegisterSpace, value: bigint): WriteEffect {
  return space === RegisterSpace.msr ? x86Effect(code) : arm64Effect(code, space, value);
}

/** True for a register of either architecture's PMU. */
export function isPmuRegister(code: number, space: RegisterSpace): boolean {
  return space === RegisterSpace.rdpmc || writeEffect(code, space, 0n).pmu;
}
