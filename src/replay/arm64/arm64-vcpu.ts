import { PmuRegister, registerByCode, sysregCode } from '../../arch/arm64-registers.ts';
import { EventFlag, RegisterSpace, registerSpace } from '../../domain/event-kind.ts';
import type { VcpuFact } from '../../domain/log-facts.ts';
import { U64_MAX } from '../../domain/u64.ts';
import { UncertaintyReason } from '../../emulator/uncertainty.ts';
import type { AccessRecord } from '../access-record.ts';
import type { FieldVisitor } from '../fields.ts';
import { Residency } from '../guest-residency.ts';
import type { Observation } from '../observation.ts';
import { Backing } from '../recorded-perf.ts';
import type { CounterGates, CounterState, VcpuState } from '../state-view.ts';
import type { CounterSwitches } from '../vcpu-replay.ts';
import { Arm64Accesses } from './arm64-accesses.ts';
import { arm64State, counterGates, counterState } from './arm64-view.ts';

const PMCCNTR = sysregCode(3, 3, 9, 13, 0);

/** The register code of counter `i` in its direct form. */
export function counterCode(i: number): number {
  return i === 31 ? PMCCNTR : sysregCode(3, 3, 14, 8 + (i >> 3), i & 7);
}

/** One arm64 vCPU while it is replayed. */
export class Arm64Vcpu extends Arm64Accesses {
  /** Reset in this recording and not run since: nothing on its thread can be part of a guest access. */
  newborn = false;
  private firstRunOpen = false;
  /** The counters as numbers, made once per set of them. */
  private counterList: readonly number[] = [];
  private listedCounters = 0;

  // ---- looking -----------------------------------------------------------------------------------------------------

  get counters(): readonly number[] {
    const valid = this.validCounters;
    if (valid !== this.listedCounters) {
      this.listedCounters = valid;
      this.counterList = Array.from({ length: 32 }, (_, i) => i).filter(
        (i) => ((valid >>> i) & 1) !== 0,
      );
    }
    return this.counterList;
  }

  counterState(counter: number): CounterState {
    return counterState(this, counter);
  }

  counterGates(counter: number): CounterGates {
    return counterGates(this, counter);
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

  get accessIsOpen(): boolean {
    return this.open.open;
  }

  // ---- what the host does ------------------------------------------------------------------------------------------

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

  /** From here on nothing that happens to this vCPU began before the recording (or before a loss). */
  private fullyRecorded(): void {
    this.newborn = false;
    this.begun = true;
    this.perf.expectCreates = this.options.createsRecorded;
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

  /** The overflow handler of a counter's event ran. */
  overflow(counter: number): void {
    this.witness?.overflow(counter);
    this.pmu.overflow(counter);
  }

  /** Where overflows are not recorded, one may have happened to every event that may have reached its period. */
  private markPossibleOverflows(): void {
    for (let i = 0; i < this.perf.size; i++) {
      if (this.perf.life[i] !== Backing.none && this.pmu.overflowPossible(i))
        this.pmu.markOverflowPossible(i);
    }
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
    this.takeOverEvents((counter, attr) => this.witness?.userspaceMade(counter, attr));
    this.perf.deviations = deviations;
    const known = (flags & EventFlag.noValue) === 0;
    this.witness?.userspaceSet(code, space, known ? value : undefined);
    if (known) this.pmu.adopt(code, space, value);
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

  // ---- guest accesses ----------------------------------------------------------------------------------------------

  /** A record made before the access is done: the tracepoint or a probe at handler entry. */
  accessBegins(access: AccessRecord): void {
    const { isWrite, code, flags, now } = access;
    if (!this.open.continuedBy(isWrite, code, flags)) {
      this.playFirstRun();
      this.close(now);
      this.leaveGuest(now);
      this.fullyRecorded();
      this.open.begin(isWrite, code);
    }
    this.open.told(flags, access.value);
  }

  /** The handler returned: predict, compare, adopt. */
  accessCompletes(access: AccessRecord): Observation | undefined {
    this.leaveGuest(access.now);
    this.playFirstRun();
    if (!this.options.overflowsRecorded && !this.isPlainCounterRead(access)) {
      this.markPossibleOverflows();
    }
    const observation = this.complete(access);
    this.accesses++;
    this.endAccess(access.now);
    this.fullyRecorded();
    return observation;
  }

  /** A KVM step inside an access: the value it shows stands in when the access's own value is not recorded. */
  step(value: bigint): void {
    this.open.step(value);
  }

  /** An event-read of an event no counter is known to own: it is the open access's, which may have begun unrecorded. */
  strayRead(pointer: bigint, count: bigint): void {
    if (this.open.open || !this.begun) this.open.stray(pointer, count);
  }

  /** A read of a counter that has a backing event: no overflow changes it, for only CHAIN counters are ticked by one. */
  private isPlainCounterRead({ isWrite, code, space }: AccessRecord): boolean {
    if (isWrite) return false;
    const match = registerByCode(code, space);
    const register = match?.row.register;
    if (register === PmuRegister.ccntr) return true;
    return register === PmuRegister.evcntr && this.perf.life[match!.index] === Backing.live;
  }

  override fields(visitor: FieldVisitor): void {
    this.partFields(visitor);
    this.commonFields(visitor);
    this.firstRunOpen = visitor.flag(this.firstRunOpen);
    this.newborn = visitor.flag(this.newborn);
    this.begun = visitor.flag(this.begun);
    this.perf.fields(visitor);
  }
}
