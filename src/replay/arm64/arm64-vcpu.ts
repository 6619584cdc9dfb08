import { PmuRegister, registerByCode, sysregCode } from '../../arch/arm64-registers.ts';
import type { Arm64RuleSet } from '../../arch/arm64-rules.ts';
import { EventFlag, RegisterSpace, registerSpace } from '../../domain/event-kind.ts';
import type { PerfEventAttr, VcpuFact } from '../../domain/log-facts.ts';
import { U64_MAX } from '../../domain/u64.ts';
import { Pmuv3 } from '../../emulator/pmuv3.ts';
import { type AccessResult, accessResult, type Pmuv3Config } from '../../emulator/pmuv3-config.ts';
import { UNCERTAINTY_REASONS, UncertaintyReason } from '../../emulator/uncertainty.ts';
import { eventCeilingPerNs } from '../event-ceiling.ts';
import type { FieldVisitor } from '../fields.ts';
import { GuestResidency, Residency } from '../guest-residency.ts';
import { isExact, judgeRead } from '../judge.ts';
import type { Observation, ReplayTallies, Verdict } from '../observation.ts';
import { OpenAccess } from '../open-access.ts';
import { Backing, RecordedPerf } from '../recorded-perf.ts';
import type { CounterState, VcpuState } from '../state-view.ts';
import type { CounterSwitches, CounterValue, VcpuReplay } from '../vcpu-replay.ts';
import { restoreVcpu, snapshotVcpu } from '../vcpu-snapshot.ts';
import type { VcpuFacts } from '../vm-facts.ts';
import { arm64State, counterState } from './arm64-view.ts';
import type { Arm64Witness } from './arm64-witness.ts';

const PMCR = sysregCode(3, 3, 9, 12, 0);
const PMCEID0 = sysregCode(3, 3, 9, 12, 6);
const PMCEID1 = sysregCode(3, 3, 9, 12, 7);
const PMCCNTR = sysregCode(3, 3, 9, 13, 0);
const PMCR_N_BITS = 0xf800n;
const PMCR_IDENTITY_BITS = 0xffff0000n;

/** The register code of counter `i` in its direct form. */
export function counterCode(i: number): number {
  return i === 31 ? PMCCNTR : sysregCode(3, 3, 14, 8 + (i >> 3), i & 7);
}

/** What never changes while one vCPU is replayed. */
export interface Arm64VcpuOptions {
  readonly slot: number;
  readonly facts: VcpuFacts;
  readonly rules: Arm64RuleSet;
  /** Step of the recorded times, ns. */
  readonly resolution: number;
  /** True when this log records guest-enter and guest-exit. */
  readonly entersRecorded: boolean;
  readonly overflowsRecorded: boolean;
  readonly createsRecorded: boolean;
  /** True when this log records pmcr-handle: the first run is then seen as one outside any access. */
  readonly pmcrHandlesRecorded: boolean;
  readonly attr: (id: number) => PerfEventAttr | undefined;
}

/**
 * One vCPU while it is replayed: its emulated PMU, the recorded life of the backing events, where its thread is, and
 * the register access that is open. All of it is in `snapshot()`.
 */
export class Arm64Vcpu implements VcpuReplay {
  readonly slot: number;
  readonly pmu: Pmuv3;
  readonly perf = new RecordedPerf(32, eventCeilingPerNs);
  readonly residency: GuestResidency;
  /** Physical CPU the thread was last seen on, −1 unknown. */
  pcpu = -1;
  /** Seq of the last guest-enter, 0 none. */
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
  /** An access or entry began in the recording: what comes after is not the end of something from before it. */
  private begun = false;
  /** Reset in this recording and not run since: nothing on its thread can be part of a guest access. */
  newborn = false;

  /** Told of every step before this model takes it. */
  witness: Arm64Witness | undefined;

  private readonly open = new OpenAccess();
  private firstRunOpen = false;

  private readonly options: Arm64VcpuOptions;
  private readonly result: AccessResult = accessResult();
  private readonly config: Pmuv3Config;

  constructor(options: Arm64VcpuOptions) {
    this.slot = options.slot;
    this.options = options;
    this.residency = new GuestResidency(options.resolution);
    const { facts } = options;
    this.config = {
      pmcrN: facts.pmcrN?.value ?? 31,
      pmuVer: facts.wideCounters?.value === true ? 6 : 5,
      hostPmuVer: facts.wideCounters?.value === true ? 6 : 5,
      el0Aarch32: facts.el0Aarch32?.value ?? false,
      el2: false,
      el3: false,
      hostPmceid0: facts.pmceid0?.value,
      hostPmceid1: facts.pmceid1?.value,
      pmcrIdentity: (facts.pmcrIdentity?.value ?? 0n) << 16n,
      pmcrUnknownMask: 0n,
      pmuPresent: true,
    };
    this.pmu = new Pmuv3(this.config, options.rules, this.perf);
  }

  get counters(): readonly number[] {
    const valid = this.validCounters;
    return Array.from({ length: 32 }, (_, i) => i).filter((i) => ((valid >>> i) & 1) !== 0);
  }

  counterValue(counter: number): CounterValue {
    return this.pmu.counterView(counter);
  }

  counterState(counter: number): CounterState {
    return counterState(this, counter);
  }

  counterSwitches(counter: number): CounterSwitches {
    const { interruptEnable, overflowStatus, overflow64 } = this.pmu.counterView(counter);
    return {
      interruptEnable,
      overflowStatus,
      overflowBits: overflow64 === undefined ? undefined : overflow64 ? 64 : 32,
    };
  }

  get interruptLine(): number | undefined {
    return this.pmu.lineLevel();
  }

  state(fact: VcpuFact): VcpuState {
    return arm64State(this, fact);
  }

  /** Bits of the counters that exist: 0..N−1 and 31. */
  get validCounters(): number {
    return ((2 ** this.config.pmcrN - 1) | (1 << 31)) >>> 0;
  }

  /** Tells all parts which event is applied and how much guest time is behind it; call before anything else. */
  at(seq: number, now: number): void {
    this.pmu.seq = seq;
    this.perf.seq = seq;
    this.perf.residency = this.residency.upTo(now);
  }

  /** The vCPU enters guest mode. */
  enter(seq: number, now: number): void {
    this.playFirstRun();
    this.close(now);
    this.open.end();
    this.takeOverEvents();
    this.witness?.enter();
    this.pmu.guestEnter();
    this.fullyRecorded();
    this.enteredAt = seq;
    this.residency.change(Residency.guest, now);
  }

  exit(now: number): void {
    this.residency.change(Residency.host, now);
    this.perf.residency = this.residency.total;
    this.witness?.exit();
    this.pmu.guestExit();
  }

  scheduledOut(now: number): void {
    if (this.residency.mode !== Residency.host) this.residency.change(Residency.host, now);
  }

  scheduledIn(now: number): void {
    this.perf.mayBePlacedAgain();
    if (!this.options.entersRecorded && !this.open.open)
      this.residency.change(Residency.maybe, now);
  }

  /** From here on nothing that happens to this vCPU began before the recording (or before a loss). */
  private fullyRecorded(): void {
    this.newborn = false;
    this.begun = true;
    this.perf.expectCreates = this.options.createsRecorded;
  }

  /** A record made before the access is done: the tracepoint or a probe at handler entry. */
  accessBegins(now: number, write: boolean, code: number, flags: number, value: bigint): void {
    if (!this.open.continuedBy(write, code, flags)) {
      this.playFirstRun();
      this.close(now);
      if (this.residency.mode !== Residency.host) {
        this.residency.change(Residency.host, now);
        this.perf.residency = this.residency.total;
      }
      this.fullyRecorded();
      this.open.begin(write, code);
    }
    this.open.told(flags, value);
  }

  /** The handler returned: predict, compare, adopt. Undefined for writes and for reads without a recorded value. */
  accessCompletes(
    seq: number,
    now: number,
    time: bigint,
    write: boolean,
    code: number,
    flags: number,
    value: bigint,
  ): Observation | undefined {
    if (this.residency.mode !== Residency.host) {
      this.residency.change(Residency.host, now);
      this.perf.residency = this.residency.total;
    }
    this.playFirstRun();
    if (!this.options.overflowsRecorded && !this.isPlainCounterRead(write, code, flags)) {
      this.markPossibleOverflows();
    }
    const observation = write
      ? this.completeWrite(seq, time, code, flags, value)
      : this.completeRead(seq, time, code, flags, value);
    this.accesses++;
    this.endAccess(now);
    this.fullyRecorded();
    return observation;
  }

  /** A KVM step inside an access: the value it shows stands in when the access's own value is not recorded. */
  step(value: bigint): void {
    this.open.step(value);
  }

  /** pmcr-handle: inside an access one of its steps, outside of one what the first run does (rule reloadAtFirstRun). */
  pmcrHandled(value: bigint): void {
    if (this.open.open) this.step(value);
    else if (this.accesses === 0) this.firstRunOpen = true;
  }

  /** The first run's steps are recorded after its pmcr-handle: it is played when they are over. */
  private playFirstRun(): void {
    if (!this.firstRunOpen) return;
    this.firstRunOpen = false;
    this.witness?.firstRun();
    this.pmu.firstRun();
    this.takeOverEvents();
  }

  /** KVM resets the vPMU. */
  reset(): void {
    this.playFirstRun();
    this.newborn = this.accesses === 0 && this.enteredAt === 0;
    const firstRunComes = this.newborn && !this.options.pmcrHandlesRecorded;
    this.witness?.reset(firstRunComes);
    this.pmu.vcpuReset();
    if (firstRunComes) this.pmu.setHasRun(false);
  }

  get accessIsOpen(): boolean {
    return this.open.open;
  }

  /** An event-read of an event no counter is known to own: it is the open access's, which may have begun unrecorded. */
  strayRead(pointer: bigint, count: bigint): void {
    if (this.open.open || !this.begun) this.open.stray(pointer, count);
  }

  /** The overflow handler of a counter's event ran. */
  overflow(counter: number): void {
    this.witness?.overflow(counter);
    this.pmu.overflow(counter);
  }

  /** The vGIC was told a new level of the PMU's interrupt. */
  irqLevel(level: number): void {
    if (!this.options.overflowsRecorded) this.markPossibleOverflows();
    const predicted = this.pmu.lineLevel();
    if (predicted === undefined) this.tallies.irqUnknown++;
    else if (predicted === level) this.tallies.irqConfirmed++;
    else this.tallies.irqContradicted++;
  }

  /** Userspace read a counter (KVM_GET_ONE_REG): not a guest read, but it shows a value nobody knew yet. */
  userspaceCounter(counter: number, value: bigint): void {
    this.pmu.read(counterCode(counter), RegisterSpace.sysreg, 1, this.result);
    if (!this.result.undef && this.result.span === U64_MAX) {
      this.pmu.adopt(counterCode(counter), RegisterSpace.sysreg, value);
    }
  }

  /** The VMM set a PMU register (KVM_SET_ONE_REG): from here on it shows this value; one not recorded is not known. */
  userspaceSet(code: number, flags: number, value: bigint): void {
    const space = registerSpace(flags);
    // What KVM creates at the VMM's request belongs to no guest access.
    const { deviations } = this.perf;
    this.takeOverEvents();
    this.perf.deviations = deviations;
    if ((flags & EventFlag.noValue) === 0) this.pmu.adopt(code, space, value);
    else this.pmu.forgetRegister(code, space, UncertaintyReason.userspaceUnknown);
  }

  /** Records were lost: nothing is known until records tell again. */
  forget(now: number): void {
    this.open.end();
    this.witness?.forget();
    this.pmu.forget();
    this.perf.forget();
    this.perf.expectCreates = false;
    this.begun = false;
    this.residency.change(Residency.maybe, now);
  }

  private completeWrite(
    seq: number,
    time: bigint,
    code: number,
    flags: number,
    value: bigint,
  ): Observation | undefined {
    const space = registerSpace(flags);
    if ((flags & EventFlag.failed) !== 0)
      return this.completeRefusedWrite(seq, time, code, flags, value);
    if ((flags & EventFlag.noValue) !== 0) {
      this.tallies.unrecordedWrites++;
      this.witness?.writeUnknown(code, space);
      this.pmu.writeUnknown(code, space, 1);
      return undefined;
    }
    this.witness?.write(code, space, value);
    this.pmu.write(code, space, value, 1, this.result);
    if (!this.result.undef) return undefined;
    // The model refuses what KVM took.
    return this.observation(seq, time, code, flags, value, 'contradicted');
  }

  /** A write that KVM refused must be one the model refuses, at EL1 or at EL0 (the level is not recorded). */
  private completeRefusedWrite(
    seq: number,
    time: bigint,
    code: number,
    flags: number,
    value: bigint,
  ): Observation {
    const space = registerSpace(flags);
    this.witness?.refusedWrite(code, space, value);
    const before = this.snapshot();
    this.pmu.write(code, space, value, 1, this.result);
    if (!this.result.undef) {
      this.restore(before);
      this.pmu.write(code, space, value, 0, this.result);
    }
    const { undef, outcomeUnknown } = this.result;
    this.restore(before);
    const verdict = undef ? 'confirmed' : outcomeUnknown ? 'unknown' : 'contradicted';
    return this.observation(seq, time, code, flags, value, verdict);
  }

  private completeRead(
    seq: number,
    time: bigint,
    code: number,
    flags: number,
    value: bigint,
  ): Observation | undefined {
    const space = registerSpace(flags);
    const out = this.result;
    const refused = (flags & EventFlag.failed) !== 0;
    const hidden = this.hideWhatOnlyThisReadShows(code, seq);
    this.pmu.read(code, space, 1, out);
    if (hidden) this.pmu.reconfigure(this.config);
    if (refused && !out.undef) this.pmu.read(code, space, 0, out);
    if (out.counter >= 0 && this.open.strayPointer !== 0n) {
      this.perf.bind(out.counter, this.open.strayPointer, this.open.strayCount);
      this.pmu.read(code, space, 1, out);
    }
    const told = !refused && (flags & EventFlag.noValue) === 0;
    this.witness?.read(code, space, refused, told ? value : undefined);
    if (!refused && !told) {
      this.tallies.unrecordedReads++;
      return undefined;
    }
    const verdict = judgeRead(out, value, refused, () => this.tellingBits(code, space));
    const observation = this.observation(seq, time, code, flags, value, verdict);
    if (!refused && (verdict !== 'confirmed' || out.counter >= 0))
      this.pmu.adopt(code, space, value);
    return observation;
  }

  /** A constant must not be predicted from the very read that shows it. */
  private hideWhatOnlyThisReadShows(code: number, seq: number): boolean {
    if (code !== PMCR && code !== PMCEID0 && code !== PMCEID1) return false;
    const { facts } = this.options;
    const sole = (fact: { first: number; second: number } | undefined): boolean =>
      fact === undefined || (fact.second === 0 && fact.first === seq);
    this.pmu.reconfigure({
      ...this.config,
      pmcrUnknownMask:
        (sole(facts.pmcrN) ? PMCR_N_BITS : 0n) |
        (sole(facts.pmcrIdentity) ? PMCR_IDENTITY_BITS : 0n),
      hostPmceid0: sole(facts.pmceid0) ? undefined : facts.pmceid0?.value,
      hostPmceid1: sole(facts.pmceid1) ? undefined : facts.pmceid1?.value,
    });
    return true;
  }

  /** A read of a counter that has a backing event: no overflow changes it, for only CHAIN counters are ticked by one. */
  private isPlainCounterRead(write: boolean, code: number, flags: number): boolean {
    if (write) return false;
    const match = registerByCode(code, registerSpace(flags));
    const register = match?.row.register;
    if (register === PmuRegister.ccntr) return true;
    return register === PmuRegister.evcntr && this.perf.life[match!.index] === Backing.live;
  }

  /** Where overflows are not recorded, one may have happened to every event that may have reached its period. */
  private markPossibleOverflows(): void {
    for (let i = 0; i < this.perf.size; i++) {
      if (this.perf.life[i] !== Backing.none && this.pmu.overflowPossible(i))
        this.pmu.markOverflowPossible(i);
    }
  }

  /** The bits of a register that say something; if none of them is known, nothing is. */
  private tellingBits(code: number, space: RegisterSpace): bigint {
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
        return BigInt(this.validCounters);
    }
  }

  /** Why the last prediction is not exact. */
  private uncertainty(
    code: number,
    space: RegisterSpace,
  ): { readonly reason: string; readonly since: number } {
    const out = this.result;
    const told = (reason: number, since: number): { reason: string; since: number } => ({
      reason: UNCERTAINTY_REASONS[reason]?.code ?? '',
      since: Math.max(0, since),
    });
    if (out.counter >= 0) {
      const view = this.pmu.counterView(out.counter);
      return told(view.reason, view.since);
    }
    const match = registerByCode(code, space);
    switch (match?.row.register) {
      case PmuRegister.evtyper:
      case PmuRegister.ccfiltr: {
        const view = this.pmu.counterView(
          match.row.register === PmuRegister.ccfiltr ? 31 : match.index,
        );
        return told(view.typeReason, view.typeSince);
      }
      case PmuRegister.ceid0:
      case PmuRegister.ceid1:
        return { reason: 'constant-not-seen-elsewhere', since: 0 };
      default: {
        const plain = match?.row.name.replace('CLR', 'SET');
        const view = this.pmu.registerViews().find((register) => register.name === plain);
        if (view === undefined || view.reason === 0)
          return { reason: 'constant-not-seen-elsewhere', since: 0 };
        return told(view.reason, view.since);
      }
    }
  }

  private observation(
    seq: number,
    time: bigint,
    code: number,
    flags: number,
    recorded: bigint,
    verdict: Verdict,
  ): Observation {
    const out = this.result;
    const why = isExact(out) ? undefined : this.uncertainty(code, registerSpace(flags));
    return {
      seq,
      time,
      vcpu: this.slot,
      code,
      space: registerSpace(flags),
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

  /** Ends an access whose return was not recorded. */
  private close(now: number): void {
    const { open } = this;
    if (!open.open) return;
    if (open.isWrite) {
      if (open.valueKnown) {
        this.witness?.write(open.code, open.space, open.value);
        this.pmu.write(open.code, open.space, open.value, 1, this.result);
      } else {
        this.tallies.unrecordedWrites++;
        this.witness?.writeUnknown(open.code, open.space);
        this.pmu.writeUnknown(open.code, open.space, 1);
      }
    } else this.tallies.unrecordedReads++;
    this.endAccess(now);
  }

  /** Events that were created otherwise than the model thought are taken over as recorded. */
  private takeOverEvents(): void {
    if (!this.perf.pending) return;
    for (const { counter, attr } of this.perf.reconcile(this.options.attr))
      this.pmu.adoptBacking(counter, attr);
  }

  private endAccess(now: number): void {
    this.open.end();
    this.takeOverEvents();
    if (!this.options.entersRecorded) this.residency.change(Residency.maybe, now);
  }

  /** The whole state as one buffer. */
  snapshot(): Uint8Array {
    return snapshotVcpu(this);
  }

  /** Takes over a state that `snapshot` made. */
  restore(bytes: Uint8Array): void {
    restoreVcpu(this, bytes);
  }

  fields(visitor: FieldVisitor): void {
    const { residency, tallies: t, perf } = this;
    residency.fields(visitor);
    this.open.fields(visitor);
    this.pcpu = visitor.number(this.pcpu);
    this.enteredAt = visitor.number(this.enteredAt);
    t.unrecordedReads = visitor.number(t.unrecordedReads);
    t.unrecordedWrites = visitor.number(t.unrecordedWrites);
    t.irqConfirmed = visitor.number(t.irqConfirmed);
    t.irqUnknown = visitor.number(t.irqUnknown);
    t.irqContradicted = visitor.number(t.irqContradicted);
    this.accesses = visitor.number(this.accesses);
    this.firstRunOpen = visitor.flag(this.firstRunOpen);
    this.newborn = visitor.flag(this.newborn);
    this.begun = visitor.flag(this.begun);
    perf.fields(visitor);
  }
}
