import type { PerfEventAttr } from '../domain/log-facts.ts';
import { U64_MAX } from '../domain/u64.ts';
import type { BackingAttr, HostPerf } from '../emulator/host-perf.ts';
import type { FieldVisitor } from './fields.ts';
import { type RecordedCreation, RecordedCreations } from './recorded-creations.ts';

/** What is known of the life of a counter's backing event. */
export const Backing = { none: 0, live: 1, unknown: 2 } as const;

/** perf_event states as the kernel numbers them (semantics F.1). */
export const PerfEventState = { error: -2, off: -1, inactive: 0, active: 1 } as const;
/** No record told the state. */
export const STATE_UNKNOWN = 127;

/** Bits of attr flags (PerfEventAttr.attrFlags). */
const ATTR_DISABLED = 1n;
const ATTR_EXCLUDE_USER = 1n << 4n;
const ATTR_EXCLUDE_KERNEL = 1n << 5n;

/** The most events of a config in one nanosecond of guest time; undefined: not known which. */
export type EventCeiling = (config: number | undefined) => number;

/** A u64 table by counter. */
type U64s = BigUint64Array;

const sub = (a: bigint, b: bigint): bigint => BigInt.asUintN(64, a - b);

/**
 * The backing perf events of one vCPU as the recording shows them: the answers to what the emulated vPMU asks of host
 * perf. A count is an interval: exact at a record that carries it, widening by what the vCPU can have counted since in
 * guest mode, narrowed again by the next record.
 *
 * Two kinds of counts are kept apart. The *relative* one starts where the emulator says (creation, or the moment a
 * guest-visible value was proved); the *absolute* one is perf's own, what records carry. `offset` is their difference.
 */
export class RecordedPerf implements HostPerf {
  /** Counters there can be; a counter's number is its index in every table. */
  readonly size: number;
  /** All state in one buffer, so that a checkpoint is one copy. */
  readonly buffer: ArrayBuffer;
  /** Address of the backing event, 0 not known. */
  readonly pointer: U64s;
  protected readonly pointerHalves: Uint32Array;
  /** Events created since, not yet asked for by the emulator: their access is still open. */
  protected readonly creations: RecordedCreations;
  protected readonly relLow: U64s;
  protected readonly relSpan: U64s;
  protected readonly offLow: U64s;
  protected readonly offSpan: U64s;
  private readonly offSpanHalves: Uint32Array;
  /** The last recorded absolute count and the guest residency at that record, −1 none of the present event. */
  protected readonly lastExact: U64s;
  protected readonly exactAt: Float64Array;
  /** Cumulative guest residency (ns) up to which growth is already in relSpan. */
  protected readonly settled: Float64Array;
  /** Seq of the record the count rests on, 0 none, and the guest residency (ns) at that record. */
  readonly evidence: Float64Array;
  readonly evidenceResidency: Float64Array;
  /** Seq of the last failed placement since the last enable, 0 none. */
  readonly placementFailed: Float64Array;
  /** Seq of the event-create record. */
  readonly createdAt: Float64Array;
  /** Event number asked of perf, −1 not known. */
  readonly config: Float64Array;
  /** How often the relative count began anew for the same event: two of them compare only with the same number here. */
  readonly origins: Int32Array;
  /** Changes whenever the relative count begins anew, whatever the reason: another event, a rebase, a doubt. */
  readonly generation: Int32Array;
  /** Backing.* */
  readonly life: Uint8Array;
  /** KVM asked for it to run: 0 no, 1 yes, 2 not known. */
  readonly wanted: Uint8Array;
  /** Last recorded perf_event state, STATE_UNKNOWN if none since the last change. */
  readonly state: Int8Array;
  /** 1: a release was recorded that the emulator has not asked for yet. */
  protected readonly releasedEarly: Uint8Array;

  /** Attr id, sample period of the creation that was not the predicted one. */
  protected readonly recordedAttr: Int32Array;
  protected readonly recordedPeriod: U64s;
  /** 1: the recorded creation was not the predicted one. */
  protected readonly mismatch: Uint8Array;
  private readonly ceilingPerNs: EventCeiling;
  private readonly scratch = new BigUint64Array(1);
  private readonly scratchHalves = new Uint32Array(this.scratch.buffer);
  /** Where a subclass's part of the buffer begins. */
  protected readonly extraAt: number;

  /** Set by the owner before each use. */
  seq = 0;
  residency = 0;
  /** True while every creation is surely recorded: then one that is not recorded did not happen as predicted. */
  expectCreates = false;
  /** Predicted calls that no record fits, or records that no prediction fits. */
  deviations = 0;
  /** Recorded creations whose config and period equal the predicted ones, and those that do not. */
  createsConfirmed = 0;
  createsContradicted = 0;

  /** `size` counters; `ceilingPerNs` bounds how fast an event can count; `extra` bytes at the end of the buffer are the subclass's. */
  constructor(size: number, ceilingPerNs: EventCeiling, extra = 0) {
    this.size = size;
    this.ceilingPerNs = ceilingPerNs;
    const u64 = 7;
    const f64 = 7;
    const own = Math.ceil((size * (u64 * 8 + f64 * 8 + 3 * 4 + 5)) / 8) * 8;
    this.extraAt = own + RecordedCreations.bytes;
    this.buffer = new ArrayBuffer(this.extraAt + extra);
    let at = 0;
    const u64s = (): U64s => {
      const view = new BigUint64Array(this.buffer, at, size);
      at += size * 8;
      return view;
    };
    const f64s = (): Float64Array => {
      const view = new Float64Array(this.buffer, at, size);
      at += size * 8;
      return view;
    };
    this.pointer = u64s();
    this.pointerHalves = new Uint32Array(this.buffer, this.pointer.byteOffset, 2 * size);
    this.relLow = u64s();
    this.relSpan = u64s();
    this.offLow = u64s();
    this.offSpan = u64s();
    this.offSpanHalves = new Uint32Array(this.buffer, this.offSpan.byteOffset, 2 * size);
    this.recordedPeriod = u64s();
    this.lastExact = u64s();
    this.settled = f64s();
    this.evidence = f64s();
    this.evidenceResidency = f64s();
    this.exactAt = f64s();
    this.placementFailed = f64s();
    this.createdAt = f64s();
    this.config = f64s();
    this.origins = new Int32Array(this.buffer, at, size);
    at += size * 4;
    this.generation = new Int32Array(this.buffer, at, size);
    at += size * 4;
    this.recordedAttr = new Int32Array(this.buffer, at, size);
    at += size * 4;
    const u8s = (): Uint8Array => {
      const view = new Uint8Array(this.buffer, at, size);
      at += size;
      return view;
    };
    this.life = u8s();
    this.wanted = u8s();
    this.state = new Int8Array(this.buffer, at, size);
    at += size;
    this.releasedEarly = u8s();
    this.mismatch = u8s();
    this.creations = new RecordedCreations(this.buffer, own);
    this.forget();
  }

  /** Nothing is known any more: the state before the first record and after lost records. */
  forget(): void {
    for (let i = 0; i < this.size; i++) this.beginAnew(i);
    this.pointer.fill(0n);
    this.creations.clear();
    this.recordedPeriod.fill(0n);
    this.relLow.fill(0n);
    this.relSpan.fill(U64_MAX);
    this.offLow.fill(0n);
    this.offSpan.fill(U64_MAX);
    this.settled.fill(0);
    this.placementFailed.fill(0);
    this.createdAt.fill(0);
    this.config.fill(-1);
    this.life.fill(Backing.unknown);
    this.wanted.fill(2);
    this.state.fill(STATE_UNKNOWN);
    this.releasedEarly.fill(0);
    this.mismatch.fill(0);
    this.recordedAttr.fill(0);
    this.evidence.fill(0);
    this.evidenceResidency.fill(0);
    this.lastExact.fill(0n);
    this.exactAt.fill(-1);
  }

  // What the emulator asks (HostPerf).

  create(counter: number, attr: BackingAttr): boolean {
    this.releasedEarly[counter] = 0;
    const recorded = this.creations.take(counter);
    if (recorded === undefined) {
      if (this.expectCreates) this.deviations++;
      this.begin(counter, 0n, attr.config, attr.disabled ? 0 : 1);
      this.createdAt[counter] = 0;
      return true;
    }
    if (recorded.failed) return false;
    this.claim(recorded, attr.disabled ? 0 : 1);
    const config = recorded.config === attr.config;
    if (config && (!attr.periodKnown || recorded.period === attr.samplePeriod)) {
      this.createsConfirmed++;
      this.mismatch[counter] = 0;
    } else {
      this.createsContradicted++;
      this.mismatch[counter] = 1;
    }
    return true;
  }

  /** Makes a recorded creation the counter's event. */
  protected claim(recorded: RecordedCreation, wanted: number): void {
    const { counter } = recorded;
    this.begin(counter, recorded.pointer, recorded.config, wanted);
    this.createdAt[counter] = recorded.seq;
    this.recordedAttr[counter] = recorded.attr;
    this.recordedPeriod[counter] = recorded.period;
    if (recorded.placed) this.state[counter] = PerfEventState.active;
    if (recorded.refusedAt !== 0) {
      this.state[counter] = PerfEventState.error;
      this.placementFailed[counter] = recorded.refusedAt;
    }
  }

  enable(counter: number): void {
    this.settle(counter);
    this.wanted[counter] = 1;
  }

  disable(counter: number): void {
    this.settle(counter);
    this.wanted[counter] = 0;
  }

  release(counter: number): void {
    this.beginAnew(counter);
    this.releasedEarly[counter] = 0;
    this.life[counter] = Backing.none;
    this.pointer[counter] = 0n;
    this.relLow[counter] = 0n;
    this.relSpan[counter] = 0n;
    this.exactAt[counter] = -1;
    this.wanted[counter] = 0;
  }

  countLow(counter: number): bigint {
    this.settle(counter);
    return this.relLow[counter]!;
  }

  countSpan(counter: number): bigint {
    this.settle(counter);
    return this.relSpan[counter]!;
  }

  rebase(counter: number): void {
    this.beginAnew(counter);
    this.origins[counter] = this.origins[counter]! + 1;
    if (this.exactAt[counter] === this.residency) {
      // Nothing was counted since an absolute count was recorded: it is the offset.
      this.offLow[counter] = this.lastExact[counter]!;
      this.offSpan[counter] = 0n;
      this.relLow[counter] = 0n;
      this.relSpan[counter] = 0n;
      this.settled[counter] = this.residency;
      return;
    }
    if (this.offsetOpen(counter)) {
      if (this.residency > this.settled[counter]!) this.settled[counter] = this.residency;
      this.relLow[counter] = 0n;
      this.relSpan[counter] = 0n;
      return;
    }
    this.settle(counter);
    const low = this.relLow[counter]!;
    const span = this.relSpan[counter]!;
    // absolute = relative + offset: what the relative count loses, the offset takes over.
    const offSpan = this.offSpan[counter]!;
    if (span === U64_MAX || offSpan === U64_MAX || span + offSpan >= U64_MAX) {
      this.offSpan[counter] = U64_MAX;
    } else {
      this.offLow[counter] = BigInt.asUintN(64, this.offLow[counter]! + low);
      this.offSpan[counter] = offSpan + span;
    }
    this.relLow[counter] = 0n;
    this.relSpan[counter] = 0n;
  }

  /** offSpan is U64_MAX; looked at in halves, so that no bigint is made. */
  private offsetOpen(counter: number): boolean {
    const halves = this.offSpanHalves;
    return halves[2 * counter] === 0xffff_ffff && halves[2 * counter + 1] === 0xffff_ffff;
  }

  doubt(counter: number): void {
    this.settle(counter);
    this.wanted[counter] = 2;
    // Creations and releases that are recorded need no doubt: reconcile() takes them over as they are.
    if (this.expectCreates) return;
    this.beginAnew(counter);
    this.life[counter] = Backing.unknown;
    const span = this.relSpan[counter]!;
    const high = this.relLow[counter]! + span;
    this.relLow[counter] = 0n;
    this.relSpan[counter] = span === U64_MAX || high >= U64_MAX ? U64_MAX : high;
    this.offSpan[counter] = U64_MAX;
  }

  // What the records say.

  /** The counter whose backing event has this address (given in halves: no bigint is made), −1 none. */
  counterOf(low: number, high: number): number {
    if (low === 0 && high === 0) return -1;
    const halves = this.pointerHalves;
    for (let i = 0; i < this.size; i++) {
      if (halves[2 * i] === low && halves[2 * i + 1] === high) return i;
    }
    return -1;
  }

  /** event-create: KVM made a backing event for a counter, or (failed) could not. */
  created(creation: Omit<RecordedCreation, 'refusedAt' | 'placed' | 'seq'>): void {
    if (!this.creations.add({ ...creation, seq: this.seq })) this.deviations++;
  }

  /** hw-add of an event that was created in the access that is still open; false if it is not one. */
  placedEarly(pointer: bigint, error: number): boolean {
    return this.creations.length > 0 && this.creations.placement(pointer, error, this.seq);
  }

  /** The address belongs to someone else now. */
  disown(pointer: bigint): void {
    const counter = this.pointer.indexOf(pointer);
    if (counter >= 0) this.pointer[counter] = 0n;
  }

  /** A record with an exact count of perf's own. */
  exactCount(counter: number, count: bigint): void {
    this.restsOnThis(counter);
    this.lastExact[counter] = count;
    this.exactAt[counter] = this.residency;
    const offSpan = this.offSpan[counter]!;
    if (offSpan === 0n) {
      // The offset is exact, so the record replaces whatever bound there was.
      this.relLow[counter] = sub(count, this.offLow[counter]!);
      this.relSpan[counter] = 0n;
      this.settled[counter] = this.residency;
      return;
    }
    this.settle(counter);
    const relSpan = this.relSpan[counter]!;
    const relLow = this.relLow[counter]!;
    if (offSpan === U64_MAX) {
      // The first absolute count since the event or its history became unknown: it fixes the offset.
      if (relSpan === U64_MAX) {
        this.relLow[counter] = count;
        this.relSpan[counter] = 0n;
        this.offLow[counter] = 0n;
        this.offSpan[counter] = 0n;
      } else {
        this.offLow[counter] = sub(sub(count, relLow), relSpan);
        this.offSpan[counter] = relSpan;
      }
      return;
    }
    // rel ∈ [count − off.high, count − off.low] ∩ what is known already.
    const low = sub(sub(count, this.offLow[counter]!), offSpan);
    if (relSpan === U64_MAX) {
      this.relLow[counter] = low;
      this.relSpan[counter] = offSpan;
    } else this.intersect(counter, low, offSpan);
    // And the same record narrows the offset: off = count − rel.
    const span = this.relSpan[counter]!;
    this.offLow[counter] = sub(sub(count, this.relLow[counter]!), span);
    this.offSpan[counter] = span;
  }

  /** A record with a count that may be stale: the true one is not below it. */
  countAtLeast(counter: number, count: bigint): void {
    this.settle(counter);
    if (this.offSpan[counter] !== 0n) return;
    const low = sub(count, this.offLow[counter]!);
    const span = this.relSpan[counter]!;
    if (span === 0n || span === U64_MAX) return;
    const up = sub(low, this.relLow[counter]!);
    if (up <= span) {
      this.relLow[counter] = low;
      this.relSpan[counter] = span - up;
      this.restsOnThis(counter);
    }
  }

  /** event-enable was called: an ERROR state is cleared first (semantics F.1). */
  enabled(counter: number): void {
    this.settle(counter);
    this.wanted[counter] = 1;
    this.placementFailed[counter] = 0;
    this.state[counter] = STATE_UNKNOWN;
  }

  disabled(counter: number): void {
    this.settle(counter);
    this.wanted[counter] = 0;
    this.state[counter] = PerfEventState.off;
    this.placementFailed[counter] = 0;
  }

  /** hw-add: `error` 0 placed, negative refused; a pinned event that is refused goes to ERROR until the next enable. */
  placed(counter: number, error: number): void {
    this.settle(counter);
    if (error === 0) {
      this.state[counter] = PerfEventState.active;
      this.placementFailed[counter] = 0;
    } else {
      this.state[counter] = PerfEventState.error;
      this.placementFailed[counter] = this.seq;
    }
  }

  taken(counter: number): void {
    this.settle(counter);
    if (this.state[counter] === PerfEventState.active)
      this.state[counter] = PerfEventState.inactive;
  }

  /** The thread runs again: what was taken off may have been put back, also where its hw-add was not recorded. */
  mayBePlacedAgain(): void {
    for (let i = 0; i < this.size; i++) {
      if (this.state[i] === PerfEventState.inactive) this.state[i] = STATE_UNKNOWN;
    }
  }

  /** A record that carries the event's state. */
  stateIs(counter: number, state: number): void {
    this.settle(counter);
    this.state[counter] = state;
    if (state === PerfEventState.error) {
      if (this.placementFailed[counter] === 0) this.placementFailed[counter] = this.seq;
    } else this.placementFailed[counter] = 0;
  }

  /** event-release: the event is gone; its count stays until the emulator folds it. */
  released(counter: number): void {
    this.settle(counter);
    this.releasedEarly[counter] = 1;
    this.wanted[counter] = 0;
    this.pointer[counter] = 0n;
    this.state[counter] = PerfEventState.off;
  }

  /** Ties an event of unknown counter to `counter`: a read of it was seen inside the guest's access to that counter. */
  bind(counter: number, pointer: bigint, count: bigint | undefined): void {
    if (this.pointer[counter] !== 0n) return;
    this.pointer[counter] = pointer;
    if (this.life[counter] === Backing.unknown) this.life[counter] = Backing.live;
    if (count !== undefined) this.exactCount(counter, count);
  }

  /** True when a creation or release was recorded that the emulator has not asked for, or asked for otherwise. */
  get pending(): boolean {
    if (this.creations.length > 0) return true;
    for (let i = 0; i < this.size; i++) {
      if (this.releasedEarly[i] !== 0 || this.mismatch[i] !== 0) return true;
    }
    return false;
  }

  /**
   * Ends an access: events that were created or released without the emulator asking for exactly that (its state was not
   * known well enough, or the rules do not fit) are taken over as recorded. Returns what the creations say.
   */
  reconcile(
    attrOf: (id: number) => PerfEventAttr | undefined,
  ): { counter: number; attr: BackingAttr }[] {
    for (let next = this.creations.take(-1); next !== undefined; next = this.creations.take(-1)) {
      this.deviations++;
      if (next.failed) continue;
      this.claim(next, 2);
      this.mismatch[next.counter] = 1;
      this.releasedEarly[next.counter] = 0;
    }
    const adopted: { counter: number; attr: BackingAttr }[] = [];
    for (let i = 0; i < this.size; i++) {
      if (this.releasedEarly[i] !== 0) {
        // What became of its count is the emulator's to say; from here on it does not move.
        this.releasedEarly[i] = 0;
        this.deviations++;
      }
      if (this.mismatch[i] === 0) continue;
      this.mismatch[i] = 0;
      const attr = attrOf(this.recordedAttr[i]!);
      if (attr === undefined) continue;
      const disabled = (attr.attrFlags & ATTR_DISABLED) !== 0n;
      this.wanted[i] = disabled ? 0 : 1;
      adopted.push({
        counter: i,
        attr: {
          config: this.config[i]!,
          wide: (attr.config1 & 1n) !== 0n,
          samplePeriod: this.recordedPeriod[i]!,
          periodKnown: true,
          excludeUser: (attr.attrFlags & ATTR_EXCLUDE_USER) !== 0n,
          excludeKernel: (attr.attrFlags & ATTR_EXCLUDE_KERNEL) !== 0n,
          excludeKnown: true,
          disabled,
        },
      });
    }
    return adopted;
  }

  /**
   * The last recorded absolute count, how much lower the relative count was then than its lower end is now, and the guest
   * time (ns) since. Undefined where the two kinds of counts are not exactly related.
   */
  anchor(counter: number): { count: bigint; below: bigint; agoNs: number } | undefined {
    if (this.offSpan[counter] !== 0n || this.pointer[counter] === 0n) return undefined;
    this.settle(counter);
    if (this.relSpan[counter] === U64_MAX) return undefined;
    const read = this.exactAt[counter]! >= 0;
    // Without a count since its creation it was 0 then; that is the last evidence unless a count raised the lower end.
    if (!read && (this.offLow[counter] !== 0n || this.relLow[counter] !== 0n)) return undefined;
    const at = read ? this.exactAt[counter]! : this.evidenceResidency[counter]!;
    const count = read ? this.lastExact[counter]! : 0n;
    const then = sub(count, this.offLow[counter]!);
    return { count, below: sub(this.relLow[counter]!, then), agoNs: this.residency - at };
  }

  /** True from the recorded release of the event until the emulator asked for it. */
  wasReleasedNow(counter: number): boolean {
    return this.releasedEarly[counter] !== 0;
  }

  /** Recorded period changes that equal the predicted ones, and those that do not (x86). */
  get periods(): { readonly confirmed: number; readonly contradicted: number } {
    return { confirmed: 0, contradicted: 0 };
  }

  /** True when its next record surely is one of the same event, undisturbed by the guest: it bounds what was before it. */
  isFollowed(counter: number): boolean {
    return this.pointer[counter] !== 0n;
  }

  /** True while it may move when the guest runs. */
  mayCount(counter: number): boolean {
    if (this.life[counter] === Backing.none || this.wanted[counter] === 0) return false;
    return this.placementFailed[counter] === 0;
  }

  protected restsOnThis(counter: number): void {
    this.evidence[counter] = this.seq;
    this.evidenceResidency[counter] = this.residency;
  }

  protected begin(counter: number, pointer: bigint, config: number, wanted: number): void {
    this.beginAnew(counter);
    this.pointer[counter] = pointer;
    this.life[counter] = Backing.live;
    this.relLow[counter] = 0n;
    this.relSpan[counter] = 0n;
    this.offLow[counter] = 0n;
    this.offSpan[counter] = 0n;
    this.settled[counter] = this.residency;
    this.exactAt[counter] = -1;
    this.restsOnThis(counter);
    this.placementFailed[counter] = 0;
    this.config[counter] = config;
    this.wanted[counter] = wanted;
    this.state[counter] = STATE_UNKNOWN;
  }

  /** What the relative count was before says nothing of what it is from now on. */
  protected beginAnew(counter: number): void {
    this.generation[counter] = this.generation[counter]! + 1;
  }

  /** Puts the growth since the last look into the interval. */
  protected settle(counter: number): void {
    const ns = this.residency - this.settled[counter]!;
    if (ns <= 0) return;
    this.settled[counter] = this.residency;
    const span = this.relSpan[counter]!;
    if (span === U64_MAX || !this.mayCount(counter)) return;
    const config = this.config[counter]!;
    const most = Math.ceil(ns * this.ceilingPerNs(config < 0 ? undefined : config));
    const grown = span + (most < 2 ** 53 ? this.asBigint(most) : BigInt(most));
    this.relSpan[counter] = grown >= U64_MAX ? U64_MAX : grown;
  }

  /** A whole number below 2^53. Through a typed array: BigInt() itself is a call out of compiled code. */
  private asBigint(number: number): bigint {
    this.scratchHalves[0] = number % 2 ** 32;
    this.scratchHalves[1] = Math.floor(number / 2 ** 32);
    return this.scratch[0]!;
  }

  protected intersect(counter: number, low: bigint, span: bigint): void {
    const oldLow = this.relLow[counter]!;
    const oldHigh = oldLow + this.relSpan[counter]!;
    const high = low + span;
    // Relative counts start at 0 and stay far below 2^63: a low end that wrapped is a small negative one.
    const from = low >= 1n << 63n ? oldLow : low > oldLow ? low : oldLow;
    const to = high >= 1n << 64n ? BigInt.asUintN(64, high) : high;
    const upper = to < oldHigh ? to : oldHigh;
    if (upper < from) {
      // The record contradicts what was derived: the record wins.
      this.deviations++;
      this.relLow[counter] = low;
      this.relSpan[counter] = span;
      return;
    }
    this.relLow[counter] = from;
    this.relSpan[counter] = upper - from;
  }

  /** The fields outside of `buffer` that are state. */
  fields(visitor: FieldVisitor): void {
    this.deviations = visitor.number(this.deviations);
    this.createsConfirmed = visitor.number(this.createsConfirmed);
    this.createsContradicted = visitor.number(this.createsContradicted);
    this.expectCreates = visitor.flag(this.expectCreates);
  }
}
