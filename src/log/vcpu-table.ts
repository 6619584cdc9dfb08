import { InputError } from '../domain/errors.ts';
import type { VcpuFact } from '../domain/log-facts.ts';
import { MAX_SLOT } from './side-tables.ts';

/** The vCPUs a log knows while a run adds to them. */
export class VcpuTable {
  readonly #path: string;
  /** Slots by vCPU index, lowest first. */
  readonly #byIndex = new Map<number, number[]>();
  readonly #facts = new Map<number, VcpuFact>();
  readonly #changed = new Set<number>();
  readonly #searched = new Map<number, number>();
  /** Importers ask for it often. */
  #list: readonly VcpuFact[] | undefined;

  constructor(path: string, known: ReadonlyMap<number, VcpuFact>) {
    this.#path = path;
    for (const fact of known.values()) this.#add(fact);
  }

  /** Known vCPUs by slot; slots nobody spoke of are left out. */
  list(): readonly VcpuFact[] {
    this.#list ??= [...this.#facts.values()].sort((a, b) => a.slot - b.slot);
    return this.#list;
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
    const pid = known.pid >= 0 ? known.pid : fact.pid;
    // The first record that told the thread is the witness.
    const { learnedFrom } = known.tid >= 0 ? known : fact;
    const seq = known.tid >= 0 && known.seq >= 0 ? known.seq : fact.seq;
    const { tid } = fact;
    if (tid !== known.tid || pid !== known.pid || seq !== known.seq) {
      this.#facts.set(known.slot, { ...known, tid, pid, learnedFrom, seq });
      this.#list = undefined;
      this.#changed.add(known.slot);
    }
    return known.slot;
  }

  /** Facts this run added or completed, by slot. */
  changed(): VcpuFact[] {
    return [...this.#changed].sort((a, b) => a - b).map((slot) => this.#facts.get(slot)!);
  }

  /**
   * The known vCPU a fact speaks of: the one with its thread and index, else one of that index whose thread is not known;
   * in the same process as far as both are known. One index in two VMs makes two vCPUs, and so does a fact without a
   * thread: nothing says that it is of a vCPU known before.
   */
  #same({ index, tid, pid }: Omit<VcpuFact, 'slot'>): VcpuFact | undefined {
    if (tid < 0) return undefined;
    let threadless: VcpuFact | undefined;
    for (const slot of this.#byIndex.get(index) ?? []) {
      const known = this.#facts.get(slot)!;
      if (known.pid >= 0 && pid >= 0 && known.pid !== pid) continue;
      if (known.tid === tid) return known;
      if (known.tid < 0) threadless ??= known;
    }
    return threadless;
  }

  /** The index itself if it is free, else the next free number after it, else the lowest. */
  #freeSlot(index: number): number {
    const start = index >= 0 && index <= MAX_SLOT ? index : 0;
    for (const from of [start, 0]) {
      // Slots are never given back, so the search goes on where the last one from here ended.
      let slot = this.#searched.get(from) ?? from;
      while (this.#facts.has(slot)) slot++;
      this.#searched.set(from, slot);
      if (slot <= MAX_SLOT) return slot;
    }
    throw new InputError(
      `${this.#path}: more than ${MAX_SLOT + 1} vCPUs`,
      'import the recordings into several logs',
    );
  }

  #add(fact: VcpuFact): void {
    this.#facts.set(fact.slot, fact);
    this.#list = undefined;
    const slots = this.#byIndex.get(fact.index);
    if (slots === undefined) this.#byIndex.set(fact.index, [fact.slot]);
    else slots.splice(slots.findLastIndex((slot) => slot < fact.slot) + 1, 0, fact.slot);
  }
}
