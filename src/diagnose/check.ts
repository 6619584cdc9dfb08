import type { Observation, Verdict } from '../replay/observation.ts';
import type { ReplayStep } from '../replay/replay.ts';
import type { VcpuReplay } from '../replay/vcpu-replay.ts';

/** How the predictions of one group of reads came out. */
export interface VerdictCounts {
  total: number;
  confirmed: number;
  bounded: number;
  unknown: number;
  contradicted: number;
}

/** What checking a replay against its recorded guest reads found. All numbers are counts. */
export interface CheckTotals {
  /** All recorded outcomes of guest accesses to PMU registers that could be compared. */
  readonly guestReads: VerdictCounts;
  /** The part of guestReads that read a counter. */
  readonly counterReads: VerdictCounts;
  /** Reads of PMU registers whose value no record tells, and writes likewise. */
  readonly unrecordedReads: number;
  readonly unrecordedWrites: number;
  /** Levels of the PMU interrupt line told to the interrupt controller. */
  readonly interruptLevels: {
    readonly confirmed: number;
    readonly unknown: number;
    readonly contradicted: number;
  };
  /** Backing events whose recorded config and sample period equal the predicted ones; creations the other side does not know. */
  readonly backingEvents: {
    readonly confirmed: number;
    readonly contradicted: number;
    readonly deviations: number;
  };
  /** Sample periods KVM gave to live backing events (x86), against the predicted ones. */
  readonly samplePeriods: { readonly confirmed: number; readonly contradicted: number };
  /** Why reads are not exact: reason → reads. */
  readonly reasons: ReadonlyMap<string, number>;
  readonly contradictions: readonly Observation[];
  readonly events: number;
}

/** Contradictions kept in full; the rest is only counted. */
const CONTRADICTIONS_KEPT = 1000;

function emptyCounts(): VerdictCounts {
  return { total: 0, confirmed: 0, bounded: 0, unknown: 0, contradicted: 0 };
}

function count(counts: VerdictCounts, verdict: Verdict): void {
  counts.total++;
  counts[verdict]++;
}

/** Sums up the steps of one replay. */
export class CheckTally {
  private readonly guestReads = emptyCounts();
  private readonly counterReads = emptyCounts();
  private readonly reasons = new Map<string, number>();
  private readonly contradictions: Observation[] = [];
  private last: ReplayStep | undefined;
  /** Events applied so far. */
  events = 0;

  add(step: ReplayStep): void {
    this.last = step;
    this.events += step.applied;
    for (const observation of step.observations) {
      count(this.guestReads, observation.verdict);
      if (observation.counter >= 0) count(this.counterReads, observation.verdict);
      const { reason } = observation;
      if (reason !== '') this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
      if (
        observation.verdict === 'contradicted' &&
        this.contradictions.length < CONTRADICTIONS_KEPT
      ) {
        this.contradictions.push(observation);
      }
    }
  }

  totals(): CheckTotals {
    const vcpus = this.last?.replayer.vcpus ?? [];
    const sum = (of: (vcpu: VcpuReplay) => number): number =>
      vcpus.reduce((total, vcpu) => total + of(vcpu), 0);
    return {
      guestReads: this.guestReads,
      counterReads: this.counterReads,
      unrecordedReads: sum(({ tallies }) => tallies.unrecordedReads),
      unrecordedWrites: sum(({ tallies }) => tallies.unrecordedWrites),
      interruptLevels: {
        confirmed: sum(({ tallies }) => tallies.irqConfirmed),
        unknown: sum(({ tallies }) => tallies.irqUnknown),
        contradicted: sum(({ tallies }) => tallies.irqContradicted),
      },
      backingEvents: {
        confirmed: sum(({ perf }) => perf.createsConfirmed),
        contradicted: sum(({ perf }) => perf.createsContradicted),
        deviations: sum(({ perf }) => perf.deviations),
      },
      samplePeriods: {
        confirmed: sum(({ perf }) => perf.periods.confirmed),
        contradicted: sum(({ perf }) => perf.periods.contradicted),
      },
      reasons: this.reasons,
      contradictions: this.contradictions,
      events: this.events,
    };
  }
}
