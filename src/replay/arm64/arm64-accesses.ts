import type { Arm64RuleSet } from '../../arch/arm64-rules.ts';
import type { RegisterSpace } from '../../domain/event-kind.ts';
import type { BackingAttr } from '../../emulator/host-perf.ts';
import { Pmuv3 } from '../../emulator/pmuv3.ts';
import { type AccessResult, accessResult, type Pmuv3Config } from '../../emulator/pmuv3-config.ts';
import type { AccessRecord } from '../access-record.ts';
import { AccessedVcpu, type Why, whyOf } from '../accessed-vcpu.ts';
import { eventCeilingPerNs } from '../event-ceiling.ts';
import { isExact } from '../judge.ts';
import type { Observation, Verdict } from '../observation.ts';
import { RecordedPerf } from '../recorded-perf.ts';
import type { CommonVcpuOptions } from '../replayed-vcpu.ts';
import type { VcpuFacts } from '../vm-facts.ts';
import type { Arm64Witness } from './arm64-witness.ts';
import { pmuv3Config, withoutSoleWitness } from './pmu-constants.ts';
import { registerUncertainty, tellingBits } from './register-uncertainty.ts';

/** What never changes while one arm64 vCPU is replayed. */
export interface Arm64VcpuOptions extends CommonVcpuOptions {
  readonly facts: VcpuFacts;
  readonly rules: Arm64RuleSet;
  /** True when this log records pmcr-handle: the first run is then seen as one outside any access. */
  readonly pmcrHandlesRecorded: boolean;
}

/** An arm64 vCPU as far as its guest's accesses of system registers go. */
export abstract class Arm64Accesses extends AccessedVcpu<Pmuv3, RecordedPerf, AccessResult> {
  /** Told of every step before this model takes it. */
  witness: Arm64Witness | undefined;

  protected readonly result = accessResult();
  protected readonly options: Arm64VcpuOptions;
  private readonly config: Pmuv3Config;

  constructor(options: Arm64VcpuOptions) {
    const config = pmuv3Config(options.facts);
    const perf = new RecordedPerf(32, eventCeilingPerNs);
    super(options, new Pmuv3(config, options.rules, perf), perf);
    this.options = options;
    this.config = config;
  }

  /** Bits of the counters that exist: 0..N−1 and 31. */
  get validCounters(): number {
    return ((2 ** this.config.pmcrN - 1) | (1 << 31)) >>> 0;
  }

  protected override takeWrite(code: number, space: RegisterSpace, value: bigint): void {
    this.witness?.write(code, space, value);
    this.pmu.write(code, space, value, 1, this.result);
  }

  protected override takeUnknownWrite(code: number, space: RegisterSpace): void {
    this.witness?.writeUnknown(code, space);
    this.pmu.writeUnknown(code, space, 1);
  }

  /** A write that KVM refused must be one the model refuses, at EL1 or at EL0 (the level is not recorded). */
  protected override refusedWrite(access: AccessRecord): Observation {
    const { code, space, value } = access;
    this.witness?.refusedWrite(code, space, value);
    const before = this.snapshot();
    this.pmu.write(code, space, value, 1, this.result);
    if (!this.result.undef) {
      this.restore(before);
      this.pmu.write(code, space, value, 0, this.result);
    }
    const { undef, outcomeUnknown } = this.result;
    this.restore(before);
    const verdict = undef ? 'confirmed' : outcomeUnknown ? 'unknown' : 'contradicted';
    return this.observation(access, verdict);
  }

  protected override predictRead({ code, space, seq, isRefused }: AccessRecord): void {
    const hidden = withoutSoleWitness(this.config, this.options.facts, code, seq);
    if (hidden !== undefined) this.pmu.reconfigure(hidden);
    this.pmu.read(code, space, 1, this.result);
    if (hidden !== undefined) this.pmu.reconfigure(this.config);
    if (isRefused && !this.result.undef) this.pmu.read(code, space, 0, this.result);
  }

  protected override predictReadAgain({ code, space }: AccessRecord): void {
    this.pmu.read(code, space, 1, this.result);
  }

  protected override tellRead(access: AccessRecord, value: bigint | undefined): void {
    this.witness?.read(access.code, access.space, access.isRefused, value);
  }

  protected override adoptRead({ code, space }: AccessRecord, value: bigint): void {
    this.pmu.adopt(code, space, value);
  }

  protected override tellingBits(code: number, space: RegisterSpace): bigint {
    return tellingBits(code, space, this.validCounters);
  }

  protected override verdictOf(_access: AccessRecord, verdict: Verdict): Verdict {
    return verdict;
  }

  protected override uncertainty({ code, space }: AccessRecord): Why | undefined {
    const { result, pmu } = this;
    if (isExact(result)) return undefined;
    if (result.counter < 0) return registerUncertainty(pmu, code, space);
    const { reason, since } = pmu.counterView(result.counter);
    return whyOf(reason, since);
  }

  protected override endAccess(now: number): void {
    this.open.end();
    this.takeOverEvents();
    this.mayRunFrom(now);
  }

  /** Events that were created otherwise than the model thought are taken over as recorded; `taken` is told of each. */
  protected takeOverEvents(taken?: (counter: number, attr: BackingAttr) => void): void {
    if (!this.perf.pending) return;
    for (const { counter, attr } of this.perf.reconcile(this.options.attr)) {
      this.pmu.adoptBacking(counter, attr);
      taken?.(counter, attr);
    }
  }
}
