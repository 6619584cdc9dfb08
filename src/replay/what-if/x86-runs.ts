import { eventOfHardware } from '../../arch/x86-events.ts';
import type { X86RuleSet } from '../../arch/x86-rules.ts';
import { RegisterSpace } from '../../domain/event-kind.ts';
import { U64_MAX } from '../../domain/u64.ts';
import type { BackingAttr } from '../../emulator/host-perf.ts';
import { UNCERTAINTY_REASONS, UncertaintyReason } from '../../emulator/uncertainty.ts';
import {
  type X86AccessResult,
  type X86Config,
  x86AccessResult,
} from '../../emulator/x86/x86-config.ts';
import { X86Pmu } from '../../emulator/x86/x86-pmu.ts';
import { X86_EVENTS_PER_NS } from '../x86/recorded-perf-x86.ts';
import type { X86Vcpu } from '../x86/x86-vcpu.ts';
import type { X86Witness } from '../x86/x86-witness.ts';
import { CounterfactualPerf, NO_OPERATIONS, type PerfOperations } from './counterfactual-perf.ts';
import type { EngineCounter, EngineRun, GuestAccess, VcpuRuns } from './engine-run.ts';
import { type CountedEvent, FactualCounts } from './factual-counts.ts';
import { type Shown, shownAs, shownOf } from './shown.ts';

/** One rule set's vPMU of one x86 vCPU. */
class X86Run implements EngineRun {
  readonly name: string;
  readonly pmu: X86Pmu;
  readonly perf: CounterfactualPerf;
  readonly operations: Readonly<PerfOperations>;
  shown: Shown | undefined;

  constructor(rules: X86RuleSet, config: X86Config, perf: CounterfactualPerf) {
    this.name = rules.name;
    this.perf = perf;
    this.pmu = new X86Pmu(config, rules, perf);
    // A mediated guest has the counters itself: what looks like events of host perf to the model is none.
    this.operations = rules.ownership === 'mediated' ? NO_OPERATIONS : perf.operations;
  }

  read(code: number, space: RegisterSpace, out: X86AccessResult): void {
    // As the recorded model does: what faults before the exit leaves no record.
    if (space === RegisterSpace.rdpmc) this.pmu.rdpmc(code, 0, 1, out);
    else this.pmu.rdmsr(code, out);
  }

  /** A recorded read told what the recording had not shown of the state before it: the same state for every rule set. */
  learn(code: number, space: RegisterSpace, value: bigint, out: X86AccessResult): void {
    if (out.undef || out.outcomeUnknown) return;
    const { initialState } = UncertaintyReason;
    if (out.counter >= 0) {
      if (out.span === 0n || this.pmu.counterView(out.counter).reason !== initialState) return;
      if (out.span !== U64_MAX && BigInt.asUintN(out.width, value - out.low) > out.span) return;
    } else {
      if (out.unknownBits === 0n) return;
      if (((value ^ out.low) & ~out.unknownBits & U64_MAX) !== 0n) return;
      const open = this.pmu.registerViews().filter(({ unknownBits }) => unknownBits !== 0n);
      if (open.some(({ reason }) => reason !== initialState)) return;
    }
    if (space === RegisterSpace.rdpmc) this.pmu.adoptRdpmc(code, value);
    else this.pmu.adopt(code, value);
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
}

/** The vPMUs of one x86 vCPU under other rules, fed with what the guest did to the recorded one. */
export class X86Runs implements VcpuRuns, X86Witness {
  readonly slot: number;
  readonly runs: readonly X86Run[];
  readonly #vcpu: X86Vcpu;
  readonly #counts: FactualCounts;
  readonly #counters: readonly number[];
  readonly #refused = new Set<number>();
  readonly #accessed: (access: GuestAccess) => void;
  readonly #out = x86AccessResult();
  readonly #factual = x86AccessResult();
  #stepped = false;
  /** The counter a guest read may have proved the count of, −1 none since the last settling. */
  #read = -1;
  readonly #waiting: { readonly seq: number; readonly act: (run: X86Run, seq: number) => void }[] =
    [];

  constructor(
    vcpu: X86Vcpu,
    rules: readonly X86RuleSet[],
    accessed: (access: GuestAccess) => void,
  ) {
    this.slot = vcpu.slot;
    this.#vcpu = vcpu;
    this.#accessed = accessed;
    this.#counters = vcpu.counters;
    const { config } = vcpu.pmu;
    const intel = config.vendor === 'intel';
    const numberOf = (attr: Readonly<BackingAttr>): number | undefined => {
      if (attr.config < 0) return undefined;
      return attr.type === 'hardware' ? eventOfHardware(attr.config, intel) : attr.config;
    };
    this.#counts = new FactualCounts(
      vcpu.perf,
      () => X86_EVENTS_PER_NS,
      (i) => this.#recorded(i),
    );
    this.runs = rules.map(
      (set) =>
        new X86Run(set, config, new CounterfactualPerf(this.#counts, numberOf, this.#refused)),
    );
    vcpu.witness = this;
  }

  refuse(event: number): void {
    this.#refused.add(event);
  }

  // ---- steps (X86Witness) ------------------------------------------------------------------------------------------

  write(msr: number, value: bigint): void {
    this.#later((run, seq) => {
      run.pmu.wrmsr(msr, value, this.#out);
      run.shown = shownAs(this.#out.undef, 0n);
      this.#reportLast(run, seq, msr, shownAs(false, 0n));
    });
  }

  writeUnknown(msr: number): void {
    this.#later(({ pmu }) => {
      pmu.wrmsrUnknown(msr);
    });
  }

  refusedWrite(msr: number, value: bigint): void {
    this.#later((run, seq) => {
      run.pmu.wrmsr(msr, value, this.#out);
      run.shown = { ...shownAs(this.#out.undef, 0n), outcomeUnknown: this.#out.outcomeUnknown };
      this.#reportLast(run, seq, msr, shownAs(true, 0n));
    });
  }

  read(code: number, space: RegisterSpace, refused: boolean, value: bigint | undefined): void {
    this.#now();
    const factual = this.#factual;
    if (space === RegisterSpace.rdpmc) this.#vcpu.pmu.rdpmc(code, 0, 1, factual);
    else this.#vcpu.pmu.rdmsr(code, factual);
    const { counter } = factual;
    if (counter >= 0) {
      this.#counts.mark([counter]);
      // With an exact base, the value read tells the count.
      const span = this.#counts.endSpan[counter]!;
      if (value !== undefined && span !== 0n && span !== U64_MAX && factual.span === span) {
        const skip = BigInt.asUintN(factual.width, value - factual.low);
        if (skip <= span) this.#counts.proved(counter, skip);
      }
      this.#read = counter;
    }
    const { seq } = this.#vcpu.pmu;
    for (const run of this.runs) {
      run.pmu.seq = seq;
      this.#overflows(run);
      run.read(code, space, this.#out);
      run.shown = shownOf(this.#out);
      if (value !== undefined) run.learn(code, space, value, this.#out);
    }
    const recorded = refused || value !== undefined ? shownAs(refused, value ?? 0n) : undefined;
    this.#accessed({ seq, code, space, write: false, counter, recorded });
  }

  enter(): void {
    this.#each((pmu) => {
      pmu.guestEnter();
      // A mediated guest's counters stay loaded: saving and loading them again changes nothing the guest sees.
      pmu.contextLoad();
    });
  }

  emulated(cpl: number): void {
    this.#later(({ pmu }) => {
      pmu.emulated('instruction', cpl);
    });
  }

  emulatedPossible(times: bigint): void {
    this.#later(({ pmu }) => {
      pmu.emulatedPossible(times);
    });
  }

  scheduled(): void {
    this.#later(({ pmu }) => {
      pmu.scheduled();
    });
  }

  hostWrite(msr: number, value: bigint): void {
    this.#later(({ pmu }) => {
      pmu.hostWrmsr(msr, value, this.#out);
    });
  }

  setLvtpc(value: number): void {
    this.#later(({ pmu }) => {
      pmu.setLvtpc(value);
    });
  }

  made(): void {
    this.#step();
    for (const { pmu, perf } of this.runs) {
      perf.none();
      pmu.newVcpu();
    }
  }

  refreshed(): void {
    this.#each((pmu) => {
      pmu.refresh();
    });
  }

  reset(): void {
    this.#each((pmu) => {
      pmu.vcpuReset();
    });
  }

  forget(): void {
    this.#step();
    for (const { pmu, perf } of this.runs) {
      pmu.forget();
      perf.forget();
    }
  }

  overflow(counter: number): void {
    this.#now();
    for (const run of this.runs) {
      const { pmu } = run;
      pmu.seq = this.#vcpu.pmu.seq;
      if (this.#follows(run, counter) || pmu.overflowDue(counter)) pmu.overflow(counter);
      else if (pmu.overflowPossible(counter)) pmu.markOverflowPossible(counter);
    }
  }

  overflowPossible(counter: number): void {
    this.#now();
    for (const run of this.runs) {
      run.pmu.seq = this.#vcpu.pmu.seq;
      if (this.#follows(run, counter)) run.pmu.markOverflowPossible(counter);
    }
  }

  settle(): void {
    const counts = this.#counts;
    for (const i of this.#counters) {
      if (!counts.changed(i) && !this.#touched(i)) continue;
      // A record that only disables comes before the step it belongs to: that one settles, with the exact count.
      if (!this.#stepped && i !== this.#read && counts.perf.wanted[i] !== 1) continue;
      const count = counts.look(i);
      for (const { perf } of this.runs) perf.settle(i, count);
    }
    this.#stepped = false;
    this.#read = -1;
  }

  #touched(counter: number): boolean {
    for (const { perf } of this.runs) if (perf.touched(counter)) return true;
    return false;
  }

  // ---- inside ------------------------------------------------------------------------------------------------------

  #each(act: (pmu: X86Pmu) => void): void {
    this.#step();
    for (const { pmu } of this.runs) act(pmu);
  }

  /**
   * Something the host does after an exit. Where the recorded KVM reprograms only before the entry it waits for that, or
   * the next read: the guest counts nothing until then, and the records that tell the counts come in between.
   */
  #later(act: (run: X86Run, seq: number) => void): void {
    if (this.#vcpu.pmu.rules.reprogram === 'immediate') {
      this.#step();
      for (const run of this.runs) act(run, run.pmu.seq);
      return;
    }
    if (this.#stepped || this.#read >= 0) this.settle();
    this.#counts.mark(this.#counters);
    this.#stepped = true;
    this.#waiting.push({ seq: this.#vcpu.pmu.seq, act });
  }

  /** Does what waits. */
  #now(): void {
    if (this.#stepped || this.#read >= 0) this.settle();
    if (this.#waiting.length === 0) return;
    for (const { seq, act } of this.#waiting) {
      for (const run of this.runs) {
        run.pmu.seq = seq;
        this.#overflows(run);
        act(run, seq);
      }
    }
    this.#waiting.length = 0;
    for (const i of this.#counters) {
      const count = this.#counts.look(i);
      for (const { perf } of this.runs) perf.settle(i, count);
    }
  }

  /** Something is about to happen that can end, make, pause or enable events. */
  #step(): void {
    this.#now();
    this.#counts.mark(this.#counters);
    this.#stepped = true;
    for (const run of this.runs) {
      run.pmu.seq = this.#vcpu.pmu.seq;
      this.#overflows(run);
    }
  }

  /** Overflows that this rule set's events had and the recorded ones had not: surely, or perhaps. */
  #overflows(run: X86Run): void {
    const { pmu, perf } = run;
    for (const i of this.#counters) {
      if (perf.growthless(i) || !pmu.overflowPossible(i) || this.#follows(run, i)) continue;
      if (pmu.overflowDue(i)) {
        pmu.overflow(i);
        // When it happened is not known, nor whether again since.
      }
      pmu.markOverflowPossible(i);
    }
  }

  /** True when the recorded event overflows exactly when this run's does: what the replay found out holds for both. */
  #follows({ pmu, perf }: X86Run, counter: number): boolean {
    if (!perf.inStep(counter)) return false;
    const { period } = this.#vcpu.pmu.counterView(counter);
    return period !== undefined && pmu.counterView(counter).period === period;
  }

  #recorded(counter: number): CountedEvent | undefined {
    const { hasEvent, eventConfig, excludeUser, excludeKernel } =
      this.#vcpu.pmu.counterView(counter);
    if (hasEvent !== true) return undefined;
    return { config: eventConfig, excludeUser, excludeKernel };
  }

  /** Reports a write once the last rule set has taken it. */
  #reportLast(run: X86Run, seq: number, code: number, recorded: Shown): void {
    if (run !== this.runs.at(-1)) return;
    this.#accessed({ seq, code, space: RegisterSpace.msr, write: true, counter: -1, recorded });
  }
}
