import type { RegisterSpace } from '../domain/event-kind.ts';
import type { AccessResult } from '../emulator/pmuv3-config.ts';
import { UNCERTAINTY_REASONS } from '../emulator/uncertainty.ts';
import type { AccessRecord } from './access-record.ts';
import { judgeRead } from './judge.ts';
import type { Observation, Verdict } from './observation.ts';
import type { RecordedPerf } from './recorded-perf.ts';
import { type ReplayedPmu, ReplayedVcpu } from './replayed-vcpu.ts';

/** Why a prediction is not exact: a stable word, and since which event (0: from the start). */
export interface Why {
  readonly reason: string;
  readonly since: number;
}

/** A constant of the host or the VM that no other record shows. */
export const CONSTANT_NOT_SEEN: Why = { reason: 'constant-not-seen-elsewhere', since: 0 };

/** An uncertainty of the emulator in words. */
export function whyOf(reason: number, since: number): Why {
  return { reason: UNCERTAINTY_REASONS[reason]?.code ?? '', since: Math.max(0, since) };
}

/**
 * How a guest access ends on every architecture: it is predicted, the prediction is compared with what was recorded, and
 * what was recorded is taken over. What predicting is, the architecture says.
 */
export abstract class AccessedVcpu<
  Pmu extends ReplayedPmu,
  Perf extends RecordedPerf,
  Result extends AccessResult,
> extends ReplayedVcpu<Pmu, Perf> {
  /** Outcome of the last access that was predicted. */
  protected abstract readonly result: Result;

  /** The model takes a write that was done; `result` is its outcome. */
  protected abstract takeWrite(code: number, space: RegisterSpace, value: bigint): void;
  /** The same of a value that was not recorded. */
  protected abstract takeUnknownWrite(code: number, space: RegisterSpace): void;
  protected abstract refusedWrite(access: AccessRecord): Observation;
  /** Predicts a read into `result`. */
  protected abstract predictRead(access: AccessRecord): void;
  /** The same once more, after an event was tied to the counter. */
  protected abstract predictReadAgain(access: AccessRecord): void;
  /** Tells the witness of a read; undefined: no value was recorded, or it was refused. */
  protected abstract tellRead(access: AccessRecord, value: bigint | undefined): void;
  protected abstract adoptRead(access: AccessRecord, value: bigint): void;
  /** The bits of a register that say something; if none of them is known, nothing is. */
  protected abstract tellingBits(code: number, space: RegisterSpace): bigint;
  /** What may be said about a verdict; the architecture can withdraw it. */
  protected abstract verdictOf(access: AccessRecord, verdict: Verdict): Verdict;
  /** Why `result` is not exact; undefined: it is. */
  protected abstract uncertainty(access: AccessRecord): Why | undefined;
  /** After each access, also one whose return was not recorded. */
  protected abstract endAccess(now: number): void;

  /** Undefined for writes that were taken and for reads without a recorded value. */
  protected complete(access: AccessRecord): Observation | undefined {
    return access.isWrite ? this.completeWrite(access) : this.completeRead(access);
  }

  private completeWrite(access: AccessRecord): Observation | undefined {
    if (access.isRefused) return this.refusedWrite(access);
    if (!access.hasValue) {
      this.unrecordedWrite(access.code, access.space);
      return undefined;
    }
    this.takeWrite(access.code, access.space, access.value);
    if (!this.result.undef) return undefined;
    // The model refuses what KVM took.
    return this.observation(access, 'contradicted');
  }

  private completeRead(access: AccessRecord): Observation | undefined {
    const out = this.result;
    const refused = access.isRefused;
    this.predictRead(access);
    if (out.counter >= 0 && this.open.strayPointer !== 0n) {
      this.perf.bind(out.counter, this.open.strayPointer, this.open.strayCount);
      this.predictReadAgain(access);
    }
    const told = !refused && access.hasValue;
    const { value } = access;
    this.tellRead(access, told ? value : undefined);
    if (!refused && !told) {
      this.tallies.unrecordedReads++;
      return undefined;
    }
    const verdict = judgeRead(out, value, refused, () =>
      this.tellingBits(access.code, access.space),
    );
    const observation = this.observation(access, verdict);
    if (!refused && (observation.verdict !== 'confirmed' || out.counter >= 0)) {
      this.adoptRead(access, value);
    }
    return observation;
  }

  private unrecordedWrite(code: number, space: RegisterSpace): void {
    this.tallies.unrecordedWrites++;
    this.takeUnknownWrite(code, space);
  }

  /** Ends an access whose return was not recorded. */
  protected close(now: number): void {
    const { open } = this;
    if (!open.open) return;
    if (!open.isWrite) this.tallies.unrecordedReads++;
    else if (open.valueKnown) this.takeWrite(open.code, open.space, open.value);
    else this.unrecordedWrite(open.code, open.space);
    this.endAccess(now);
  }

  /** What `result` is to the record: looked at before the recorded value is taken over. */
  protected observation(access: AccessRecord, verdict: Verdict): Observation {
    const out = this.result;
    const why = this.uncertainty(access);
    return {
      seq: access.seq,
      time: access.time,
      vcpu: this.slot,
      code: access.code,
      space: access.space,
      counter: out.counter,
      verdict: this.verdictOf(access, verdict),
      low: out.low,
      span: out.span,
      unknownBits: out.unknownBits,
      predictedUndef: out.undef,
      recorded: access.value,
      recordedUndef: access.isRefused,
      evidence: out.counter >= 0 ? this.perf.evidence[out.counter]! : 0,
      reason: why?.reason ?? '',
      since: why?.since ?? 0,
    };
  }
}
