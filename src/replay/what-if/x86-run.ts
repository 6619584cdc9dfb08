import type { X86RuleSet } from '../../arch/x86-rules.ts';
import { RegisterSpace } from '../../domain/event-kind.ts';
import { NO_OPERATIONS, type PerfOperations } from '../../emulator/perf-operations.ts';
import { UncertaintyReason } from '../../emulator/uncertainty.ts';
import type { X86AccessResult, X86Config } from '../../emulator/x86/x86-config.ts';
import { X86Pmu } from '../../emulator/x86/x86-pmu.ts';
import type { CounterfactualPerf } from './counterfactual-perf.ts';
import type { HardwareOperations } from './engine-run.ts';
import { RulesRun } from './rules-run.ts';

/** One rule set's vPMU of one x86 vCPU. */
export class X86Run extends RulesRun<X86Pmu> {
  readonly #mediated: boolean;
  /** Guest entries played; undefined: they are not recorded. */
  readonly #entries: () => number | undefined;

  constructor(
    rules: X86RuleSet,
    config: X86Config,
    perf: CounterfactualPerf,
    entries: () => number | undefined,
  ) {
    super(rules.name, new X86Pmu(config, rules, perf), perf);
    this.#mediated = rules.ownership === 'mediated';
    this.#entries = entries;
  }

  /** A mediated guest has the counters itself: what looks like events of host perf to the model is none. */
  override get operations(): Readonly<PerfOperations> {
    return this.#mediated ? NO_OPERATIONS : this.perf.operations;
  }

  override get hardware(): HardwareOperations | undefined {
    if (!this.#mediated) return undefined;
    const entries = this.#entries();
    return { contextLoads: entries, contextPuts: entries };
  }

  read(code: number, space: RegisterSpace, out: X86AccessResult): void {
    // As the recorded model does: what faults before the exit leaves no record.
    if (space === RegisterSpace.rdpmc) this.pmu.rdpmc(code, 0, 1, out);
    else this.pmu.rdmsr(code, out);
  }

  /** WRMSR of a value that was not recorded and that the recorded KVM refused; the outcome is in `out`. */
  refusedUnknown(msr: number, out: X86AccessResult): void {
    this.pmu.rdmsr(msr, out);
    // A register that is not there takes no value; one that is there may take this one.
    if (out.undef) return;
    out.outcomeUnknown = true;
    this.pmu.wrmsrUnknown(msr);
  }

  protected override openFromStart(): boolean {
    const open = this.pmu.registerViews().filter(({ unknownBits }) => unknownBits !== 0n);
    return open.every(({ reason }) => reason === UncertaintyReason.initialState);
  }

  protected override adopt(code: number, space: RegisterSpace, value: bigint): void {
    if (space === RegisterSpace.rdpmc) this.pmu.adoptRdpmc(code, value);
    else this.pmu.adopt(code, value);
  }
}
