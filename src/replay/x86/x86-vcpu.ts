import { Sel } from '../../arch/x86-bits.ts';
import { RegisterSpace } from '../../domain/event-kind.ts';
import type { VcpuFact } from '../../domain/log-facts.ts';
import type { AccessRecord } from '../access-record.ts';
import type { FieldVisitor } from '../fields.ts';
import { Residency } from '../guest-residency.ts';
import { isExact } from '../judge.ts';
import type { Observation } from '../observation.ts';
import { Backing } from '../recorded-perf.ts';
import type { CounterGates, CounterState, VcpuState } from '../state-view.ts';
import type { CounterSwitches } from '../vcpu-replay.ts';
import type { HardwareCounters } from './hardware-counters.ts';
import { HardwarePlaces } from './hardware-places.ts';
import { inferOverflows, learnFromPeriods } from './unseen-overflows.ts';
import { ExitClass } from './x86-exits.ts';
import { type X86InstructionOptions, X86Instructions } from './x86-instructions.ts';
import { counterGates, counterState, x86State } from './x86-view.ts';

/** More exits than a guest can have between two accesses of the PMU. */
const EXITS_UNSEEN = 1n << 32n;

/** What never changes while one x86 vCPU is replayed. */
export interface X86VcpuOptions extends X86InstructionOptions {
  readonly pausesRecorded: boolean;
  readonly pmisRecorded: boolean;
  /** The host's hardware counters, where its accesses to them are recorded and nothing better is. */
  readonly hardware: HardwareCounters | undefined;
}

/** One x86 vCPU while it is replayed. */
export class X86Vcpu extends X86Instructions {
  /** Where the backing events are on the host's hardware counters. */
  readonly places: HardwarePlaces;
  private wasOut = false;
  protected readonly options: X86VcpuOptions;

  constructor(options: X86VcpuOptions) {
    super(options);
    this.options = options;
    this.places = new HardwarePlaces(this.pmu, this.perf, (counter) => {
      if (!options.overflowsRecorded) this.overflow(counter);
    });
  }

  // ---- looking -----------------------------------------------------------------------------------------------------

  get counters(): readonly number[] {
    return this.pmu.counters;
  }

  counterState(counter: number): CounterState {
    return counterState(this, counter);
  }

  counterGates(counter: number): CounterGates {
    return counterGates(this, counter);
  }

  counterSwitches(counter: number): CounterSwitches {
    const { interruptEnable, overflowStatus, width } = this.pmu.counterView(counter);
    return { interruptEnable, overflowStatus, overflowBits: width };
  }

  get interruptLine(): undefined {
    return undefined;
  }

  state(fact: VcpuFact): VcpuState {
    return x86State(this, fact);
  }

  // ---- what the host does ------------------------------------------------------------------------------------------

  /** The vCPU enters guest mode: KVM has done what was pending. */
  enter(seq: number, now: number): void {
    const { hardware, pmisRecorded } = this.options;
    this.beforeEntry(now);
    this.witness?.enter();
    const pmi = this.pmu.guestEnter();
    if (pmisRecorded) this.last.comparePmi(pmi, this.tallies);
    this.takeOverEvents();
    learnFromPeriods(this.pmu, this.perf);
    if (hardware !== undefined) {
      hardware.decide(this);
      this.places.entered();
    }
    this.fullyRecorded();
    this.last.enter();
    this.enteredAt = seq;
    this.residency.change(Residency.guest, now);
  }

  private beforeEntry(now: number): void {
    const { last } = this;
    this.close(now);
    if (last.rdpmcOpen) this.tallies.unrecordedReads++;
    last.rdpmcOpen = false;
    this.finishInstruction();
    const { hardware } = this.options;
    if (hardware !== undefined && last.class === ExitClass.nmi) {
      this.places.findOverflows((i) => hardware.restartOf(this, i));
    }
    if (!this.options.overflowsRecorded) this.inferOverflows();
  }

  /** `ripLow`, `ripHigh`: halves of the guest's instruction pointer. */
  exit(now: number, code: number, ripLow: number, ripHigh: number): void {
    this.residency.change(Residency.host, now);
    this.perf.residency = this.residency.total;
    this.last.exit(code, ripLow, ripHigh);
    this.places.saw = -1;
    this.begun = true;
  }

  override scheduledOut(now: number): void {
    this.wasOut = true;
    super.scheduledOut(now);
  }

  override scheduledIn(now: number): void {
    super.scheduledIn(now);
    if (this.wasOut) {
      this.witness?.scheduled();
      this.pmu.scheduled();
    }
    this.wasOut = false;
  }

  /** From here on nothing that happens to this vCPU began before the recording (or before a loss). */
  private fullyRecorded(): void {
    this.begun = true;
    this.perf.expectCreates = this.options.createsRecorded;
    this.perf.expectPauses = this.options.pausesRecorded;
  }

  /** Without entries in the recording: the guest enters after each access, and has entered any number of times before one. */
  private unseenEntry(times: bigint): void {
    if (this.options.entersRecorded) return;
    if (!this.options.emulationRecorded) this.maybeEmulated(times);
    this.witness?.enter();
    this.pmu.guestEnter();
    this.takeOverEvents();
  }

  /** A creation was recorded: without entries, nothing else will say that it is the present event's. */
  eventCreated(): void {
    if (!this.options.entersRecorded) this.takeOverEvents();
  }

  /** KVM gave the vPMU its shape: only before the vCPU ran. */
  refreshed(): void {
    if (this.enteredAt === 0 && this.accesses === 0) {
      this.witness?.made();
      this.perf.none();
      this.pmu.newVcpu();
    } else {
      this.witness?.refreshed();
      this.pmu.refresh();
    }
    this.places.programChanged();
  }

  reset(): void {
    this.witness?.reset();
    this.pmu.vcpuReset();
  }

  lvtpcWritten(value: number): void {
    this.witness?.setLvtpc(value);
    this.pmu.setLvtpc(value);
  }

  /** Userspace read or wrote a PMU register. */
  userspaceGet(code: number, value: bigint): void {
    this.pmu.hostRdmsr(code, this.result);
    if (!this.result.undef && !isExact(this.result)) this.pmu.adopt(code, value);
  }

  userspaceSet(code: number, value: bigint): void {
    this.witness?.hostWrite(code, value);
    this.pmu.hostWrmsr(code, value, this.result);
  }

  override forget(now: number): void {
    this.open.end();
    this.witness?.forget();
    this.pmu.forget();
    this.perf.forget();
    this.begun = false;
    this.last.forget();
    this.places.forget();
    this.residency.change(Residency.maybe, now);
  }

  // ---- overflows ---------------------------------------------------------------------------------------------------

  /** The overflow callback of the counter's event ran; or may have. */
  overflow(i: number): void {
    this.witness?.overflow(i);
    this.pmu.overflow(i);
  }

  overflowPossible(i: number): void {
    this.witness?.overflowPossible(i);
    this.pmu.markOverflowPossible(i);
  }

  private inferOverflows(): void {
    inferOverflows(this, this.options.pausesRecorded && this.begun);
  }

  // ---- guest accesses ----------------------------------------------------------------------------------------------

  /** A record at the begin of a guest write. */
  accessBegins(access: AccessRecord): void {
    this.close(access.now);
    this.leaveGuest(access.now);
    this.unseenEntry(EXITS_UNSEEN);
    this.open.begin(access.isWrite, access.code);
    this.open.told(access.flags, access.value);
  }

  /** The access is done: predict, compare, adopt. */
  accessCompletes(access: AccessRecord): Observation | undefined {
    this.leaveGuest(access.now);
    if (!this.open.open) this.unseenEntry(EXITS_UNSEEN);
    // With entries recorded, nothing overflows between the last entry's exit and the access.
    if (!this.options.overflowsRecorded && !this.options.entersRecorded) this.inferOverflows();
    if (access.isRefused) this.last.faulted = true;
    const observation = this.complete(access);
    if (access.space === RegisterSpace.rdpmc) this.last.rdpmcOpen = false;
    this.accesses++;
    // A write of a counter that runs sets a period from what its event had not counted (semantics B.5).
    if (access.isWrite && this.result.counter >= 0) this.perf.takePeriodTold(this.result.counter);
    this.endAccess(access.now);
    return observation;
  }

  /** An event-read of an event no counter is known to own: it is the open access's. */
  strayRead(pointer: bigint, count: bigint): void {
    const { class: exit } = this.last;
    if (exit === ExitClass.msr || exit === ExitClass.rdpmc) this.open.stray(pointer, count);
  }

  protected override adoptRead(access: AccessRecord, value: bigint): void {
    super.adoptRead(access, value);
    const { counter } = this.result;
    if (counter >= 0 && this.places.saw >= 0 && this.places.at[counter] === -1) {
      this.options.hardware?.tie(this.places.saw, this, counter);
    }
  }

  protected override endAccess(now: number): void {
    this.open.end();
    this.places.programChanged();
    // Deferred rules program events at the entry: until then what was recorded waits.
    if (this.options.rules.reprogram === 'immediate') this.takeOverEvents();
    this.unseenEntry(1n);
    this.mayRunFrom(now);
  }

  // ---- backing events ----------------------------------------------------------------------------------------------

  /** Events that were created, paused or released otherwise than the model thought are taken over as recorded. */
  private takeOverEvents(): void {
    if (!this.perf.anyEarly) return;
    for (const { counter, attr } of this.perf.reconcile(this.options.attr, this.counterFor)) {
      this.pmu.adoptBacking(counter, attr);
    }
  }

  /** The one counter a creation nobody predicted can be for, −1 when there is none or more than one. */
  private readonly counterFor = (config: number): number => {
    let found = -1;
    for (const i of this.pmu.counters) {
      if (this.perf.life[i] === Backing.live && this.perf.pointer[i] !== 0n) continue;
      const { selector, event } = this.pmu.counterView(i);
      const raw = selector === undefined ? event : rawOf(selector, event ?? 0);
      if (raw !== config) continue;
      if (found >= 0) return -1;
      found = i;
    }
    return found;
  };

  override fields(visitor: FieldVisitor): void {
    this.partFields(visitor);
    this.perf.fields(visitor);
    this.commonFields(visitor);
    this.last.fields(visitor);
    this.begun = visitor.flag(this.begun);
    this.wasOut = visitor.flag(this.wasOut);
    this.places.fields(visitor);
  }
}

/** The raw config of a selector's low half and its event with the AMD bits. */
function rawOf(selector: number, event: number): number {
  const counted = Sel.edge | Sel.inv | Sel.cmask;
  return event + ((selector & counted) >>> 0);
}
