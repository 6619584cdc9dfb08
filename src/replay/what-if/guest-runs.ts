import { U64_MAX } from '../../domain/u64.ts';
import type { AccessResult } from '../../emulator/pmuv3-config.ts';
import type { EventCeiling, RecordedPerf } from '../recorded-perf.ts';
import type { CounterfactualPerf } from './counterfactual-perf.ts';
import type { EngineRun, GuestAccess, VcpuRuns } from './engine-run.ts';
import { type CountedEvent, FactualCounts } from './factual-counts.ts';

/** What is looked at of the recorded vCPU. */
interface FactualVcpu {
  readonly slot: number;
  readonly perf: RecordedPerf;
  readonly counters: readonly number[];
  readonly pmu: { readonly seq: number };
}

/** The vPMUs of one vCPU under other rules, whatever its architecture: when the counts of their events are brought up to date. */
export abstract class GuestRuns<
  Vcpu extends FactualVcpu,
  Run extends EngineRun & { readonly perf: CounterfactualPerf },
> implements VcpuRuns
{
  readonly slot: number;
  abstract readonly runs: readonly Run[];
  protected readonly vcpu: Vcpu;
  protected readonly counts: FactualCounts;
  protected readonly counters: readonly number[];
  /** Events the recorded host refused to create. */
  protected readonly refused = new Set<number>();
  protected readonly accessed: (access: GuestAccess) => void;
  #stepped = false;
  /** The counter a guest read may have proved the count of, −1 none since the last settling. */
  #read = -1;

  constructor(vcpu: Vcpu, ceiling: EventCeiling, accessed: (access: GuestAccess) => void) {
    this.slot = vcpu.slot;
    this.vcpu = vcpu;
    this.accessed = accessed;
    this.counters = vcpu.counters;
    this.counts = new FactualCounts(vcpu.perf, ceiling, (i) => this.recordedEvent(i));
  }

  /** What the recorded event of a counter counts; undefined: there is none, or nobody knows. */
  protected abstract recordedEvent(counter: number): CountedEvent | undefined;

  refuse(event: number): void {
    this.refused.add(event);
  }

  settle(): void {
    const { counts } = this;
    for (const i of this.counters) {
      if (!counts.changed(i) && !this.#touched(i)) continue;
      // A record that only disables comes before or inside a step: that one settles, with the exact count.
      if (!this.#stepped && i !== this.#read && counts.perf.wanted[i] !== 1) continue;
      this.#look(i);
    }
    this.#stepped = false;
    this.#read = -1;
  }

  /** The same for every counter, also where nothing seems to have changed. */
  protected settleAll(): void {
    for (const i of this.counters) this.#look(i);
  }

  /** Settles what an earlier step or read has left. */
  protected settleLast(): void {
    if (this.#stepped || this.#read >= 0) this.settle();
  }

  /** Something is about to happen that can end, make, pause, enable or disable events. */
  protected beginStep(): void {
    this.counts.mark(this.counters);
    this.#stepped = true;
  }

  /** A guest read of a counter, as the recorded model answers it: with an exact base, the value read tells the count. */
  protected readTells(factual: Readonly<AccessResult>, value: bigint | undefined): void {
    const { counter } = factual;
    if (counter < 0) return;
    const { counts } = this;
    counts.mark([counter]);
    const span = counts.endSpan[counter]!;
    if (value !== undefined && span !== 0n && span !== U64_MAX && factual.span === span) {
      const skip = BigInt.asUintN(factual.width, value - factual.low);
      if (skip <= span) counts.proved(counter, skip);
    }
    this.#read = counter;
  }

  #look(counter: number): void {
    const count = this.counts.look(counter);
    for (const { perf } of this.runs) perf.settle(counter, count);
  }

  #touched(counter: number): boolean {
    for (const { perf } of this.runs) if (perf.touched(counter)) return true;
    return false;
  }
}
