import { Pmcr } from '../arch/arm64-bits.ts';
import { PmuRegister } from '../arch/arm64-registers.ts';
import type { Arm64RuleSet } from '../arch/arm64-rules.ts';
import { RegisterSpace } from '../domain/event-kind.ts';
import type { Access } from './access-rules.ts';
import type { EventFilterRange } from './event-filter.ts';
import { adoptCreation, adoptRead } from './evidence.ts';
import { forgetAll, forgetRegister } from './forget.ts';
import { guestRead } from './guest-read.ts';
import { guestWrite, low32, writeUnknownValue } from './guest-write.ts';
import type { BackingAttr, HostPerf } from './host-perf.ts';
import { type AccessResult, clearAccessResult, type Pmuv3Config } from './pmuv3-config.ts';
import { Pmuv3Core } from './pmuv3-core.ts';
import { dispatch, indexOf, PART_MASK, Part, registerOf } from './pmuv3-dispatch.ts';
import { LEVEL_UNKNOWN, Misc, Slot } from './pmuv3-state.ts';
import {
  type CounterView,
  counterView,
  type GateView,
  gateView,
  type RegisterView,
  registerViews,
  type ValueView,
  valueView,
} from './pmuv3-view.ts';
import { UncertaintyReason } from './uncertainty.ts';
import { resetVcpu } from './vcpu-reset.ts';

const ENXIO = 6;

/**
 * The arm64 PMUv3 of one vCPU as KVM emulates it over perf (semantics A). Deterministic and without I/O: guest accesses
 * and host happenings go in, visible values, interrupt level and calls to HostPerf come out. All state carries its
 * uncertainty: an exact state with exact counts gives exact answers, by the same code.
 *
 * It starts with nothing known (and HostPerf in doubt about every counter); `newVcpu()` starts at creation instead.
 */
export class Pmuv3 {
  readonly #core: Pmuv3Core;
  readonly #access: Access = {
    register: PmuRegister.none,
    index: 0,
    isWrite: false,
    wideForm: false,
    highHalf: false,
    el: 1,
  };

  constructor(config: Pmuv3Config, rules: Arm64RuleSet, perf: HostPerf) {
    this.#core = new Pmuv3Core(config, rules, perf);
    this.#core.state.misc[Misc.hasRun] = 1;
    forgetAll(this.#core, UncertaintyReason.initialState);
  }

  /** Sequence number of the event being applied; the caller sets it before each call. It becomes `since`. */
  get seq(): number {
    return this.#core.state.seq;
  }
  set seq(value: number) {
    this.#core.state.seq = value;
  }

  get rules(): Arm64RuleSet {
    return this.#core.rules;
  }

  get config(): Pmuv3Config {
    return this.#core.config;
  }

  /** Replaces the configuration (N, versions, filter), keeping the state. */
  reconfigure(config: Pmuv3Config): void {
    this.#core.configure(config);
  }

  // ---- guest accesses ------------------------------------------------------------------------------------------

  /**
   * A guest read. `el`: exception level of the access (0 or 1). A register that is not the vPMU's answers "unknown".
   */
  read(code: number, space: RegisterSpace, el: number, out: AccessResult): void {
    const entry = dispatch(code, space);
    guestRead(this.#core, this.#decode(entry, space, el, false, out), entry & PART_MASK, out);
  }

  /**
   * A guest write. If the recording says that the access was refused, do not call; if it says that it was not, pass
   * el = 1, which no permission refuses. When the model cannot tell (`outcomeUnknown`), what the write may have
   * touched becomes unknown.
   */
  write(code: number, space: RegisterSpace, value: bigint, el: number, out: AccessResult): void {
    const entry = dispatch(code, space);
    const access = this.#decode(entry, space, el, true, out);
    const data = (entry & PART_MASK) === Part.full ? value : BigInt.asUintN(32, value);
    guestWrite(this.#core, access, data, space === RegisterSpace.cp15, out);
  }

  /** A guest write that was done, of a value that was not recorded: what it touches becomes unknown. */
  writeUnknown(code: number, space: RegisterSpace, el: number): void {
    const entry = dispatch(code, space);
    const register = registerOf(entry);
    if (el === 0 && register === PmuRegister.userenr) return;
    writeUnknownValue(this.#core, register, indexOf(entry));
  }

  #decode(
    entry: number,
    space: RegisterSpace,
    el: number,
    isWrite: boolean,
    out: AccessResult,
  ): Access {
    clearAccessResult(out);
    const access = this.#access;
    access.register = registerOf(entry);
    access.index = indexOf(entry);
    access.isWrite = isWrite;
    access.wideForm = space === RegisterSpace.cp15 && (entry & PART_MASK) === Part.full;
    access.highHalf = (entry & PART_MASK) === Part.high;
    access.el = el;
    return access;
  }

  // ---- evidence ------------------------------------------------------------------------------------------------

  /**
   * A recorded read proved this value (also one by the VMM): takes it over, adjusting counter bases so that the model
   * shows it. Read-only and derived parts are ignored. HostPerf is called only where the value settles an open
   * state: PMCR.E and PMCNTEN an event that is on or off, an event type one that cannot exist.
   */
  adopt(code: number, space: RegisterSpace, value: bigint): void {
    const entry = dispatch(code, space);
    adoptRead(this.#core, registerOf(entry), indexOf(entry), entry & PART_MASK, value);
  }

  /**
   * A recorded creation proved what counter `counter`'s fresh event was asked for, and so the counter's event number,
   * filter, enables and value. Call it after the access that caused it, for the last creation of that access; HostPerf
   * must count the new event already. `periodKnown` false: the model must have
   * made the creation itself. Calls no perf function but for open states, as `adopt`.
   */
  adoptBacking(counter: number, attr: Readonly<BackingAttr>): void {
    adoptCreation(this.#core, counter, attr);
  }

  // ---- host happenings -----------------------------------------------------------------------------------------

  /**
   * The overflow handler of the counter's event ran. Its new sample period is in `counterView(counter).period`
   * afterwards (KVM sets it directly, without a perf call).
   */
  overflow(counter: number): void {
    this.#core.bank.overflow(counter);
    if (this.lineLevel() === 1) this.#core.state.misc[Misc.irqPending] = 1;
  }

  /** Up to `times` overflows of the counter may have happened without a record. */
  markOverflowPossible(counter: number, times = 1n): void {
    this.#core.bank.maybeOverflow(counter, times);
  }

  /** True if the counter's event may have reached its sample period since it was last armed. */
  overflowPossible(counter: number): boolean {
    return this.#core.bank.periodReached(counter) !== 0;
  }

  /** True if it surely has: a recorded overflow is due (skid apart), or its record is missing. */
  overflowDue(counter: number): boolean {
    return this.#core.bank.periodReached(counter) === 1;
  }

  /**
   * The vCPU enters the guest: requests are consumed, the interrupt line is brought up to date. Runs `firstRun` if it
   * has never run. Returns whether the vGIC is told of a change.
   */
  guestEnter(): boolean {
    const { misc } = this.#core.state;
    if (misc[Misc.hasRun] === 0) this.firstRun();
    misc[Misc.irqPending] = 0;
    return this.#updateLine();
  }

  /** The vCPU has left the guest: the interrupt line is brought up to date. */
  guestExit(): boolean {
    return this.#updateLine();
  }

  #updateLine(): boolean {
    const { misc } = this.#core.state;
    const before = misc[Misc.irqLevel]!;
    const level = this.lineLevel();
    misc[Misc.irqLevel] = level ?? LEVEL_UNKNOWN;
    return level !== undefined && before !== level && before !== LEVEL_UNKNOWN;
  }

  /** The PMU interrupt the guest should see at the next entry or exit: E and (OVS & INTEN), semantics A.7. */
  lineLevel(): 0 | 1 | undefined {
    const { registers, rules, state } = this.#core;
    const { value, unknown } = state;
    const e = registers.bit(Slot.pmcr, Pmcr.E);
    let sure = value[Slot.ovs]! & value[Slot.inten]!;
    let open =
      (value[Slot.ovs]! | unknown[Slot.ovs]!) & (value[Slot.inten]! | unknown[Slot.inten]!);
    if (rules.levelNeedsEnable) {
      const valid = this.#core.validMask();
      sure &= value[Slot.cnten]! & valid;
      open &= (value[Slot.cnten]! | unknown[Slot.cnten]!) & valid;
    }
    if (e === 0 || open === 0) return 0;
    return e === 1 && sure !== 0 ? 1 : undefined;
  }

  /** Level last told to the vGIC; undefined if not known. */
  get irqLevel(): 0 | 1 | undefined {
    const level = this.#core.state.misc[Misc.irqLevel]!;
    return level === LEVEL_UNKNOWN ? undefined : (level as 0 | 1);
  }

  /** An overflow asked for an interrupt that the next guest entry will look at. */
  get irqPending(): boolean {
    return this.#core.state.misc[Misc.irqPending] === 1;
  }

  // ---- life of the vCPU ----------------------------------------------------------------------------------------

  /** The vCPU has just been made: no events, never run, registers at reset. */
  newVcpu(): void {
    const { bank } = this.#core;
    for (let i = 0; i < 32; i++) {
      bank.clear(i);
      bank.setBase(i, 0n, 0n, UncertaintyReason.none);
    }
    this.setHasRun(false);
    this.vcpuReset();
  }

  /** KVM resets the vCPU: events of valid counters are released, registers take their reset values (semantics A.2). */
  vcpuReset(): void {
    resetVcpu(this.#core);
  }

  /** What the first run does: acts on the stored PMCR, then trims CNTEN, INTEN, OVS (rule set fields). */
  firstRun(): void {
    const core = this.#core;
    const { registers, rules, state } = core;
    state.misc[Misc.hasRun] = 1;
    if (rules.reloadAtFirstRun) {
      if (state.unknown[Slot.pmcr] === 0) core.handlePmcr(state.value[Slot.pmcr]!);
      else core.handleUnknownPmcr(UncertaintyReason.gateUnknown);
    }
    if (!rules.trimAtFirstRun) return;
    for (const slot of [Slot.cnten, Slot.inten, Slot.ovs]) registers.trim(slot, core.validMask());
  }

  /** Tells whether the vCPU has run before: decides if `guestEnter` does what the first run does. */
  setHasRun(value: boolean): void {
    const { misc } = this.#core.state;
    misc[Misc.hasRun] = value ? 1 : 0;
    if (!value) misc[Misc.irqLevel] = 0;
  }

  /** The VMM sets PMCR_EL0 (KVM_SET_ONE_REG). Always succeeds. */
  userspaceSetPmcr(value: bigint): void {
    const { config, registers, rules, state } = this.#core;
    const number = low32(value);
    const n = (number >> Pmcr.nShift) & Pmcr.nMask;
    const limited = rules.userspacePmcr === 'n-limited';
    const fits = state.misc[Misc.hasRun] === 0 && n <= (config.hostCounters ?? config.pmcrN);
    if (!limited || fits) state.misc[Misc.n] = n;
    const lc = limited ? this.#core.fixedLc() : 0;
    registers.set(Slot.pmcr, (number & rules.pmcrWritable) | lc, 0, UncertaintyReason.none);
  }

  /** The VMM sets a counter: the stored value changes, the event (if any) stays. */
  userspaceSetCounter(counter: number, value: bigint): void {
    this.#core.bank.setBase(counter, value, 0n, UncertaintyReason.none);
  }

  /** KVM_ARM_VCPU_PMU_V3_FILTER: 0, or the negative errno KVM returns. */
  setEventFilter(range: EventFilterRange): number {
    if (!this.#core.rules.eventFilter) return -ENXIO;
    return this.#core.filter.add(range, this.#core.state.misc[Misc.hasRun] === 1);
  }

  /** Nothing is known of the vCPU but its configuration (and that it has run). */
  unknownState(): void {
    this.#core.state.misc[Misc.hasRun] = 1;
    forgetAll(this.#core, UncertaintyReason.initialState);
    this.#core.eachValid((i) => this.#core.perf.doubt(i));
  }

  /** Records were lost: nothing is known any more but the configuration. */
  forget(): void {
    forgetAll(this.#core, UncertaintyReason.recordsLost);
    this.#core.eachValid((i) => this.#core.perf.doubt(i));
  }

  /** Makes one register (or counter, or event type) unknown, for instance because the VMM may have set it. */
  forgetRegister(code: number, space: RegisterSpace, reason: UncertaintyReason): void {
    const entry = dispatch(code, space);
    forgetRegister(this.#core, registerOf(entry), indexOf(entry), reason);
  }

  // ---- looking -------------------------------------------------------------------------------------------------

  /** The state in one flat copy, of layout PMUV3_STATE_VERSION. The configuration and the filter are not in it. */
  snapshot(): Uint8Array {
    return this.#core.state.snapshot();
  }

  /** Takes a snapshot back; false (and no change) if it is not one of this layout's size. */
  restore(bytes: Uint8Array): boolean {
    return this.#core.state.restore(bytes);
  }

  /** PMCR.N as the guest sees it: counters 0..n-1 and 31 exist. */
  get n(): number {
    return this.#core.n;
  }

  /** One counter for display; changes nothing. */
  counterView(counter: number): CounterView {
    return counterView(counter, this.#core.state, this.#core.bank, this.#core.registers);
  }

  /** The parts of `counterView` that are asked for often: the value alone, and what keeps it from counting. */
  valueView(counter: number): ValueView {
    return valueView(counter, this.#core.bank);
  }

  gateView(counter: number): GateView {
    return gateView(counter, this.#core.state, this.#core.bank, this.#core.registers);
  }

  /** The plain registers for display; changes nothing. */
  registerViews(): RegisterView[] {
    const { config, state } = this.#core;
    const shown = this.#core.rules.setsCut === 'at-reset' ? -1 : this.#core.validMask();
    return registerViews(state, this.#core.pmcrHigh(), config.pmcrUnknownMask, shown);
  }
}
