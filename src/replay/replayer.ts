import type { Arm64RuleSet } from '../arch/arm64-rules.ts';
import type { EventChunk } from '../domain/event-chunk.ts';
import { EventFlag, EventKind, registerSpace } from '../domain/event-kind.ts';
import type { PerfEventAttr, VcpuFact } from '../domain/log-facts.ts';
import { isPmuv3Register } from '../emulator/pmuv3-dispatch.ts';
import type { Withheld } from './evidence.ts';
import type { Observation } from './observation.ts';
import { PerfEventState } from './recorded-perf.ts';
import { VcpuReplay } from './vcpu-replay.ts';
import type { VmFacts } from './vm-facts.ts';

/** INTID of the PMU's interrupt as QEMU and the Arm base systems wire it (PPI 7). */
const PMU_IRQ = 23;

/** Everything a replay needs to know beside the events; plain data, so that replays can be compared. */
export interface ReplayConfig {
  readonly rules: Arm64RuleSet;
  readonly facts: VmFacts;
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

function halvesOf(column: BigUint64Array): Uint32Array<ArrayBuffer> {
  return new Uint32Array(column.buffer as ArrayBuffer, column.byteOffset, 2 * column.length);
}

/**
 * Applies events to the emulated vCPUs, in order. The only state is in the VcpuReplays and the running time, so that
 * `snapshot` and `restore` make any position a starting point.
 */
export class Replayer {
  /** In the order of the configuration's vCPUs; slots need not be consecutive. */
  readonly vcpus: VcpuReplay[];
  private readonly bySlot = new Map<number, VcpuReplay>();
  private readonly byTid = new Map<number, VcpuReplay>();
  private readonly config: ReplayConfig;
  private readonly entersRecorded: boolean;
  private readonly epochLow: number;
  private readonly epochHigh: number;
  private viewed: EventChunk | undefined;
  private timeHalves = new Uint32Array(0);
  private objectHalves = new Uint32Array(0);
  /** Running maximum of the time, ns after the epoch. */
  private now = 0;
  /** Events applied. */
  applied = 0;
  lastSeq = 0;

  constructor(config: ReplayConfig) {
    this.config = config;
    this.epochLow = Number(config.epoch & 0xffff_ffffn);
    this.epochHigh = Number(config.epoch >> 32n);
    const recorded = (kind: EventKind): boolean =>
      config.recordedKinds.has(kind) && config.withheld.kinds[kind] !== true;
    this.entersRecorded = recorded(EventKind.guestEnter) && recorded(EventKind.guestExit);
    this.vcpus = config.vcpus.map((vcpu) => {
      const replay = new VcpuReplay({
        slot: vcpu.slot,
        facts: config.facts.byVcpu.get(vcpu.slot) ?? {},
        rules: config.rules,
        resolution: config.resolution,
        entersRecorded: this.entersRecorded,
        overflowsRecorded: recorded(EventKind.eventOverflow),
        createsRecorded: recorded(EventKind.eventCreate),
        pmcrHandlesRecorded: recorded(EventKind.pmcrHandle),
        attr: config.attr,
      });
      this.bySlot.set(vcpu.slot, replay);
      if (vcpu.tid >= 0) this.byTid.set(vcpu.tid, replay);
      return replay;
    });
  }

  /** Applies events `from` to `to` (exclusive) of a chunk; guest reads are handed to `observe`. */
  apply(
    chunk: EventChunk,
    from: number,
    to: number,
    observe: (observation: Observation) => void,
  ): void {
    const { withheld, guestSources } = this.config;
    this.view(chunk);
    for (let i = from; i < to; i++) {
      const kind = chunk.kind[i]! as EventKind;
      if (
        withheld.kinds[kind] === true ||
        (guestSources.size > 0 && guestSources.has(chunk.source[i]!))
      )
        continue;
      switch (kind) {
        case EventKind.read:
        case EventKind.write:
          this.access(chunk, i, kind === EventKind.write, observe);
          break;
        case EventKind.guestEnter: {
          const vcpu = this.vcpuOf(chunk, i);
          if (vcpu === undefined) break;
          const now = this.time(i);
          vcpu.at(chunk.seq[i]!, now);
          vcpu.pcpu = chunk.pcpu[i]!;
          if (this.entersRecorded) vcpu.enter(chunk.seq[i]!, now);
          break;
        }
        case EventKind.guestExit: {
          const vcpu = this.vcpuOf(chunk, i);
          if (vcpu !== undefined && this.entersRecorded) vcpu.exit(this.time(i));
          break;
        }
        case EventKind.schedSwitch:
          this.schedSwitch(chunk, i);
          break;
        case EventKind.eventCreate:
          this.eventCreate(chunk, i);
          break;
        case EventKind.eventEnable:
        case EventKind.eventDisable:
        case EventKind.eventRelease:
        case EventKind.eventRead:
        case EventKind.eventOverflow:
        case EventKind.hwAdd:
        case EventKind.hwDel:
        case EventKind.hwUpdate:
          this.perfEvent(chunk, i, kind);
          break;
        case EventKind.counterSet:
        case EventKind.eventTypeSet:
        case EventKind.maskEnable:
        case EventKind.maskDisable:
        case EventKind.softwareIncrement:
          this.vcpuOf(chunk, i)?.step(chunk.value[i]!);
          break;
        case EventKind.pmcrHandle:
          this.prepared(chunk, i)?.pmcrHandled(chunk.value[i]!);
          break;
        case EventKind.counterGet:
          this.counterGet(chunk, i);
          break;
        case EventKind.vcpuReset:
          this.prepared(chunk, i)?.reset();
          break;
        case EventKind.irqLevel:
          if (chunk.code[i] === PMU_IRQ) this.prepared(chunk, i)?.irqLevel(Number(chunk.value[i]!));
          break;
        case EventKind.lost:
          this.lost(chunk, i);
          break;
        default:
          break;
      }
    }
    if (to > from) {
      this.applied += to - from;
      this.lastSeq = chunk.seq[to - 1]!;
    }
  }

  /** State of everything as one buffer. */
  snapshot(): Uint8Array {
    const parts = this.vcpus.map((vcpu) => vcpu.snapshot());
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
    for (const vcpu of this.vcpus) {
      const length = view.getFloat64(at, true);
      vcpu.restore(bytes.subarray(at + 8, at + 8 + length));
      at += 8 + length;
    }
  }

  /** The vCPU in `slot`; undefined for a slot the log does not have. */
  ofSlot(slot: number): VcpuReplay | undefined {
    return this.bySlot.get(slot);
  }

  /** Brings residency and counts of all vCPUs up to an instant (ns) at or after the last event, to look at the state. */
  advanceTo(time: bigint): void {
    const now = Math.max(this.now, Number(time - this.config.epoch));
    for (const vcpu of this.vcpus) vcpu.at(this.lastSeq, now);
  }

  /** Looks at the u64 columns as 32-bit halves (low first: every machine Node runs on): no bigint per event. */
  private view(chunk: EventChunk): void {
    if (this.viewed === chunk) return;
    this.viewed = chunk;
    this.timeHalves = halvesOf(chunk.time);
    this.objectHalves = halvesOf(chunk.object);
  }

  /** Time of event i, ns after the epoch, as a running maximum. Exact below 2^53. */
  private time(i: number): number {
    const halves = this.timeHalves;
    const ns = (halves[2 * i + 1]! - this.epochHigh) * 2 ** 32 + (halves[2 * i]! - this.epochLow);
    if (ns > this.now) this.now = ns;
    return this.now;
  }

  private vcpuOf(chunk: EventChunk, i: number): VcpuReplay | undefined {
    const slot = chunk.vcpu[i]!;
    return slot >= 0 ? this.bySlot.get(slot) : this.byTid.get(chunk.tid[i]!);
  }

  /** The event's vCPU, told which event comes. */
  private prepared(chunk: EventChunk, i: number): VcpuReplay | undefined {
    const vcpu = this.vcpuOf(chunk, i);
    vcpu?.at(chunk.seq[i]!, this.time(i));
    return vcpu;
  }

  private access(
    chunk: EventChunk,
    i: number,
    write: boolean,
    observe: (observation: Observation) => void,
  ): void {
    const vcpu = this.vcpuOf(chunk, i);
    if (vcpu === undefined) return;
    const flags = chunk.flags[i]!;
    const code = chunk.code[i]!;
    if (!isPmuv3Register(code, registerSpace(flags))) return;
    const seq = chunk.seq[i]!;
    const now = this.time(i);
    vcpu.at(seq, now);
    vcpu.pcpu = chunk.pcpu[i]!;
    if ((flags & (EventFlag.entry | EventFlag.trap)) !== 0) {
      vcpu.accessBegins(now, write, code, flags, chunk.value[i]!);
      return;
    }
    const seen = vcpu.accessCompletes(
      seq,
      now,
      chunk.time[i]!,
      write,
      code,
      flags,
      chunk.value[i]!,
    );
    if (seen !== undefined) observe(seen);
  }

  private schedSwitch(chunk: EventChunk, i: number): void {
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

  private eventCreate(chunk: EventChunk, i: number): void {
    const counter = chunk.counter[i]!;
    const flags = chunk.flags[i]!;
    if (counter < 0 || counter > 31 || (flags & EventFlag.entry) !== 0) return;
    const vcpu = this.prepared(chunk, i);
    if (vcpu === undefined) return;
    const failed = (flags & EventFlag.failed) !== 0;
    const pointer = chunk.object[i]!;
    // An address has one owner at a time: a recycled one leaves its last owner, whichever vCPU that was.
    if (!failed) for (const other of this.vcpus) other.perf.disown(pointer);
    vcpu.perf.created({
      counter,
      pointer,
      config: Number(chunk.aux0[i]! & 0x7fff_ffffn),
      period: chunk.value[i]!,
      attr: chunk.code[i]!,
      failed,
    });
  }

  private perfEvent(chunk: EventChunk, i: number, kind: EventKind): void {
    const low = this.objectHalves[2 * i]!;
    const high = this.objectHalves[2 * i + 1]!;
    const hint = this.vcpuOf(chunk, i);
    let owner = hint;
    let counter = hint === undefined ? -1 : hint.perf.counterOf(low, high);
    if (counter < 0 && (hint === undefined || this.vcpus.length > 1)) {
      for (const vcpu of this.vcpus) {
        counter = vcpu.perf.counterOf(low, high);
        if (counter >= 0) {
          owner = vcpu;
          break;
        }
      }
    }
    const flags = chunk.flags[i]!;
    if (counter < 0 || owner === undefined) {
      this.strayEvent(chunk, i, kind, hint);
      return;
    }
    owner.at(chunk.seq[i]!, this.time(i));
    const { perf } = owner;
    const value = chunk.value[i]!;
    const counts = !this.config.withheld.counts;
    const state = (flags & EventFlag.stateKnown) !== 0 ? chunk.code[i]! | 0 : undefined;
    switch (kind) {
      case EventKind.eventRead:
        if ((flags & (EventFlag.entry | EventFlag.noValue)) === 0) perf.exactCount(counter, value);
        if (state !== undefined) perf.stateIs(counter, state);
        break;
      case EventKind.hwUpdate:
        if ((flags & EventFlag.noValue) !== 0) break;
        if ((flags & EventFlag.entry) === 0) perf.exactCount(counter, value);
        else perf.countAtLeast(counter, value);
        break;
      case EventKind.eventOverflow:
        if (counts) perf.exactCount(counter, value);
        owner.pmu.overflow(counter);
        break;
      case EventKind.hwAdd:
        if ((flags & EventFlag.entry) === 0) perf.placed(counter, chunk.code[i]! | 0);
        break;
      case EventKind.hwDel:
        if (counts) perf.countAtLeast(counter, value);
        perf.taken(counter);
        break;
      default: {
        // enable, disable, release: the count is the one before the call, exact unless the event was running.
        if (counts) {
          if (state !== undefined && state !== PerfEventState.active)
            perf.exactCount(counter, value);
          else perf.countAtLeast(counter, value);
        }
        if (kind === EventKind.eventEnable) perf.enabled(counter);
        else if (kind === EventKind.eventDisable) perf.disabled(counter);
        else perf.released(counter);
      }
    }
  }

  /** A perf event no counter is known to own: the host's own, or one from before the recording. */
  private strayEvent(
    chunk: EventChunk,
    i: number,
    kind: EventKind,
    hint: VcpuReplay | undefined,
  ): void {
    const flags = chunk.flags[i]!;
    if (kind === EventKind.hwAdd) {
      if ((flags & EventFlag.entry) !== 0) return;
      for (const vcpu of this.vcpus) {
        vcpu.perf.seq = chunk.seq[i]!;
        if (vcpu.perf.placedEarly(chunk.object[i]!, chunk.code[i]! | 0)) return;
      }
    } else if (
      kind === EventKind.eventRead &&
      (flags & (EventFlag.entry | EventFlag.noValue)) === 0
    ) {
      hint?.strayRead(chunk.object[i]!, chunk.value[i]!);
    } else if (kind === EventKind.eventOverflow && chunk.counter[i]! >= 0 && hint !== undefined) {
      hint.at(chunk.seq[i]!, this.time(i));
      hint.perf.bind(
        chunk.counter[i]!,
        chunk.object[i]!,
        this.config.withheld.counts ? undefined : chunk.value[i]!,
      );
      hint.pmu.overflow(chunk.counter[i]!);
    }
  }

  private counterGet(chunk: EventChunk, i: number): void {
    const counter = chunk.counter[i]!;
    if (
      (chunk.flags[i]! & (EventFlag.entry | EventFlag.noValue)) !== 0 ||
      counter < 0 ||
      counter > 31
    )
      return;
    const vcpu = this.vcpuOf(chunk, i);
    // Inside an access it is that access's own answer: not evidence for it. On the vCPU's own thread only one that has
    // not run yet is surely outside of one (an access may have left no record before this).
    if (vcpu === undefined || vcpu.accessIsOpen) return;
    if (!vcpu.newborn && this.byTid.get(chunk.tid[i]!) === vcpu) return;
    vcpu.at(chunk.seq[i]!, this.time(i));
    vcpu.userspaceCounter(counter, chunk.value[i]!);
  }

  private lost(chunk: EventChunk, i: number): void {
    const now = this.time(i);
    for (const vcpu of this.vcpus) {
      vcpu.at(chunk.seq[i]!, now);
      vcpu.forget(now);
    }
  }
}
