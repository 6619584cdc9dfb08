import type { PerfEventAttr, VcpuFact } from '../domain/log-facts.ts';
import type { FieldVisitor } from './fields.ts';
import { GuestResidency, Residency } from './guest-residency.ts';
import type { ReplayTallies } from './observation.ts';
import { OpenAccess } from './open-access.ts';
import type { RecordedPerf } from './recorded-perf.ts';
import type { CounterGates, CounterState, VcpuState } from './state-view.ts';
import type { CounterSwitches, CounterValue, VcpuReplay } from './vcpu-replay.ts';
import { restoreVcpu, snapshotVcpu } from './vcpu-snapshot.ts';

/** What the replay needs of an emulated PMU of either architecture. */
export interface ReplayedPmu {
  seq: number;
  valueView(counter: number): CounterValue;
  snapshot(): Uint8Array;
  restore(bytes: Uint8Array): unknown;
}

/**
 * What a vCPU under replay has on every architecture: its emulated PMU, the recorded life of the backing events, where
 * its thread is, and the guest access that is open. All of it is in `snapshot()`.
 */
export abstract class ReplayedVcpu<Pmu extends ReplayedPmu, Perf extends RecordedPerf>
  implements VcpuReplay
{
  readonly slot: number;
  readonly pmu: Pmu;
  readonly perf: Perf;
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
  /** Something of it began in the recording: what comes after is not the end of something from before. */
  protected begun = false;
  protected readonly open = new OpenAccess();
  /** This log records guest-enter and guest-exit. */
  readonly entersRecorded: boolean;

  constructor({ slot, resolution, entersRecorded }: CommonVcpuOptions, pmu: Pmu, perf: Perf) {
    this.slot = slot;
    this.pmu = pmu;
    this.perf = perf;
    this.entersRecorded = entersRecorded;
    this.residency = new GuestResidency(resolution);
  }

  abstract get counters(): readonly number[];
  abstract get interruptLine(): number | undefined;
  abstract counterState(counter: number): CounterState;
  abstract counterGates(counter: number): CounterGates;
  abstract counterSwitches(counter: number): CounterSwitches;
  abstract state(fact: VcpuFact): VcpuState;
  abstract forget(now: number): void;
  /** The plain fields, in the order of the snapshot. */
  abstract fields(visitor: FieldVisitor): void;

  counterValue(counter: number): CounterValue {
    return this.pmu.valueView(counter);
  }

  at(seq: number, now: number): void {
    this.pmu.seq = seq;
    this.perf.seq = seq;
    this.perf.residency = this.residency.upTo(now);
  }

  scheduledOut(now: number): void {
    if (this.residency.mode !== Residency.host) this.residency.change(Residency.host, now);
  }

  scheduledIn(now: number): void {
    this.perf.mayBePlacedAgain();
    if (!this.open.open) this.mayRunFrom(now);
  }

  /** A record that is only made in the host: if no guest-exit told, the guest was left now. */
  protected leaveGuest(now: number): void {
    if (this.residency.mode === Residency.host) return;
    this.residency.change(Residency.host, now);
    this.perf.residency = this.residency.total;
  }

  /** Without entries in the recording, the guest may run from now on. */
  protected mayRunFrom(now: number): void {
    if (!this.entersRecorded) this.residency.change(Residency.maybe, now);
  }

  snapshot(): Uint8Array {
    return snapshotVcpu(this);
  }

  restore(bytes: Uint8Array): void {
    restoreVcpu(this, bytes);
  }

  /** Fields of the parts: where the thread is, what access is open. */
  protected partFields(visitor: FieldVisitor): void {
    this.residency.fields(visitor);
    this.open.fields(visitor);
  }

  protected commonFields(visitor: FieldVisitor): void {
    const { tallies: t } = this;
    this.pcpu = visitor.number(this.pcpu);
    this.enteredAt = visitor.number(this.enteredAt);
    t.unrecordedReads = visitor.number(t.unrecordedReads);
    t.unrecordedWrites = visitor.number(t.unrecordedWrites);
    t.irqConfirmed = visitor.number(t.irqConfirmed);
    t.irqUnknown = visitor.number(t.irqUnknown);
    t.irqContradicted = visitor.number(t.irqContradicted);
    this.accesses = visitor.number(this.accesses);
  }
}

/** What never changes while one vCPU is replayed, whatever its architecture. */
export interface CommonVcpuOptions {
  readonly slot: number;
  /** Step of the recorded times, ns. */
  readonly resolution: number;
  /** This log records guest-enter and guest-exit; overflow handlers; creations of backing events. */
  readonly entersRecorded: boolean;
  readonly overflowsRecorded: boolean;
  readonly createsRecorded: boolean;
  /** The log's attr side table. */
  readonly attr: (id: number) => PerfEventAttr | undefined;
}
