import { TaskState } from '../../arch/tracepoints.ts';
import type { EventChunk } from '../../domain/event-chunk.ts';
import { EventFlag, EventKind, registerSpace } from '../../domain/event-kind.ts';
import type { PerfEventAttr, VcpuFact } from '../../domain/log-facts.ts';
import { isHostsOwn } from '../../replay/hosts-own.ts';
import type { Observation as Outcome } from '../../replay/observation.ts';
import { PerfEventState } from '../../replay/recorded-perf.ts';
import type { Replayer } from '../../replay/replayer.ts';
import type { CounterValue, VcpuReplay } from '../../replay/vcpu-replay.ts';
import { isPmuRegister, writeEffect } from './counter-writes.ts';
import { EVIDENCE_KEPT, type GuestWindow, type HappeningName, happened } from './guest-window.ts';
import { HostCounts } from './host-counts.ts';
import { filterOf, HostInventory } from './host-inventory.ts';
import { Observation, type Observed } from './observed.ts';
import { OpenWindow } from './open-window.ts';
import { RecordKeeper } from './record-keeper.ts';
import { VcpuTotals } from './vcpu-totals.ts';
import type { Opening } from './window-records.ts';

/** What the collector needs of the log beside its events. */
export interface CollectorOptions {
  readonly vcpus: readonly VcpuFact[];
  readonly attr: (id: number) => PerfEventAttr | undefined;
  /** Sources whose events happened inside the guest. */
  readonly guestSources: ReadonlySet<number>;
  /** Time of the log's first event, ns. */
  readonly epoch: bigint;
  /** Vendor of an x86 host; undefined on arm64. */
  readonly vendor?: 'intel' | 'amd' | undefined;
  /** Kinds the log holds at all. */
  readonly recordedKinds: ReadonlySet<EventKind>;
  /** The log's side table of names. */
  readonly name: (id: number) => string;
}

/** One vCPU as the collector follows it. */
interface Followed {
  readonly slot: number;
  readonly replay: VcpuReplay;
  readonly totals: VcpuTotals;
  readonly open: Map<number, OpenWindow>;
  readonly hosts: HostCounts;
  readonly keeper: RecordKeeper;
  /** Levels the backing event of each counter was created to leave out. */
  readonly filters: Map<number, NonNullable<GuestWindow['filter']>>;
  /** Time running of each backing event at its last read, ns. */
  readonly running: Map<bigint, bigint>;
  /** CPU the thread was on when a window was last told. */
  pcpu: number;
  /** What KVM does at the next entry can open or close gates (x86 defers reprogramming to it). */
  stale: boolean;
  /** A window still wants exits as evidence. */
  notesExits: boolean;
}

/**
 * Replays a log and cuts it into guest windows on the way. It applies the events itself, so that the values right before
 * and right after a write are seen; windows nobody counted in or read are not handed out.
 */
export class WindowCollector {
  private readonly replayer: Replayer;
  private readonly options: CollectorOptions;
  private readonly emit: (window: GuestWindow) => void;
  private readonly bySlot = new Map<number, Followed>();
  private readonly byTid = new Map<number, Followed>();
  private readonly inventory: HostInventory;
  private readonly observation = new Observation();
  /** Role of an `other` record by the id of its name. */
  private readonly roles = new Map<number, OtherRole>();
  private now = 0;
  private seq = 0;
  /** The u64 columns of the present chunk as halves, low first: no bigint per event. */
  private times = new Uint32Array(0);
  private objects = new Uint32Array(0);
  private payloads = new Uint32Array(0);
  private readonly epochLow: number;
  private readonly epochHigh: number;

  constructor(replayer: Replayer, options: CollectorOptions, emit: (window: GuestWindow) => void) {
    this.replayer = replayer;
    this.options = options;
    this.epochLow = Number(options.epoch & 0xffff_ffffn);
    this.epochHigh = Number(options.epoch >> 32n);
    this.inventory = new HostInventory(options.vendor);
    this.emit = emit;
    for (const { slot, tid } of options.vcpus) {
      const replay = replayer.ofSlot(slot);
      if (replay === undefined) continue;
      const followed = {
        slot,
        replay,
        totals: new VcpuTotals(),
        open: new Map<number, OpenWindow>(),
        hosts: new HostCounts(),
        keeper: new RecordKeeper(replay, options.attr),
        filters: new Map<number, NonNullable<GuestWindow['filter']>>(),
        running: new Map<bigint, bigint>(),
        pcpu: -1,
        stale: false,
        notesExits: false,
      };
      this.bySlot.set(slot, followed);
      if (tid >= 0) this.byTid.set(tid, followed);
    }
  }

  /** Takes one chunk, in log order. */
  take(chunk: EventChunk): void {
    this.times = halvesOf(chunk.time);
    this.objects = halvesOf(chunk.object);
    this.payloads = halvesOf(chunk.value);
    let applied = 0;
    const applyTo = (end: number): void => {
      if (end > applied) this.replayer.apply(chunk, applied, end, this.outcome);
      applied = Math.max(applied, end);
    };
    for (let i = 0; i < chunk.length; i++) {
      if (this.options.guestSources.has(chunk.source[i]!)) continue;
      this.at(chunk, i);
      this.event(chunk, i, applyTo);
    }
    applyTo(chunk.length);
  }

  /** Ends all open windows. */
  end(): void {
    for (const vcpu of this.bySlot.values()) {
      this.settle(vcpu);
      for (const counter of [...vcpu.open.keys()]) {
        this.close(vcpu, counter, vcpu.replay.counterValue(counter), this.seq);
      }
    }
  }

  /** What the recording shows beside its windows, so far. */
  get observed(): Observed {
    return this.observation.with(this.inventory.all);
  }

  private readonly outcome = (outcome: Outcome): void => {
    const vcpu = this.bySlot.get(outcome.vcpu);
    vcpu?.keeper.observed(outcome, vcpu.open);
  };

  private get time(): bigint {
    return this.options.epoch + BigInt(this.now);
  }

  private at(chunk: EventChunk, i: number): void {
    const { times } = this;
    const now = (times[2 * i + 1]! - this.epochHigh) * 2 ** 32 + (times[2 * i]! - this.epochLow);
    if (now > this.now) this.now = now;
    this.seq = chunk.seq[i]!;
  }

  private ofEvent(chunk: EventChunk, i: number): Followed | undefined {
    const slot = chunk.vcpu[i]!;
    return slot >= 0 ? this.bySlot.get(slot) : this.byTid.get(chunk.tid[i]!);
  }

  private event(chunk: EventChunk, i: number, applyTo: (end: number) => void): void {
    const kind = chunk.kind[i]! as EventKind;
    if (kind === EventKind.schedSwitch) {
      this.switched(chunk, i, applyTo);
      return;
    }
    if (kind === EventKind.lost || kind === EventKind.vmMigrate) {
      const name = kind === EventKind.lost ? 'lost' : 'migration';
      for (const vcpu of this.bySlot.values()) {
        this.everywhere(vcpu, name);
        if (name === 'migration') vcpu.keeper.migrated(this.seq);
      }
      if (name === 'lost') this.observation.saw('lost', this.seq);
      return;
    }
    if (kind === EventKind.contextLoad || kind === EventKind.contextPut) {
      const load = kind === EventKind.contextLoad;
      this.inventory.context(load);
      this.observation.saw(load ? 'contextLoad' : 'contextPut', this.seq);
    }
    if (kind === EventKind.hostRdmsr) {
      if (chunk.code[i] === MSR_SMI_COUNT) this.smiSample(chunk, i, applyTo);
      return;
    }
    if (kind === EventKind.marker) {
      const text = this.options.name(chunk.code[i]!);
      for (const each of this.bySlot.values()) each.keeper.marked(text);
      return;
    }
    const vcpu = this.ofEvent(chunk, i);
    if (vcpu === undefined) return;
    vcpu.keeper.seq = this.seq;
    switch (kind) {
      case EventKind.guestEnter:
        this.enters(chunk, i, vcpu, applyTo);
        return;
      case EventKind.guestExit:
        vcpu.totals.exit(this.now, chunk.code[i]!);
        vcpu.keeper.exits(chunk.code[i]!);
        if (vcpu.notesExits) this.noteExit(vcpu);
        return;
      case EventKind.other:
        this.otherRecord(chunk, i, vcpu, applyTo);
        return;
      case EventKind.write:
        this.write(chunk, i, vcpu, applyTo);
        return;
      case EventKind.read:
        this.read(chunk, i, vcpu, applyTo);
        return;
      case EventKind.vcpuReset:
        this.split(chunk, i, vcpu, applyTo, 'vcpu-reset', 'vcpuReset');
        return;
      case EventKind.userspaceSet:
        vcpu.keeper.vmmSet(chunk, i);
        this.split(chunk, i, vcpu, applyTo, 'vmm', 'vmmAccess', (counter) =>
          vmmReaches(chunk, i, counter),
        );
        return;
      case EventKind.userspaceGet:
        this.everywhere(vcpu, 'vmmAccess');
        return;
      case EventKind.irqLevel:
        if (chunk.code[i] !== PMU_IRQ) return;
        vcpu.keeper.line = Number(chunk.value[i]!);
        if (chunk.value[i] !== 0n) this.interrupt(vcpu);
        return;
      case EventKind.interruptAccept:
        if (chunk.value[i] === APIC_NMI) this.interrupt(vcpu);
        return;
      case EventKind.exceptionInject:
        vcpu.keeper.faults();
        return;
      case EventKind.mmio:
        vcpu.keeper.device();
        return;
      case EventKind.apicWrite:
        if (chunk.code[i] === APIC_LVTPC) vcpu.keeper.lvtpcWritten();
        return;
      case EventKind.hostWrmsr:
        vcpu.keeper.hostWrote(chunk.code[i]!, chunk.value[i]!);
        return;
      case EventKind.eventPeriod:
        vcpu.keeper.periodSet(chunk.object[i]!, chunk.value[i]!);
        return;
      case EventKind.contextLoad:
        this.everywhere(vcpu, 'contextLoad');
        return;
      case EventKind.contextPut:
        this.everywhere(vcpu, 'contextPut');
        return;
      case EventKind.eventCreate:
      case EventKind.eventEnable:
      case EventKind.eventDisable:
      case EventKind.eventPause:
      case EventKind.eventRelease:
      case EventKind.eventRead:
      case EventKind.eventOverflow:
      case EventKind.hwAdd:
      case EventKind.hwDel:
      case EventKind.hwUpdate:
        this.perfEvent(chunk, i, kind, vcpu, applyTo);
        return;
      default:
        return;
    }
  }

  /** The first exits of each window are evidence; how many there were is in its totals. */
  private noteExit(vcpu: Followed): void {
    let more = false;
    for (const { happenings } of vcpu.open.values()) {
      const { exited, halted } = happenings;
      if (exited.evidence.length < EVIDENCE_KEPT) happened(exited, this.seq);
      if (vcpu.totals.inHalt && halted.evidence.length < EVIDENCE_KEPT) happened(halted, this.seq);
      more ||= exited.evidence.length < EVIDENCE_KEPT || halted.evidence.length < EVIDENCE_KEPT;
    }
    vcpu.notesExits = more;
  }

  private switched(chunk: EventChunk, i: number, applyTo: (end: number) => void): void {
    const previous = this.byTid.get(chunk.tid[i]!);
    const next = this.byTid.get(this.payloads[2 * i]!);
    if (previous !== undefined) {
      const state = chunk.code[i]!;
      const runnable = state === 0 || (state & TaskState.preempted) !== 0;
      previous.totals.out(this.now, runnable);
      previous.keeper.switchedOut(this.seq);
      if (runnable) this.everywhere(previous, 'switchedOut');
    }
    if (next === undefined) return;
    if (next.totals.stolen) this.everywhere(next, 'switchedIn');
    next.totals.in(this.now);
    this.moves(i, next, chunk.pcpu[i]!, applyTo);
  }

  /** The thread runs on `pcpu` now. */
  private moves(i: number, vcpu: Followed, pcpu: number, applyTo: (end: number) => void): void {
    if (vcpu.pcpu === pcpu) return;
    if (vcpu.pcpu >= 0) {
      applyTo(i);
      this.settle(vcpu);
      const { replay, totals } = vcpu;
      for (const [counter, window] of vcpu.open) {
        window.leavePcpu(vcpu.pcpu, replay.counterValue(counter), totals.sums, this.seq);
      }
    }
    vcpu.pcpu = pcpu;
    for (const window of vcpu.open.values()) window.pcpus.add(pcpu);
  }

  private enters(
    chunk: EventChunk,
    i: number,
    vcpu: Followed,
    applyTo: (end: number) => void,
  ): void {
    const pcpu = chunk.pcpu[i]!;
    this.moves(i, vcpu, pcpu, applyTo);
    this.observation.saw('entered', this.seq);
    const { recordedKinds } = this.options;
    const accepts = recordedKinds.has(EventKind.interruptAccept);
    const lines = recordedKinds.has(EventKind.irqLevel);
    if (accepts || lines) applyTo(i);
    const before = vcpu.replay.tallies.irqContradicted;
    let missing = lines && vcpu.replay.interruptLine === 1 && vcpu.keeper.line === 0;
    if (vcpu.stale) {
      // Before the entry counts: KVM has opened what is pending, and the counter counts from here on.
      vcpu.stale = false;
      applyTo(i);
      this.settle(vcpu);
      applyTo(i + 1);
      for (const [counter, window] of vcpu.open) {
        window.gatesAre(vcpu.replay.counterState(counter), vcpu.totals.sums, this.seq);
      }
    }
    if (accepts) {
      applyTo(i + 1);
      missing ||= vcpu.replay.tallies.irqContradicted > before;
    }
    vcpu.keeper.enters(vcpu.open, missing);
    vcpu.totals.enter(this.now);
  }

  private smiSample(chunk: EventChunk, i: number, applyTo: (end: number) => void): void {
    applyTo(i + 1);
    for (const vcpu of this.bySlot.values()) {
      if (vcpu.pcpu !== chunk.pcpu[i]!) continue;
      this.settle(vcpu);
      const { replay, totals } = vcpu;
      for (const [counter, window] of vcpu.open) {
        const count = Number(chunk.value[i]! & 0xffff_ffffn);
        window.sampleSmi(count, replay.counterValue(counter), totals.sums, this.seq);
      }
    }
  }

  private otherRecord(
    chunk: EventChunk,
    i: number,
    vcpu: Followed,
    applyTo: (end: number) => void,
  ): void {
    const id = chunk.code[i]!;
    let role = this.roles.get(id);
    if (role === undefined) {
      role = OTHER_ROLES[this.options.name(id)] ?? 'none';
      this.roles.set(id, role);
    }
    if (role === 'none') return;
    if (role === 'nested-enter') this.everywhere(vcpu, 'nestedEntry');
    applyTo(i + 1);
    for (const [counter, window] of vcpu.open) {
      const value = vcpu.replay.counterValue(counter);
      if (role === 'nested-enter') window.nested.enter(this.seq, value);
      else window.nested.leave(this.seq, value);
    }
  }

  /** Brings the running sums of a vCPU up to the present event. */
  private settle(vcpu: Followed): void {
    vcpu.totals.upTo(this.now);
    vcpu.totals.sums.guestNs = vcpu.replay.residency.upTo(this.now);
  }

  private everywhere(vcpu: Followed, name: HappeningName): void {
    for (const window of vcpu.open.values()) happened(window.happenings[name], this.seq);
  }

  private interrupt(vcpu: Followed): void {
    vcpu.totals.sums.interrupts++;
    this.everywhere(vcpu, 'interrupt');
    vcpu.keeper.interrupted(vcpu.open);
  }

  private write(
    chunk: EventChunk,
    i: number,
    vcpu: Followed,
    applyTo: (end: number) => void,
  ): void {
    const flags = chunk.flags[i]!;
    const effect = writeEffect(chunk.code[i]!, registerSpace(flags), chunk.value[i]!);
    if (!effect.pmu) return;
    vcpu.totals.pmuAccess();
    if ((flags & (EventFlag.entry | EventFlag.trap)) !== 0) return;
    if ((flags & EventFlag.failed) !== 0) {
      this.observation.saw('refused', this.seq);
      if (effect.control) this.everywhere(vcpu, 'controlRefused');
      applyTo(i);
      this.settle(vcpu);
      vcpu.keeper.wrote(chunk, i, true, vcpu.open);
      return;
    }
    this.observation.saw('taken', this.seq);
    vcpu.stale = this.options.vendor !== undefined;
    if (effect.control) {
      this.observation.saw('controlWrite', this.seq);
      this.everywhere(vcpu, 'controlWrite');
    }
    const { value } = effect;
    vcpu.keeper.wrote(chunk, i, false, vcpu.open);
    if (value === -1) this.settings(chunk, i, vcpu, applyTo);
    else {
      this.split(
        chunk,
        i,
        vcpu,
        applyTo,
        effect.control ? 'reset-bit' : 'counter-write',
        undefined,
        (counter) => value === 'all' || value === 'selected' || value === counter,
      );
    }
  }

  /** A write that can change what counts: windows end where the event does. */
  private settings(
    chunk: EventChunk,
    i: number,
    vcpu: Followed,
    applyTo: (end: number) => void,
  ): void {
    applyTo(i);
    this.settle(vcpu);
    const before = this.values(vcpu);
    applyTo(i + 1);
    for (const counter of vcpu.replay.counters) {
      const state = vcpu.replay.counterState(counter);
      const window = vcpu.open.get(counter);
      if (window !== undefined && window.event === state.event) {
        window.gatesAre(state, vcpu.totals.sums, this.seq);
        continue;
      }
      this.close(vcpu, counter, before.get(counter)!, this.seq);
      vcpu.keeper.begins(counter, 'control', chunk, i);
      this.open(vcpu, counter);
    }
  }

  /** The counters `chosen` says get another value: their windows end before the event and new ones begin after it. */
  private split(
    chunk: EventChunk,
    i: number,
    vcpu: Followed,
    applyTo: (end: number) => void,
    by: Opening['by'],
    name: HappeningName | undefined,
    chosen: (counter: number) => boolean = () => true,
  ): void {
    applyTo(i);
    this.settle(vcpu);
    const before = this.values(vcpu);
    if (name !== undefined) this.everywhere(vcpu, name);
    for (const [counter, window] of vcpu.open) {
      if (!chosen(counter)) continue;
      if (vcpu.replay.counterState(counter).counting) {
        happened(window.happenings.writtenWhileCounting, this.seq);
      }
    }
    for (const counter of vcpu.replay.counters) {
      if (chosen(counter)) vcpu.keeper.begins(counter, by, chunk, i);
    }
    applyTo(i + 1);
    for (const counter of vcpu.replay.counters) {
      const window = vcpu.open.get(counter);
      if (window !== undefined && !chosen(counter)) {
        window.gatesAre(vcpu.replay.counterState(counter), vcpu.totals.sums, this.seq);
        continue;
      }
      this.close(vcpu, counter, before.get(counter)!, this.seq);
      this.open(vcpu, counter);
    }
  }

  private read(chunk: EventChunk, i: number, vcpu: Followed, applyTo: (end: number) => void): void {
    const flags = chunk.flags[i]!;
    const space = registerSpace(flags);
    if (!isPmuRegister(chunk.code[i]!, space)) return;
    vcpu.totals.pmuAccess();
    const early = EventFlag.entry | EventFlag.trap;
    if ((flags & early) === 0) {
      this.observation.saw((flags & EventFlag.failed) !== 0 ? 'refused' : 'taken', this.seq);
    }
    if ((flags & (early | EventFlag.failed | EventFlag.noValue)) !== 0) return;
    applyTo(i + 1);
    vcpu.keeper.read(chunk, i, vcpu.open);
    for (const [counter, window] of vcpu.open) {
      if (!readsCounter(chunk.code[i]!, space, counter)) continue;
      const value = vcpu.replay.counterValue(counter);
      if (value.span !== 0n || value.low !== BigInt.asUintN(value.width, chunk.value[i]!)) continue;
      this.settle(vcpu);
      window.readBy(value, vcpu.totals.sums, this.seq);
    }
  }

  private perfEvent(
    chunk: EventChunk,
    i: number,
    kind: EventKind,
    vcpu: Followed,
    applyTo: (end: number) => void,
  ): void {
    const flags = chunk.flags[i]!;
    if (kind === EventKind.eventCreate) {
      this.creation(chunk, i, vcpu);
      return;
    }
    if (!this.inventory.isEmpty) {
      if (kind === EventKind.eventRelease) this.inventory.released(chunk.object[i]!);
      this.inventory.seen(chunk, i, kind === EventKind.eventRead);
    }
    applyTo(i);
    const { perf } = vcpu.replay;
    const counter = perf.counterOf(this.objects[2 * i]!, this.objects[2 * i + 1]!);
    if (counter < 0) {
      if (vcpu.hosts.isEmpty) return;
      applyTo(i + 1);
      this.settle(vcpu);
      vcpu.hosts.take(chunk, i, kind, vcpu.open, vcpu.replay, vcpu.totals.sums);
      return;
    }
    const stateBefore = perf.state[counter]!;
    const failedBefore = perf.placementFailed[counter]!;
    applyTo(i + 1);
    const window = vcpu.open.get(counter);
    if (window === undefined) return;
    this.settle(vcpu);
    const seen = (name: HappeningName): void => happened(window.happenings[name], this.seq);
    const entry = (flags & EventFlag.entry) !== 0;
    if (kind === EventKind.hwAdd && !entry) {
      seen((chunk.code[i]! | 0) !== 0 ? 'placementRefused' : 'placed');
    }
    if ((flags & EventFlag.stateKnown) !== 0) {
      const state = chunk.code[i]! | 0;
      if (state === PerfEventState.error) seen('errorState');
      else if (state === PerfEventState.inactive) seen('inactiveState');
    }
    if (kind === EventKind.eventRead && perf.placementFailed[counter] === this.seq) {
      seen('stoodStill');
    }
    if (perf.placementFailed[counter] === this.seq) this.competitors(vcpu, window);
    if (kind === EventKind.eventRead && (flags & EventFlag.timesKnown) !== 0) {
      const pointer = chunk.object[i]!;
      const running = chunk.aux1[i]!;
      window.timesRead(vcpu.running.get(pointer) === running, vcpu.totals.sums, this.seq);
      vcpu.running.set(pointer, running);
    }
    if (kind === EventKind.eventRead && (flags & EventFlag.timesKnown) !== 0) {
      if (chunk.aux1[i]! > chunk.aux0[i]!) happened(window.notes.runsLonger, this.seq);
    }
    if (kind === EventKind.eventOverflow) {
      vcpu.keeper.overflowed(window, chunk.value[i]!);
      seen('overflow');
      vcpu.totals.sums.overflows++;
    }
    if (kind === EventKind.eventEnable) seen('enabled');
    if (kind === EventKind.eventRelease) {
      seen('released');
      vcpu.totals.sums.releases++;
    }
    const moved =
      kind !== EventKind.hwAdd ||
      perf.state[counter] !== stateBefore ||
      perf.placementFailed[counter] !== failedBefore;
    if (moved && GATING.has(kind)) {
      window.gatesAre(vcpu.replay.counterState(counter), vcpu.totals.sums, this.seq);
    }
  }

  private creation(chunk: EventChunk, i: number, vcpu: Followed): void {
    const flags = chunk.flags[i]!;
    if ((flags & EventFlag.entry) !== 0) return;
    const counter = chunk.counter[i]!;
    const failed = (flags & EventFlag.failed) !== 0;
    const { vendor } = this.options;
    const attr = this.options.attr(chunk.code[i]!);
    if (isHostsOwn(counter, attr) || (counter < 0 && vendor === undefined)) {
      const record = this.inventory.created(chunk, i, attr);
      if (!record.refused) vcpu.hosts.created(record);
      return;
    }
    if (!failed) vcpu.keeper.created(chunk, i, vcpu.open);
    vcpu.totals.sums.creates++;
    vcpu.stale = this.options.vendor !== undefined;
    vcpu.running.set(chunk.object[i]!, 0n);
    this.observation.saw(failed ? 'createFailed' : 'created', this.seq);
    for (const [of, window] of vcpu.open) {
      // x86 creations name no counter: the event asked for does.
      if (counter >= 0 ? of !== counter : !asksFor(window, chunk.aux0[i]!, vendor)) continue;
      happened(window.happenings[failed ? 'createFailed' : 'created'], this.seq);
      if (attr !== undefined) {
        window.filter = filterOf(attr);
        vcpu.filters.set(of, window.filter);
      }
    }
  }

  /** The backing event of a window has no hardware counter: who else wants one? */
  private competitors(vcpu: Followed, window: OpenWindow): void {
    const pinned = this.inventory.pinnedOn(vcpu.pcpu).map(({ createdSeq }) => createdSeq);
    const before = window.competitors;
    if (before !== null && before.pinned.length >= pinned.length) return;
    const wanted = [...vcpu.open.values()].filter((other) => other.wanted).length;
    window.competitors = { pcpu: vcpu.pcpu, pinned, wanted };
  }

  private values(vcpu: Followed): Map<number, CounterValue> {
    const { replay } = vcpu;
    return new Map(replay.counters.map((counter) => [counter, replay.counterValue(counter)]));
  }

  private open(vcpu: Followed, counter: number): void {
    const { replay, totals, slot } = vcpu;
    const state = replay.counterState(counter);
    const window = new OpenWindow(
      slot,
      state,
      replay.counterValue(counter),
      this.seq,
      this.time,
      totals.copy(),
      vcpu.keeper.opening(counter),
    );
    if (vcpu.pcpu >= 0) window.pcpus.add(vcpu.pcpu);
    window.filter = vcpu.filters.get(counter) ?? null;
    vcpu.open.set(counter, window);
    vcpu.notesExits = true;
  }

  private close(vcpu: Followed, counter: number, value: CounterValue, seq: number): void {
    const window = vcpu.open.get(counter);
    if (window === undefined) return;
    vcpu.open.delete(counter);
    vcpu.hosts.finish(window);
    vcpu.keeper.closing(counter, window, value);
    if (!window.used) return;
    const reason = vcpu.replay.counterState(counter).reason ?? '';
    this.emit(window.close(value, reason, seq, this.time, vcpu.totals.copy(), vcpu.pcpu));
  }
}

function halvesOf(column: BigUint64Array): Uint32Array<ArrayBuffer> {
  return new Uint32Array(column.buffer as ArrayBuffer, column.byteOffset, 2 * column.length);
}

/** INTID of the PMU's interrupt as QEMU and the Arm base systems wire it (PPI 7). */
const PMU_IRQ = 23;
/** Delivery mode NMI of the local APIC: how Linux guests take the PMI. */
const APIC_NMI = 4n;

const MSR_SMI_COUNT = 0x34;
/** Offset of the performance counter entry of the local vector table. */
const APIC_LVTPC = 0x340;

type OtherRole = 'none' | 'nested-enter' | 'nested-leave';

/** Records that are kept by name and tell when a guest of the guest runs. */
const OTHER_ROLES: Readonly<Record<string, OtherRole>> = {
  kvm_nested_vmenter: 'nested-enter',
  kvm_nested_vmrun: 'nested-enter',
  kvm_nested_vmexit_inject: 'nested-leave',
};

/** Select and umask of a raw config; AMD's select bits 11:8 are at 35:32. */
const EVENT_BITS = { intel: 0xffffn, amd: 0xf_0000_ffffn } as const;

function asksFor(window: OpenWindow, config: bigint, vendor: 'intel' | 'amd' | undefined): boolean {
  const bits = EVENT_BITS[vendor ?? 'intel'];
  return window.event !== undefined && (BigInt(window.event) & bits) === (config & bits);
}

/** Kinds that can open or close what is behind a counter. */
const GATING: ReadonlySet<EventKind> = new Set([
  EventKind.eventEnable,
  EventKind.eventDisable,
  EventKind.eventPause,
  EventKind.eventRelease,
  EventKind.eventRead,
  EventKind.hwAdd,
]);

/** A register the VMM writes is this counter's, or not one counter's alone. */
function vmmReaches(chunk: EventChunk, i: number, counter: number): boolean {
  const space = registerSpace(chunk.flags[i]!);
  const { pmu, value } = writeEffect(chunk.code[i]!, space, chunk.value[i]!);
  return !pmu || typeof value === 'string' || value === -1 || value === counter;
}

/** True if a read of this register reads this counter (for PMXEVCNTR: may). */
function readsCounter(
  code: number,
  space: ReturnType<typeof registerSpace>,
  counter: number,
): boolean {
  const { value } = writeEffect(code, space, 0n);
  return value === counter || value === 'selected';
}
