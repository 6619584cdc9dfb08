import { CYCLE_COUNTER, Evtyper, Pmcr, PmuVersion } from '../arch/arm64-bits.ts';
import { PmuRegister } from '../arch/arm64-registers.ts';
import type { Arm64RuleSet } from '../arch/arm64-rules.ts';
import { CounterBank } from './counter-bank.ts';
import { isV3p5 } from './counter-facts.ts';
import { EventFilter } from './event-filter.ts';
import type { HostPerf } from './host-perf.ts';
import type { Pmuv3Config } from './pmuv3-config.ts';
import { Misc, Pmuv3State, Slot } from './pmuv3-state.ts';
import { RegisterFile } from './register-file.ts';
import { UncertaintyReason } from './uncertainty.ts';

/** Bits of PMSELR that are ever used (semantics A.2). */
export const SELECTOR = 0x1f;

const CYCLE_BIT = 0x8000_0000;

/** State, counters and configuration of one vPMU, and the steps that several of its doors share. */
export class Pmuv3Core {
  readonly rules: Arm64RuleSet;
  readonly perf: HostPerf;
  readonly state = new Pmuv3State();
  readonly registers = new RegisterFile(this.state);
  readonly bank: CounterBank;
  /** PMCR bits that are kept: C and P act and are gone (semantics A.6). */
  readonly pmcrStored: number;
  config: Pmuv3Config;
  filter: EventFilter;

  constructor(config: Pmuv3Config, rules: Arm64RuleSet, perf: HostPerf) {
    this.rules = rules;
    this.perf = perf;
    this.pmcrStored = rules.pmcrWritable & ~(Pmcr.C | Pmcr.P);
    this.bank = new CounterBank(this.state, this.registers, rules, perf);
    this.config = config;
    this.filter = new EventFilter(0);
    this.configure(config);
  }

  configure(config: Pmuv3Config): void {
    this.config = config;
    const space = config.hostPmuVer === PmuVersion.v3 ? Evtyper.eventV30 : Evtyper.event;
    this.filter = new EventFilter(space + 1);
    if (this.rules.eventFilter) {
      for (const range of config.eventFilter ?? []) this.filter.add(range, false);
    }
    this.state.misc[Misc.n] = config.pmcrN;
    this.bank.configure(config, this.filter);
  }

  /** PMCR.N as the guest sees it. */
  get n(): number {
    return this.state.misc[Misc.n]!;
  }

  /** Counters that exist: bits 0..N-1 and 31. */
  validMask(): number {
    return this.n === 0 ? CYCLE_BIT : (((1 << this.n) - 1) | CYCLE_BIT) >>> 0;
  }

  validIndex(i: number): boolean {
    return i === CYCLE_COUNTER || i < this.n;
  }

  /** Every counter that exists, lowest first. */
  eachValid(act: (i: number) => void): void {
    for (let i = 0; i < this.n; i++) act(i);
    act(CYCLE_COUNTER);
  }

  /** Bits that PMCNTEN, PMINTEN and PMOVS can hold: under `setsCut: 'at-use'` more than a guest sees. */
  setMask(): number {
    return this.rules.setsCut === 'at-reset' ? this.validMask() : 0xffff_ffff;
  }

  /** Every counter that PMCR.P and a vCPU reset reach, but for the cycle counter. */
  eachReset(act: (i: number) => void): void {
    const end = this.rules.resetReaches === 'all' ? CYCLE_COUNTER : this.n;
    for (let i = 0; i < end; i++) act(i);
  }

  /** Bits 31:8 of PMCR reads. */
  pmcrHigh(): bigint {
    const identity = this.rules.pmcrIdentity === 'host' ? this.config.pmcrIdentity : 0n;
    return (identity & 0xffff_0000n) | (BigInt(this.n) << BigInt(Pmcr.nShift));
  }

  /** PMCR.LC is fixed to 1 for a guest without AArch32 EL0. */
  fixedLc(): number {
    return this.config.el0Aarch32 || !this.rules.lcFixedWithoutAarch32 ? 0 : Pmcr.LC;
  }

  /** Index an access reaches; −1 if it goes through a PMSELR that is not known. */
  targetIndex(register: PmuRegister, index: number): number {
    switch (register) {
      case PmuRegister.xevcntr:
      case PmuRegister.xevtyper:
        return this.state.unknown[Slot.selr] === 0 ? this.state.value[Slot.selr]! : -1;
      case PmuRegister.ccntr:
      case PmuRegister.ccfiltr:
        return CYCLE_COUNTER;
      default:
        return index;
    }
  }

  /** Every index PMSELR may hold. */
  eachSelectable(act: (i: number) => void): void {
    const value = this.state.value[Slot.selr]!;
    const unknown = this.state.unknown[Slot.selr]!;
    for (let i = 0; i <= SELECTOR; i++) if (((i ^ value) & ~unknown) === 0) act(i);
  }

  /** KVM acts on a PMCR value: stores it, enables or disables, then C, then P (semantics A.6). */
  handlePmcr(written: number): void {
    const { bank, registers, state } = this;
    const dropLp = this.rules.lpDroppedBelow35 && !isV3p5(this.config.pmuVer);
    const value = dropLp ? written & ~Pmcr.LP : written;
    registers.set(Slot.pmcr, value & this.pmcrStored, 0, UncertaintyReason.none);
    const used = this.rules.setsCut === 'at-reset' ? -1 : this.validMask();
    const enabled = state.value[Slot.cnten]! & used;
    const open = state.unknown[Slot.cnten]! & used;
    if ((value & Pmcr.E) !== 0) bank.enableMask(enabled, open);
    else bank.disableMask(this.rules.pmcrDisables === 'valid' ? this.validMask() : enabled | open);
    if ((value & Pmcr.C) !== 0) bank.setValue(CYCLE_COUNTER, 0n, false);
    if ((value & Pmcr.P) !== 0) this.eachReset((i) => bank.setValue(i, 0n, false));
    if ((value & Pmcr.LC) !== 0 && this.rules.cycleWidth === '64-once-lc') bank.widenCycle();
  }

  /** KVM acts on a PMCR value that is not known, or perhaps does not act at all. */
  handleUnknownPmcr(reason: UncertaintyReason): void {
    const { bank, registers, state } = this;
    const lc = this.fixedLc();
    const lp = this.rules.lpDroppedBelow35 && !isV3p5(this.config.pmuVer) ? Pmcr.LP : 0;
    registers.set(Slot.pmcr, lc, this.pmcrStored & ~lc & ~lp, reason);
    const enabled = state.value[Slot.cnten]! | state.unknown[Slot.cnten]!;
    this.eachReset((i) => bank.maybeReset(i, reason));
    bank.maybeReset(CYCLE_COUNTER, reason);
    bank.enableMask(0, enabled);
    bank.maybeDisableMask(this.rules.pmcrDisables === 'valid' ? this.validMask() : enabled);
    if (this.rules.cycleWidth === '64-once-lc') bank.maybeWidenCycle();
  }
}
