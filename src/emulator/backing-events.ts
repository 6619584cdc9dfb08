import { CYCLE_COUNTER, Evtyper } from '../arch/arm64-bits.ts';
import type { Arm64RuleSet } from '../arch/arm64-rules.ts';
import { draftHostEvent } from '../arch/perf-maps.ts';
import { U64_MAX } from '../domain/u64.ts';
import { CounterFacts } from './counter-facts.ts';
import type { BackingAttr, HostPerf } from './host-perf.ts';
import {
  AttrBit,
  Backing,
  COUNTER_ITEM,
  CycleWidth,
  Gate,
  Misc,
  type Pmuv3State,
} from './pmuv3-state.ts';
import type { RegisterFile, Tri } from './register-file.ts';
import { addSpans, U32_MAX } from './span.ts';
import { UncertaintyReason } from './uncertainty.ts';

const TYPE_BITS = AttrBit.hardware | AttrBit.hwCache;

function typeBits({ type }: Readonly<BackingAttr>): number {
  if (type === undefined) return 0;
  return type === 'hardware' ? AttrBit.hardware : AttrBit.hwCache;
}

/** Counter bases and backing events: semantics A.4 and A.7. Intervals throughout; exact in, exact out. */
export class BackingEvents extends CounterFacts {
  /** Result of `visible`, `stored` and `countSinceCreation`: [low, low + span], U64_MAX = unknown. */
  low = 0n;
  span = 0n;
  protected readonly perf: HostPerf;
  protected readonly attr: BackingAttr = {
    config: 0,
    wide: false,
    samplePeriod: 0n,
    periodKnown: false,
    excludeUser: false,
    excludeKernel: false,
    excludeKnown: true,
    disabled: true,
    type: undefined,
    excludeHv: true,
  };

  constructor(state: Pmuv3State, registers: RegisterFile, rules: Arm64RuleSet, perf: HostPerf) {
    super(state, registers, rules);
    this.perf = perf;
  }

  /** Computes the value the guest would read now into `low` and `span`: base + count, cut to the width. */
  visible(i: number): void {
    const { state } = this;
    let low = state.base[i]!;
    let span = state.baseSpan[i]!;
    if (state.backing[i] !== Backing.none) {
      low = BigInt.asUintN(64, low + this.perf.countLow(i));
      span = addSpans(span, this.perf.countSpan(i));
    }
    if (this.width(i) === 32) {
      low = BigInt.asUintN(32, low);
      if (span >= U32_MAX) span = U64_MAX;
    } else if (this.cycleIs(i, CycleWidth.either) && low + span > U32_MAX) span = U64_MAX;
    this.low = span === U64_MAX ? 0n : low;
    this.span = span;
  }

  /** Computes what KVM itself stores for the counter into `low` and `span`: the visible value without the event's count. */
  protected stored(i: number): void {
    const { state } = this;
    let low = state.base[i]!;
    let span = state.baseSpan[i]!;
    if (state.backing[i] !== Backing.none) {
      // `base` holds what the event counted before a rebase.
      const counted = state.counted[i]!;
      const more = state.countedSpan[i]!;
      low = BigInt.asUintN(64, low - counted - more);
      span = addSpans(span, more);
      // Without an event there is nothing to take off.
      if (state.backing[i] === Backing.maybe) span = addSpans(span, counted);
    }
    this.low = span === U64_MAX ? 0n : low;
    this.span = span;
  }

  /** Events counted by the live event since its creation, into `low` and `span`. */
  countSinceCreation(i: number): void {
    const { state } = this;
    let low = state.counted[i]!;
    let span = state.countedSpan[i]!;
    if (state.backing[i] !== Backing.none) {
      low = BigInt.asUintN(64, low + this.perf.countLow(i));
      span = addSpans(span, this.perf.countSpan(i));
    }
    this.low = span === U64_MAX ? 0n : low;
    this.span = span;
  }

  /** What the cycle counter holds above the 32 bits that show is no longer known. */
  protected loseUpper(i: number): void {
    if (this.cycleIs(i, CycleWidth.narrow)) {
      this.state.misc[Misc.cycleWidth] = CycleWidth.narrowLow;
    }
  }

  /** Stores a base interval; the first `reason` for not being exact is kept until it is exact again. */
  setBase(i: number, low: bigint, span: bigint, reason: UncertaintyReason): void {
    const { state } = this;
    const item = COUNTER_ITEM + i;
    // Only an exact base is kept in more bits than are shown.
    if (span !== 0n) this.loseUpper(i);
    const narrow = this.storedWidth(i) === 32;
    if (span === 0n) {
      state.reason[item] = UncertaintyReason.none;
    } else if (state.baseSpan[i] === 0n || state.reason[item] === UncertaintyReason.none) {
      state.reason[item] = reason;
      state.since[item] = state.seq;
    }
    const unknown = span === U64_MAX || (narrow && span >= U32_MAX);
    state.base[i] = unknown ? 0n : narrow ? BigInt.asUintN(32, low) : low;
    state.baseSpan[i] = unknown ? U64_MAX : span;
  }

  /** Releases the event, its count is lost. */
  release(i: number): void {
    const { state } = this;
    if (state.backing[i] === Backing.none) return;
    this.perf.disable(i);
    this.perf.release(i);
    this.clear(i);
  }

  /** The counter has no event (any more). */
  clear(i: number): void {
    this.state.backing[i] = Backing.none;
    this.state.gate[i] = Gate.off;
  }

  /** Folds the count into the base (or loses it: rule `stopFolds`) and releases the event. */
  stop(i: number): void {
    if (this.state.backing[i] === Backing.none) return;
    const { state } = this;
    if (state.backing[i] === Backing.maybe) this.loseUpper(i);
    if (this.rules.stopFolds) this.visible(i);
    else this.stored(i);
    this.setBase(i, this.low, this.span, UncertaintyReason.countNotRecorded);
    // What is folded is what shows: nothing is left above it.
    if (
      state.backing[i] === Backing.live &&
      this.span === 0n &&
      this.cycleIs(i, CycleWidth.narrowLow)
    ) {
      state.misc[Misc.cycleWidth] = CycleWidth.narrow;
    }
    this.release(i);
  }

  /** Folds and releases a present event, then asks the host for the one the counter is programmed for. */
  create(i: number): void {
    this.stop(i);
    const backed = this.backed(i);
    if (backed === 0) return;
    const { state, attr } = this;
    const gate = this.#gateOfNew(i);
    this.#fillAttr(i);
    attr.disabled = gate !== 1;
    if (backed === 1 && !this.perf.create(i, attr)) return;
    state.backing[i] = backed === 1 ? Backing.live : Backing.maybe;
    state.gate[i] = gate;
    this.takeAttr(i, attr);
    // A disabled event counts nothing, whatever it is.
    if (gate === 2 || (gate === 1 && this.#isOpen(i))) this.perf.doubt(i);
  }

  /** Whether a new event of this counter starts enabled. */
  #gateOfNew(i: number): Tri {
    return this.rules.created === 'enabled' ? 1 : this.gate(i);
  }

  /** What the counter's programming asks of the host, but for `disabled`. */
  #fillAttr(i: number): void {
    const { state, attr } = this;
    const user = this.excludesUser(i);
    const kernel = this.excludesKernel(i);
    this.period(i, state.base[i]!, state.baseSpan[i]!);
    this.#fillEvent(i);
    attr.wide = this.rules.longHostCounter && this.width(i) === 64;
    attr.excludeUser = user === 1;
    attr.excludeKernel = kernel === 1;
    attr.excludeKnown = user !== 2 && kernel !== 2;
    if (this.rules.excludeHv === 'always') return;
    attr.excludeHv = (state.type[i]! & Evtyper.NSH) === 0;
    if ((state.typeUnknown[i]! & Evtyper.NSH) !== 0) attr.excludeKnown = false;
  }

  /** The event asked of the host. */
  #fillEvent(i: number): void {
    const { attr } = this;
    const number = this.eventNumber(i);
    const generic = this.rules.hostEvent === 'raw' ? undefined : draftHostEvent(number);
    attr.type = generic?.type;
    attr.config = generic?.config ?? number;
  }

  /** What the counter's event is, or whether there is one, is not known. */
  #isOpen(i: number): boolean {
    const { attrFlags, backing } = this.state;
    return backing[i] === Backing.maybe || (attrFlags[i]! & AttrBit.open) !== 0;
  }

  /** KVM enables this counter's event, creating a missing one. */
  protected enable(i: number): void {
    const { state } = this;
    if (state.backing[i] === Backing.none) {
      if (this.rules.enableCreates) this.create(i);
      return;
    }
    this.perf.enable(i);
    state.gate[i] = Gate.on;
    if (state.backing[i] === Backing.maybe && this.rules.enableCreates) this.#perhapsCreated(i);
    if (this.#isOpen(i)) this.perf.doubt(i);
  }

  /** An event that perhaps existed was perhaps created only now: with what both agree on. */
  #perhapsCreated(i: number): void {
    const { state, attr } = this;
    this.period(i, state.base[i]!, state.baseSpan[i]!);
    if (!attr.periodKnown || attr.samplePeriod !== state.period[i]) state.periodKnown[i] = 0;
  }

  /** KVM disables this counter's event. */
  protected disable(i: number): void {
    if (this.state.backing[i] === Backing.none) return;
    this.perf.disable(i);
    this.state.gate[i] = Gate.off;
  }

  /** KVM may or may not enable this counter's event here. */
  protected maybeEnable(i: number): void {
    const { state, attr } = this;
    if (state.backing[i] === Backing.maybe && this.rules.enableCreates) this.#perhapsCreated(i);
    if (state.backing[i] === Backing.none) {
      if (!this.rules.enableCreates || this.backed(i) === 0) return;
      state.backing[i] = Backing.maybe;
      this.#fillAttr(i);
      this.takeAttr(i, attr);
    }
    if (state.gate[i] !== Gate.on) state.gate[i] = Gate.maybe;
    this.perf.doubt(i);
  }

  /** KVM may or may not disable this counter's event here. */
  protected maybeDisable(i: number): void {
    const { state } = this;
    if (state.backing[i] === Backing.none || state.gate[i] === Gate.off) return;
    state.gate[i] = Gate.maybe;
    this.perf.doubt(i);
  }

  /** The base is the value as of now, whose event was perhaps replaced by another: counting starts anew. */
  protected maybeRecreate(i: number): void {
    const { state, perf, attr } = this;
    const backed = this.backed(i);
    const gate = this.#gateOfNew(i);
    if (state.backing[i] === Backing.none) {
      if (backed === 0) return;
      state.gate[i] = gate;
      state.backing[i] = Backing.maybe;
    } else {
      perf.rebase(i);
      if (backed !== 1) state.backing[i] = Backing.maybe;
      if (this.rules.created === 'enabled' && state.gate[i] !== gate) state.gate[i] = Gate.maybe;
    }
    this.#fillEvent(i);
    state.config[i] = attr.config;
    state.attrFlags[i] = (state.attrFlags[i]! & ~TYPE_BITS) | typeBits(attr);
    state.periodKnown[i] = 0;
    state.countedSpan[i] = U64_MAX;
    perf.doubt(i);
  }

  /** Remembers what a fresh event was created with. */
  protected takeAttr(i: number, attr: Readonly<BackingAttr>): void {
    const { state } = this;
    state.config[i] = attr.config;
    state.attrFlags[i] =
      (attr.excludeUser ? AttrBit.excludeUser : 0) |
      (attr.excludeKernel ? AttrBit.excludeKernel : 0) |
      (attr.excludeKnown ? 0 : AttrBit.open) |
      (attr.wide ? AttrBit.wide : 0) |
      typeBits(attr);
    state.counted[i] = 0n;
    state.countedSpan[i] = 0n;
    this.arm(i, attr.samplePeriod, attr.periodKnown, 0n);
  }

  /** The event's period from now on, set when it had counted `count` (exact if the period is known). */
  protected arm(i: number, period: bigint, known: boolean, count: bigint): void {
    const { state } = this;
    state.period[i] = known ? period : 0n;
    state.periodKnown[i] = known ? 1 : 0;
    state.armed[i] = count;
  }

  /** Sample period for a value interval, into the attr (semantics A.7). */
  protected period(i: number, low: bigint, span: bigint): void {
    const { attr } = this;
    const wide = this.width(i) === 64;
    const long: Tri = wide ? this.overflow64(i) : 0;
    attr.periodKnown = span === 0n && long !== 2;
    if (!attr.periodKnown) attr.samplePeriod = 0n;
    else if (long === 1) attr.samplePeriod = BigInt.asUintN(64, -low);
    else if (!wide || this.rules.widePeriodMasked) attr.samplePeriod = BigInt.asUintN(32, -low);
    else attr.samplePeriod = BigInt.asUintN(64, -BigInt.asUintN(32, low));
  }

  /** Has the event reached its period since it was last armed: no, surely, or perhaps. */
  periodReached(i: number): Tri {
    const { state } = this;
    if (state.backing[i] === Backing.none) return 0;
    if (state.periodKnown[i] === 0) return 2;
    const period = state.period[i]!;
    if (period === 0n) return 0; // never a sampling event: semantics A.7 "period 0 trap"
    this.countSinceCreation(i);
    if (this.span === U64_MAX) return 2;
    const least = BigInt.asIntN(64, this.low - state.armed[i]!);
    if (least >= period) return 1;
    return least + this.span >= period ? 2 : 0;
  }

  /** True if AArch32 rules apply to a write of this counter: bits 63:32 stay. */
  protected keepsUpper(i: number): boolean {
    return this.rules.aarch32KeepsUpper && i !== CYCLE_COUNTER && this.width(i) === 64;
  }
}
