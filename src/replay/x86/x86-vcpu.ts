import { Sel } from '../../arch/x86-bits.ts';
import { counterMsr, decodeMsr, Msr, msrKind } from '../../arch/x86-msrs.ts';
import type { X86RuleSet } from '../../arch/x86-rules.ts';
import { EventFlag, RegisterSpace, registerSpace } from '../../domain/event-kind.ts';
import type { PerfEventAttr, VcpuFact } from '../../domain/log-facts.ts';
import { U64_MAX } from '../../domain/u64.ts';
import { UNCERTAINTY_REASONS } from '../../emulator/uncertainty.ts';
import { type X86Config, x86AccessResult } from '../../emulator/x86/x86-config.ts';
import { type Pmi, X86Pmu } from '../../emulator/x86/x86-pmu.ts';
import type { FieldVisitor } from '../fields.ts';
import { GuestResidency, Residency } from '../guest-residency.ts';
import { isExact, judgeRead } from '../judge.ts';
import type { Observation, ReplayTallies, Verdict } from '../observation.ts';
import { OpenAccess } from '../open-access.ts';
import { Backing } from '../recorded-perf.ts';
import type { CounterState, VcpuState } from '../state-view.ts';
import type { CounterSwitches, CounterValue, VcpuReplay } from '../vcpu-replay.ts';
import { restoreVcpu, snapshotVcpu } from '../vcpu-snapshot.ts';
import type { HardwareCounters } from './hardware-counters.ts';
import { HardwarePlaces } from './hardware-places.ts';
import { X86RecordedPerf } from './recorded-perf-x86.ts';
import { ExitClass, exitClass } from './x86-exits.ts';
import { counterState, x86State } from './x86-view.ts';
import type { X86Witness } from './x86-witness.ts';

/** More exits than a guest can have between two accesses of the PMU. */
const EXITS_UNSEEN = 1n << 32n;
/** CPL of code nobody knows. */
const CPL_UNKNOWN = -1;

/** What never changes while one vCPU is replayed. */
export interface X86VcpuOptions {
  readonly slot: number;
  readonly rules: X86RuleSet;
  readonly config: X86Config;
  /** Accesses whose outcome must not be predicted (X86Facts.soleWitnesses). */
  readonly soleWitnesses: ReadonlySet<number>;
  /** Guest pages whose code runs at CPL 0. */
  readonly kernelPages: ReadonlySet<number>;
  /** Step of the recorded times, ns. */
  readonly resolution: number;
  /** What this log records at all. */
  readonly entersRecorded: boolean;
  readonly overflowsRecorded: boolean;
  readonly createsRecorded: boolean;
  readonly pausesRecorded: boolean;
  readonly emulationRecorded: boolean;
  readonly pmisRecorded: boolean;
  /** The host's hardware counters, where its accesses to them are recorded and nothing better is. */
  readonly hardware: HardwareCounters | undefined;
  readonly attr: (id: number) => PerfEventAttr | undefined;
}

/**
 * One x86 vCPU while it is replayed: its emulated PMU, the recorded life of the backing events, where its thread is, and
 * what has happened since its last exit. All of it is in `snapshot()`.
 */
export class X86Vcpu implements VcpuReplay {
  readonly slot: number;
  readonly pmu: X86Pmu;
  readonly perf = new X86RecordedPerf();
  readonly residency: GuestResidency;
  pcpu = -1;
  enteredAt = 0;
  readonly tallies: ReplayTallies = {
    unrecordedReads: 0,
    unrecordedWrites: 0,
    irqConfirmed: 0,
    irqUnknown: 0,
    irqContradicted: 0,
  };
  /** PMU accesses of the guest that were completed. */
  accesses = 0;

  // Since the last exit.
  private exitClass: ExitClass = ExitClass.other;
  /** CPL of the code that exited: 0, 3 or CPL_UNKNOWN. */
  private cpl = CPL_UNKNOWN;
  private exitSeen = false;
  private faulted = false;
  private deviceAccess = false;
  /** Instructions whose emulation was recorded and that the emulator has not been told of. */
  private emulated = 0;
  private rdpmcOpen = false;
  private nmiAccepted = false;
  private vectorAccepted = -1;
  /** An access or exit was recorded: what comes after is not the end of something from before the recording. */
  private begun = false;
  private wasOut = false;

  /** Where the backing events are on the host's hardware counters. */
  readonly places: HardwarePlaces;

  /** Told of every step before this model takes it. */
  witness: X86Witness | undefined;

  private readonly open = new OpenAccess();
  private readonly options: X86VcpuOptions;
  private readonly result = x86AccessResult();

  constructor(options: X86VcpuOptions) {
    this.slot = options.slot;
    this.options = options;
    this.residency = new GuestResidency(options.resolution);
    this.pmu = new X86Pmu(options.config, options.rules, this.perf);
    this.places = new HardwarePlaces(this.pmu, this.perf, (counter) => {
      if (!options.overflowsRecorded) this.overflow(counter);
    });
  }

  get counters(): readonly number[] {
    return this.pmu.counters;
  }

  counterValue(counter: number): CounterValue {
    return this.pmu.counterView(counter);
  }

  counterState(counter: number): CounterState {
    return counterState(this, counter);
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

  at(seq: number, now: number): void {
    this.pmu.seq = seq;
    this.perf.seq = seq;
    this.perf.residency = this.residency.upTo(now);
  }

  /** The vCPU enters guest mode: KVM has done what was pending. */
  enter(seq: number, now: number): void {
    const { hardware } = this.options;
    this.beforeEntry(now);
    this.witness?.enter();
    this.comparePmi(this.pmu.guestEnter());
    this.takeOverEvents();
    this.learnFromPeriods();
    if (hardware !== undefined) {
      hardware.decide(this);
      this.places.entered();
    }
    this.fullyRecorded();
    this.exitSeen = false;
    this.nmiAccepted = false;
    this.vectorAccepted = -1;
    this.enteredAt = seq;
    this.residency.change(Residency.guest, now);
  }

  private beforeEntry(now: number): void {
    this.close(now);
    if (this.rdpmcOpen) this.tallies.unrecordedReads++;
    this.rdpmcOpen = false;
    this.finishInstruction();
    const { hardware } = this.options;
    if (hardware !== undefined && this.lastExit === ExitClass.nmi) {
      this.places.findOverflows((i) => hardware.restartOf(this, i));
    }
    if (!this.options.overflowsRecorded) this.inferOverflows();
  }

  private tellEmulated(): void {
    this.witness?.emulated(this.cpl);
    this.pmu.emulated('instruction', this.cpl);
  }

  private maybeEmulated(times: bigint): void {
    this.witness?.emulatedPossible(times);
    this.pmu.emulatedPossible(times);
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

  /** The instruction that exited is done: KVM counts it if it emulated it (semantics B.8). */
  private finishInstruction(): void {
    if (this.options.emulationRecorded) {
      for (; this.emulated > 0; this.emulated--) this.tellEmulated();
      return;
    }
    if (!this.exitSeen) {
      // The exit was before the recording, or lost.
      if (!this.begun) this.maybeEmulated(1n);
      return;
    }
    const counted = this.exitClass !== ExitClass.other && this.exitClass !== ExitClass.nmi;
    if ((counted || this.deviceAccess) && !this.faulted) this.tellEmulated();
  }

  /** `ripLow`, `ripHigh`: halves of the guest's instruction pointer. */
  exit(now: number, code: number, ripLow: number, ripHigh: number): void {
    this.residency.change(Residency.host, now);
    this.perf.residency = this.residency.total;
    this.exitClass = exitClass(code);
    this.exitSeen = true;
    this.faulted = false;
    this.deviceAccess = false;
    this.emulated = 0;
    this.rdpmcOpen = this.exitClass === ExitClass.rdpmc;
    this.places.saw = -1;
    this.cpl = this.cplOf(ripLow, ripHigh);
    this.begun = true;
  }

  /** RDMSR, WRMSR and HLT run at CPL 0 only; so does the upper half of the address space, and a page where one of them ran. */
  private cplOf(ripLow: number, ripHigh: number): number {
    if (this.exitClass === ExitClass.msr || this.exitClass === ExitClass.halt) return 0;
    if (ripHigh >= 2 ** 31) return 0;
    const page = ripHigh * 2 ** 20 + (ripLow >>> 12);
    return this.options.kernelPages.has(page) ? 0 : CPL_UNKNOWN;
  }

  /** The last exit is of this class. */
  get lastExit(): ExitClass {
    return this.exitSeen ? this.exitClass : ExitClass.other;
  }

  /** KVM injects an exception: the instruction that exited is not emulated. */
  exceptionInjected(): void {
    this.faulted = true;
  }

  /** KVM emulates an access to a device: an instruction that page-faulted is emulated. */
  deviceAccessed(): void {
    this.deviceAccess = true;
  }

  /** A probe saw KVM count an emulated instruction. Where that reprograms, its perf calls are recorded after this. */
  instructionEmulated(): void {
    if (this.options.rules.softCount !== 'apart') this.emulated++;
    else this.tellEmulated();
  }

  scheduledOut(now: number): void {
    this.wasOut = true;
    if (this.residency.mode !== Residency.host) this.residency.change(Residency.host, now);
  }

  scheduledIn(now: number): void {
    this.perf.mayBePlacedAgain();
    if (this.wasOut) {
      this.witness?.scheduled();
      this.pmu.scheduled();
    }
    this.wasOut = false;
    if (!this.options.entersRecorded && !this.open.open)
      this.residency.change(Residency.maybe, now);
  }

  /** From here on nothing that happens to this vCPU began before the recording (or before a loss). */
  private fullyRecorded(): void {
    this.begun = true;
    this.perf.expectCreates = this.options.createsRecorded;
    this.perf.expectPauses = this.options.pausesRecorded;
  }

  /** A record at the begin of a guest write. */
  accessBegins(now: number, write: boolean, code: number, flags: number, value: bigint): void {
    this.close(now);
    this.leaveGuest(now);
    this.unseenEntry(EXITS_UNSEEN);
    this.open.begin(write, code);
    this.open.told(flags, value);
  }

  private leaveGuest(now: number): void {
    if (this.residency.mode === Residency.host) return;
    this.residency.change(Residency.host, now);
    this.perf.residency = this.residency.total;
  }

  /** The access is done: predict, compare, adopt. Undefined for writes that were taken and reads without a value. */
  accessCompletes(
    seq: number,
    now: number,
    time: bigint,
    write: boolean,
    code: number,
    flags: number,
    value: bigint,
  ): Observation | undefined {
    this.leaveGuest(now);
    if (!this.open.open) this.unseenEntry(EXITS_UNSEEN);
    // With entries recorded, nothing overflows between the last entry's exit and the access.
    if (!this.options.overflowsRecorded && !this.options.entersRecorded) this.inferOverflows();
    if ((flags & EventFlag.failed) !== 0) this.faulted = true;
    const observation = write
      ? this.completeWrite(seq, time, code, flags, value)
      : this.completeRead(seq, time, code, flags, value);
    if (registerSpace(flags) === RegisterSpace.rdpmc) this.rdpmcOpen = false;
    this.accesses++;
    // A write of a counter that runs sets a period from what its event had not counted (semantics B.5).
    if (write && this.result.counter >= 0) this.perf.takePeriodTold(this.result.counter);
    this.endAccess(now);
    return observation;
  }

  private completeWrite(
    seq: number,
    time: bigint,
    code: number,
    flags: number,
    value: bigint,
  ): Observation | undefined {
    if ((flags & EventFlag.failed) !== 0) {
      return this.completeRefusedWrite(seq, time, code, flags, value);
    }
    if ((flags & EventFlag.noValue) !== 0) {
      this.tallies.unrecordedWrites++;
      this.witness?.writeUnknown(code);
      this.pmu.wrmsrUnknown(code);
      return undefined;
    }
    this.witness?.write(code, value);
    const before = this.result;
    this.pmu.wrmsr(code, value, before);
    if (!this.result.undef) return undefined;
    // The model refuses what KVM took.
    return this.observation(seq, time, code, flags, value, this.unlessSole(seq, 'contradicted'));
  }

  private completeRefusedWrite(
    seq: number,
    time: bigint,
    code: number,
    flags: number,
    value: bigint,
  ): Observation {
    this.witness?.refusedWrite(code, value);
    const before = this.snapshot();
    this.pmu.wrmsr(code, value, this.result);
    const { undef, outcomeUnknown } = this.result;
    if (!undef) this.restore(before);
    this.pmu.wrmsrFaulted(code);
    const verdict = undef ? 'confirmed' : outcomeUnknown ? 'unknown' : 'contradicted';
    return this.observation(seq, time, code, flags, value, this.unlessSole(seq, verdict));
  }

  private completeRead(
    seq: number,
    time: bigint,
    code: number,
    flags: number,
    value: bigint,
  ): Observation | undefined {
    const out = this.result;
    const space = registerSpace(flags);
    const refused = (flags & EventFlag.failed) !== 0;
    this.predictRead(code, space);
    if (out.counter >= 0 && this.open.strayPointer !== 0n) {
      this.perf.bind(out.counter, this.open.strayPointer, this.open.strayCount);
      this.predictRead(code, space);
    }
    const told = !refused && (flags & EventFlag.noValue) === 0;
    this.witness?.read(code, space, refused, told ? value : undefined);
    if (!refused && !told) {
      this.tallies.unrecordedReads++;
      return undefined;
    }
    const verdict = this.unlessSole(
      seq,
      judgeRead(out, value, refused, () => U64_MAX),
    );
    const observation = this.observation(seq, time, code, flags, value, verdict);
    if (!refused && (verdict !== 'confirmed' || out.counter >= 0)) {
      if (space === RegisterSpace.rdpmc) this.pmu.adoptRdpmc(code, value);
      else this.pmu.adopt(code, value);
      if (out.counter >= 0 && this.places.saw >= 0 && this.places.at[out.counter] === -1) {
        this.options.hardware?.tie(this.places.saw, this, out.counter);
      }
    }
    return observation;
  }

  private predictRead(code: number, space: RegisterSpace): void {
    // A guest's RDPMC at CPL 3 needs CR4.PCE; hardware refuses it before the exit.
    if (space === RegisterSpace.rdpmc) this.pmu.rdpmc(code, 0, 1, this.result);
    else this.pmu.rdmsr(code, this.result);
  }

  /** A constant must not be predicted from the very access that shows it. */
  private unlessSole(seq: number, verdict: Verdict): Verdict {
    return this.options.soleWitnesses.has(seq) ? 'unknown' : verdict;
  }

  /** The overflow callback of the counter's event ran. */
  overflow(i: number): void {
    this.witness?.overflow(i);
    this.pmu.overflow(i);
  }

  /** An event-read of an event no counter is known to own: it is the open access's. */
  strayRead(pointer: bigint, count: bigint): void {
    if (this.lastExit === ExitClass.msr || this.lastExit === ExitClass.rdpmc) {
      this.open.stray(pointer, count);
    }
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

  /** The guest's LAPIC accepted an interrupt (delivery mode 4: an NMI). */
  interruptAccepted(vector: number, mode: number): void {
    if (mode === 4) this.nmiAccepted = true;
    else this.vectorAccepted = vector;
  }

  /** NMIs and vectors have other causes too: only a PMI that is missing contradicts. */
  private comparePmi(predicted: Pmi): void {
    if (!this.options.pmisRecorded || predicted === 'none') return;
    if (predicted === 'unknown') {
      if (this.nmiAccepted) this.tallies.irqUnknown++;
      return;
    }
    const seen = predicted === 'nmi' ? this.nmiAccepted : this.vectorAccepted === predicted;
    if (seen) this.tallies.irqConfirmed++;
    else this.tallies.irqContradicted++;
  }

  /**
   * Overflows that no record tells (perf.data holds nothing made in an NMI). An overflow makes KVM reprogram the counter
   * before the next entry: one that KVM paused for no other reason overflowed, and one it did not pause did not. Without
   * pauses, an event that surely reached its period overflowed, and one that may have, may have.
   */
  private inferOverflows(): void {
    const { pmu, perf } = this;
    const { counters } = pmu;
    if (this.pausesTell) {
      if (!perf.anyEarly) return;
      for (let k = 0; k < counters.length; k++) {
        const i = counters[k]!;
        if (!perf.wasPausedNow(i)) continue;
        if (!pmu.mayBePending(i) || pmu.overflowDue(i)) this.overflow(i);
      }
      return;
    }
    for (let k = 0; k < counters.length; k++) {
      const i = counters[k]!;
      if (perf.life[i] === Backing.none) continue;
      // The host's accesses to a hardware counter show its overflows.
      if (this.places.tells(i)) continue;
      const reached = pmu.overflowReached(i);
      if (reached === 1) this.overflow(i);
      else if (reached === 2) {
        this.witness?.overflowPossible(i);
        pmu.markOverflowPossible(i);
      }
    }
  }

  /** A counter whose value is not known: its event's new period tells. */
  private learnFromPeriods(): void {
    if (!this.perf.anyPeriodTold) return;
    this.perf.anyPeriodTold = false;
    const { config } = this.pmu;
    for (const i of this.pmu.counters) {
      const period = this.perf.takePeriodTold(i);
      if (period === 0n) continue;
      const { span, width } = this.pmu.counterView(i);
      if (span === 0n) continue;
      const value = BigInt.asUintN(width, -period);
      this.pmu.adopt(counterMsr(i, config.vendor, config.perfctrCore), value);
    }
  }

  private get pausesTell(): boolean {
    return this.options.pausesRecorded && this.begun;
  }

  forget(now: number): void {
    this.open.end();
    this.witness?.forget();
    this.pmu.forget();
    this.perf.forget();
    this.begun = false;
    this.exitSeen = false;
    this.rdpmcOpen = false;
    this.emulated = 0;
    this.places.forget();
    this.residency.change(Residency.maybe, now);
  }

  /** Ends an access whose return was not recorded. */
  private close(now: number): void {
    const { open } = this;
    if (!open.open) return;
    if (open.isWrite) {
      if (open.valueKnown) {
        this.witness?.write(open.code, open.value);
        this.pmu.wrmsr(open.code, open.value, this.result);
      } else {
        this.tallies.unrecordedWrites++;
        this.witness?.writeUnknown(open.code);
        this.pmu.wrmsrUnknown(open.code);
      }
    } else this.tallies.unrecordedReads++;
    this.endAccess(now);
  }

  private endAccess(now: number): void {
    this.open.end();
    this.places.programChanged();
    // Deferred rules program events at the entry: until then what was recorded waits.
    if (this.options.rules.reprogram === 'immediate') this.takeOverEvents();
    this.unseenEntry(1n);
    if (!this.options.entersRecorded) this.residency.change(Residency.maybe, now);
  }

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

  private observation(
    seq: number,
    time: bigint,
    code: number,
    flags: number,
    recorded: bigint,
    verdict: Verdict,
  ): Observation {
    const out = this.result;
    const space = registerSpace(flags);
    const why = this.uncertainty(seq, code, space);
    return {
      seq,
      time,
      vcpu: this.slot,
      code,
      space,
      counter: out.counter,
      verdict,
      low: out.low,
      span: out.span,
      unknownBits: out.unknownBits,
      predictedUndef: out.undef,
      recorded,
      recordedUndef: (flags & EventFlag.failed) !== 0,
      evidence: out.counter >= 0 ? this.perf.evidence[out.counter]! : 0,
      reason: why?.reason ?? '',
      since: why?.since ?? 0,
    };
  }

  private uncertainty(
    seq: number,
    code: number,
    space: RegisterSpace,
  ): { readonly reason: string; readonly since: number } | undefined {
    const sole = { reason: 'constant-not-seen-elsewhere', since: 0 };
    if (this.options.soleWitnesses.has(seq)) return sole;
    if (isExact(this.result)) return undefined;
    const told = (reason: number, since: number) =>
      reason === 0
        ? sole
        : { reason: UNCERTAINTY_REASONS[reason]?.code ?? '', since: Math.max(0, since) };
    const { counter } = this.result;
    if (counter >= 0) {
      const view = this.pmu.counterView(counter);
      const kind = space === RegisterSpace.msr ? msrKind(decodeMsr(code)) : Msr.counter;
      return kind === Msr.selector || kind === Msr.amdSelector
        ? told(view.selectorReason, view.selectorSince)
        : told(view.reason, view.since);
    }
    const unknown = this.pmu.registerViews().find((view) => view.unknownBits !== 0n);
    return unknown === undefined ? sole : told(unknown.reason, unknown.since);
  }

  snapshot(): Uint8Array {
    return snapshotVcpu(this);
  }

  restore(bytes: Uint8Array): void {
    restoreVcpu(this, bytes);
  }

  fields(visitor: FieldVisitor): void {
    const { tallies: t } = this;
    this.residency.fields(visitor);
    this.open.fields(visitor);
    this.perf.fields(visitor);
    this.pcpu = visitor.number(this.pcpu);
    this.enteredAt = visitor.number(this.enteredAt);
    t.unrecordedReads = visitor.number(t.unrecordedReads);
    t.unrecordedWrites = visitor.number(t.unrecordedWrites);
    t.irqConfirmed = visitor.number(t.irqConfirmed);
    t.irqUnknown = visitor.number(t.irqUnknown);
    t.irqContradicted = visitor.number(t.irqContradicted);
    this.accesses = visitor.number(this.accesses);
    this.exitClass = visitor.number(this.exitClass) as ExitClass;
    this.cpl = visitor.number(this.cpl);
    this.emulated = visitor.number(this.emulated);
    this.vectorAccepted = visitor.number(this.vectorAccepted);
    this.exitSeen = visitor.flag(this.exitSeen);
    this.faulted = visitor.flag(this.faulted);
    this.deviceAccess = visitor.flag(this.deviceAccess);
    this.rdpmcOpen = visitor.flag(this.rdpmcOpen);
    this.nmiAccepted = visitor.flag(this.nmiAccepted);
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
