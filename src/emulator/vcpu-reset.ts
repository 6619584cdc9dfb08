import { CYCLE_COUNTER } from '../arch/arm64-bits.ts';
import { RESET_UNKNOWN } from '../arch/arm64-rules.ts';
import { low32 } from './guest-write.ts';
import { type Pmuv3Core, SELECTOR } from './pmuv3-core.ts';
import { Misc, Slot } from './pmuv3-state.ts';
import { UncertaintyReason } from './uncertainty.ts';

const { none } = UncertaintyReason;

/** Events and registers of a vCPU as KVM_ARM_VCPU_INIT leaves them (semantics A.2 column "reset", early B.2). */
export function resetVcpu(core: Pmuv3Core): void {
  const { bank, rules, state } = core;
  if (rules.resetOrder === 'registers-first') resetRegisters(core);
  core.eachReset((i) => bank.stop(i));
  bank.stop(CYCLE_COUNTER);
  if (rules.resetOrder === 'events-first') resetRegisters(core);
  if (rules.cycleWidth === '64-once-lc') bank.narrowCycle();
  state.misc[Misc.irqPending] = 0;
}

function resetRegisters(core: Pmuv3Core): void {
  const { bank, registers, rules } = core;
  const poison = low32(RESET_UNKNOWN);
  const set = core.setMask();
  registers.set(Slot.pmcr, rules.pmcrResetLow | core.fixedLc(), 0, none);
  registers.set(Slot.selr, poison & SELECTOR, 0, none);
  registers.set(Slot.userenr, 0, 0, none);
  registers.set(Slot.cnten, poison & set, 0, none);
  registers.set(Slot.inten, poison & set, 0, none);
  registers.set(Slot.ovs, rules.overflowReset === 'zero' ? 0 : poison & set, 0, none);
  const mask = rules.typeResetMask === 'as-written' ? bank.typeMask : rules.typeResetMask;
  const type = rules.unusedEvent ?? poison & mask;
  for (let i = 0; i < CYCLE_COUNTER; i++) {
    if (rules.counterReset === 'poison') bank.resetBase(i, BigInt.asUintN(32, RESET_UNKNOWN));
    bank.storeType(i, type >>> 0, 0, none);
  }
  if (rules.counterReset === 'poison') bank.resetBase(CYCLE_COUNTER, RESET_UNKNOWN);
  bank.storeType(CYCLE_COUNTER, rules.unusedEvent ?? 0, 0, none);
}
