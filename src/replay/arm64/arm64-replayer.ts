import type { EventChunk } from '../../domain/event-chunk.ts';
import { EventFlag, EventKind, registerSpace } from '../../domain/event-kind.ts';
import { isPmuv3Register } from '../../emulator/pmuv3-dispatch.ts';
import { PerfEventState } from '../recorded-perf.ts';
import { type Arm64ReplayConfig, commonRecorded, isTold } from '../replay-config.ts';
import { type Observe, Replayer } from '../replayer.ts';
import { Arm64Vcpu } from './arm64-vcpu.ts';

/** INTID of the PMU's interrupt as QEMU and the Arm base systems wire it (PPI 7). */
const PMU_IRQ = 23;

/** Replays recordings of arm64 hosts. */
export class Arm64Replayer extends Replayer<Arm64Vcpu> {
  private readonly config: Arm64ReplayConfig;
  private readonly entersRecorded: boolean;

  constructor(config: Arm64ReplayConfig) {
    const recorded = commonRecorded(config);
    const pmcrHandlesRecorded = isTold(config, EventKind.pmcrHandle);
    const { rules, facts } = config;
    super(config, ({ slot }) => {
      const known = facts.byVcpu.get(slot) ?? {};
      return new Arm64Vcpu({ ...recorded, slot, facts: known, rules, pmcrHandlesRecorded });
    });
    this.config = config;
    this.entersRecorded = recorded.entersRecorded;
  }

  protected override applyEvents(
    chunk: EventChunk,
    from: number,
    to: number,
    observe: Observe,
  ): void {
    const { withheld, guestSources } = this.config;
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
          this.access(chunk, i, observe);
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
        case EventKind.userspaceSet:
          this.userspaceSet(chunk, i);
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
  }

  private access(chunk: EventChunk, i: number, observe: Observe): void {
    const vcpu = this.vcpuOf(chunk, i);
    if (vcpu === undefined) return;
    if (!isPmuv3Register(chunk.code[i]!, registerSpace(chunk.flags[i]!))) return;
    vcpu.at(chunk.seq[i]!, this.time(i));
    this.takeAccess(vcpu, chunk, i, observe);
  }

  private eventCreate(chunk: EventChunk, i: number): void {
    const counter = chunk.counter[i]!;
    if (counter < 0 || counter > 31 || (chunk.flags[i]! & EventFlag.entry) !== 0) return;
    this.creation(chunk, i, counter);
  }

  private perfEvent(chunk: EventChunk, i: number, kind: EventKind): void {
    const hint = this.vcpuOf(chunk, i);
    const counter = this.counterOf(i, hint);
    const owner = this.table.owner;
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
        owner.overflow(counter);
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
    hint: Arm64Vcpu | undefined,
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
      hint.overflow(chunk.counter[i]!);
    }
  }

  private userspaceSet(chunk: EventChunk, i: number): void {
    const flags = chunk.flags[i]!;
    const code = chunk.code[i]!;
    if (!isPmuv3Register(code, registerSpace(flags))) return;
    this.prepared(chunk, i)?.userspaceSet(code, flags, chunk.value[i]!);
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
    if (!vcpu.newborn && this.table.ofThread(chunk.tid[i]!) === vcpu) return;
    vcpu.at(chunk.seq[i]!, this.time(i));
    vcpu.userspaceCounter(counter, chunk.value[i]!);
  }
}
