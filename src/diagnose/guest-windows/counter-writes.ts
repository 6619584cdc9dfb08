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
  /** Counters whose programming or gates it can change, as bits; `all` where it is not known which. */
  readonly reaches: number | 'all';
}

const NOTHING: WriteEffect = { pmu: false, value: -1, control: false, reaches: 0 };
const STATUS: WriteEffect = { pmu: true, value: -1, control: false, reaches: 'all' };
const CONTROL: WriteEffect = { pmu: true, value: -1, control: true, reaches: 'all' };

const PMCR_RESETS = 0x6n;
const CYCLE_COUNTER = 31;

const counterIs = (value: WriteEffect['value']): WriteEffect => ({
  pmu: true,
  value,
  control: false,
  reaches: 'all',
});

const controls = (reaches: number): WriteEffect => ({ ...CONTROL, reaches: reaches >>> 0 });

function arm64Effect(code: number, space: RegisterSpace, value: bigint): WriteEffect {
  const match = registerByCode(code, space);
  switch (match?.row.register) {
    case undefined:
    case PmuRegister.none:
      return NOTHING;
    case PmuRegister.pmcr:
      return { ...CONTROL, value: (value & PMCR_RESETS) === 0n ? -1 : 'all' };
    case PmuRegister.evcntr:
      return counterIs(match!.index);
    case PmuRegister.ccntr:
      return counterIs(CYCLE_COUNTER);
    case PmuRegister.xevcntr:
      return counterIs('selected');
    case PmuRegister.cntenset:
    case PmuRegister.cntenclr:
      return controls(Number(value & 0xffff_ffffn));
    case PmuRegister.evtyper:
      return controls(1 << match!.index);
    case PmuRegister.ccfiltr:
      return controls(1 << CYCLE_COUNTER);
    case PmuRegister.intenset:
    case PmuRegister.intenclr:
    case PmuRegister.ovsset:
    case PmuRegister.ovsclr:
    case PmuRegister.selr:
    case PmuRegister.userenr:
      return { ...STATUS, reaches: 0 };
    case PmuRegister.xevtyper:
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

/** By register space: a recording has few registers. */
const looked: Map<number, WriteEffect>[] = [];
let lastCode = -1;
let lastSpace: RegisterSpace | -1 = -1;
let lastEffect = NOTHING;

/** The effect of a write that resets nothing, or what an access is about, looked up once per register. */
export function registerEffect(code: number, space: RegisterSpace): WriteEffect {
  if (code === lastCode && space === lastSpace) return lastEffect;
  looked[space] ??= new Map();
  const known = looked[space];
  let effect = known.get(code);
  if (effect === undefined) {
    effect = writeEffect(code, space, 0n);
    known.set(code, effect);
  }
  lastCode = code;
  lastSpace = space;
  lastEffect = effect;
  return effect;
}

/** True for a register of either architecture's PMU. */
export function isPmuRegister(code: number, space: RegisterSpace): boolean {
  return space === RegisterSpace.rdpmc || registerEffect(code, space).pmu;
}
