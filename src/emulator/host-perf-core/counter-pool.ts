import { countersFor, type PmuDescription } from './pmu-description.ts';

/** What an event asks of a counter. */
export interface CounterRequest {
  /** Event number of the PMU. */
  readonly event: number;
  /** A counter of 64 bits is asked for. */
  readonly long: boolean;
}

/** The hardware counters of one pCPU: which request holds which. */
export class CounterPool<Request extends CounterRequest> {
  readonly pmu: PmuDescription;
  readonly #holder = new Map<number, Request>();

  constructor(pmu: PmuDescription) {
    this.pmu = pmu;
  }

  /** Counters held by a request, lowest first; empty if it has none. */
  heldBy(request: Request): readonly number[] {
    const held: number[] = [];
    for (const [counter, holder] of this.#holder) if (holder === request) held.push(counter);
    return held.sort((a, b) => a - b);
  }

  /** Who holds a counter. */
  holderOf(counter: number): Request | undefined {
    return this.#holder.get(counter);
  }

  /** Places a request; false when no counter it may use is free, or can be freed by moving others. */
  take(request: Request): boolean {
    const wanted = countersFor(this.pmu, request.event);
    if (this.pmu.placed === 'move') return this.#assign(request, wanted, new Set());
    const pair = request.long && this.pmu.longTakesPair;
    for (const counter of wanted) {
      if (this.#holder.has(counter)) continue;
      if (!pair || this.pmu.alwaysLong.includes(counter)) {
        this.#holder.set(counter, request);
        return true;
      }
      // A pair is an even counter and the odd one after it.
      if ((counter & 1) !== 0) continue;
      const odd = counter + 1;
      if (!this.pmu.counters.includes(odd) || this.#holder.has(odd)) continue;
      this.#holder.set(counter, request);
      this.#holder.set(odd, request);
      return true;
    }
    return false;
  }

  /** Gives back what a request holds. */
  release(request: Request): void {
    for (const counter of this.heldBy(request)) this.#holder.delete(counter);
  }

  /** One augmenting path: a free counter, or one whose holder finds another. */
  #assign(request: Request, wanted: readonly number[], seen: Set<number>): boolean {
    const free = wanted.find((counter) => !this.#holder.has(counter));
    if (free !== undefined) {
      this.#holder.set(free, request);
      return true;
    }
    for (const counter of wanted) {
      if (seen.has(counter)) continue;
      seen.add(counter);
      const holder = this.#holder.get(counter)!;
      if (this.#assign(holder, countersFor(this.pmu, holder.event), seen)) {
        this.#holder.set(counter, request);
        return true;
      }
    }
    return false;
  }
}
