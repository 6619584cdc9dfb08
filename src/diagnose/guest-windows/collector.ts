import { TaskState } from '../../arch/tracepoints.ts';
import type { EventChunk } from '../../domain/event-chunk.ts';
import { EventFlag, EventKind, KIND_SPECS } from '../../domain/event-kind.ts';
import type { VcpuFact } from '../../domain/log-facts.ts';
import type { Observation as Outcome } from '../../replay/observation.ts';
import type { Replayer } from '../../replay/replayer.ts';
import { guestRead, guestWrite, vmmReaches } from './access-records.ts';
import { isProgramming } from './backing-notes.ts';
import { Cursor } from './cursor.ts';
import { type GuestWindow, happened } from './guest-window.ts';
import type { HostEvent } from './host-event.ts';
import { HostInventory } from './host-inventory.ts';
import { IGNORED } from './ignored-kinds.ts';
import { Observation, type Observed } from './observed.ts';
import { PerfRecords } from './perf-records.ts';
import { type VcpuOptions, VcpuWindows } from './vcpu-windows.ts';

/** What the collector needs of the log beside its events. */
export interface CollectorOptions extends VcpuOptions {
  readonly vcpus: readonly VcpuFact[];
  /** Sources whose events happened inside the guest. */
  readonly guestSources: ReadonlySet<number>;
  /** Time of the log's first event, ns. */
  readonly epoch: bigint;
  /** The log's side table of names. */
  readonly name: (id: number) => string;
  /** Of a slice: so many events at its begin stand for what lies before it. */
  readonly preamble: number;
}

/** INTID of the PMU's interrupt as QEMU and the Arm base systems wire it (PPI 7). */
const PMU_IRQ = 23;
/** Delivery mode NMI of the local APIC: how Linux guests take the PMI. */
const APIC_NMI = 4n;
const MSR_SMI_COUNT = 0x34;
/** Offset of the performance counter entry of the local vector table. */
const APIC_LVTPC = 0x340;

/** What an `other` record tells, by its name: when a guest of the guest runs. */
const OTHER_ROLES: Readonly<Record<string, 'enter' | 'leave'>> = {
  kvm_nested_vmenter: 'enter',
  kvm_nested_vmrun: 'enter',
  kvm_nested_vmexit_inject: 'leave',
};

/** The host's write of an MSR puts an event on a hardware counter: most writes do not. */
function programsCounter({ chunk, i, payloads }: Cursor): boolean {
  return isProgramming(chunk.code[i]!, payloads[2 * i]!);
}

/** Replays a log and cuts it into guest windows on the way. Windows nobody counted in or read are not handed out. */
export class WindowCollector {
  private readonly options: CollectorOptions;
  private readonly cursor: Cursor;
  private readonly vcpus: VcpuWindows[] = [];
  /** The vCPUs again, by slot and by thread. */
  private readonly bySlot: (VcpuWindows | undefined)[] = [];
  private readonly byTid = new Map<number, VcpuWindows>();
  private readonly inventory: HostInventory;
  private readonly seen = new Observation();
  private readonly perf: PerfRecords;
  /** By kind: 1 when its events are looked at. */
  private readonly used = new Uint8Array(KIND_SPECS.length).fill(1);
  /** Role of an `other` record by the id of its name; null: none. */
  private readonly roles: ('enter' | 'leave' | null)[] = [];

  constructor(replayer: Replayer, options: CollectorOptions, emit: (window: GuestWindow) => void) {
    this.options = options;
    this.cursor = new Cursor(replayer, options.epoch, (outcome: Outcome) => {
      const vcpu = this.bySlot[outcome.vcpu];
      vcpu?.keeper.observed(outcome, vcpu.open);
    });
    this.inventory = new HostInventory(options.vendor);
    for (const { slot, tid } of options.vcpus) {
      const replay = replayer.ofSlot(slot);
      if (replay === undefined) continue;
      const vcpu = new VcpuWindows(replay, this.cursor, options, emit);
      this.vcpus.push(vcpu);
      this.bySlot[slot] = vcpu;
      if (tid >= 0) this.byTid.set(tid, vcpu);
    }
    this.perf = new PerfRecords(this.cursor, options, this.inventory, this.seen, this.vcpus);
    for (const kind of IGNORED) this.used[kind] = 0;
  }

  /** Takes one chunk, in log order. */
  take(chunk: EventChunk): void {
    const { cursor, used } = this;
    const { guestSources } = this.options;
    const anyGuestSource = guestSources.size > 0;
    const kinds = chunk.kind;
    cursor.begin(chunk);
    for (let i = 0; i < chunk.length; i++) {
      if (anyGuestSource && guestSources.has(chunk.source[i]!)) continue;
      cursor.at(i);
      const kind = kinds[i]! as EventKind;
      if (used[kind] === 1) this.event(kind);
    }
    cursor.finish();
  }

  /** Ends all open windows. */
  end(): void {
    for (const vcpu of this.vcpus) vcpu.end();
  }

  /** What the recording shows beside its windows, so far. */
  get observed(): Observed {
    return this.seen.with(this.inventory.all);
  }

  /** Host events paired with the guest's counters at reschedules, by vCPU. */
  get pairedEvents(): { readonly vcpu: number; readonly event: HostEvent }[] {
    return this.vcpus.flatMap(({ replay, pairs }) =>
      [...(pairs?.events.values() ?? [])].map((event) => ({ vcpu: replay.slot, event })),
    );
  }

  private event(kind: EventKind): void {
    switch (kind) {
      case EventKind.schedSwitch:
        this.switched();
        return;
      case EventKind.lost:
        happened(this.seen.of.lost, this.cursor.seq);
        for (const vcpu of this.vcpus) vcpu.lost();
        return;
      case EventKind.vmMigrate:
        for (const vcpu of this.vcpus) {
          vcpu.everywhere('migration');
          vcpu.keeper.restores.restored(this.cursor.seq);
        }
        return;
      case EventKind.hostRdmsr:
        if (this.cursor.chunk.code[this.cursor.i] === MSR_SMI_COUNT) this.smiSample();
        return;
      case EventKind.hostWrmsr:
        if (!programsCounter(this.cursor)) return;
        break;
      case EventKind.marker:
        this.marked();
        return;
      default:
        break;
    }
    const { chunk, i, seq } = this.cursor;
    if (kind === EventKind.contextLoad || kind === EventKind.contextPut) {
      this.inventory.context(kind === EventKind.contextLoad);
      happened(
        kind === EventKind.contextLoad ? this.seen.of.contextLoad : this.seen.of.contextPut,
        seq,
      );
    }
    const slot = chunk.vcpu[i]!;
    const vcpu = slot >= 0 ? this.bySlot[slot] : this.byTid.get(chunk.tid[i]!);
    if (vcpu === undefined) return;
    vcpu.keeper.moment.seq = seq;
    this.ofVcpu(kind, vcpu);
  }

  private ofVcpu(kind: EventKind, vcpu: VcpuWindows): void {
    const { cursor } = this;
    const { chunk, i } = cursor;
    switch (kind) {
      case EventKind.guestEnter:
        happened(this.seen.of.entered, cursor.seq);
        vcpu.enters(chunk.pcpu[i]!);
        return;
      case EventKind.guestExit:
        vcpu.exits(chunk.code[i]!);
        return;
      case EventKind.other:
        this.otherRecord(vcpu);
        return;
      case EventKind.read:
      case EventKind.write:
        this.access(kind === EventKind.write, vcpu);
        return;
      case EventKind.eventCreate:
        this.perf.created(vcpu);
        return;
      case EventKind.eventEnable:
      case EventKind.eventDisable:
      case EventKind.eventPause:
      case EventKind.eventRelease:
      case EventKind.eventRead:
      case EventKind.eventOverflow:
      case EventKind.hwAdd:
      case EventKind.hwDel:
      case EventKind.hwUpdate:
        this.perf.record(kind, vcpu);
        return;
      default:
        this.rare(kind, vcpu);
    }
  }

  private access(write: boolean, vcpu: VcpuWindows): void {
    const { cursor } = this;
    vcpu.totals.accessed();
    const early = (cursor.chunk.flags[cursor.i]! & (EventFlag.entry | EventFlag.trap)) !== 0;
    if (early) vcpu.accessBegins();
    if (write) guestWrite(vcpu, cursor, this.seen, this.options.vendor !== undefined);
    else guestRead(vcpu, cursor, this.seen);
    if (!early) vcpu.accessEnds();
  }

  private rare(kind: EventKind, vcpu: VcpuWindows): void {
    const { cursor } = this;
    const { chunk, i } = cursor;
    const { keeper } = vcpu;
    switch (kind) {
      case EventKind.hostWrmsr:
        keeper.backings.hostWrote(chunk.code[i]!, cursor.payloads[2 * i]!);
        return;
      case EventKind.irqLevel:
        if (chunk.code[i] !== PMU_IRQ) return;
        vcpu.changed(0);
        keeper.interrupts.line = Number(chunk.value[i]!);
        if (chunk.value[i] !== 0n) vcpu.interrupt();
        return;
      case EventKind.interruptAccept:
        if (chunk.value[i] === APIC_NMI) vcpu.interrupt();
        return;
      case EventKind.exceptionInject:
        keeper.faults();
        return;
      case EventKind.mmio:
        keeper.device();
        return;
      case EventKind.apicWrite:
        if (chunk.code[i] === APIC_LVTPC) keeper.interrupts.lvtpcWritten();
        return;
      case EventKind.eventPeriod:
        keeper.backings.periodSet(chunk.object[i]!, chunk.value[i]!);
        return;
      case EventKind.vcpuReset:
        vcpu.changedLoosely();
        vcpu.split('vcpu-reset', 'vcpuReset');
        return;
      case EventKind.userspaceSet:
        this.vmmSets(vcpu);
        return;
      case EventKind.userspaceGet:
        if (cursor.seq > this.options.preamble) vcpu.everywhere('vmmAccess');
        return;
      case EventKind.contextLoad:
      case EventKind.contextPut:
        vcpu.everywhere(kind === EventKind.contextLoad ? 'contextLoad' : 'contextPut');
        return;
      default:
        return;
    }
  }

  /** The VMM writes a register; in the preamble of a slice that only tells what it held. */
  private vmmSets(vcpu: VcpuWindows): void {
    const { cursor } = this;
    vcpu.changedLoosely();
    if (cursor.seq <= this.options.preamble) {
      vcpu.split('start', undefined, vmmReaches(cursor));
      return;
    }
    vcpu.keeper.restores.vmmSet(cursor.chunk, cursor.i);
    vcpu.split('vmm', 'vmmAccess', vmmReaches(cursor));
  }

  private switched(): void {
    const { chunk, i, now, seq, payloads } = this.cursor;
    const previous = this.byTid.get(chunk.tid[i]!);
    const next = this.byTid.get(payloads[2 * i]!);
    if (previous !== undefined) {
      const state = chunk.code[i]!;
      const runnable = state === 0 || (state & TaskState.preempted) !== 0;
      previous.totals.out(now, runnable);
      previous.keeper.restores.switchedOut(seq);
      if (runnable) previous.everywhere('switchedOut');
      previous.pairs?.switchedOut();
    }
    if (next === undefined) return;
    if (next.totals.stolen) next.everywhere('switchedIn');
    next.totals.in(now);
    next.moves(chunk.pcpu[i]!);
    next.pairs?.switchedIn();
  }

  private smiSample(): void {
    const { cursor } = this;
    const { chunk, i } = cursor;
    cursor.after();
    for (const vcpu of this.vcpus) {
      if (vcpu.pcpu === chunk.pcpu[i]!) vcpu.sampleSmi(cursor.payloads[2 * i]!);
    }
  }

  private marked(): void {
    const { chunk, i, seq } = this.cursor;
    const text = this.options.name(chunk.code[i]!);
    for (const { keeper } of this.vcpus) keeper.restores.marked(text, seq);
  }

  private otherRecord(vcpu: VcpuWindows): void {
    const { cursor } = this;
    const id = cursor.chunk.code[cursor.i]!;
    let role = this.roles[id];
    if (role === undefined) {
      role = OTHER_ROLES[this.options.name(id)] ?? null;
      this.roles[id] = role;
    }
    if (role !== null) vcpu.nested(role);
  }
}
