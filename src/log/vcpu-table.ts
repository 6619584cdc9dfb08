import { InputError } from '../domain/errors.ts';
import type { VcpuFact } from '../domain/log-facts.ts';
import { MAX_SLOT } from './side-tables.ts';

/** The vCPUs a log knows while a run adds to them. */
export class VcpuTable {
  readonly #path: string;
  /** Slots by vCPU index, lowest first. */
  readonly #byIndex = new Map<number, number[]>();
  readonly #used = new Set<number>();
  readonly #changed = new Set<number>();
  #lowestFree = 0;
  /** Index = slot. A slot nobody spoke of holds a fact with index −1. */
  readonly list: VcpuFact[] = [];

  constructor(path: string, known: ReadonlyMap<number, VcpuFact>) {
    this.#path = path;
    for (const fact of known.values()) this.#add(fact);
  }

  /** Adds a vCPU or completes the one it must be; returns its slot. */
  learn(fact: Omit<VcpuFact, 'slot'>): number {
    const known = this.#same(fact);
    if (known === undefined) {
      const slot = this.#freeSlot(fact.index);
      this.#add({ ...fact, slot });
      this.#changed.add(slot);
      return slot;
    }
    const tid = known.tid >= 0 ? known.tid : fact.tid;
    const pid = known.pid >= 0 ? known.pid : fact.pid;
    if (tid !== known.tid || pid !== known.pid) {
      // The record that told the thread is the better witness.
      const { learnedFrom, seq } = known.tid >= 0 ? known : fact;
      this.list[known.slot] = { ...known, tid, pid, learnedFrom, seq };
      this.#changed.add(known.slot);
    }
    return known.slot;
  }

  /** Facts this run added or completed, by slot. */
  changed(): VcpuFact[] {
    return [...this.#changed].sort((a, b) => a - b).map((slot) => this.list[slot]!);
  }

  /**
   * The known vCPU a fact speaks of: the one with its thread and index; else one of that index whose thread is not known
   * (any, if the fact names no thread), in the same process as far as both are known. One index in two VMs makes two
   * vCPUs.
   */
  #same({ index, tid, pid }: Omit<VcpuFact, 'slot'>): VcpuFact | undefined {
    let threadless: VcpuFact | undefined;
    for (const slot of this.#byIndex.get(index) ?? []) {
      const known = this.list[slot]!;
      if (known.pid >= 0 && pid >= 0 && known.pid !== pid) continue;
      if (tid < 0 || known.tid === tid) return known;
      if (known.tid < 0) threadless ??= known;
    }
    return threadless;
  }

  #freeSlot(index: number): number {
    if (index >= 0 && index <= MAX_SLOT && !this.#used.has(index)) return index;
    while (this.#used.has(this.#lowestFree)) this.#lowestFree++;
    if (this.#lowestFree > MAX_SLOT) {
      throw new InputError(
        `${this.#path}: more than ${MAX_SLOT + 1} vCPUs`,
        'import the recordings into several logs',
      );
    }
    return this.#lowestFree;
  }

  #add(fact: VcpuFact): void {
    for (let slot = this.list.length; slot <= fact.slot; slot++) {
      this.list.push({ slot, index: -1, tid: -1, pid: -1, learnedFrom: '', seq: -1 });
    }
    this.list[fact.slot] = fact;
    this.#used.add(fact.slot);
    const slots = this.#byIndex.get(fact.index);
    if (slots === undefined) this.#byIndex.set(fact.index, [fact.slot]);
    else slots.splice(slots.findLastIndex((slot) => slot < fact.slot) + 1, 0, fact.slot);
  }
}
