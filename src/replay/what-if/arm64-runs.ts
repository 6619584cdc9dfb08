import { PmuRegister, registerByCode } from '../../arch/arm64-registers.ts';
import type { Arm64RuleSet } from '../../arch/arm64-rules.ts';
import { eventOfGeneric } from '../../arch/perf-maps.ts';
import type { RegisterSpace } from '../../domain/event-kind.ts';
import { U64_MAX } from '../../domain/u64.ts';
import type { BackingAttr } from '../../emulator/host-perf.ts';
import { Pmuv3 } from '../../emulator/pmuv3.ts';
import { type AccessResult, accessResult, type Pmuv3Config } from '../../emulator/pmuv3-config.ts';
import { UNCERTAINTY_REASONS, UncertaintyReason } from '../../emulator/uncertainty.ts';
import type { Arm64Vcpu } from '../arm64/arm64-vcpu.ts';
import type { Arm64Witness } from '../arm64/arm64-witness.ts';
import { eventCeilingPerNs } from '../event-ceiling.ts';
import { CounterfactualPerf, type PerfOperations } from './counterfactual-perf.ts';
import type { EngineCounter, EngineRun, GuestAccess, VcpuRuns } from './engine-run.ts';
import { type CountedEvent, FactualCounts } from './factual-counts.ts';
import { type Shown, shownAs, shownOf } from './shown.ts';

/** Bits 31:16 of PMCR: the host's identity, which only some rule sets show. */
const PMCR_IDENTITY = 0xffff_0000n;
const CHAIN_BIT = 1n << 0x1en;

/** The event number an attr stands for. */
function numberOf({ type, config }: Readonly<BackingAttr>): number | undefined {
  if (config < 0) return undefined;
  return type === undefined ? config : eventOfGeneric(type, config);
}

/** One rule set's vPMU of one arm64 vCPU. */
class Arm64Run implements EngineRun {
  readonly name: string;
  readonly pmu: Pmuv3;
  readonly perf: CounterfactualPerf;
  readonly operations: Readonly<PerfOperations>;
  shown: Shown | undefined;
  readonly #hiddenFacts: { readonly pmcr: bigint; readonly ceid0: bigint; readonly ceid1: bigint };

  constructor(
    rules: Arm64RuleSet,
    recordedRules: Arm64RuleSet,
    config: Pmuv3Config,
    perf: CounterfactualPerf,
  ) {
    this.name = rules.name;
    this.perf = perf;
    this.operations = perf.operations;
    this.pmu = new Pmuv3(config, rules, perf);
    // What the recorded rules hid from the guest, the recording cannot tell for rules that show it.
    const shows = rules.pmcrIdentity === 'host' && recordedRules.pmcrIdentity !== 'host';
    this.#hiddenFacts = {
      pmcr: shows ? PMCR_IDENTITY : 0n,
      ceid0: recordedRules.ceidShowsChain && !rules.ceidShowsChain ? CHAIN_BIT : 0n,
      ceid1: BigInt((recordedRules.ceid1Hidden & ~rules.ceid1Hidden) >>> 0),
    };
  }

  /** Reads; returns which of the unknown bits are constants of the host. */
  read(code: number, space: RegisterSpace, el: number, out: AccessResult): bigint {
    this.pmu.read(code, space, el, out);
    if (out.undef || out.counter >= 0) return 0n;
    const register = registerByCode(code, space)?.row.register;
    const { pmcr, ceid0, ceid1 } = this.#hiddenFacts;
    const hidden =
      register === PmuRegister.pmcr
        ? pmcr
        : register === PmuRegister.ceid0
          ? ceid0
          : register === PmuRegister.ceid1
            ? ceid1
            : 0n;
    if (hidden === 0n) return 0n;
    out.unknownBits |= hidden;
    out.low &= ~hidden & U64_MAX;
    return hidden;
  }

  /** A recorded read told what the recording had not shown of the state before it: the same state for every rule set. */
  learn(code: number, space: RegisterSpace, value: bigint, out: AccessResult): void {
    if (out.undef || out.outcomeUnknown) return;
    if (out.counter >= 0) {
      if (out.span === 0n) return;
      if (this.pmu.counterView(out.counter).reason !== UncertaintyReason.initialState) return;
      if (out.span !== U64_MAX && BigInt.asUintN(out.width, value - out.low) > out.span) return;
    } else {
      if (out.unknownBits === 0n) return;
      if (((value ^ out.low) & ~out.unknownBits & U64_MAX) !== 0n) return;
      const { initialState } = UncertaintyReason;
      const views = this.pmu.registerViews();
      const name = registerByCode(code, space)?.row.name.replace('CLR', 'SET');
      const view = views.find((register) => register.name === name);
      if (view !== undefined && view.reason !== initialState) return;
    }
    this.pmu.adopt(code, space, value);
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

/** The vPMUs of one arm64 vCPU under other rules, fed with what the guest did to the recorded one. */
export class Arm64Runs implements VcpuRuns, Arm64Witness {
  readonly slot: number;
  readonly runs: readonly Arm64Run[];
  readonly #vcpu: Arm64Vcpu;
  readonly #counts: FactualCounts;
  readonly #counters: readonly number[];
  readonly #refused = new Set<number>();
  readonly #accessed: (access: GuestAccess) => void;
  readonly #overflowsRecorded: boolean;
  readonly #out = accessResult();
  readonly #factual = accessResult();
  #stepped = false;
  /** The counter a guest read may have proved the count of, −1 none since the last settling. */
  #read = -1;

  constructor(
    vcpu: Arm64Vcpu,
    rules: readonly Arm64RuleSet[],
    overflowsRecorded: boolean,
    accessed: (access: GuestAccess) => void,
  ) {
    this.slot = vcpu.slot;
    this.#vcpu = vcpu;
    this.#accessed = accessed;
    this.#overflowsRecorded = overflowsRecorded;
    this.#counters = vcpu.counters;
    this.#counts = new FactualCounts(vcpu.perf, eventCeilingPerNs, (i) => this.#recorded(i));
    const { config, rules: recordedRules } = vcpu.pmu;
    this.runs = rules.map((set) => {
      const perf = new CounterfactualPerf(this.#counts, numberOf, this.#refused);
      return new Arm64Run(set, recordedRules, config, perf);
    });
    vcpu.witness = this;
  }

  /** A creation of this event was refused by the recorded host. */
  refuse(event: number): void {
    this.#refused.add(event);
  }

  // ---- steps (Arm64Witness) ----------------------------------------------------------------------------------------

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
    this.#vcpu.pmu.read(code, space, 1, this.#factual);
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
    if (this.#stepped || this.#read >= 0) this.settle();
    this.#vcpu.pmu.read(code, space, 1, factual);
    const el = refused && !factual.undef ? 0 : 1;
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
    for (const run of this.runs) {
      this.#overflows(run, counter);
      const hostBits = run.read(code, space, el, this.#out);
      run.shown = shownOf(this.#out, hostBits);
      if (value !== undefined) run.learn(code, space, value, this.#out);
    }
    const recorded = refused || value !== undefined ? shownAs(refused, value ?? 0n) : undefined;
    this.#report(code, space, false, recorded);
  }

  enter(): void {
    this.#step();
    for (const { pmu } of this.runs) pmu.guestEnter();
  }

  exit(): void {
    for (const { pmu } of this.runs) {
      pmu.seq = this.#vcpu.pmu.seq;
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

  forget(): void {
    this.#step();
    for (const { pmu, perf } of this.runs) {
      pmu.forget();
      perf.forget();
    }
  }

  overflow(counter: number): void {
    const period = this.#vcpu.pmu.counterView(counter).period;
    for (const run of this.runs) {
      run.pmu.seq = this.#vcpu.pmu.seq;
      const same = period !== undefined && run.pmu.counterView(counter).period === period;
      if (run.perf.inStep(counter) && same) run.pmu.overflow(counter);
      else if (run.pmu.overflowDue(counter)) run.pmu.overflow(counter);
      else if (run.pmu.overflowPossible(counter)) run.pmu.markOverflowPossible(counter);
    }
  }

  settle(): void {
    const counts = this.#counts;
    for (const i of this.#counters) {
      if (!counts.changed(i) && !this.#touched(i)) continue;
      // A record that only disables comes inside an access: its end, with the exact count, is what settles.
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

  /** Something is about to happen that can end, make, enable or disable events. */
  #step(): void {
    const { seq } = this.#vcpu.pmu;
    if (this.#stepped || this.#read >= 0) this.settle();
    this.#counts.mark(this.#counters);
    this.#stepped = true;
    for (const { pmu } of this.runs) pmu.seq = seq;
  }

  /**
   * Overflows that this rule set's events had and the recorded ones had not: surely, or perhaps. `except`: a counter that
   * is about to be read, which no overflow of its own changes.
   */
  #overflows(run: Arm64Run, except: number): void {
    const { pmu, perf } = run;
    pmu.seq = this.#vcpu.pmu.seq;
    for (const i of this.#counters) {
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
    const { period } = this.#vcpu.pmu.counterView(counter);
    return period !== undefined && run.pmu.counterView(counter).period === period;
  }

  #recorded(counter: number): CountedEvent | undefined {
    const view = this.#vcpu.pmu.counterView(counter);
    if (view.hasEvent !== true) return undefined;
    const { event, excludeUser, excludeKernel } = view;
    return { config: event, excludeUser, excludeKernel };
  }

  #report(code: number, space: RegisterSpace, write: boolean, recorded: Shown | undefined): void {
    this.#accessed({
      seq: this.#vcpu.pmu.seq,
      code,
      space,
      write,
      counter: write ? -1 : this.#factual.counter,
      recorded,
    });
  }
}
