import { FIXED_BASE, Lvt, LvtMode } from '../../arch/x86-bits.ts';
import type { X86RuleSet } from '../../arch/x86-rules.ts';
import type { PausablePerf } from '../host-perf.ts';
import type { Tri } from '../register-file.ts';
import { UncertaintyReason } from '../uncertainty.ts';
import type { X86Config } from './x86-config.ts';
import { CompiledFilter, type X86EventFilter } from './x86-filter.ts';
import { and, X86Registers } from './x86-registers.ts';
import { X86Shape } from './x86-shape.ts';
import { X86SoftCounts } from './x86-soft-counts.ts';
import { Backing, Gate, Misc, Slot, Word, X86State } from './x86-state.ts';

/** What a guest entry delivered: nothing, an NMI, an interrupt vector; 'unknown' when the model cannot tell. */
export type Pmi = 'none' | 'nmi' | 'unknown' | number;

const { gateUnknown, none } = UncertaintyReason;

/** What KVM does at entries, on emulated instructions, on filter changes and resets. */
export class X86Core extends X86SoftCounts {
  config: X86Config;

  constructor(config: X86Config, rules: X86RuleSet, perf: PausablePerf) {
    const state = new X86State();
    super(state, new X86Registers(state), rules, new X86Shape(config, rules), perf);
    this.config = config;
    this.#takeFilter(config.filter);
  }

  /** Replaces the configuration, keeping the state. */
  configure(config: X86Config): void {
    this.config = config;
    this.shape = new X86Shape(config, this.rules);
    this.#takeFilter(config.filter);
  }

  #takeFilter(filter: X86EventFilter | undefined): number {
    if (filter === undefined) {
      this.filter = undefined;
      return 0;
    }
    const compiled = CompiledFilter.of(filter, this.rules, this.shape.intel);
    if (typeof compiled === 'number') return compiled;
    this.filter = compiled;
    return 0;
  }

  // ---- entry ---------------------------------------------------------------------------------------------------

  /** Before VM entry: KVM_REQ_PMU, then KVM_REQ_PMI (semantics B.5, B.7). */
  enter(): Pmi {
    const { misc } = this.state;
    const pmu = misc[Misc.requestPmu] as Tri;
    if (pmu !== 0) {
      misc[Misc.requestPmu] = 0;
      this.#handleRequest(pmu === 1);
    }
    const pmi = misc[Misc.requestPmi] as Tri;
    if (pmi === 0) return 'none';
    misc[Misc.requestPmi] = 0;
    return this.#deliver(pmi === 1);
  }

  #handleRequest(sure: boolean): void {
    if (this.rules.pendingCleared === 'when-handled') this.#handlePending(sure);
    else this.#redoPending(sure);
    const cleanup = and(this.state.misc[Misc.needCleanup] as Tri, sure ? 1 : 2);
    if (cleanup !== 0 && this.rules.lazyRelease) this.#cleanUp(cleanup === 1);
  }

  /** 6.12: takes all pending bits; a failed creation leaves its bit set again. */
  #handlePending(sure: boolean): void {
    const { registers } = this;
    const { counters } = this.shape;
    let failed = 0;
    for (let k = 0; k < counters.length; k++) {
      const i = counters[k]!;
      const pending = registers.counter(Slot.pending, i);
      if (pending === 0) continue;
      if (sure && pending === 1) {
        if (!this.reprogram(i)) failed |= 1 << k;
      } else {
        // Only a counter left without an event by a refused creation waits without a request behind it.
        const requested = this.state.backing[i] === Backing.live;
        this.maybeReprogram(i);
        if (requested && this.state.backing[i] !== Backing.none) {
          registers.setCounter(Slot.pending, i, false);
        }
      }
    }
    // Bits of counters the vCPU does not have go too.
    if (sure) registers.set(Slot.pending, 0, 0);
    for (let k = 0; failed >>> k !== 0; k++) {
      if ((failed & (1 << k)) !== 0) registers.setCounter(Slot.pending, counters[k]!, true);
    }
  }

  /** 6.1 and before: only a counter that has an event is programmed again. */
  #redoPending(sure: boolean): void {
    const { registers, state } = this;
    for (const i of this.shape.counters) {
      const pending = registers.counter(Slot.pending, i);
      if (pending === 0) continue;
      const exists = state.backing[i]!;
      if (sure && pending === 1 && exists === Backing.live) this.reprogram(i);
      else if (sure && exists === Backing.none) registers.setCounter(Slot.pending, i, false);
      else if (exists !== Backing.none) this.#perhapsRedone(i, sure);
    }
  }

  #perhapsRedone(i: number, sure: boolean): void {
    const { registers } = this;
    const settled = sure && this.programmed(i) === 1 && !this.filterStale;
    this.maybeReprogram(i);
    // Programmed again, or found without an event: not waiting any more either way.
    if (settled) registers.setCounter(Slot.pending, i, false);
    else {
      registers.setCounter(Slot.pending, i, false);
      registers.openCounter(Slot.pending, i, gateUnknown);
    }
  }

  /** Releases the events of disabled counters that were not written in the last slice (semantics B.5 step 6). */
  #cleanUp(sure: boolean): void {
    const { registers, state } = this;
    state.misc[Misc.needCleanup] = 0;
    for (const i of this.shape.counters) {
      const used = registers.counter(Slot.inUse, i);
      if (state.backing[i] === Backing.none || used === 1) continue;
      const enabled = this.local(i);
      if (enabled === 1) continue;
      if (sure && used === 0 && enabled === 0 && state.backing[i] === Backing.live) this.stop(i);
      else this.#maybeStop(i);
    }
    if (sure) registers.set(Slot.inUse, 0, 0);
    else {
      for (const half of [Slot.inUse, Slot.inUse + 1]) {
        registers.open(half, state.value[half]!, gateUnknown);
      }
    }
  }

  /** The event was perhaps released: it is disabled, so that nothing counts in either case. */
  #maybeStop(i: number): void {
    const { state } = this;
    this.accumulated(i);
    this.rebaseAt(i, this.low, this.span, UncertaintyReason.countNotRecorded);
    if (this.local(i) === 0) {
      state.gate[i] = Gate.off;
      state.folded[i] = 0n;
      state.foldedSpan[i] = 0n;
    }
    state.backing[i] = Backing.maybe;
    state.configKnown[i] = 0;
    state.periodKnown[i] = 0;
    this.perf.doubt(i);
  }

  /** kvm_apic_local_deliver for LVTPC. */
  #deliver(sure: boolean): Pmi {
    const { config, rules, state } = this;
    if (!config.inKernelApic) return 'none';
    const masks = rules.lvtpcMasked && this.shape.intel;
    if (state.misc[Misc.lvtpcKnown] === 0) return 'unknown';
    const lvt = state.lvtpc[0]!;
    if ((lvt & Lvt.masked) !== 0) return 'none';
    const mode = (lvt >> Lvt.modeShift) & Lvt.mode;
    const vectored = mode === LvtMode.fixed || mode === LvtMode.lowest;
    const accepted = vectored ? config.apicEnabled !== false : mode !== LvtMode.extInt;
    if (!accepted) return 'none';
    if (masks) {
      if (sure) state.lvtpc[0] = lvt | Lvt.masked;
      else state.misc[Misc.lvtpcKnown] = 0;
    }
    if (!sure) return 'unknown';
    if (mode === LvtMode.nmi) return 'nmi';
    return vectored ? lvt & Lvt.vector : 'none';
  }

  /** 2019 proposal: only the enable bit changed, so that the event is kept (semantics C). */
  toggle(i: number): void {
    this.pauseAndResume(i);
  }

  // ---- mediated ------------------------------------------------------------------------------------------------

  /** The guest's context goes on the CPU, or comes off it: its hardware counters start, or stop and are saved. */
  setLoaded(on: boolean): void {
    const { misc } = this.state;
    if (this.rules.ownership === 'perf' || misc[Misc.loaded] === (on ? 1 : 0)) return;
    const known = misc[Misc.loaded] !== 2;
    misc[Misc.loaded] = on ? 1 : 0;
    for (const i of this.shape.counters) {
      if (this.state.backing[i] === Backing.none && this.programmed(i) === 0) continue;
      if (known) this.reprogram(i);
      else this.maybeReprogram(i);
    }
  }

  // ---- life of the vCPU ----------------------------------------------------------------------------------------

  /** The vCPU thread was scheduled out and in: KVM looks for events to release, if it has any. */
  scheduled(): void {
    if (!this.rules.lazyRelease || this.shape.version === 0) return;
    let any: Tri = 0;
    for (const i of this.shape.counters) {
      const backing = this.state.backing[i]!;
      if (backing === Backing.live) any = 1;
      else if (backing === Backing.maybe && any === 0) any = 2;
    }
    if (any === 0) return;
    this.request(Misc.needCleanup, any === 1);
    this.request(Misc.requestPmu, any === 1);
  }

  setFilter(filter: X86EventFilter | undefined): number {
    const result = this.#takeFilter(filter);
    if (result !== 0) return result;
    if (this.rules.filterReprograms && this.rules.reprogram === 'immediate') {
      for (const i of this.shape.counters) this.reprogram(i);
    } else if (this.rules.filterReprograms) {
      this.registers.set(Slot.pending, 0xffff_ffff, 0xffff_ffff);
      this.request(Misc.requestPmu, true);
    } else {
      this.state.misc[Misc.filterStale] = 1;
    }
    return 0;
  }

  /** Everything at reset: no events, registers zero, GLOBAL_CTRL as the rule set has it after KVM_SET_CPUID. */
  fresh(): void {
    const { registers, state } = this;
    for (let i = 0; i < state.base.length; i++) {
      this.clear(i);
      this.clearSoft(i);
      state.flags[i] = 0;
      state.interrupts[i] = 0;
      this.setBase(i, 0n, 0n, none);
      this.storeSelector(i, 0, 0, true, none);
    }
    for (let slot = 0; slot < state.value.length; slot += 2) registers.set(slot, 0, 0);
    state.misc.fill(0);
    state.word.fill(0n);
    state.wordKnown.fill(1);
    state.misc[Misc.lvtpcKnown] = 1;
    state.lvtpc[0] = Lvt.masked;
    this.#globalCtrlAtRefresh();
  }

  #globalCtrlAtRefresh(): void {
    const { registers, rules, shape } = this;
    const wanted = rules.globalCtrlAtRefresh;
    if (wanted === 'gp+fixed' && shape.intel) {
      registers.set(Slot.globalCtrl, shape.gpBits, shape.fixedBits);
    } else if (wanted === 'gp' && shape.hasGlobalCtrl) {
      registers.set(Slot.globalCtrl, shape.gpBits, 0);
    }
  }

  /** KVM_SET_CPUID or KVM_SET_MSRS of PERF_CAPABILITIES before the first run (corrections 3). */
  refresh(): void {
    if (this.rules.refreshResets) this.#clearAll(true);
    this.#globalCtrlAtRefresh();
  }

  /** RESET of the vCPU, LVTPC masked by the APIC's own reset. */
  vcpuReset(): void {
    const { rules, state } = this;
    state.lvtpc[0] = Lvt.masked;
    state.misc[Misc.lvtpcKnown] = 1;
    if (rules.vcpuReset !== 'untouched') this.#clearAll(rules.vcpuReset === 'cleared');
  }

  #clearAll(fixedValues: boolean): void {
    const { registers } = this;
    for (const i of this.shape.counters) {
      this.#releaseForReset(i);
      this.clearSoft(i);
      if (i < FIXED_BASE || fixedValues) this.setBase(i, 0n, 0n, none);
      if (i < FIXED_BASE) this.storeSelector(i, 0, 0, true, none);
    }
    for (const slot of [Slot.fixedCtrl, Slot.globalCtrl, Slot.status]) registers.set(slot, 0, 0);
    this.state.word[Word.ovfCtrl] = 0n;
    this.state.wordKnown[Word.ovfCtrl] = 1;
    if (this.rules.refreshResets) {
      registers.set(Slot.pending, 0, 0);
      this.state.misc[Misc.needCleanup] = 0;
    }
  }

  #releaseForReset(i: number): void {
    if (this.state.backing[i] === Backing.maybe) this.perf.doubt(i);
    this.stop(i);
  }
}
