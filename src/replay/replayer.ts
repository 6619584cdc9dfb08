import type { Arm64RuleSet } from '../arch/arm64-rules.ts';
import type { X86RuleSet } from '../arch/x86-rules.ts';
import type { EventChunk } from '../domain/event-chunk.ts';
import type { EventKind } from '../domain/event-kind.ts';
import type { PerfEventAttr, VcpuFact } from '../domain/log-facts.ts';
import type { Withheld } from './evidence.ts';
import type { Observation } from './observation.ts';
import type { VcpuReplay } from './vcpu-replay.ts';
import type { VmFacts } from './vm-facts.ts';
import type { X86Facts } from './x86/x86-facts.ts';

/** What a replay needs to know beside the events, whatever the architecture. */
interface CommonConfig {
  readonly vcpus: readonly VcpuFact[];
  /** Which kinds this log holds at all. */
  readonly recordedKinds: ReadonlySet<EventKind>;
  readonly withheld: Withheld;
  /** Sources whose events happened inside the guest: they do not drive the host's model. */
  readonly guestSources: ReadonlySet<number>;
  /** The log's attr side table. */
  readonly attr: (id: number) => PerfEventAttr | undefined;
  /** Time of the log's first event, ns. */
  readonly epoch: bigint;
  /** Step of the recorded times, ns: the largest of all sources. */
  readonly resolution: number;
}

export interface Arm64ReplayConfig extends CommonConfig {
  readonly arch: 'arm64';
  readonly rules: Arm64RuleSet;
  readonly facts: VmFacts;
}

export interface X86ReplayConfig extends CommonConfig {
  readonly arch: 'x86';
  readonly rules: X86RuleSet;
  readonly facts: X86Facts;
}

/** Everything a replay needs to know beside the events; plain data, so that replays can be compared. */
export type ReplayConfig = Arm64ReplayConfig | X86ReplayConfig;

/** Threads remembered; a power of 2. */
const TID_CACHE = 256;

function halvesOf(column: BigUint64Array): Uint32Array<ArrayBuffer> {
  return new Uint32Array(column.buffer as ArrayBuffer, column.byteOffset, 2 * column.length);
}

/**
 * Applies events to the emulated vCPUs, in order. The only state is in the vCPUs and the running time (and what a
 * subclass adds to `extraState`), so that `snapshot` and `restore` make any position a starting point.
 */
export abstract class Replayer<Vcpu extends VcpuReplay = VcpuReplay> {
  /** In the order of the configuration's vCPUs; slots need not be consecutive. */
  readonly vcpus: readonly Vcpu[];
  protected readonly bySlot = new Map<number, Vcpu>();
  protected readonly byTid = new Map<number, Vcpu>();
  /** The vCPUs again, by slot; and the last thread looked up of each TID_CACHE: a Map look-up per event is too slow. */
  private readonly slots: (Vcpu | undefined)[] = [];
  private readonly cachedTid = new Int32Array(TID_CACHE).fill(-1);
  private readonly cachedVcpu: (Vcpu | undefined)[] = new Array(TID_CACHE).fill(undefined);
  protected timeHalves = new Uint32Array(0);
  protected objectHalves = new Uint32Array(0);
  protected valueHalves = new Uint32Array(0);
  private readonly epoch: bigint;
  private readonly epochLow: number;
  private readonly epochHigh: number;
  private viewed: EventChunk | undefined;
  /** Running maximum of the time, ns after the epoch. */
  private now = 0;
  /** Events applied. */
  applied = 0;
  lastSeq = 0;

  constructor(config: ReplayConfig, makeVcpu: (fact: VcpuFact) => Vcpu) {
    this.epoch = config.epoch;
    this.epochLow = Number(config.epoch & 0xffff_ffffn);
    this.epochHigh = Number(config.epoch >> 32n);
    this.vcpus = config.vcpus.map((fact) => {
      const vcpu = makeVcpu(fact);
      this.bySlot.set(fact.slot, vcpu);
      this.slots[fact.slot] = vcpu;
      if (fact.tid >= 0) this.byTid.set(fact.tid, vcpu);
      return vcpu;
    });
  }

  /** Applies events `from` to `to` (exclusive) of a chunk; guest accesses that can be compared go to `observe`. */
  apply(
    chunk: EventChunk,
    from: number,
    to: number,
    observe: (observation: Observation) => void,
  ): void {
    this.view(chunk);
    this.applyEvents(chunk, from, to, observe);
    if (to > from) {
      this.applied += to - from;
      this.lastSeq = chunk.seq[to - 1]!;
    }
  }

  protected abstract applyEvents(
    chunk: EventChunk,
    from: number,
    to: number,
    observe: (observation: Observation) => void,
  ): void;

  /** State that belongs to no single vCPU, one buffer that is written in place; none by default. */
  protected get extraState(): ArrayBuffer | undefined {
    return undefined;
  }

  /** State of everything as one buffer. */
  snapshot(): Uint8Array {
    const parts = this.vcpus.map((vcpu) => vcpu.snapshot());
    if (this.extraState !== undefined) parts.push(new Uint8Array(this.extraState));
    const head = 24;
    const bytes = new Uint8Array(head + parts.reduce((sum, part) => sum + 8 + part.length, 0));
    const view = new DataView(bytes.buffer);
    view.setFloat64(0, this.now, true);
    view.setFloat64(8, this.applied, true);
    view.setFloat64(16, this.lastSeq, true);
    let at = head;
    for (const part of parts) {
      view.setFloat64(at, part.length, true);
      bytes.set(part, at + 8);
      at += 8 + part.length;
    }
    return bytes;
  }

  /** Takes over a state that `snapshot` made under the same configuration. */
  restore(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.now = view.getFloat64(0, true);
    this.applied = view.getFloat64(8, true);
    this.lastSeq = view.getFloat64(16, true);
    let at = 24;
    const next = (): Uint8Array => {
      const length = view.getFloat64(at, true);
      at += 8 + length;
      return bytes.subarray(at - length, at);
    };
    for (const vcpu of this.vcpus) vcpu.restore(next());
    if (this.extraState !== undefined) new Uint8Array(this.extraState).set(next());
  }

  /** The vCPU in `slot`; undefined for a slot the log does not have. */
  ofSlot(slot: number): Vcpu | undefined {
    return this.bySlot.get(slot);
  }

  /** Brings residency and counts of all vCPUs up to an instant (ns) at or after the last event, to look at the state. */
  advanceTo(time: bigint): void {
    const now = Math.max(this.now, Number(time - this.epoch));
    for (const vcpu of this.vcpus) vcpu.at(this.lastSeq, now);
  }

  /** Looks at the u64 columns as 32-bit halves (low first: every machine Node runs on): no bigint per event. */
  private view(chunk: EventChunk): void {
    if (this.viewed === chunk) return;
    this.viewed = chunk;
    this.timeHalves = halvesOf(chunk.time);
    this.objectHalves = halvesOf(chunk.object);
    this.valueHalves = halvesOf(chunk.value);
  }

  /** Time of event i, ns after the epoch, as a running maximum. Exact below 2^53. */
  protected time(i: number): number {
    const halves = this.timeHalves;
    const ns = (halves[2 * i + 1]! - this.epochHigh) * 2 ** 32 + (halves[2 * i]! - this.epochLow);
    if (ns > this.now) this.now = ns;
    return this.now;
  }

  protected vcpuOf(chunk: EventChunk, i: number): Vcpu | undefined {
    const slot = chunk.vcpu[i]!;
    return slot >= 0 ? this.slots[slot] : this.ofThread(chunk.tid[i]!);
  }

  /** The vCPU of a thread; undefined for a thread that is none. */
  private ofThread(tid: number): Vcpu | undefined {
    const at = tid & (TID_CACHE - 1);
    if (this.cachedTid[at] !== tid) {
      this.cachedTid[at] = tid;
      this.cachedVcpu[at] = this.byTid.get(tid);
    }
    return this.cachedVcpu[at];
  }

  /** The event's vCPU, told which event comes. */
  protected prepared(chunk: EventChunk, i: number): Vcpu | undefined {
    const vcpu = this.vcpuOf(chunk, i);
    vcpu?.at(chunk.seq[i]!, this.time(i));
    return vcpu;
  }

  protected schedSwitch(chunk: EventChunk, i: number): void {
    const previous = this.byTid.get(chunk.tid[i]!);
    const next = this.byTid.get(Number(chunk.value[i]!));
    if (previous === undefined && next === undefined) return;
    const now = this.time(i);
    if (previous !== undefined) {
      previous.at(chunk.seq[i]!, now);
      previous.scheduledOut(now);
    }
    if (next !== undefined) {
      next.at(chunk.seq[i]!, now);
      next.scheduledIn(now);
      next.pcpu = chunk.pcpu[i]!;
    }
  }

  /** The vCPU and counter an event's address belongs to, −1 when it is nobody's. The owner is in `foundOwner`. */
  protected counterOf(i: number, hint: Vcpu | undefined): number {
    const low = this.objectHalves[2 * i]!;
    const high = this.objectHalves[2 * i + 1]!;
    this.foundOwner = hint;
    const counter = hint === undefined ? -1 : hint.perf.counterOf(low, high);
    if (counter >= 0 || (hint !== undefined && this.vcpus.length === 1)) return counter;
    for (const vcpu of this.vcpus) {
      const other = vcpu.perf.counterOf(low, high);
      if (other < 0) continue;
      this.foundOwner = vcpu;
      return other;
    }
    return -1;
  }
  protected foundOwner: Vcpu | undefined;

  protected lost(chunk: EventChunk, i: number): void {
    const now = this.time(i);
    for (const vcpu of this.vcpus) {
      vcpu.at(chunk.seq[i]!, now);
      vcpu.forget(now);
    }
  }
}
