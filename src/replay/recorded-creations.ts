/** Most creations one access can make: every counter enabled and reset by one PMCR write (semantics A.6). */
const CAPACITY = 64;

/** One recorded creation. `failed`: it returned an error, there is no event. */
export interface RecordedCreation {
  readonly counter: number;
  readonly pointer: bigint;
  readonly config: number;
  readonly period: bigint;
  /** Id in the log's attr table. */
  readonly attr: number;
  readonly failed: boolean;
  readonly seq: number;
  /** Seq of a placement that was refused since, 0 none. */
  readonly refusedAt: number;
  /** True when a placement succeeded since. */
  readonly placed: boolean;
}

/**
 * Creations of backing events that were recorded while the access that makes them is still open: the emulator asks for
 * them, in the same order, when the access completes. One buffer, so that it is part of a checkpoint.
 */
export class RecordedCreations {
  static readonly bytes = CAPACITY * (2 * 8 + 3 * 8 + 4 + 2) + 8;
  private readonly pointers: BigUint64Array;
  private readonly periods: BigUint64Array;
  private readonly seqs: Float64Array;
  private readonly refused: Float64Array;
  private readonly configs: Float64Array;
  private readonly attrs: Int32Array;
  private readonly counters: Int8Array;
  private readonly states: Uint8Array;
  private readonly count: Float64Array;

  constructor(buffer: ArrayBuffer, offset: number) {
    let at = offset;
    const take = (bytes: number): number => {
      at += bytes;
      return at - bytes;
    };
    this.count = new Float64Array(buffer, take(8), 1);
    this.pointers = new BigUint64Array(buffer, take(CAPACITY * 8), CAPACITY);
    this.periods = new BigUint64Array(buffer, take(CAPACITY * 8), CAPACITY);
    this.seqs = new Float64Array(buffer, take(CAPACITY * 8), CAPACITY);
    this.refused = new Float64Array(buffer, take(CAPACITY * 8), CAPACITY);
    this.configs = new Float64Array(buffer, take(CAPACITY * 8), CAPACITY);
    this.attrs = new Int32Array(buffer, take(CAPACITY * 4), CAPACITY);
    this.counters = new Int8Array(buffer, take(CAPACITY), CAPACITY);
    this.states = new Uint8Array(buffer, take(CAPACITY), CAPACITY);
  }

  get length(): number {
    return this.count[0]!;
  }

  clear(): void {
    this.count[0] = 0;
  }

  /** Adds one; false (and nothing is added) when more are open than any access can make. */
  add(creation: Omit<RecordedCreation, 'refusedAt' | 'placed'>): boolean {
    const i = this.length;
    if (i === CAPACITY) return false;
    this.pointers[i] = creation.pointer;
    this.periods[i] = creation.period;
    this.seqs[i] = creation.seq;
    this.refused[i] = 0;
    this.configs[i] = creation.config;
    this.attrs[i] = creation.attr;
    this.counters[i] = creation.counter;
    this.states[i] = creation.failed ? 1 : 0;
    this.count[0] = i + 1;
    return true;
  }

  /** hw-add of an event that is still waiting here; false if this one is not. */
  placement(pointer: bigint, error: number, seq: number): boolean {
    for (let i = this.length - 1; i >= 0; i--) {
      if (this.pointers[i] !== pointer || this.states[i] === 1) continue;
      this.refused[i] = error === 0 ? 0 : seq;
      this.states[i] = error === 0 ? 2 : 0;
      return true;
    }
    return false;
  }

  /**
   * Gives the oldest creation that names no counter and asks for this config (and period, where one of those does) the
   * counter's number; false if there is none.
   */
  assign(counter: number, config: number, period: bigint | undefined): boolean {
    let found = -1;
    for (let i = this.length - 1; i >= 0; i--) {
      if (this.counters[i]! >= 0 || this.configs[i] !== config) continue;
      if (found < 0 || this.periods[found] !== period || this.periods[i] === period) found = i;
    }
    if (found < 0) return false;
    this.counters[found] = counter;
    return true;
  }

  /**
   * Gives those that name no counter the one `counterFor` says for their config; drops those it has none for (−1), and
   * returns how many.
   */
  place(counterFor: (config: number) => number): number {
    let dropped = 0;
    for (let i = this.length - 1; i >= 0; i--) {
      if (this.counters[i]! >= 0) continue;
      const counter = counterFor(this.configs[i]!);
      if (counter >= 0) this.counters[i] = counter;
      else {
        this.remove(i);
        dropped++;
      }
    }
    return dropped;
  }

  /** Takes out the oldest creation for `counter` (any counter: −1). */
  take(counter: number): RecordedCreation | undefined {
    const n = this.length;
    for (let i = 0; i < n; i++) {
      if (counter >= 0 && this.counters[i] !== counter) continue;
      const creation: RecordedCreation = {
        counter: this.counters[i]!,
        pointer: this.pointers[i]!,
        config: this.configs[i]!,
        period: this.periods[i]!,
        attr: this.attrs[i]!,
        failed: this.states[i] === 1,
        seq: this.seqs[i]!,
        refusedAt: this.refused[i]!,
        placed: this.states[i] === 2,
      };
      this.remove(i);
      return creation;
    }
    return undefined;
  }

  private remove(i: number): void {
    const n = this.length;
    for (const column of [
      this.pointers,
      this.periods,
      this.seqs,
      this.refused,
      this.configs,
      this.attrs,
      this.counters,
      this.states,
    ]) {
      column.copyWithin(i, i + 1, n);
    }
    this.count[0] = n - 1;
  }
}
