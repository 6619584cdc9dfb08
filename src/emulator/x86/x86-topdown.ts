import { METRICS_BIT, METRICS_EVENT, SLOTS_COUNTER } from '../../arch/x86-bits.ts';
import { UncertaintyReason } from '../uncertainty.ts';
import { X86Backing } from './x86-backing.ts';
import { x86BackingAttr } from './x86-backing-events.ts';
import { Backing, Gate, Misc, Slot, Word } from './x86-state.ts';

const METRICS_STATUS = 1 << (METRICS_BIT - 32);

/**
 * Topdown as the RFC emulates it (semantics D.2): after the first write of PERF_METRICS fixed counter 3 is backed by a
 * group, the slots event without a period and a metrics event whose "count" is the raw register. HostPerf keeps the
 * latter as METRICS_EVENT.
 */
export class X86Topdown extends X86Backing {
  /** The metrics event: pseudo config (the model does not know its number), no period. */
  readonly #metrics = x86BackingAttr(-1);

  /** Guest write of PERF_METRICS: stored as it is; the first one asks for the group at the next programming. */
  writeMetrics(value: bigint): void {
    this.state.word[Word.metrics] = value;
    this.state.wordKnown[Word.metrics] = 1;
    this.state.misc[Misc.metricsMode] = 1;
  }

  writeUnknownMetrics(): void {
    this.state.wordKnown[Word.metrics] = 0;
    this.state.misc[Misc.metricsMode] = 1;
  }

  /** The metrics event overflowed: status bit 48 and always a PMI (the group raises one whatever the PMI bit). */
  metricsOverflow(): void {
    const pending = this.registers.counter(Slot.pending, SLOTS_COUNTER);
    if (pending === 1) return;
    this.requestReprogram(SLOTS_COUNTER, true);
    if (pending === 0) this.registers.know(Slot.status + 1, METRICS_STATUS, true);
    else {
      this.registers.open(Slot.status + 1, METRICS_STATUS, UncertaintyReason.overflowNotRecorded);
    }
    this.request(Misc.requestPmi, pending === 0);
  }

  #inMetricsMode(i: number): 0 | 1 | 2 {
    return i === SLOTS_COUNTER && this.shape.topdown
      ? (this.state.misc[Misc.metricsMode]! as 0 | 1 | 2)
      : 0;
  }

  /** A single slots event is not kept once the guest uses the metrics. */
  protected override keepsEvent(i: number): 0 | 1 | 2 {
    const mode = this.#inMetricsMode(i);
    if (mode === 2) return 2;
    return mode === 1 && this.state.backing[METRICS_EVENT] === Backing.none ? 0 : 1;
  }

  protected override fillAttr(i: number): boolean {
    const known = super.fillAttr(i);
    const mode = this.#inMetricsMode(i);
    if (mode === 0) return known;
    this.attr.samplePeriod = 0n;
    this.attr.periodKnown = mode === 1;
    return known && mode === 1;
  }

  override create(i: number): boolean {
    const done = super.create(i);
    const { state } = this;
    if (this.#inMetricsMode(i) !== 1 || state.backing[i] === Backing.none) return done;
    this.#metrics.excludeUser = this.attr.excludeUser;
    this.#metrics.excludeKernel = this.attr.excludeKernel;
    this.#metrics.excludeKnown = this.attr.excludeKnown;
    this.operations.creates++;
    if (!this.perf.create(METRICS_EVENT, this.#metrics)) {
      this.operations.failedCreates++;
      this.release(i);
      return !this.rules.retriesCreate;
    }
    state.backing[METRICS_EVENT] = Backing.live;
    state.gate[METRICS_EVENT] = Gate.on;
    state.interrupts[i] = 1;
    return done;
  }

  override release(i: number): void {
    super.release(i);
    if (i !== SLOTS_COUNTER || this.state.backing[METRICS_EVENT] === Backing.none) return;
    this.perf.release(METRICS_EVENT);
    this.operations.releases++;
    this.clear(METRICS_EVENT);
  }

  protected override resumed(i: number): void {
    if (i !== SLOTS_COUNTER || this.state.backing[METRICS_EVENT] === Backing.none) return;
    this.perf.enable(METRICS_EVENT);
    this.state.gate[METRICS_EVENT] = Gate.on;
  }

  /** The metrics event's count is the register as it stands; it replaces the stored value. */
  protected override paused(i: number): void {
    const { perf, state } = this;
    if (i !== SLOTS_COUNTER || state.backing[METRICS_EVENT] === Backing.none) return;
    const known = perf.countSpan(METRICS_EVENT) === 0n;
    state.word[Word.metrics] = known ? perf.countLow(METRICS_EVENT) : 0n;
    state.wordKnown[Word.metrics] = known ? 1 : 0;
    perf.pause(METRICS_EVENT);
    state.gate[METRICS_EVENT] = Gate.off;
  }

  protected override perhapsPaused(i: number): void {
    if (this.#inMetricsMode(i) !== 0) this.state.wordKnown[Word.metrics] = 0;
  }
}
