import { decodeMsr, Msr, msrKind } from '../../arch/x86-msrs.ts';
import type { X86RuleSet } from '../../arch/x86-rules.ts';
import { RegisterSpace } from '../../domain/event-kind.ts';
import { U64_MAX } from '../../domain/u64.ts';
import { UncertaintyReason } from '../../emulator/uncertainty.ts';
import {
  type X86AccessResult,
  type X86Config,
  x86AccessResult,
} from '../../emulator/x86/x86-config.ts';
import { X86Pmu } from '../../emulator/x86/x86-pmu.ts';
import type { AccessRecord } from '../access-record.ts';
import { AccessedVcpu, CONSTANT_NOT_SEEN, type Why, whyOf } from '../accessed-vcpu.ts';
import { isExact } from '../judge.ts';
import type { Observation, Verdict } from '../observation.ts';
import type { CommonVcpuOptions } from '../replayed-vcpu.ts';
import { X86RecordedPerf } from './recorded-perf-x86.ts';
import { counterOfMsr } from './selectors.ts';
import type { X86Witness } from './x86-witness.ts';

/** What never changes while one x86 vCPU is replayed. */
export interface X86AccessOptions extends CommonVcpuOptions {
  readonly rules: X86RuleSet;
  readonly config: X86Config;
  /** Accesses whose outcome must not be predicted (X86Facts.soleWitnesses). */
  readonly soleWitnesses: ReadonlySet<number>;
}

/** An x86 vCPU as far as its guest's RDMSR, WRMSR and RDPMC go. */
export abstract class X86Accesses extends AccessedVcpu<X86Pmu, X86RecordedPerf, X86AccessResult> {
  /** Told of every step before this model takes it. */
  witness: X86Witness | undefined;

  protected readonly result = x86AccessResult();
  private readonly soleWitnesses: ReadonlySet<number>;

  constructor(options: X86AccessOptions) {
    const perf = new X86RecordedPerf();
    super(options, new X86Pmu(options.config, options.rules, perf), perf);
    this.soleWitnesses = options.soleWitnesses;
  }

  protected override takeWrite(code: number, _space: RegisterSpace, value: bigint): void {
    this.witness?.write(code, value);
    this.pmu.wrmsr(code, value, this.result);
  }

  protected override takeUnknownWrite(code: number): void {
    this.witness?.writeUnknown(code);
    this.pmu.wrmsrUnknown(code);
    this.result.counter = counterOfMsr(code);
  }

  /** A write that KVM refused must be one the model refuses: of which value, decides where the register exists. */
  protected override refusedWrite(access: AccessRecord): Observation {
    const { code } = access;
    const value = access.hasValue ? access.value : undefined;
    this.witness?.refusedWrite(code, value);
    if (value === undefined) return this.refusedUnknownWrite(access);
    const before = this.snapshot();
    this.pmu.wrmsr(code, value, this.result);
    const { undef, outcomeUnknown } = this.result;
    if (!undef) this.restore(before);
    this.pmu.wrmsrFaulted(code);
    const verdict = undef ? 'confirmed' : outcomeUnknown ? 'unknown' : 'contradicted';
    return this.observation(access, verdict);
  }

  /** KVM refuses every access of a register that the vCPU lacks; of one it has, some values and not others. */
  private refusedUnknownWrite(access: AccessRecord): Observation {
    const { result } = this;
    this.pmu.rdmsr(access.code, result);
    const lacking = result.undef && !result.outcomeUnknown;
    result.low = 0n;
    result.span = 0n;
    result.unknownBits = 0n;
    result.undef = lacking;
    result.outcomeUnknown = !lacking;
    const observation = this.observation(access, lacking ? 'confirmed' : 'unknown');
    this.pmu.wrmsrFaulted(access.code);
    return observation;
  }

  protected override predictRead({ code, space }: AccessRecord): void {
    // A guest's RDPMC at CPL 3 needs CR4.PCE; hardware refuses it before the exit.
    if (space === RegisterSpace.rdpmc) this.pmu.rdpmc(code, 0, 1, this.result);
    else this.pmu.rdmsr(code, this.result);
  }

  protected override predictReadAgain(access: AccessRecord): void {
    this.predictRead(access);
  }

  protected override tellRead(access: AccessRecord, value: bigint | undefined): void {
    this.witness?.read(access.code, access.space, access.isRefused, value);
  }

  protected override adoptRead({ code, space }: AccessRecord, value: bigint): void {
    if (space === RegisterSpace.rdpmc) this.pmu.adoptRdpmc(code, value);
    else this.pmu.adopt(code, value);
  }

  protected override tellingBits(): bigint {
    return U64_MAX;
  }

  /** A constant must not be predicted from the very access that shows it. */
  protected override verdictOf({ seq }: AccessRecord, verdict: Verdict): Verdict {
    return this.soleWitnesses.has(seq) ? 'unknown' : verdict;
  }

  protected override uncertainty(access: AccessRecord): Why | undefined {
    const { seq, code, space } = access;
    if (this.soleWitnesses.has(seq)) return CONSTANT_NOT_SEEN;
    if (isExact(this.result)) return undefined;
    if (access.isWrite && !access.hasValue) return whyOf(UncertaintyReason.valueNotRecorded, seq);
    const { counter } = this.result;
    if (counter >= 0) {
      const view = this.pmu.counterView(counter);
      const kind = space === RegisterSpace.msr ? msrKind(decodeMsr(code)) : Msr.counter;
      return kind === Msr.selector || kind === Msr.amdSelector
        ? whyUnless(view.selectorReason, view.selectorSince)
        : whyUnless(view.reason, view.since);
    }
    const unknown = this.pmu.registerViews().find((view) => view.unknownBits !== 0n);
    return unknown === undefined ? CONSTANT_NOT_SEEN : whyUnless(unknown.reason, unknown.since);
  }
}

/** What the model knows is not exact for another reason: a constant of the VM. */
function whyUnless(reason: number, since: number): Why {
  return reason === UncertaintyReason.none ? CONSTANT_NOT_SEEN : whyOf(reason, since);
}
