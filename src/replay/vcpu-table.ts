import type { VcpuFact } from '../domain/log-facts.ts';
import type { VcpuReplay } from './vcpu-replay.ts';

/** Threads remembered; a power of 2. */
const TID_CACHE = 256;

/** The vCPUs of a replay by what records call them: slot, thread, address of a backing event. */
export class VcpuTable<Vcpu extends VcpuReplay> {
  /** In the order of the facts; slots need not be consecutive. */
  readonly all: readonly Vcpu[];
  /** The vCPU the last `counterOf` found the counter at. */
  owner: Vcpu | undefined;
  private readonly byTid = new Map<number, Vcpu>();
  private readonly slots: (Vcpu | undefined)[] = [];
  /** The last thread looked up of each TID_CACHE: a Map look-up per event is too slow. */
  private readonly cachedTid = new Int32Array(TID_CACHE).fill(-1);
  private readonly cachedVcpu: (Vcpu | undefined)[] = new Array(TID_CACHE).fill(undefined);

  constructor(facts: readonly VcpuFact[], makeVcpu: (fact: VcpuFact) => Vcpu) {
    this.all = facts.map((fact) => {
      const vcpu = makeVcpu(fact);
      this.slots[fact.slot] = vcpu;
      if (fact.tid >= 0) this.byTid.set(fact.tid, vcpu);
      return vcpu;
    });
  }

  /** The vCPU in `slot`; undefined for a slot the log does not have. */
  ofSlot(slot: number): Vcpu | undefined {
    return this.slots[slot];
  }

  /** The vCPU of a thread; undefined for a thread that is none. */
  ofThread(tid: number): Vcpu | undefined {
    const at = tid & (TID_CACHE - 1);
    if (this.cachedTid[at] !== tid) {
      this.cachedTid[at] = tid;
      this.cachedVcpu[at] = this.byTid.get(tid);
    }
    return this.cachedVcpu[at];
  }

  /**
   * The counter whose backing event has this address (in halves: no bigint is made), −1 when it is nobody's. `hint`: the
   * vCPU it most likely belongs to. `owner` says whose it is.
   */
  counterOf(low: number, high: number, hint: Vcpu | undefined): number {
    this.owner = hint;
    const counter = hint === undefined ? -1 : hint.perf.counterOf(low, high);
    if (counter >= 0 || (hint !== undefined && this.all.length === 1)) return counter;
    for (const vcpu of this.all) {
      const other = vcpu.perf.counterOf(low, high);
      if (other < 0) continue;
      this.owner = vcpu;
      return other;
    }
    return -1;
  }
}
