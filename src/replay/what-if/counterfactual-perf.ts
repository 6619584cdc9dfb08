import type { BackingAttr, PausablePerf } from '../../emulator/host-perf.ts';
import { NO_OPERATIONS, type PerfOperations } from '../../emulator/perf-operations.ts';
import type { CountChange, FactualCounts } from './factual-counts.ts';
import { GrownCounts, Growth, NOT_KNOWN } from './grown-counts.ts';

/** What is known of the life of an event. */
const Life = {
  none: 0,
  live: 1,
  /** Perhaps there, perhaps another: the model is in doubt. */
  doubt: 2,
  /** From before the recording: whatever the recorded vCPU had. */
  shared: 3,
} as const;

/**
 * Host perf as a vPMU under other rules would have met it: the events it asks for count what the recorded event of the
 * same counter counted in the same guest time, as long as that one counted the same thing. Where it did not (it was off,
 * missed its counter, or was programmed otherwise), growth is bounded by the guest's time and what a core can count.
 *
 * A placement is taken to succeed where the recorded one did, and to fail where it did: the model asks for the events at
 * the same moments, only with other calls.
 */
export class CounterfactualPerf implements PausablePerf {
  readonly operations: PerfOperations = { ...NO_OPERATIONS };
  readonly #counts: FactualCounts;
  /** Event number of what an attr asks for; undefined: not known. */
  readonly #numberOf: (attr: Readonly<BackingAttr>) => number | undefined;
  /** Events the recorded host refused to create: it would have refused them here too. */
  readonly #refused: ReadonlySet<number>;

  readonly #grown: GrownCounts;
  readonly #life: Uint8Array;
  /** 0 off, 1 on, 2 not known. */
  readonly #enabled: Uint8Array;
  readonly #excludes: Uint8Array;
  readonly #createdAt: Float64Array;
  readonly #enabledAt: Float64Array;
  /** 1: it may have missed its hardware counter. */
  readonly #suspect: Uint8Array;
  /** 1: made without a sample period: perf refuses to change it. */
  readonly #unsampled: Uint8Array;
  /** 1: this model made an event that it has not released since. */
  readonly #made: Uint8Array;
  /** 1: in the present step the model was in doubt about it. */
  readonly #doubted: Uint8Array;
  /** 1: the model asked something of it since it was settled. */
  readonly #touched: Uint8Array;

  constructor(
    counts: FactualCounts,
    numberOf: (attr: Readonly<BackingAttr>) => number | undefined,
    refused: ReadonlySet<number>,
  ) {
    this.#counts = counts;
    this.#numberOf = numberOf;
    this.#refused = refused;
    const { size } = counts.perf;
    this.#grown = new GrownCounts(counts);
    const f64s = (): Float64Array => new Float64Array(size);
    const u8s = (): Uint8Array => new Uint8Array(size);
    this.#life = u8s().fill(Life.shared);
    this.#enabled = u8s().fill(2);
    this.#excludes = u8s();
    this.#createdAt = f64s().fill(NOT_KNOWN);
    this.#enabledAt = f64s().fill(NOT_KNOWN);
    this.#suspect = u8s();
    this.#unsampled = u8s();
    this.#made = u8s();
    this.#doubted = u8s();
    this.#touched = u8s();
  }

  // ---- what the model asks -----------------------------------------------------------------------------------------

  create(counter: number, attr: Readonly<BackingAttr>): boolean {
    const number = this.#numberOf(attr);
    if (number !== undefined && this.#refused.has(number)) {
      this.operations.failedCreates++;
      return false;
    }
    this.operations.creates++;
    this.#begin(counter, number, attr);
    return true;
  }

  /** An event that was not made by this model's rules: the VMM had it made, whatever they are. */
  made(counter: number, attr: Readonly<BackingAttr>): void {
    this.#begin(counter, this.#numberOf(attr), attr);
  }

  /** What is asked meanwhile is not the guest's doing: a state is set. */
  uncounted(act: () => void): void {
    const before = { ...this.operations };
    act();
    Object.assign(this.operations, before);
  }

  #begin(counter: number, number: number | undefined, attr: Readonly<BackingAttr>): void {
    this.#touched[counter] = 1;
    this.#made[counter] = 1;
    this.#grown.zero(counter);
    this.#life[counter] = Life.live;
    this.#grown.config[counter] = number ?? NOT_KNOWN;
    this.#excludes[counter] = Number(attr.excludeUser) | (Number(attr.excludeKernel) << 1);
    if (!attr.excludeKnown) this.#grown.config[counter] = NOT_KNOWN;
    this.#unsampled[counter] = attr.periodKnown && attr.samplePeriod === 0n ? 1 : 0;
    this.#createdAt[counter] = this.#counts.perf.residency;
    this.#enabled[counter] = 0;
    this.#suspect[counter] = 0;
    if (!attr.disabled) this.#on(counter);
  }

  enable(counter: number): void {
    this.#touched[counter] = 1;
    if (this.#made[counter] === 1 && this.#enabled[counter] !== 1) this.operations.reuses++;
    this.#on(counter);
  }

  disable(counter: number): void {
    this.#touched[counter] = 1;
    this.#enabled[counter] = 0;
  }

  release(counter: number): void {
    this.#touched[counter] = 1;
    if (this.#made[counter] === 1) this.operations.releases++;
    this.#made[counter] = 0;
    this.#grown.zero(counter);
    this.#life[counter] = Life.none;
    this.#enabled[counter] = 0;
  }

  pause(counter: number): void {
    this.#touched[counter] = 1;
    this.#grown.zero(counter);
    this.#enabled[counter] = 0;
  }

  setPeriod(counter: number, _period: bigint): boolean {
    if (this.#unsampled[counter] === 1) return false;
    this.operations.periods++;
    return true;
  }

  countLow(counter: number): bigint {
    return this.#grown.low(counter);
  }

  countSpan(counter: number): bigint {
    return this.#grown.span(counter);
  }

  rebase(counter: number): void {
    this.#touched[counter] = 1;
    this.#grown.rebase(counter);
  }

  doubt(counter: number): void {
    this.#touched[counter] = 1;
    this.#doubted[counter] = 1;
    if (this.#life[counter] === Life.shared) return;
    this.#grown.doubt(counter);
    this.#life[counter] = Life.doubt;
    this.#enabled[counter] = 2;
  }

  /** The vPMU was just made: it has no events. */
  none(): void {
    this.#touched.fill(1);
    for (let counter = 0; counter < this.#life.length; counter++) {
      this.#grown.zero(counter);
      this.#life[counter] = Life.none;
      this.#enabled[counter] = 0;
    }
  }

  /** Records were lost: nothing is known of any event. */
  forget(): void {
    this.#touched.fill(1);
    this.#life.fill(Life.doubt);
    this.#enabled.fill(2);
    this.#grown.forget();
  }

  // ---- what the records say ----------------------------------------------------------------------------------------

  /**
   * After a step that both the recorded vCPU and this one have taken, or after a record that changed what the recorded
   * event does: how this counter's event grows from now on. `count`: whether the recorded count began anew in that step.
   */
  settle(counter: number, count: CountChange): void {
    this.#touched[counter] = 0;
    const anew = count !== 'goes-on';
    // What both had from before the recording is no longer the same, unless the same was perhaps done to both.
    const doubted = this.#doubted[counter] === 1;
    this.#doubted[counter] = 0;
    if (count === 'another' || count === 'doubted') {
      const life = this.#life[counter];
      if (life === Life.shared && !(doubted && count === 'doubted')) {
        this.#life[counter] = Life.doubt;
      } else if (life === Life.doubt && doubted && this.#madeAlike(counter)) {
        // The same event was perhaps made for both in this step: whatever became of it, both have it.
        this.#life[counter] = Life.shared;
      }
    }
    this.#grown.grow(counter, this.#growthOf(counter), anew);
  }

  /** True if the model asked something of the counter's event that is not settled. */
  touched(counter: number): boolean {
    return this.#touched[counter] === 1;
  }

  /** True while the counter's event surely does not count. */
  growthless(counter: number): boolean {
    return this.#grown.growth[counter] === Growth.none;
  }

  /** True while this event and the recorded one were made and enabled by the same steps: they share every fate. */
  inStep(counter: number): boolean {
    const { createdAt, enabledAt } = this.#counts;
    return (
      this.#life[counter] === Life.live &&
      this.#createdAt[counter] === createdAt[counter] &&
      this.#enabledAt[counter] === enabledAt[counter]
    );
  }

  #madeAlike(counter: number): boolean {
    const { perf } = this.#counts;
    const now = this.#createdAt[counter] === perf.residency;
    return now && this.#made[counter] === 1 && this.#grown.config[counter] === perf.config[counter];
  }

  #growthOf(counter: number): number {
    const counts = this.#counts;
    const life = this.#life[counter]!;
    if (life === Life.none) return Growth.none;
    if (this.#enabled[counter] === 0) {
      // As long as the recorded event is off too, nothing grows, and what records still tell of its count holds for both.
      const both =
        this.#grown.growth[counter] === Growth.recorded && counts.perf.wanted[counter] === 0;
      return both ? Growth.recorded : Growth.none;
    }
    if (life === Life.shared) return Growth.recorded;
    if (life === Life.doubt) return Growth.free;
    const excludes = this.#excludes[counter]!;
    const config = this.#grown.config[counter]!;
    const alike = counts.countsAs(counter, config, (excludes & 1) !== 0, (excludes & 2) !== 0);
    if (config === NOT_KNOWN || !alike) return this.#astray(counter);
    if (this.inStep(counter) && counts.perf.wanted[counter] === 1) {
      // It missed its hardware counter with the recorded one: an enable of that one alone does not revive it.
      if (counts.failed(counter)) this.#suspect[counter] = 1;
      return Growth.recorded;
    }
    if (counts.counts(counter))
      return this.#suspect[counter] === 1 ? Growth.atMostRecorded : Growth.recorded;
    return this.#astray(counter);
  }

  /** It counts (perhaps) where the recorded event does not: on a host where events miss counters, so may this one. */
  #astray(counter: number): number {
    if (this.#counts.failed(counter) || this.#counts.contended) this.#suspect[counter] = 1;
    return Growth.free;
  }

  #on(counter: number): void {
    if (this.#enabled[counter] !== 1) this.#enabledAt[counter] = this.#counts.perf.residency;
    this.#enabled[counter] = 1;
    this.#suspect[counter] = 0;
  }
}
