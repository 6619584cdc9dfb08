import { U64_MAX } from '../../../src/domain/u64.ts';
import type { BackingAttr, PausablePerf } from '../../../src/emulator/host-perf.ts';
import { FakePerf } from './fake-perf.ts';

/** How the host's counts are blurred. */
export interface Blur {
  readonly below: bigint;
  readonly above: bigint;
  readonly unknownCounts: boolean;
}

/**
 * A host that answers with what the true events counted, blurred; or, with `byCalls`, as long as the model is not in
 * doubt about a counter, with what its own events count, which it makes, pauses, enables and releases as the model tells
 * it.
 */
export class BlurredPerf implements PausablePerf {
  readonly #truth: FakePerf;
  readonly #byCalls: boolean;
  readonly #own: FakePerf;
  readonly #origin = new Map<number, bigint>();
  readonly #ownOrigin = new Map<number, bigint>();
  readonly #doubted = new Set<number>(Array.from({ length: 40 }, (_, i) => i));
  readonly #sampling = new Map<number, boolean>();
  /** Counters whose count is known to be 0: nothing has run since it was reset. */
  readonly #still = new Set<number>();
  #blur: Blur = { below: 0n, above: 0n, unknownCounts: false };
  /** True while the true events count. */
  counting = false;

  constructor(truth: FakePerf, byCalls: boolean, intel: boolean) {
    this.#truth = truth;
    this.#byCalls = byCalls;
    this.#own = new FakePerf(intel);
  }

  begin(blur: Blur): void {
    this.#blur = blur;
  }

  hardware(event: bigint, cpl: number, n: bigint): void {
    this.#still.clear();
    this.#own.hardware(event, cpl, n);
  }

  rebase(i: number): void {
    this.#origin.set(i, this.#truth.totals.get(i) ?? 0n);
    this.#ownOrigin.set(i, this.#own.countLow(i));
    this.#still.add(i);
  }

  /** The event of the counter is a new one that the model has been told of. */
  replace(i: number, attr: Readonly<BackingAttr>): void {
    this.#own.create(i, { ...attr, config: Math.max(attr.config, 0), samplePeriod: 0n });
    this.#sampling.set(i, !attr.periodKnown || attr.samplePeriod !== 0n);
    this.rebase(i);
    this.#doubted.delete(i);
  }

  create(i: number, attr: Readonly<BackingAttr>): boolean {
    this.replace(i, attr);
    return true;
  }

  doubt(i: number): void {
    this.#doubted.add(i);
  }

  enable(i: number): void {
    if (this.#own.events.has(i)) this.#own.enable(i);
  }

  disable(): void {
    throw new Error('KVM on x86 never disables an event without pausing it');
  }

  pause(i: number): void {
    if (this.#own.events.has(i)) this.#own.pause(i);
    this.rebase(i);
  }

  setPeriod(i: number, period: bigint): boolean {
    return period !== 0n && this.#sampling.get(i) !== false;
  }

  release(i: number): void {
    this.#own.release(i);
    this.rebase(i);
    this.#doubted.delete(i);
  }

  /** The host counts this counter exactly by what it was told. */
  #knows(i: number): boolean {
    return this.#byCalls && !this.#doubted.has(i);
  }

  #count(i: number): bigint {
    if (this.#knows(i)) return this.#own.countLow(i) - (this.#ownOrigin.get(i) ?? 0n);
    return (this.#truth.totals.get(i) ?? 0n) - (this.#origin.get(i) ?? 0n);
  }

  countLow(i: number): bigint {
    if (this.#still.has(i)) return 0n;
    const count = this.#count(i);
    if (this.#blur.unknownCounts || count < this.#blur.below) return 0n;
    return count - this.#blur.below;
  }

  countSpan(i: number): bigint {
    if (this.#still.has(i)) return 0n;
    if (this.#blur.unknownCounts) return U64_MAX;
    return this.#count(i) - this.countLow(i) + this.#blur.above;
  }
}
