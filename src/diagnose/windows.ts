import { samePerfEvent } from '../arch/perf-generic.ts';
import type { EventChunk } from '../domain/event-chunk.ts';
import { EventFlag, EventKind } from '../domain/event-kind.ts';
import type { PerfEventAttr, VcpuFact } from '../domain/log-facts.ts';
import { HostEvent } from './host-event.ts';

/** A count both sides are known to have had at the same moment: no guest instruction ran between the two records. */
export interface CommonPoint {
  readonly seq: number;
  readonly time: bigint;
  readonly guest: bigint;
  readonly host: bigint;
}

/** The part of a window over which one host event can be compared. */
export interface HostSpan {
  readonly event: HostEvent;
  readonly first: CommonPoint;
  last: CommonPoint;
  /** Seq at which the host event was seen not running inside the span, 0 never. */
  notRunning: number;
}

/** A span in which one backing event was enabled and undisturbed: what the guest counter counted there. */
export interface CounterWindow {
  readonly vcpu: number;
  readonly counter: number;
  /** Event number asked of perf; −1 when its creation was not recorded. */
  readonly config: number;
  readonly pointer: bigint;
  /** Exception levels the guest's own filter leaves out: `EL0`, `EL1`, both, or ''. */
  readonly filtered: string;
  readonly createdSeq: number;
  readonly fromSeq: number;
  readonly fromTime: bigint;
  toSeq: number;
  toTime: bigint;
  readonly startCount: bigint;
  endCount: bigint;
  /** False when the last count of the window was not recorded: endCount is a lower bound. */
  endExact: boolean;
  /** Seq of a failed placement inside the window, 0 none. */
  notPlaced: number;
  /** Seq of a record that shows the ERROR state, 0 none. */
  errorState: number;
  /** Seq at which a host event that could be compared was refused a counter too, 0 never. */
  hostRefused: number;
  /** Records were lost inside. */
  lost: boolean;
  readonly hosts: Map<HostEvent, HostSpan>;
}

interface BackingEvent {
  readonly pointer: bigint;
  readonly counter: number;
  readonly config: number;
  readonly filtered: string;
  readonly createdSeq: number;
  count: bigint;
  exact: boolean;
  gap: number;
  /** Its count cannot move: disabled or in ERROR. */
  frozen: boolean;
  window: CounterWindow | undefined;
}

class VcpuWindows {
  /** Number of guest spans so far; inside a host gap it names the gap. */
  epoch = 0;
  inHost = false;
  readonly backing = new Map<bigint, BackingEvent>();
  readonly hosts = new Map<bigint, HostEvent>();

  get gap(): number {
    return this.inHost ? this.epoch : -1;
  }

  hostTime(): void {
    this.inHost = true;
  }

  guestTime(): void {
    if (this.inHost) this.epoch++;
    this.inHost = false;
  }
}

/** What the builder needs of the log beside its events. */
export interface WindowOptions {
  readonly vcpus: readonly VcpuFact[];
  readonly entersRecorded: boolean;
  readonly guestSources: ReadonlySet<number>;
  /** The log's attr side table. */
  readonly attr: (id: number) => PerfEventAttr | undefined;
}

/** Bits of attr flags (PerfEventAttr.attrFlags) that a guest's PMEVTYPER.U and P become (semantics A.4). */
const DISABLED = 1n;
const EXCLUDE_USER = 1n << 4n;
const EXCLUDE_KERNEL = 1n << 5n;

function filterOf(attr: PerfEventAttr | undefined): string {
  if (attr === undefined) return '';
  const levels: string[] = [];
  if ((attr.attrFlags & EXCLUDE_USER) !== 0n) levels.push('EL0');
  if ((attr.attrFlags & EXCLUDE_KERNEL) !== 0n) levels.push('EL1');
  return levels.join(' and ');
}

/**
 * Cuts a log into counter windows and pairs their counts with those of host events on the same thread. Streams; keeps
 * only what is open, and hands finished windows to `emit`.
 */
export class WindowBuilder {
  private readonly options: WindowOptions;
  private readonly emit: (window: CounterWindow) => void;
  private readonly vcpus: ReadonlyMap<number, VcpuWindows>;
  private readonly byTid = new Map<number, number>();
  private time = 0n;
  private seq = 0;

  constructor(options: WindowOptions, emit: (window: CounterWindow) => void) {
    this.options = options;
    this.emit = emit;
    this.vcpus = new Map(options.vcpus.map((vcpu) => [vcpu.slot, new VcpuWindows()]));
    for (const vcpu of options.vcpus) if (vcpu.tid >= 0) this.byTid.set(vcpu.tid, vcpu.slot);
  }

  /** Host events seen on the thread of a vCPU. */
  hostEvents(slot: number): Iterable<HostEvent> {
    return this.vcpus.get(slot)?.hosts.values() ?? [];
  }

  /** Takes one chunk, in log order. */
  take(chunk: EventChunk): void {
    for (let i = 0; i < chunk.length; i++) {
      const kind = chunk.kind[i]! as EventKind;
      if (kind === EventKind.other || this.options.guestSources.has(chunk.source[i]!)) continue;
      if (kind === EventKind.lost) {
        for (const vcpu of this.vcpus.values()) this.lost(vcpu);
        continue;
      }
      if (kind === EventKind.schedSwitch) {
        this.at(chunk, i);
        const out = this.byTid.get(chunk.tid[i]!);
        if (out !== undefined) this.vcpus.get(out)!.hostTime();
        const next = this.byTid.get(Number(chunk.value[i]!));
        if (next !== undefined && !this.options.entersRecorded) this.vcpus.get(next)!.guestTime();
        continue;
      }
      let slot = chunk.vcpu[i]!;
      if (slot < 0) slot = this.byTid.get(chunk.tid[i]!) ?? -1;
      const vcpu = slot < 0 ? undefined : this.vcpus.get(slot);
      if (vcpu === undefined) continue;
      this.at(chunk, i);
      this.event(chunk, i, kind, vcpu, slot);
    }
  }

  /** Ends all open windows. */
  end(): void {
    for (const vcpu of this.vcpus.values())
      for (const event of vcpu.backing.values()) this.closeWindow(event);
  }

  private at(chunk: EventChunk, i: number): void {
    this.time = chunk.time[i]!;
    this.seq = chunk.seq[i]!;
  }

  private event(
    chunk: EventChunk,
    i: number,
    kind: EventKind,
    vcpu: VcpuWindows,
    slot: number,
  ): void {
    const flags = chunk.flags[i]!;
    const entry = (flags & EventFlag.entry) !== 0;
    switch (kind) {
      case EventKind.guestEnter:
        if (this.options.entersRecorded) vcpu.guestTime();
        return;
      case EventKind.guestExit:
        if (this.options.entersRecorded) vcpu.hostTime();
        return;
      case EventKind.read:
      case EventKind.write:
        if ((flags & (EventFlag.entry | EventFlag.trap)) !== 0) vcpu.hostTime();
        else if (!this.options.entersRecorded) vcpu.guestTime();
        return;
      case EventKind.eventCreate:
        if (!entry && chunk.counter[i]! >= 0 && (flags & EventFlag.failed) === 0) {
          this.created(chunk, i, vcpu, slot);
        }
        return;
      case EventKind.eventEnable:
      case EventKind.eventDisable:
      case EventKind.eventRelease:
      case EventKind.eventRead:
      case EventKind.eventOverflow:
      case EventKind.hwAdd:
      case EventKind.hwDel:
      case EventKind.hwUpdate: {
        const pointer = chunk.object[i]!;
        const backing = vcpu.backing.get(pointer);
        if (backing !== undefined) this.backingEvent(chunk, i, kind, vcpu, slot, backing);
        else this.hostEvent(chunk, i, kind, vcpu, pointer);
        return;
      }
      default:
        return;
    }
  }

  private created(chunk: EventChunk, i: number, vcpu: VcpuWindows, slot: number): void {
    const pointer = chunk.object[i]!;
    for (const other of this.vcpus.values()) {
      const old = other.backing.get(pointer);
      if (old !== undefined) this.closeWindow(old);
      other.backing.delete(pointer);
      other.hosts.delete(pointer);
    }
    const attr = this.options.attr(chunk.code[i]!);
    const event: BackingEvent = {
      pointer,
      counter: chunk.counter[i]!,
      config: Number(chunk.aux0[i]! & 0xffff_ffffn),
      filtered: filterOf(attr),
      createdSeq: this.seq,
      count: 0n,
      exact: true,
      gap: vcpu.gap,
      frozen: true,
      window: undefined,
    };
    vcpu.backing.set(pointer, event);
    if (attr === undefined || (attr.attrFlags & DISABLED) !== 0n) return;
    // Created running: it counts from here on, whether or not its placement was recorded.
    this.openWindow(slot, event);
    event.frozen = false;
  }

  private backingEvent(
    chunk: EventChunk,
    i: number,
    kind: EventKind,
    vcpu: VcpuWindows,
    slot: number,
    event: BackingEvent,
  ): void {
    const flags = chunk.flags[i]!;
    const value = chunk.value[i]!;
    const state = (flags & EventFlag.stateKnown) !== 0 ? chunk.code[i]! | 0 : undefined;
    switch (kind) {
      case EventKind.eventEnable:
        if (state !== undefined && state !== 1) this.counted(vcpu, event, value);
        if (event.window === undefined || state === -2) this.openWindow(slot, event);
        event.frozen = false;
        return;
      case EventKind.hwAdd: {
        if ((flags & EventFlag.entry) !== 0) return;
        // An event created enabled is first seen when it is placed.
        if (event.window === undefined) this.openWindow(slot, event);
        const error = chunk.code[i]! | 0;
        if (error === 0) event.frozen = false;
        else {
          event.frozen = true;
          if (event.window !== undefined && event.window.notPlaced === 0)
            event.window.notPlaced = this.seq;
          this.pairWithHosts(vcpu, event);
        }
        return;
      }
      case EventKind.hwUpdate:
        if ((flags & (EventFlag.entry | EventFlag.noValue)) === 0) this.counted(vcpu, event, value);
        return;
      case EventKind.hwDel:
        this.atLeast(event, value);
        return;
      case EventKind.eventRead:
        if (state === -2 && event.window !== undefined && event.window.errorState === 0)
          event.window.errorState = this.seq;
        if (state === -2) event.frozen = true;
        if ((flags & (EventFlag.entry | EventFlag.noValue)) === 0) this.counted(vcpu, event, value);
        return;
      case EventKind.eventOverflow:
        this.counted(vcpu, event, value);
        return;
      case EventKind.eventDisable:
        if (state !== undefined && state !== 1) this.counted(vcpu, event, value);
        else this.atLeast(event, value);
        // What it counted at most recently is told by the hw-update that follows; the window ends there.
        event.frozen = true;
        if (state !== 1) this.closeWindow(event);
        return;
      default:
        if (state !== undefined && state !== 1) this.counted(vcpu, event, value);
        else this.atLeast(event, value);
        this.closeWindow(event);
        vcpu.backing.delete(event.pointer);
    }
  }

  private hostEvent(
    chunk: EventChunk,
    i: number,
    kind: EventKind,
    vcpu: VcpuWindows,
    pointer: bigint,
  ): void {
    if (kind !== EventKind.hwAdd && kind !== EventKind.hwUpdate) return;
    const flags = chunk.flags[i]!;
    const config = Number(chunk.aux0[i]! & 0xffff_ffffn);
    let event = vcpu.hosts.get(pointer);
    if (event === undefined || (event.config !== config && (flags & EventFlag.entry) === 0)) {
      if (kind === EventKind.hwAdd && (chunk.code[i]! | 0) !== 0 && event === undefined) return;
      event = new HostEvent(pointer, config);
      vcpu.hosts.set(pointer, event);
    }
    if (kind === EventKind.hwAdd) {
      if ((flags & EventFlag.entry) !== 0) return;
      if ((chunk.code[i]! | 0) === 0) event.add(vcpu.gap, this.seq);
      else this.hostRefused(vcpu, event);
      return;
    }
    // On entry to the update the count is the one of the update before: known already, or a first one.
    if ((flags & EventFlag.noValue) !== 0 || ((flags & EventFlag.entry) !== 0 && event.seq !== 0))
      return;
    event.counted(chunk.value[i]!, vcpu.gap, this.seq);
    if (vcpu.gap < 0) return;
    for (const backing of vcpu.backing.values()) {
      if (backing.exact && (backing.gap === vcpu.gap || backing.frozen))
        this.common(backing, event);
    }
  }

  private hostRefused(vcpu: VcpuWindows, event: HostEvent): void {
    event.refused(this.seq);
    for (const backing of vcpu.backing.values()) {
      const { window } = backing;
      if (window === undefined || !samePerfEvent(backing.config, event.config)) continue;
      if (window.hostRefused === 0) window.hostRefused = this.seq;
      const span = window.hosts.get(event);
      if (span !== undefined && span.notRunning === 0) span.notRunning = this.seq;
    }
  }

  /** An exact count of a backing event. */
  private counted(vcpu: VcpuWindows, event: BackingEvent, count: bigint): void {
    event.count = count;
    event.exact = true;
    event.gap = vcpu.gap;
    const { window } = event;
    if (window !== undefined) {
      window.endCount = count;
      window.endExact = true;
      window.toSeq = this.seq;
      window.toTime = this.time;
    }
    this.pairWithHosts(vcpu, event);
    if (event.frozen && window !== undefined && window.errorState === 0 && window.notPlaced === 0)
      this.closeWindow(event);
  }

  private atLeast(event: BackingEvent, count: bigint): void {
    if (event.exact && count === event.count) return;
    if (count > event.count) {
      event.count = count;
      event.exact = false;
      if (event.window !== undefined) {
        event.window.endCount = count;
        event.window.endExact = false;
      }
    }
  }

  private pairWithHosts(vcpu: VcpuWindows, event: BackingEvent): void {
    if (vcpu.gap < 0) return;
    for (const host of vcpu.hosts.values())
      if (host.gap === vcpu.gap && host.seq !== 0) this.common(event, host);
  }

  private common(event: BackingEvent, host: HostEvent): void {
    const { window } = event;
    if (window === undefined || !samePerfEvent(event.config, host.config)) return;
    const point: CommonPoint = {
      seq: this.seq,
      time: this.time,
      guest: event.count,
      host: host.count,
    };
    const span = window.hosts.get(host);
    if (span === undefined) {
      window.hosts.set(host, {
        event: host,
        first: point,
        last: point,
        notRunning: host.notRunningSince,
      });
      return;
    }
    span.last = point;
    // Fewer counts than the guest's own event over the same span: it left the guest out.
    const guest = point.guest - span.first.guest;
    const counted = point.host - span.first.host;
    if (span.notRunning === 0 && counted < guest && host.excludesGuestAt === 0)
      host.excludesGuestAt = this.seq;
  }

  private openWindow(slot: number, event: BackingEvent): void {
    this.closeWindow(event);
    const window: CounterWindow = {
      vcpu: slot,
      counter: event.counter,
      config: event.config,
      pointer: event.pointer,
      filtered: event.filtered,
      createdSeq: event.createdSeq,
      fromSeq: this.seq,
      fromTime: this.time,
      toSeq: this.seq,
      toTime: this.time,
      startCount: event.count,
      endCount: event.count,
      endExact: event.exact,
      notPlaced: 0,
      errorState: 0,
      hostRefused: 0,
      lost: false,
      hosts: new Map(),
    };
    event.window = window;
    this.pairWithHosts(this.vcpus.get(slot)!, event);
  }

  private closeWindow(event: BackingEvent): void {
    const { window } = event;
    if (window === undefined) return;
    event.window = undefined;
    if (window.toSeq < this.seq && event.frozen) {
      window.toSeq = this.seq;
      window.toTime = this.time;
    }
    this.emit(window);
  }

  private lost(vcpu: VcpuWindows): void {
    for (const event of vcpu.backing.values()) {
      if (event.window !== undefined) event.window.lost = true;
      event.exact = false;
    }
    for (const host of vcpu.hosts.values()) host.gap = -1;
    vcpu.guestTime();
  }
}
