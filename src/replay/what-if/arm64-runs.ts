import type { Arm64RuleSet } from '../../arch/arm64-rules.ts';
import { eventOfGeneric } from '../../arch/perf-maps.ts';
import type { RegisterSpace } from '../../domain/event-kind.ts';
import type { BackingAttr } from '../../emulator/host-perf.ts';
import { accessResult } from '../../emulator/pmuv3-config.ts';
import { UncertaintyReason } from '../../emulator/uncertainty.ts';
import type { Arm64Vcpu } from '../arm64/arm64-vcpu.ts';
import type { Arm64Witness } from '../arm64/arm64-witness.ts';
import { eventCeilingPerNs } from '../event-ceiling.ts';
import { Arm64Run } from './arm64-run.ts';
import { CounterfactualPerf } from './counterfactual-perf.ts';
import type { GuestAccess } from './engine-run.ts';
import type { CountedEvent } from './factual-counts.ts';
import { GuestRuns } from './guest-runs.ts';
import { type Shown, shownAs, shownOf } from './shown.ts';

/** The event number an attr stands for. */
function numberOf({ type, config }: Readonly<BackingAttr>): number | undefined {
  if (config < 0) return undefined;
  return type === undefined ? config : eventOfGeneric(type, config);
}

/** The vPMUs of one arm64 vCPU under other rules, fed with what the guest did to the recorded one. */
export class Arm64Runs extends GuestRuns<Arm64Vcpu, Arm64Run> implements Arm64Witness {
  readonly runs: readonly Arm64Run[];
  readonly #overflowsRecorded: boolean;
  readonly #out = accessResult();
  readonly #factual = accessResult();

  constructor(
    vcpu: Arm64Vcpu,
    rules: readonly Arm64RuleSet[],
    overflowsRecorded: boolean,
    accessed: (access: GuestAccess) => void,
  ) {
    super(vcpu, eventCeilingPerNs, accessed);
    this.#overflowsRecorded = overflowsRecorded;
    const { config, rules: recordedRules } = vcpu.pmu;
    this.runs = rules.map((set) => {
      const perf = new CounterfactualPerf(this.counts, numberOf, this.refused);
      return new Arm64Run(set, recordedRules, config, perf);
    });
    vcpu.witness = this;
  }

  // ---- guest accesses (Arm64Witness) -------------------------------------------------------------------------------

  write(code: number, space: RegisterSpace, value: bigint): void {
    this.#step();
    for (const run of this.runs) {
      this.#overflows(run, -1);
      run.pmu.write(code, space, value, 1, this.#out);
      run.shown = shownAs(this.#out.undef, 0n);
    }
    this.#report(code, space, true, shownAs(false, 0n));
  }

  writeUnknown(code: number, space: RegisterSpace): void {
    this.#step();
    for (const run of this.runs) {
      this.#overflows(run, -1);
      run.pmu.writeUnknown(code, space, 1);
    }
  }

  refusedWrite(code: number, space: RegisterSpace, value: bigint): void {
    this.#step();
    // A register that EL1 can reach was written from EL0: the recording does not say which it was.
    this.vcpu.pmu.read(code, space, 1, this.#factual);
    const el = this.#factual.undef ? 1 : 0;
    for (const run of this.runs) {
      this.#overflows(run, -1);
      run.pmu.write(code, space, value, el, this.#out);
      run.shown = { ...shownAs(this.#out.undef, 0n), outcomeUnknown: this.#out.outcomeUnknown };
    }
    this.#report(code, space, true, shownAs(true, 0n));
  }

  read(code: number, space: RegisterSpace, refused: boolean, value: bigint | undefined): void {
    const factual = this.#factual;
    this.settleLast();
    this.vcpu.pmu.read(code, space, 1, factual);
    const el = refused && !factual.undef ? 0 : 1;
    this.readTells(factual, value);
    for (const run of this.runs) {
      this.#overflows(run, factual.counter);
      const hostBits = run.read(code, space, el, this.#out);
      run.shown = shownOf(this.#out, hostBits);
      if (value !== undefined) run.learn(code, space, value, this.#out);
    }
    const recorded = refused || value !== undefined ? shownAs(refused, value ?? 0n) : undefined;
    this.#report(code, space, false, recorded);
  }

  // ---- what the host does (Arm64Witness) ---------------------------------------------------------------------------

  enter(): void {
    this.#step();
    for (const { pmu } of this.runs) pmu.guestEnter();
  }

  exit(): void {
    for (const { pmu } of this.runs) {
      pmu.seq = this.vcpu.pmu.seq;
      pmu.guestExit();
    }
  }

  firstRun(): void {
    this.#step();
    for (const { pmu } of this.runs) pmu.firstRun();
  }

  reset(firstRunComes: boolean): void {
    this.#step();
    for (const { pmu } of this.runs) {
      pmu.vcpuReset();
      if (firstRunComes) pmu.setHasRun(false);
    }
  }

  userspaceSet(code: number, space: RegisterSpace, value: bigint | undefined): void {
    this.#step();
    for (const run of this.runs) {
      this.#overflows(run, -1);
      run.perf.uncounted(() => {
        if (value !== undefined) run.pmu.adopt(code, space, value);
        else run.pmu.forgetRegister(code, space, UncertaintyReason.userspaceUnknown);
      });
    }
  }

  userspaceMade(counter: number, attr: Readonly<BackingAttr>): void {
    this.#step();
    for (const { pmu, perf } of this.runs) {
      perf.made(counter, attr);
      perf.uncounted(() => {
        pmu.adoptBacking(counter, attr);
      });
    }
  }

  forget(): void {
    this.#step();
    for (const { pmu, perf } of this.runs) {
      pmu.forget();
      perf.forget();
    }
  }

  overflow(counter: number): void {
    const { period } = this.vcpu.pmu.counterView(counter);
    for (const run of this.runs) {
      run.pmu.seq = this.vcpu.pmu.seq;
      const same = run.hasPeriod(counter, period);
      if (run.perf.inStep(counter) && same) run.pmu.overflow(counter);
      else if (run.pmu.overflowDue(counter)) run.pmu.overflow(counter);
      else if (run.pmu.overflowPossible(counter)) run.pmu.markOverflowPossible(counter);
    }
  }

  // ---- inside ------------------------------------------------------------------------------------------------------

  #step(): void {
    const { seq } = this.vcpu.pmu;
    this.settleLast();
    this.beginStep();
    for (const { pmu } of this.runs) pmu.seq = seq;
  }

  /**
   * Overflows that this rule set's events had and the recorded ones had not: surely, or perhaps. `except`: a counter that
   * is about to be read, which no overflow of its own changes.
   */
  #overflows(run: Arm64Run, except: number): void {
    const { pmu, perf } = run;
    pmu.seq = this.vcpu.pmu.seq;
    for (const i of this.counters) {
      if (i === except || perf.growthless(i) || !pmu.overflowPossible(i)) continue;
      if (this.#overflowsRecorded && perf.inStep(i) && this.#sharesPeriod(run, i)) continue;
      if (pmu.overflowDue(i)) {
        pmu.overflow(i);
        // When it happened, and so the next period, is not known.
      }
      pmu.markOverflowPossible(i);
    }
  }

  #sharesPeriod(run: Arm64Run, counter: number): boolean {
    return run.hasPeriod(counter, this.vcpu.pmu.counterView(counter).period);
  }

  protected override recordedEvent(counter: number): CountedEvent | undefined {
    const view = this.vcpu.pmu.counterView(counter);
    if (view.hasEvent !== true) return undefined;
    const { event, excludeUser, excludeKernel } = view;
    return { config: event, excludeUser, excludeKernel };
  }

  #report(code: number, space: RegisterSpace, write: boolean, recorded: Shown | undefined): void {
    this.accessed({
      seq: this.vcpu.pmu.seq,
      code,
      space,
      write,
      counter: write ? -1 : this.#factual.counter,
      recorded,
    });
  }
}
