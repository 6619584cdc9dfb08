import type { EventChunk } from '../domain/event-chunk.ts';
import { EventFlag } from '../domain/event-kind.ts';
import type { VcpuFact } from '../domain/log-facts.ts';
import { AccessRecord } from './access-record.ts';
import type { Observation } from './observation.ts';
import type { ReplayConfig } from './replay-config.ts';
import type { VcpuReplay } from './vcpu-replay.ts';
import { VcpuTable } from './vcpu-table.ts';

export type { ReplayConfig } from './replay-config.ts';

function halvesOf(column: BigUint64Array): Uint32Array<ArrayBuffer> {
  return new Uint32Array(column.buffer as ArrayBuffer, column.byteOffset, 2 * column.length);
}

/** Takes guest accesses that can be compared. */
export type Observe = (observation: Observation) => void;

/** A vCPU that takes records of guest accesses. */
interface AccessTaker {
  pcpu: number;
  accessBegins(access: AccessRecord): void;
  accessCompletes(access: AccessRecord): Observation | undefined;
}

/**
 * Applies events to the emulated vCPUs, in order. The only state is in the vCPUs and the running time (and what a
 * subclass adds to `extraState`), so that `snapshot` and `restore` make any position a starting point.
 */
export abstract class Replayer<Vcpu extends VcpuReplay = VcpuReplay> {
  /** In the order of the configuration's vCPUs; slots need not be consecutive. */
  readonly vcpus: readonly Vcpu[];
  protected readonly table: VcpuTable<Vcpu>;
  protected timeHalves = new Uint32Array(0);
  protected objectHalves = new Uint32Array(0);
  protected valueHalves = new Uint32Array(0);
  private readonly record = new AccessRecord();
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
    this.table = new VcpuTable(config.vcpus, makeVcpu);
    this.vcpus = this.table.all;
  }

  /** Applies events `from` to `to` (exclusive) of a chunk; guest accesses that can be compared go to `observe`. */
  apply(chunk: EventChunk, from: number, to: number, observe: Observe): void {
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
    observe: Observe,
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
    return this.table.ofSlot(slot);
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
    return slot >= 0 ? this.table.ofSlot(slot) : this.table.ofThread(chunk.tid[i]!);
  }

  /** The event's vCPU, told which event comes. */
  protected prepared(chunk: EventChunk, i: number): Vcpu | undefined {
    const vcpu = this.vcpuOf(chunk, i);
    vcpu?.at(chunk.seq[i]!, this.time(i));
    return vcpu;
  }

  /** A guest access of a PMU register on this vCPU, which was told which event comes. */
  protected takeAccess(vcpu: AccessTaker, chunk: EventChunk, i: number, observe: Observe): void {
    const access = this.record.at(chunk, i, this.time(i));
    vcpu.pcpu = chunk.pcpu[i]!;
    if (access.isBegin) {
      vcpu.accessBegins(access);
      return;
    }
    const seen = vcpu.accessCompletes(access);
    if (seen !== undefined) observe(seen);
  }

  protected schedSwitch(chunk: EventChunk, i: number): void {
    const previous = this.table.ofThread(chunk.tid[i]!);
    const { valueHalves } = this;
    const next = this.table.ofThread(valueHalves[2 * i + 1]! * 2 ** 32 + valueHalves[2 * i]!);
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

  /** A backing event was made (or not) on the event's vCPU, for `counter` (−1 not told); undefined: on no vCPU. */
  protected creation(chunk: EventChunk, i: number, counter: number): Vcpu | undefined {
    const vcpu = this.prepared(chunk, i);
    if (vcpu === undefined) return undefined;
    const failed = (chunk.flags[i]! & EventFlag.failed) !== 0;
    const pointer = chunk.object[i]!;
    // An address has one owner at a time: a recycled one leaves its last owner, whichever vCPU that was.
    if (!failed) for (const other of this.vcpus) other.perf.disown(pointer);
    vcpu.perf.created({
      counter,
      pointer,
      config: Number(BigInt.asUintN(48, chunk.aux0[i]!)),
      period: chunk.value[i]!,
      attr: chunk.code[i]!,
      failed,
    });
    return vcpu;
  }

  /** The counter the event of record i belongs to, −1 when it is nobody's; the vCPU is `table.owner`. */
  protected counterOf(i: number, hint: Vcpu | undefined): number {
    return this.table.counterOf(this.objectHalves[2 * i]!, this.objectHalves[2 * i + 1]!, hint);
  }

  protected lost(chunk: EventChunk, i: number): void {
    const now = this.time(i);
    for (const vcpu of this.vcpus) {
      vcpu.at(chunk.seq[i]!, now);
      vcpu.forget(now);
    }
  }
}
