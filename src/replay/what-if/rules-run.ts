import type { RegisterSpace } from '../../domain/event-kind.ts';
import { U64_MAX } from '../../domain/u64.ts';
import type { PerfOperations } from '../../emulator/perf-operations.ts';
import type { AccessResult } from '../../emulator/pmuv3-config.ts';
import { UNCERTAINTY_REASONS, UncertaintyReason } from '../../emulator/uncertainty.ts';
import type { CounterfactualPerf } from './counterfactual-perf.ts';
import type { EngineCounter, EngineRun, HardwareOperations } from './engine-run.ts';
import type { Shown } from './shown.ts';

/** What a run needs of an emulated PMU of either architecture. */
interface RunPmu {
  seq: number;
  counterView(counter: number): {
    readonly low: bigint;
    readonly span: bigint;
    readonly width: number;
    readonly reason: number;
    readonly since: number;
    readonly period: bigint | undefined;
  };
}

/** One rule set's vPMU of one vCPU. */
export abstract class RulesRun<Pmu extends RunPmu> implements EngineRun {
  readonly name: string;
  readonly pmu: Pmu;
  readonly perf: CounterfactualPerf;
  shown: Shown | undefined;

  constructor(name: string, pmu: Pmu, perf: CounterfactualPerf) {
    this.name = name;
    this.pmu = pmu;
    this.perf = perf;
  }

  get operations(): Readonly<PerfOperations> {
    return this.perf.operations;
  }

  get hardware(): HardwareOperations | undefined {
    return undefined;
  }

  /** All that is unknown of a register (no counter) has been so since before the recording. */
  protected abstract openFromStart(code: number, space: RegisterSpace): boolean;
  protected abstract adopt(code: number, space: RegisterSpace, value: bigint): void;

  /**
   * A recorded read told what the recording had not shown of the state before it: the same state for every rule set.
   * `out`: what this rule set answered to it.
   */
  learn(code: number, space: RegisterSpace, value: bigint, out: Readonly<AccessResult>): void {
    if (out.undef || out.outcomeUnknown) return;
    if (out.counter >= 0) {
      if (out.span === 0n) return;
      if (this.pmu.counterView(out.counter).reason !== UncertaintyReason.initialState) return;
      if (out.span !== U64_MAX && BigInt.asUintN(out.width, value - out.low) > out.span) return;
    } else {
      if (out.unknownBits === 0n) return;
      if (((value ^ out.low) & ~out.unknownBits & U64_MAX) !== 0n) return;
      if (!this.openFromStart(code, space)) return;
    }
    this.adopt(code, space, value);
  }

  counter(counter: number): EngineCounter {
    const { low, span, width, reason, since } = this.pmu.counterView(counter);
    const exact = span === 0n;
    return {
      low,
      span,
      width,
      reason: exact ? '' : (UNCERTAINTY_REASONS[reason]?.code ?? ''),
      since: exact ? 0 : Math.max(0, since),
    };
  }

  /** True when this run's event of the counter has the period `period`, and so overflows when that one does. */
  hasPeriod(counter: number, period: bigint | undefined): boolean {
    return period !== undefined && this.pmu.counterView(counter).period === period;
  }
}
