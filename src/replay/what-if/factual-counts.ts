import { Backing, type EventCeiling, type RecordedPerf } from '../recorded-perf.ts';

/** What a backing event counts; undefined members are not known. */
export interface CountedEvent {
  /** Event number as the PMU knows it (generic events are mapped), undefined: not known. */
  readonly config: number | undefined;
  readonly excludeUser: boolean;
  readonly excludeKernel: boolean;
}

/**
 * What a step did to the count of a recorded event: it goes on; it began anew for the same event; it is another event's
 * (or there is none now); or nobody knows what was done to it.
 */
export type CountChange = 'goes-on' | 'anew' | 'another' | 'doubted';

/** What the recorded backing events of one vCPU counted, for models that played other events on the same counters. */
export class FactualCounts {
  readonly perf: RecordedPerf;
  readonly ceiling: EventCeiling;
  /** What each counter's recorded event counts; undefined: there is none, or nobody knows. */
  readonly #counted: (counter: number) => CountedEvent | undefined;
  /** The count at the last `mark`: of events that are gone since, all they ever counted. */
  readonly endLow: BigUint64Array;
  readonly endSpan: BigUint64Array;
  /** Guest residency (ns) at the recorded event's creation, its last enable, and whether it ever failed to be placed. */
  readonly createdAt: Float64Array;
  readonly enabledAt: Float64Array;
  readonly #seen: Int32Array;
  readonly #origins: Int32Array;
  readonly #wanted: Uint8Array;
  readonly #failed: Float64Array;
  /** The counter whose event was described last, and how; −1: none since the last look. */
  #asked = -1;
  #answer: CountedEvent | undefined;
  /** An event of this vCPU was seen to miss its counter. */
  contended = false;

  constructor(
    perf: RecordedPerf,
    ceiling: EventCeiling,
    counted: (counter: number) => CountedEvent | undefined,
  ) {
    this.perf = perf;
    this.ceiling = ceiling;
    this.#counted = counted;
    const { size } = perf;
    this.endLow = new BigUint64Array(size);
    this.endSpan = new BigUint64Array(size);
    this.createdAt = new Float64Array(size).fill(-1);
    this.enabledAt = new Float64Array(size).fill(-1);
    this.#seen = new Int32Array(perf.generation);
    this.#origins = new Int32Array(perf.origins);
    this.#wanted = new Uint8Array(perf.wanted);
    this.#failed = new Float64Array(size);
  }

  /** Takes down the counts of `counters`: call before something that can end events. */
  mark(counters: readonly number[]): void {
    const { perf, endLow, endSpan } = this;
    for (const i of counters) {
      endLow[i] = perf.countLow(i);
      endSpan[i] = perf.countSpan(i);
    }
  }

  /** A guest read proved how far a counter's event had counted: `skip` past the lower end of the last mark. */
  proved(counter: number, skip: bigint): void {
    this.endLow[counter] = this.endLow[counter]! + skip;
    this.endSpan[counter] = 0n;
  }

  /** Looks at a counter after a step: what became of its count since the last look. */
  look(counter: number): CountChange {
    const { perf } = this;
    // Looked up once for all the models that ask after this.
    this.#asked = -1;
    const anew = perf.generation[counter] !== this.#seen[counter];
    const same = perf.origins[counter] !== this.#origins[counter];
    const wanted = perf.wanted[counter]!;
    if (anew) {
      this.#seen[counter] = perf.generation[counter]!;
      this.#origins[counter] = perf.origins[counter]!;
      if (!same) this.createdAt[counter] = perf.residency;
    }
    if (wanted === 1 && (anew || this.#wanted[counter] !== 1)) {
      this.enabledAt[counter] = perf.residency;
    }
    this.#wanted[counter] = wanted;
    if (!anew) return 'goes-on';
    if (same) return 'anew';
    return perf.life[counter] === Backing.unknown ? 'doubted' : 'another';
  }

  /** True if something happened to a counter's event that `look` has to see. */
  changed(counter: number): boolean {
    const { perf } = this;
    return (
      perf.generation[counter] !== this.#seen[counter] ||
      perf.wanted[counter] !== this.#wanted[counter] ||
      perf.placementFailed[counter] !== this.#failed[counter]
    );
  }

  /** Whether the counter's event missed its hardware counter and was not enabled since. */
  failed(counter: number): boolean {
    const seq = this.perf.placementFailed[counter]!;
    this.#failed[counter] = seq;
    if (seq !== 0) this.contended = true;
    return seq !== 0;
  }

  /** True when the recorded event surely counts while the guest runs. */
  counts(counter: number): boolean {
    const { perf } = this;
    return (
      perf.life[counter] === Backing.live && perf.wanted[counter] === 1 && !this.failed(counter)
    );
  }

  /** True if the recorded event surely counts the same things. */
  countsAs(counter: number, config: number, excludeUser: boolean, excludeKernel: boolean): boolean {
    if (this.#asked !== counter) {
      this.#answer = this.#counted(counter);
      this.#asked = counter;
    }
    const own = this.#answer;
    return (
      own?.config !== undefined &&
      own.config === config &&
      own.excludeUser === excludeUser &&
      own.excludeKernel === excludeKernel
    );
  }
}
