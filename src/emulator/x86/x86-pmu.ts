import { METRICS_EVENT } from '../../arch/x86-bits.ts';
import type { X86RuleSet } from '../../arch/x86-rules.ts';
import type { BackingAttr, PausablePerf } from '../host-perf.ts';
import { clearAccessResult } from '../pmuv3-config.ts';
import type { Tri } from '../register-file.ts';
import { UncertaintyReason } from '../uncertainty.ts';
import type { X86PerfOperations } from './x86-backing-events.ts';
import type { X86AccessResult, X86Config } from './x86-config.ts';
import { type Pmi, X86Core } from './x86-core.ts';
import { adoptCreation, adoptPmc, adoptRead, forgetAll, forgetOne } from './x86-evidence.ts';
import type { X86EventFilter } from './x86-filter.ts';
import { msrPassesThrough, rdpmcPassesThrough } from './x86-interception.ts';
import { readMsr, readPmc } from './x86-read.ts';
import { Backing, Misc, Slot } from './x86-state.ts';
import {
  counterView,
  gateView,
  registerViews,
  valueView,
  type X86CounterView,
  type X86GateView,
  type X86RegisterView,
  type X86ValueView,
} from './x86-view.ts';
import { markWritten, writeMsr, writeUnknownMsr } from './x86-write.ts';

export type { X86PerfOperations } from './x86-backing-events.ts';
export type { Pmi } from './x86-core.ts';

/**
 * The x86 PMU of one vCPU as KVM emulates it over perf (semantics B, C). Deterministic and without I/O: guest accesses
 * and host happenings go in, visible values, interrupts and calls to HostPerf come out. All state carries its
 * uncertainty: an exact state with exact counts gives exact answers, by the same code.
 *
 * It starts with nothing known (and HostPerf in doubt about every counter); `newVcpu()` starts at creation instead.
 */
export class X86Pmu {
  readonly #core: X86Core;

  constructor(config: X86Config, rules: X86RuleSet, perf: PausablePerf) {
    this.#core = new X86Core(config, rules, perf);
    forgetAll(this.#core, UncertaintyReason.initialState);
  }

  /** Sequence number of the event being applied; the caller sets it before each call. It becomes `since`. */
  get seq(): number {
    return this.#core.state.seq;
  }
  set seq(value: number) {
    this.#core.state.seq = value;
  }

  get rules(): X86RuleSet {
    return this.#core.rules;
  }

  get config(): X86Config {
    return this.#core.config;
  }

  /** Replaces the configuration (counters, widths, filter, …), keeping the state. */
  reconfigure(config: X86Config): void {
    this.#core.configure(config);
  }

  /** Counts of what was asked of perf since construction (not part of a snapshot). */
  get operations(): Readonly<X86PerfOperations> {
    return this.#core.operations;
  }

  // ---- guest accesses ------------------------------------------------------------------------------------------

  /** RDMSR. A register that is not the vPMU's (or that this vCPU lacks) gets `undef`, or 0 where KVM is silent. */
  rdmsr(msr: number, out: X86AccessResult): void {
    clear(out);
    readMsr(this.#core, msr, false, out);
  }

  /** WRMSR: `undef` if it faults. If the recording says that the access faulted, call `wrmsrFaulted` instead. */
  wrmsr(msr: number, value: bigint, out: X86AccessResult): void {
    clear(out);
    writeMsr(this.#core, msr, value, false, out);
  }

  /** A guest write that faulted: it stores nothing, but KVM takes its counter for one in use. */
  wrmsrFaulted(msr: number): void {
    markWritten(this.#core, msr);
  }

  /** A guest write that was done, of a value that was not recorded: what it touches becomes unknown. */
  wrmsrUnknown(msr: number): void {
    writeUnknownMsr(this.#core, msr, UncertaintyReason.valueNotRecorded);
  }

  /** `cpl` 0..3 or −1 unknown; `pce` CR4.PCE: 0, 1 or 2 unknown (CR0.PE is taken as 1). */
  rdpmc(ecx: number, cpl: number, pce: 0 | 1 | 2, out: X86AccessResult): void {
    clear(out);
    readPmc(this.#core, ecx >>> 0, cpl, pce, out);
  }

  /** KVM_GET_MSRS: `undef` stands for an error. */
  hostRdmsr(msr: number, out: X86AccessResult): void {
    clear(out);
    readMsr(this.#core, msr, true, out);
  }

  /** KVM_SET_MSRS: `undef` stands for an error. */
  hostWrmsr(msr: number, value: bigint, out: X86AccessResult): void {
    clear(out);
    writeMsr(this.#core, msr, value, true, out);
  }

  // ---- steps ---------------------------------------------------------------------------------------------------

  /** Before VM entry: KVM_REQ_PMU, then KVM_REQ_PMI. Tells what PMI was delivered. */
  guestEnter(): Pmi {
    return this.#core.enter();
  }

  /** KVM emulated (or skipped) one instruction; a branch counts as an instruction and a branch. `cpl` −1: unknown. */
  emulated(kind: 'instruction' | 'branch', cpl: number): void {
    this.#core.trigger(0, cpl);
    if (kind === 'branch') this.#core.trigger(1, cpl);
  }

  /** Between 0 and `times` instructions, branches among them, may have been emulated without a record. */
  emulatedPossible(times: bigint): void {
    this.#core.maybeTrigger(times);
  }

  /** The vCPU thread was scheduled out and in again. */
  scheduled(): void {
    this.#core.scheduled();
  }

  /** KVM_SET_PMU_EVENT_FILTER: 0 or the negative errno KVM returns. undefined: there is none. */
  setFilter(filter: X86EventFilter | undefined): number {
    return this.#core.setFilter(filter);
  }

  /** The guest (or the VMM) stored LVTPC; undefined: it did, the value is not known. */
  setLvtpc(value: number | undefined): void {
    const { misc, lvtpc } = this.#core.state;
    misc[Misc.lvtpcKnown] = value === undefined ? 0 : 1;
    lvtpc[0] = value ?? 0;
  }

  /** LVTPC as stored; undefined if not known. */
  get lvtpc(): number | undefined {
    const { misc, lvtpc } = this.#core.state;
    return misc[Misc.lvtpcKnown] === 1 ? lvtpc[0]! : undefined;
  }

  /** RESET of the vCPU. */
  vcpuReset(): void {
    this.#core.vcpuReset();
  }

  /** The VMM set CPUID or PERF_CAPABILITIES before the first run. */
  refresh(): void {
    this.#core.refresh();
  }

  /** The overflow callback of the counter's event ran (METRICS_EVENT: that of the topdown group's metrics event). */
  overflow(counter: number): void {
    if (counter === METRICS_EVENT) this.#core.metricsOverflow();
    else this.#core.overflow(counter);
  }

  /** Overflows of the counter (any number) may have happened without a record. */
  markOverflowPossible(counter: number): void {
    this.#core.maybeOverflow(counter);
  }

  /** True if the counter's event may have reached its sample period since it was last armed. */
  overflowPossible(counter: number): boolean {
    return this.#core.periodReached(counter) !== 0;
  }

  /** Both at once: 0 it has not, 1 it surely has, 2 it may have. */
  overflowReached(counter: number): Tri {
    return this.#core.periodReached(counter);
  }

  /** True if it surely has: a recorded overflow is due, or its record is missing. */
  overflowDue(counter: number): boolean {
    return this.#core.periodReached(counter) === 1;
  }

  // ---- mediated rule sets --------------------------------------------------------------------------------------

  /**
   * KVM loads the guest's PMU context (after `guestEnter`, around the inner run loop): from here to contextPut the
   * hardware counters are the guest's. HostPerf sees each counting counter as an event that is created now and released
   * at contextPut. Nothing under the other rule sets.
   */
  contextLoad(): void {
    this.#core.setLoaded(true);
  }

  /** KVM saves the guest's counters and gives the PMU back to the host. */
  contextPut(): void {
    this.#core.setLoaded(false);
  }

  /** The guest's context is on the CPU; undefined: not known. Never under the other rule sets. */
  get contextLoaded(): boolean | undefined {
    return known(this.#core.state.misc[Misc.loaded] as Tri);
  }

  /** True if a guest access of this MSR makes no exit. */
  passesThrough(msr: number): boolean {
    return msrPassesThrough(this.rules, this.#core.shape, msr);
  }

  /** True if RDPMC makes no exit. */
  get rdpmcPassesThrough(): boolean {
    return rdpmcPassesThrough(this.rules, this.#core.shape);
  }

  // ---- evidence ------------------------------------------------------------------------------------------------

  /** A recorded RDMSR (or KVM_GET_MSRS) proved this value: takes it over. */
  adopt(msr: number, value: bigint): void {
    adoptRead(this.#core, msr, value);
  }

  /** A recorded RDPMC proved this value. */
  adoptRdpmc(ecx: number, value: bigint): void {
    adoptPmc(this.#core, ecx >>> 0, value);
  }

  /**
   * A recorded creation proved what the counter's fresh event was asked for, and so its programming and value. HostPerf
   * must count the new event already.
   */
  adoptBacking(counter: number, attr: Readonly<BackingAttr>): void {
    adoptCreation(this.#core, counter, attr);
  }

  /** The vCPU was just made and its CPUID set: no events, everything at reset. */
  newVcpu(): void {
    this.#core.fresh();
  }

  /** Records were lost: nothing is known any more but the configuration. */
  forget(): void {
    this.#forget(UncertaintyReason.recordsLost);
  }

  /** Nothing is known of the vCPU but its configuration. */
  unknownState(): void {
    this.#forget(UncertaintyReason.initialState);
  }

  #forget(reason: UncertaintyReason): void {
    forgetAll(this.#core, reason);
    for (const i of this.counters) this.#core.perf.doubt(i);
  }

  /** Makes one register unknown, for instance because the VMM may have set it. */
  forgetRegister(msr: number, reason: UncertaintyReason): void {
    forgetOne(this.#core, msr, reason);
  }

  // ---- looking -------------------------------------------------------------------------------------------------

  /** Counter numbers that exist, lowest first. */
  get counters(): readonly number[] {
    return this.#core.shape.counters;
  }

  /** One counter for display; changes nothing. */
  counterView(counter: number): X86CounterView {
    return counterView(this.#core, counter);
  }

  /** The parts of `counterView` that are asked for often: the value alone, and what keeps it from counting. */
  valueView(counter: number): X86ValueView {
    return valueView(this.#core, counter);
  }

  gateView(counter: number): X86GateView {
    return gateView(this.#core, counter);
  }

  /** The selector with which GP counter i runs, or will at the next entry; −1: it does not, or it is not known. */
  runningSelector(i: number): number {
    const core = this.#core;
    if (!core.programKnown(i) || core.local(i) === 0) return -1;
    if (core.global(i) === 0 || core.allowed(i) === 0) return -1;
    return core.programLow(i) + core.programHigh(i) * 2 ** 32;
  }

  /** The value of a counter of up to 48 bits without the events KVM counted itself and has not folded; −1 not exact. */
  foldedValue(i: number): number {
    const core = this.#core;
    core.visible(i);
    if (core.span !== 0n || core.state.softSpan[i] !== 0n) return -1;
    return Number(BigInt.asUintN(48, core.low - core.state.soft[i]!));
  }

  /** The plain registers for display; changes nothing. */
  registerViews(): X86RegisterView[] {
    return registerViews(this.#core);
  }

  /** What KVM stores of a register, also where no MSR shows it (version 1, AMD before PerfMonV2). */
  stored(register: 'status' | 'globalCtrl' | 'fixedCtrl'): {
    readonly value: bigint;
    readonly unknownBits: bigint;
  } {
    const { registers } = this.#core;
    const slot = Slot[register];
    return { value: registers.value64(slot), unknownBits: registers.unknown64(slot) };
  }

  /** Counters waiting for reprogramming (`sure`), and those perhaps waiting (`open`), bit i = counter i. */
  get pendingReprogram(): { readonly sure: bigint; readonly open: bigint } {
    const { registers } = this.#core;
    return { sure: registers.value64(Slot.pending), open: registers.unknown64(Slot.pending) };
  }

  /** Counter waits for reprogramming, or perhaps does. */
  mayBePending(counter: number): boolean {
    return this.#core.registers.counter(Slot.pending, counter) !== 0;
  }

  /** KVM_REQ_PMU and KVM_REQ_PMI raised; undefined: not known. */
  get requests(): { readonly pmu: boolean | undefined; readonly pmi: boolean | undefined } {
    const { misc } = this.#core.state;
    return { pmu: known(misc[Misc.requestPmu] as Tri), pmi: known(misc[Misc.requestPmi] as Tri) };
  }

  /** Some counter has an event, for sure or perhaps. */
  get hasEvents(): boolean {
    const { backing } = this.#core.state;
    return this.counters.some((i) => backing[i] !== Backing.none);
  }

  /** The state in one flat copy, of layout X86_STATE_VERSION. Configuration and filter are not in it. */
  snapshot(): Uint8Array {
    return this.#core.state.snapshot();
  }

  /** Takes a snapshot back; false (and no change) if it is not one of this layout's size. */
  restore(bytes: Uint8Array): boolean {
    return this.#core.state.restore(bytes);
  }
}

function known(tri: Tri): boolean | undefined {
  return tri === 2 ? undefined : tri === 1;
}

function clear(out: X86AccessResult): void {
  clearAccessResult(out);
  out.noExit = false;
  out.hostTime = false;
}
