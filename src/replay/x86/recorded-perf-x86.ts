import type { PerfEventAttr } from '../../domain/log-facts.ts';
import type { BackingAttr, PausablePerf } from '../../emulator/host-perf.ts';
import type { FieldVisitor } from '../fields.ts';
import { Backing, PerfEventState, RecordedPerf, STATE_UNKNOWN } from '../recorded-perf.ts';
import { EarlyCalls } from './early-calls.ts';
import { X86_COUNTER_NUMBERS, X86_EVENTS_PER_NS } from './x86-limits.ts';

/**
 * Backing events of an x86 vCPU: besides being created and released they are paused (disabled, read and counted from 0
 * again), get new periods and are enabled again. Creations name no counter: they are told apart by what is asked for.
 */
export class X86RecordedPerf extends RecordedPerf implements PausablePerf {
  private readonly early: EarlyCalls;
  /** perf's own count when the event was last placed on a hardware counter; what that counted since, and the residency then. */
  private readonly placedCount: BigUint64Array;
  private readonly delta: BigUint64Array;
  private readonly deltaHalves: Uint32Array;
  private readonly deltaAt: Float64Array;

  /** Times of the event's last read, and the guest residency then. */
  private readonly lastEnabled: BigUint64Array;
  private readonly lastRunning: BigUint64Array;
  private readonly timesAt: Float64Array;

  /**
   * Something was recorded, since the last reconcile(), that the emulator may not have asked for; a period was told. Not
   * part of a snapshot: true without need only costs time.
   */
  anyEarly = true;
  anyPeriodTold = true;

  /** True while every pause and period change is surely recorded. */
  expectPauses = false;
  private periodsConfirmed = 0;
  private periodsContradicted = 0;

  constructor() {
    const n = X86_COUNTER_NUMBERS;
    super(n, () => X86_EVENTS_PER_NS, 7 * 8 * n + 4 * n);
    let at = this.extraAt;
    const u64s = (): BigUint64Array => {
      at += 8 * n;
      return new BigUint64Array(this.buffer, at - 8 * n, n);
    };
    const u8s = (): Uint8Array => {
      at += n;
      return new Uint8Array(this.buffer, at - n, n);
    };
    const period = u64s();
    this.placedCount = u64s();
    this.lastEnabled = u64s();
    this.lastRunning = u64s();
    this.delta = u64s();
    this.deltaHalves = new Uint32Array(this.buffer, this.delta.byteOffset, 2 * n);
    const f64s = (): Float64Array => new Float64Array(this.buffer, u64s().byteOffset, n);
    this.timesAt = f64s();
    this.deltaAt = f64s();
    this.early = new EarlyCalls(period, u8s);
  }

  override forget(): void {
    super.forget();
    // The base class forgets while it is constructed, before this exists.
    this.early?.forget();
    this.expectPauses = false;
  }

  /** The vCPU was just made: it has no events. */
  none(): void {
    this.forget();
    this.life.fill(Backing.none);
    this.wanted.fill(0);
    this.relSpan.fill(0n);
    this.offSpan.fill(0n);
  }

  // What the emulator asks.

  override create(counter: number, attr: BackingAttr): boolean {
    const period = attr.periodKnown ? attr.samplePeriod : undefined;
    const recorded = this.creations.assign(counter, attr.config, period);
    if (!recorded && this.expectCreates && this.expectPauses && this.pointer[counter] !== 0n) {
      // The model does not know whether KVM made a new event: the records say that it went on with the old one.
      if (this.early.paused[counter] === 1) this.pause(counter);
      else this.rebase(counter);
      this.early.clear(counter);
      this.enable(counter);
      return true;
    }
    this.early.clear(counter);
    const created = super.create(counter, attr);
    this.goOnFromHere(counter);
    // A recorded period is minus the counter's value: what the model does not know, it can learn from it.
    if (created && !attr.periodKnown && this.pointer[counter] !== 0n) this.mismatch[counter] = 1;
    if (this.mismatch[counter] === 1) this.anyEarly = true;
    return created;
  }

  override enable(counter: number): void {
    this.early.enabled[counter] = 0;
    super.enable(counter);
  }

  override release(counter: number): void {
    this.early.clear(counter);
    super.release(counter);
  }

  pause(counter: number): void {
    if (this.early.paused[counter] === 0 && this.expectPauses) this.deviations++;
    this.beginAnew(counter);
    this.early.paused[counter] = 0;
    this.settle(counter);
    this.wanted[counter] = 0;
    this.relLow[counter] = 0n;
    this.relSpan[counter] = 0n;
    this.offLow[counter] = 0n;
    this.offSpan[counter] = 0n;
    this.lastExact[counter] = 0n;
    this.exactAt[counter] = this.residency;
    this.goOnFromHere(counter);
    this.origins[counter] = this.origins[counter]! + 1;
  }

  setPeriod(counter: number, period: bigint): boolean {
    const early = this.early.periodSet[counter]!;
    this.early.periodSet[counter] = 0;
    if (early === 0) {
      if (this.expectPauses && this.life[counter] === Backing.live) this.deviations++;
      return true;
    }
    if (this.early.period[counter] === period) this.periodsConfirmed++;
    else this.periodsContradicted++;
    return early === 1;
  }

  /** What the hardware counter has counted so far belongs to before: counts go on when it is started anew. */
  private goOnFromHere(counter: number): void {
    this.placedCount[counter] = BigInt.asUintN(64, -this.delta[counter]!);
  }

  // What the records say.

  override created(creation: Parameters<RecordedPerf['created']>[0]): void {
    this.anyEarly = true;
    super.created(creation);
  }

  override released(counter: number): void {
    this.anyEarly = true;
    super.released(counter);
  }

  /** event-pause: `count` is what the event had counted since it last began at 0. */
  paused(counter: number, count: bigint, reset: boolean): void {
    this.anyEarly = true;
    if (this.early.paused[counter] === 1) {
      // KVM paused it twice before the emulator asked: the counts add up.
      this.exactCount(counter, BigInt.asUintN(64, this.lastExact[counter]! + count));
    } else this.exactCount(counter, count);
    if (reset) this.early.paused[counter] = 1;
    this.wanted[counter] = 0;
    this.state[counter] = PerfEventState.off;
    this.placementFailed[counter] = 0;
  }

  /** A pause of it was recorded that the emulator has not asked for yet. */
  wasPausedNow(counter: number): boolean {
    return this.early.paused[counter] === 1;
  }

  /** event-period. */
  periodSet(counter: number, period: bigint, failed: boolean): void {
    this.anyEarly = true;
    this.anyPeriodTold = true;
    this.early.periodSet[counter] = failed ? 2 : 1;
    this.early.period[counter] = period;
    this.early.periodTold[counter] = failed ? 0 : 1;
  }

  /**
   * The period KVM gave the event since the last call when it programmed the counter: minus the counter's value, for what
   * the event had counted is folded then. 0n: none was recorded.
   */
  takePeriodTold(counter: number): bigint {
    const told = this.early.periodTold[counter] === 1 ? this.early.period[counter]! : 0n;
    this.early.periodTold[counter] = 0;
    return told;
  }

  override enabled(counter: number): void {
    super.enabled(counter);
    this.early.enabled[counter] = 1;
    this.anyEarly = true;
  }

  /**
   * event-read with times (ns). When neither moved since the event's last read although KVM wants it to run and the
   * guest ran, it is on no hardware counter (semantics F.1).
   */
  timesRead(counter: number, enabled: bigint, running: bigint): void {
    const still = this.lastEnabled[counter] === enabled && this.lastRunning[counter] === running;
    if (!still || enabled === 0n) {
      this.placementFailed[counter] = 0;
      if (this.wanted[counter] === 1) this.state[counter] = PerfEventState.active;
    } else if (this.wanted[counter] === 1 && this.residency > this.timesAt[counter]!) {
      if (this.placementFailed[counter] === 0) this.placementFailed[counter] = this.seq;
      this.state[counter] = PerfEventState.error;
    }
    this.lastEnabled[counter] = enabled;
    this.lastRunning[counter] = running;
    this.timesAt[counter] = this.residency;
  }

  // What the hardware counters say.

  /** The event was put on a hardware counter now. */
  hardwareStarted(counter: number): void {
    this.placedCount[counter] =
      this.exactAt[counter] === this.residency || this.offSpan[counter] === 0n
        ? this.absolute(counter)
        : 0n;
    this.delta[counter] = 0n;
    this.deltaAt[counter] = this.residency;
    this.state[counter] = PerfEventState.active;
    if (this.placementFailed[counter] !== 0) this.settle(counter);
    this.placementFailed[counter] = 0;
  }

  /** Before the guest runs: what the emulator counts from here on, the hardware counter does. */
  hardwareAnchor(counter: number): void {
    if (this.offSpan[counter] !== 0n && this.deltaAt[counter] === this.residency) {
      this.exactCount(counter, this.placedCount[counter]! + this.delta[counter]!);
    }
  }

  /** The hardware counter it is on has counted `delta` (below 2^53) since the event was put there. */
  hardwareCount(counter: number, delta: number): void {
    // A bigint made of a number costs more than all the rest.
    this.deltaHalves[2 * counter] = delta % 2 ** 32;
    this.deltaHalves[2 * counter + 1] = Math.floor(delta / 2 ** 32);
    this.deltaAt[counter] = this.residency;
    const count = BigInt.asUintN(64, this.placedCount[counter]! + this.delta[counter]!);
    this.exactCount(counter, count);
  }

  /** perf counted `more` than its hardware counter (48 bits) shows: an overflow whose handler was not recorded. */
  missed(counter: number, more: bigint): void {
    if (this.deltaAt[counter] !== this.residency) return;
    this.hardwareCount(counter, Number(BigInt.asUintN(48, this.delta[counter]! + more)));
  }

  private absolute(counter: number): bigint {
    return BigInt.asUintN(64, this.relLow[counter]! + this.offLow[counter]!);
  }

  override get periods(): { readonly confirmed: number; readonly contradicted: number } {
    return { confirmed: this.periodsConfirmed, contradicted: this.periodsContradicted };
  }

  /** A guest that writes the counter leaves the event in place. */
  override isFollowed(): boolean {
    return false;
  }

  override reconcile(
    attrOf: (id: number) => PerfEventAttr | undefined,
    counterFor?: (config: number) => number,
  ): { counter: number; attr: BackingAttr }[] {
    this.anyEarly = false;
    this.deviations += this.creations.place(counterFor ?? (() => -1));
    for (let i = 0; i < this.size; i++) {
      if (this.early.paused[i] === 1) {
        // KVM paused it although the model did not: what it counted is folded somewhere the model does not know.
        this.deviations++;
        this.pause(i);
        this.deviations -= this.expectPauses ? 1 : 0;
        this.wanted[i] = this.early.enabled[i] === 1 ? 1 : 0;
        this.state[i] = STATE_UNKNOWN;
      }
      this.early.clear(i);
    }
    return super.reconcile(attrOf);
  }

  override fields(visitor: FieldVisitor): void {
    super.fields(visitor);
    this.anyEarly = true;
    this.anyPeriodTold = true;
    this.expectPauses = visitor.flag(this.expectPauses);
    this.periodsConfirmed = visitor.number(this.periodsConfirmed);
    this.periodsContradicted = visitor.number(this.periodsContradicted);
  }
}
