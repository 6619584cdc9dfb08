import { eventOfHardware } from '../../arch/x86-events.ts';
import type { X86RuleSet } from '../../arch/x86-rules.ts';
import { RegisterSpace } from '../../domain/event-kind.ts';
import type { BackingAttr } from '../../emulator/host-perf.ts';
import { x86AccessResult } from '../../emulator/x86/x86-config.ts';
import type { X86Pmu } from '../../emulator/x86/x86-pmu.ts';
import { X86_EVENTS_PER_NS } from '../x86/x86-limits.ts';
import type { X86Vcpu } from '../x86/x86-vcpu.ts';
import type { X86Witness } from '../x86/x86-witness.ts';
import { CounterfactualPerf } from './counterfactual-perf.ts';
import type { GuestAccess } from './engine-run.ts';
import type { CountedEvent } from './factual-counts.ts';
import { GuestRuns } from './guest-runs.ts';
import { type Shown, shownAs, shownOf } from './shown.ts';
import { X86Run } from './x86-run.ts';

/** A step that waits until the recorded KVM reprograms. */
interface Waiting {
  readonly seq: number;
  readonly act: (run: X86Run, seq: number) => void;
}

/** The vPMUs of one x86 vCPU under other rules, fed with what the guest did to the recorded one. */
export class X86Runs extends GuestRuns<X86Vcpu, X86Run> implements X86Witness {
  readonly runs: readonly X86Run[];
  readonly #out = x86AccessResult();
  readonly #factual = x86AccessResult();
  readonly #waiting: Waiting[] = [];
  #entries = 0;

  constructor(
    vcpu: X86Vcpu,
    rules: readonly X86RuleSet[],
    accessed: (access: GuestAccess) => void,
  ) {
    super(vcpu, () => X86_EVENTS_PER_NS, accessed);
    const { config } = vcpu.pmu;
    const intel = config.vendor === 'intel';
    const numberOf = (attr: Readonly<BackingAttr>): number | undefined => {
      if (attr.config < 0) return undefined;
      return attr.type === 'hardware' ? eventOfHardware(attr.config, intel) : attr.config;
    };
    const entries = (): number | undefined => (vcpu.entersRecorded ? this.#entries : undefined);
    this.runs = rules.map((set) => {
      const perf = new CounterfactualPerf(this.counts, numberOf, this.refused);
      return new X86Run(set, config, perf, entries);
    });
    vcpu.witness = this;
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

  refusedWrite(msr: number, value: bigint | undefined): void {
    this.#later((run, seq) => {
      if (value === undefined) run.refusedUnknown(msr, this.#out);
      else run.pmu.wrmsr(msr, value, this.#out);
      run.shown = { ...shownAs(this.#out.undef, 0n), outcomeUnknown: this.#out.outcomeUnknown };
      this.#reportLast(run, seq, msr, shownAs(true, 0n));
    });
  }

  read(code: number, space: RegisterSpace, refused: boolean, value: bigint | undefined): void {
    this.#now();
    const factual = this.#factual;
    if (space === RegisterSpace.rdpmc) this.vcpu.pmu.rdpmc(code, 0, 1, factual);
    else this.vcpu.pmu.rdmsr(code, factual);
    const { counter } = factual;
    this.readTells(factual, value);
    const { seq } = this.vcpu.pmu;
    for (const run of this.runs) {
      run.pmu.seq = seq;
      this.#overflows(run);
      run.read(code, space, this.#out);
      run.shown = shownOf(this.#out);
      if (value !== undefined) run.learn(code, space, value, this.#out);
    }
    const recorded = refused || value !== undefined ? shownAs(refused, value ?? 0n) : undefined;
    this.accessed({ seq, code, space, write: false, counter, recorded });
  }

  enter(): void {
    this.#entries++;
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
      pmu.seq = this.vcpu.pmu.seq;
      if (this.#follows(run, counter) || pmu.overflowDue(counter)) pmu.overflow(counter);
      else if (pmu.overflowPossible(counter)) pmu.markOverflowPossible(counter);
    }
  }

  overflowPossible(counter: number): void {
    this.#now();
    for (const run of this.runs) {
      run.pmu.seq = this.vcpu.pmu.seq;
      if (this.#follows(run, counter)) run.pmu.markOverflowPossible(counter);
    }
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
    if (this.vcpu.pmu.rules.reprogram === 'immediate') {
      this.#step();
      for (const run of this.runs) act(run, run.pmu.seq);
      return;
    }
    this.settleLast();
    this.beginStep();
    this.#waiting.push({ seq: this.vcpu.pmu.seq, act });
  }

  /** Does what waits. */
  #now(): void {
    this.settleLast();
    if (this.#waiting.length === 0) return;
    for (const { seq, act } of this.#waiting) {
      for (const run of this.runs) {
        run.pmu.seq = seq;
        this.#overflows(run);
        act(run, seq);
      }
    }
    this.#waiting.length = 0;
    this.settleAll();
  }

  /** Something is about to happen that can end, make, pause or enable events. */
  #step(): void {
    this.#now();
    this.beginStep();
    for (const run of this.runs) {
      run.pmu.seq = this.vcpu.pmu.seq;
      this.#overflows(run);
    }
  }

  /** Overflows that this rule set's events had and the recorded ones had not: surely, or perhaps. */
  #overflows(run: X86Run): void {
    const { pmu, perf } = run;
    for (const i of this.counters) {
      if (perf.growthless(i) || !pmu.overflowPossible(i) || this.#follows(run, i)) continue;
      if (pmu.overflowDue(i)) {
        pmu.overflow(i);
        // When it happened is not known, nor whether again since.
      }
      pmu.markOverflowPossible(i);
    }
  }

  /** True when the recorded event overflows exactly when this run's does: what the replay found out holds for both. */
  #follows(run: X86Run, counter: number): boolean {
    if (!run.perf.inStep(counter)) return false;
    return run.hasPeriod(counter, this.vcpu.pmu.counterView(counter).period);
  }

  protected override recordedEvent(counter: number): CountedEvent | undefined {
    const { hasEvent, eventConfig, excludeUser, excludeKernel } =
      this.vcpu.pmu.counterView(counter);
    if (hasEvent !== true) return undefined;
    return { config: eventConfig, excludeUser, excludeKernel };
  }

  /** Reports a write once the last rule set has taken it. */
  #reportLast(run: X86Run, seq: number, code: number, recorded: Shown): void {
    if (run !== this.runs.at(-1)) return;
    this.accessed({ seq, code, space: RegisterSpace.msr, write: true, counter: -1, recorded });
  }
}
