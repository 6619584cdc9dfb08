import { U64_MAX } from '../domain/u64.ts';
import { Backing, RecordedEventTables } from './recorded-event-tables.ts';

/** The most events of a config in one nanosecond of guest time; undefined: not known which. */
export type EventCeiling = (config: number | undefined) => number;

const sub = (a: bigint, b: bigint): bigint => BigInt.asUintN(64, a - b);

/**
 * How far the backing events of one vCPU have counted. A count is an interval: exact at a record that carries it, widening
 * by what the vCPU can have counted since in guest mode, narrowed again by the next record.
 */
export class RecordedCounts extends RecordedEventTables {
  /** Set by the owner before each use: the record's seq, and the guest residency (ns). */
  seq = 0;
  residency = 0;
  /** Predicted calls that no record fits, or records that no prediction fits. */
  deviations = 0;
  private readonly ceilingPerNs: EventCeiling;
  private readonly scratch = new BigUint64Array(1);
  private readonly scratchHalves = new Uint32Array(this.scratch.buffer);

  /** `ceilingPerNs` bounds how fast an event can count. */
  constructor(size: number, ceilingPerNs: EventCeiling, extra: number) {
    super(size, extra);
    this.ceilingPerNs = ceilingPerNs;
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

  /** True while it may move when the guest runs. */
  mayCount(counter: number): boolean {
    if (this.life[counter] === Backing.none || this.wanted[counter] === 0) return false;
    return this.placementFailed[counter] === 0;
  }

  protected restsOnThis(counter: number): void {
    this.evidence[counter] = this.seq;
    this.evidenceResidency[counter] = this.residency;
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
}
