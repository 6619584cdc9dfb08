import type { ImportSink } from '../domain/import-sink.ts';
import type { VcpuFact } from '../domain/log-facts.ts';
import type { VcpuSlot } from './importer.ts';

/** Largest vCPU index taken (KVM's own limit is below). */
const MAX_INDEX = 32767;
/** vCPUs taken in one run: far more than a host runs; only a damaged recording names more. */
const MAX_VCPUS = 4096;

/** A vCPU was learned: to be completed when the event that told has a sequence number. */
export interface Learned {
  readonly tid: number;
  /** Which of its source's events told, from 0. */
  readonly ordinal: number;
}

/** The vCPUs of one import run, all recordings together. */
export class VcpuTable {
  private readonly sink: ImportSink;
  private readonly slotByTid = new Map<number, number>();
  private readonly factByTid = new Map<number, Omit<VcpuFact, 'slot'>>();
  /** What slotOfIndex answered since the last vCPU was learned. */
  private readonly answers = new Map<number, VcpuSlot>();
  /** Indices that were named although no thread of theirs is known: slot promised. */
  /** Threads that were not taken for vCPUs because there were too many. */
  refused = 0;
  private readonly promised = new Map<number, string>();

  constructor(sink: ImportSink) {
    this.sink = sink;
    for (const vcpu of sink.vcpus()) {
      if (vcpu.tid >= 0) this.slotByTid.set(vcpu.tid, vcpu.slot);
    }
  }

  slotOfThread(tid: number): number {
    return this.slotByTid.get(tid) ?? -1;
  }

  /** Slot of the vCPU; `isNew` when the log has still to be told which event it was (settle). */
  learn(
    index: number,
    tid: number,
    pid: number,
    learnedFrom: string,
  ): { slot: number; isNew: boolean } {
    if (index > MAX_INDEX) return { slot: -1, isNew: false };
    if (tid < 0) {
      // Without a thread there is nothing to find it again by: every call is another vCPU.
      const slot = this.sink.learnVcpu({ index, tid, pid, learnedFrom, seq: -1 });
      return { slot, isNew: false };
    }
    const known = this.factByTid.get(tid);
    const slot = this.slotByTid.get(tid);
    if (known === undefined && this.factByTid.size >= MAX_VCPUS) {
      this.refused++;
      return { slot: slot ?? -1, isNew: false };
    }
    if (slot !== undefined && known?.index === index && (known.pid === pid || pid < 0)) {
      return { slot, isNew: false };
    }
    const fact = {
      index,
      tid,
      pid: pid < 0 ? (known?.pid ?? -1) : pid,
      learnedFrom: known?.index === index ? known.learnedFrom : learnedFrom,
      seq: known?.seq ?? -1,
    };
    const learned = this.sink.learnVcpu(fact);
    this.answers.clear();
    this.slotByTid.set(tid, learned);
    this.factByTid.set(tid, fact);
    this.promised.delete(index);
    return { slot: learned, isNew: known === undefined };
  }

  /** The event that told has this sequence number. */
  settle(learned: Learned, seq: number): void {
    const fact = { ...this.factByTid.get(learned.tid)!, seq };
    this.factByTid.set(learned.tid, fact);
    this.sink.learnVcpu(fact);
  }

  /** See ImportContext.slotOfIndex; `namedBy` is what a vCPU that stays without a thread is said to be learned from. */
  slotOfIndex(index: number, pid: number, namedBy: string): VcpuSlot {
    if (index > MAX_INDEX) return NOBODY;
    const key = index * 2 ** 32 + pid;
    const known = this.answers.get(key);
    if (known !== undefined) return known;
    const answer = this.findIndex(index, pid, namedBy);
    if (this.answers.size >= MAX_VCPUS) this.answers.clear();
    this.answers.set(key, answer);
    return answer;
  }

  private findIndex(index: number, pid: number, namedBy: string): VcpuSlot {
    const vcpus = this.sink.vcpus();
    let first: VcpuFact | undefined;
    let candidates = 0;
    for (const vcpu of vcpus) {
      if (vcpu.index !== index) continue;
      if (pid >= 0 && vcpu.pid === pid) return { slot: vcpu.slot, ambiguous: false };
      if (pid >= 0 && vcpu.pid >= 0) continue;
      first ??= vcpu;
      candidates++;
    }
    if (first === undefined) {
      // Nobody of that process: any VM's vCPU of this index, or the slot a first one will get.
      const other = vcpus.find((vcpu) => vcpu.index === index);
      if (other !== undefined) return { slot: other.slot, ambiguous: true };
      if (vcpus.some((vcpu) => vcpu.slot === index)) return NOBODY;
      this.promised.set(index, namedBy);
      return { slot: index, ambiguous: false };
    }
    return { slot: first.slot, ambiguous: candidates > 1 };
  }

  /** Rows for the vCPUs that were named but whose thread never showed. */
  finish(): void {
    for (const [index, learnedFrom] of this.promised) {
      this.sink.learnVcpu({ index, tid: -1, pid: -1, learnedFrom, seq: -1 });
    }
    this.promised.clear();
  }
}

const NOBODY: VcpuSlot = { slot: -1, ambiguous: false };
