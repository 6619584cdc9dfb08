import { isForeignPmuMsr } from '../../arch/x86-foreign-msrs.ts';
import { decodeMsr } from '../../arch/x86-msrs.ts';
import type { EventChunk } from '../../domain/event-chunk.ts';
import {
  EventFlag,
  EventKind,
  KIND_SPECS,
  RegisterSpace,
  registerSpace,
} from '../../domain/event-kind.ts';
import { isHostsOwn } from '../hosts-own.ts';
import { commonRecorded, isTold, type X86ReplayConfig } from '../replay-config.ts';
import { type Observe, Replayer } from '../replayer.ts';
import { HardwareCounters } from './hardware-counters.ts';
import { x86Config } from './x86-facts.ts';
import { X86Vcpu } from './x86-vcpu.ts';

/** Offset of the performance counter entry of the local vector table. */
const APIC_LVTPC = 0x340;

const HOST_REGISTER_KINDS = [EventKind.hostWrmsr, EventKind.hostRdmsr, EventKind.hostRdpmc];
/** What `applyEvents` acts on. */
const USED_KINDS: readonly EventKind[] = [
  ...HOST_REGISTER_KINDS,
  EventKind.read,
  EventKind.write,
  EventKind.guestEnter,
  EventKind.guestExit,
  EventKind.schedSwitch,
  EventKind.emulated,
  EventKind.exceptionInject,
  EventKind.mmio,
  EventKind.eventCreate,
  EventKind.eventEnable,
  EventKind.eventDisable,
  EventKind.eventRelease,
  EventKind.eventRead,
  EventKind.eventPause,
  EventKind.eventPeriod,
  EventKind.eventOverflow,
  EventKind.pmuRefresh,
  EventKind.vcpuReset,
  EventKind.userspaceSet,
  EventKind.userspaceGet,
  EventKind.apicWrite,
  EventKind.interruptAccept,
  EventKind.lost,
];

/** The host's accesses to its hardware counters are recorded (AMD), and no better evidence is. */
function hardwareTells(config: X86ReplayConfig): boolean {
  return (
    config.facts.vendor === 'amd' &&
    isTold(config, EventKind.hostWrmsr) &&
    isTold(config, EventKind.hostRdpmc) &&
    !isTold(config, EventKind.eventPause)
  );
}

/** Replays recordings of x86 hosts. */
export class X86Replayer extends Replayer<X86Vcpu> {
  private readonly config: X86ReplayConfig;
  private readonly entersRecorded: boolean;
  private readonly hardware: HardwareCounters | undefined;
  /** By kind: 1 when its events are to be looked at. */
  private readonly used = new Uint8Array(KIND_SPECS.length);

  constructor(config: X86ReplayConfig) {
    const recorded = commonRecorded(config);
    const { facts, rules } = config;
    const tells = (kind: EventKind): boolean => isTold(config, kind);
    const owners: { of?: (slot: number) => X86Vcpu | undefined } = {};
    const hardware = hardwareTells(config)
      ? new HardwareCounters(facts.pcpus, (slot) => owners.of?.(slot))
      : undefined;
    const options = {
      ...recorded,
      rules,
      config: x86Config(facts),
      soleWitnesses: new Set(facts.soleWitnesses),
      kernelPages: new Set(facts.kernelPages),
      pausesRecorded: tells(EventKind.eventPause) && tells(EventKind.eventPeriod),
      emulationRecorded: tells(EventKind.emulated),
      pmisRecorded: tells(EventKind.interruptAccept),
      hardware,
    };
    super(config, ({ slot }) => new X86Vcpu({ ...options, slot }));
    owners.of = (slot) => this.table.ofSlot(slot);
    this.hardware = hardware;
    this.config = config;
    this.entersRecorded = recorded.entersRecorded;
    for (const kind of USED_KINDS) if (config.withheld.kinds[kind] !== true) this.used[kind] = 1;
    if (hardware === undefined) for (const kind of HOST_REGISTER_KINDS) this.used[kind] = 0;
  }

  protected override applyEvents(
    chunk: EventChunk,
    from: number,
    to: number,
    observe: Observe,
  ): void {
    const { guestSources } = this.config;
    const anyGuestSource = guestSources.size > 0;
    const { used } = this;
    const kinds = chunk.kind;
    for (let i = from; i < to; i++) {
      const kind = kinds[i]! as EventKind;
      if (used[kind] === 0 || (anyGuestSource && guestSources.has(chunk.source[i]!))) continue;
      switch (kind) {
        case EventKind.hostWrmsr:
        case EventKind.hostRdmsr:
        case EventKind.hostRdpmc:
          this.hostAccess(this.hardware!, chunk, i, kind);
          break;
        case EventKind.read:
        case EventKind.write:
          this.access(chunk, i, observe);
          break;
        case EventKind.guestEnter: {
          const vcpu = this.prepared(chunk, i);
          if (vcpu === undefined) break;
          vcpu.pcpu = chunk.pcpu[i]!;
          if (this.entersRecorded) vcpu.enter(chunk.seq[i]!, this.time(i));
          break;
        }
        case EventKind.guestExit: {
          const vcpu = this.prepared(chunk, i);
          if (vcpu === undefined) break;
          vcpu.pcpu = chunk.pcpu[i]!;
          if (this.entersRecorded) {
            const halves = this.valueHalves;
            vcpu.exit(this.time(i), chunk.code[i]!, halves[2 * i]!, halves[2 * i + 1]!);
          }
          break;
        }
        case EventKind.schedSwitch:
          this.schedSwitch(chunk, i);
          break;
        case EventKind.emulated:
          this.prepared(chunk, i)?.instructionEmulated();
          break;
        case EventKind.exceptionInject:
          this.prepared(chunk, i)?.exceptionInjected();
          break;
        case EventKind.mmio:
          this.prepared(chunk, i)?.deviceAccessed();
          break;
        case EventKind.eventCreate:
          this.eventCreate(chunk, i);
          break;
        case EventKind.eventEnable:
        case EventKind.eventDisable:
        case EventKind.eventRelease:
        case EventKind.eventRead:
        case EventKind.eventPause:
        case EventKind.eventPeriod:
        case EventKind.eventOverflow:
          this.perfEvent(chunk, i, kind);
          break;
        case EventKind.pmuRefresh:
          this.prepared(chunk, i)?.refreshed();
          break;
        case EventKind.vcpuReset:
          this.prepared(chunk, i)?.reset();
          break;
        case EventKind.userspaceSet:
          if (decodeMsr(chunk.code[i]!) !== 0) {
            this.prepared(chunk, i)?.userspaceSet(chunk.code[i]!, chunk.value[i]!);
          }
          break;
        case EventKind.userspaceGet:
          if (decodeMsr(chunk.code[i]!) !== 0) {
            this.prepared(chunk, i)?.userspaceGet(chunk.code[i]!, chunk.value[i]!);
          }
          break;
        case EventKind.apicWrite:
          if (chunk.code[i] === APIC_LVTPC) {
            this.prepared(chunk, i)?.lvtpcWritten(Number(chunk.value[i]! & 0xffff_ffffn));
          }
          break;
        case EventKind.interruptAccept:
          this.prepared(chunk, i)?.interruptAccepted(chunk.code[i]!, Number(chunk.value[i]!));
          break;
        case EventKind.lost:
          this.hardware?.forget();
          this.lost(chunk, i);
          break;
        default:
          break;
      }
    }
  }

  private access(chunk: EventChunk, i: number, observe: Observe): void {
    const flags = chunk.flags[i]!;
    const code = chunk.code[i]!;
    const space = registerSpace(flags);
    if (space !== RegisterSpace.msr && space !== RegisterSpace.rdpmc) return;
    const vcpu = this.prepared(chunk, i);
    if (vcpu === undefined) return;
    const known = decodeMsr(code) !== 0 || isForeignPmuMsr(code, this.config.facts.vendor);
    if (space === RegisterSpace.msr && !known) {
      if ((flags & EventFlag.failed) !== 0) vcpu.exceptionInjected();
      return;
    }
    this.takeAccess(vcpu, chunk, i, observe);
  }

  protected override get extraState(): ArrayBuffer | undefined {
    return this.hardware?.buffer;
  }

  /** The host's own access to a performance counter. */
  private hostAccess(
    hardware: HardwareCounters,
    chunk: EventChunk,
    i: number,
    kind: EventKind,
  ): void {
    const pcpu = chunk.pcpu[i]!;
    const code = chunk.code[i]!;
    const byRdpmc = kind === EventKind.hostRdpmc;
    const place = byRdpmc ? hardware.placeOfIndex(pcpu, code) : hardware.placeOfMsr(pcpu, code);
    if (place < 0) return;
    const running = this.prepared(chunk, i);
    const low = this.valueHalves[2 * i]!;
    const high = this.valueHalves[2 * i + 1]!;
    if (kind === EventKind.hostWrmsr) hardware.wrote(place, low, high, running);
    else hardware.read(place, low, high, byRdpmc, running);
  }

  private eventCreate(chunk: EventChunk, i: number): void {
    if ((chunk.flags[i]! & EventFlag.entry) !== 0) return;
    const counter = chunk.counter[i]!;
    if (isHostsOwn(counter, this.config.attr(chunk.code[i]!))) return;
    this.creation(chunk, i, counter)?.eventCreated();
  }

  private perfEvent(chunk: EventChunk, i: number, kind: EventKind): void {
    const hint = this.vcpuOf(chunk, i);
    const counter = this.counterOf(i, hint);
    const owner = this.table.owner;
    const flags = chunk.flags[i]!;
    const value = chunk.value[i]!;
    const complete = (flags & (EventFlag.entry | EventFlag.noValue)) === 0;
    if (counter < 0 || owner === undefined) {
      if (kind === EventKind.eventRead && complete) hint?.strayRead(chunk.object[i]!, value);
      return;
    }
    owner.at(chunk.seq[i]!, this.time(i));
    const { perf } = owner;
    switch (kind) {
      case EventKind.eventRead:
        if (!complete) break;
        perf.exactCount(counter, value);
        if ((flags & EventFlag.timesKnown) !== 0) {
          perf.timesRead(counter, chunk.aux0[i]!, chunk.aux1[i]!);
        }
        if ((flags & EventFlag.stateKnown) !== 0) perf.stateIs(counter, chunk.code[i]! | 0);
        break;
      case EventKind.eventPause:
        if (complete) perf.paused(counter, value, chunk.aux0[i] !== 0n);
        break;
      case EventKind.eventPeriod:
        perf.periodSet(counter, value, (flags & EventFlag.failed) !== 0);
        break;
      case EventKind.eventOverflow:
        owner.overflow(counter);
        break;
      case EventKind.eventEnable:
        perf.enabled(counter);
        break;
      case EventKind.eventDisable:
        perf.disabled(counter);
        break;
      case EventKind.eventRelease:
        perf.released(counter);
        break;
    }
  }
}
