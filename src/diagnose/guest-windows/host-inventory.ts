import { eventOfHardware } from '../../arch/x86-events.ts';
import type { EventChunk } from '../../domain/event-chunk.ts';
import { EventFlag } from '../../domain/event-kind.ts';
import type { PerfEventAttr } from '../../domain/log-facts.ts';
import { PerfEventState } from '../../replay/recorded-perf.ts';
import type { HostSpan } from './guest-window.ts';

const PINNED = 1n << 2n;
const EXCLUDE_HOST = 1n << 19n;
const EXCLUDE_GUEST = 1n << 20n;
const EXCLUDE_USER = 1n << 4n;
const EXCLUDE_KERNEL = 1n << 5n;
const TYPE_HARDWARE = 0;

/** Something a record showed of a host event, with whether the guest's PMU context was loaded then. */
export interface HostEventMark {
  readonly seq: number;
  readonly loaded: boolean;
}

/** An event of the host (no guest counter's), as its creation and its reads show it. */
export interface HostEventRecord {
  readonly pointer: bigint;
  readonly config: number;
  /** The guest's number of what it counts; undefined when not known. */
  readonly event: number | undefined;
  readonly attr: PerfEventAttr | undefined;
  readonly modes: HostSpan['modes'];
  readonly pinned: boolean;
  /** CPU it is bound to, −1 a thread's. */
  readonly cpu: number;
  readonly createdSeq: number;
  /** Slot of the vCPU on whose thread it was created. */
  readonly vcpu: number;
  readonly refused: boolean;
  /** It was created while the guest's PMU context was loaded or had been. */
  readonly afterLoad: boolean;
  /** Records that show it in ERROR, and off the hardware (INACTIVE). */
  readonly inError: HostEventMark[];
  readonly inactive: HostEventMark[];
  /** Reads in ERROR whose count was that of the read before. */
  stoodStill: number;
  lastCount: bigint | null;
}

/** Modes a perf_event_attr counts in. */
export function modesOf(attr: PerfEventAttr | undefined): HostSpan['modes'] {
  if (attr === undefined) return 'unknown';
  const host = (attr.attrFlags & EXCLUDE_HOST) === 0n;
  const guest = (attr.attrFlags & EXCLUDE_GUEST) === 0n;
  return host && guest ? 'G+H' : host ? 'H' : guest ? 'G' : 'unknown';
}

/** Levels an attr leaves out. */
export function filterOf({ attrFlags }: PerfEventAttr): { user: boolean; kernel: boolean } {
  return {
    user: (attrFlags & EXCLUDE_USER) !== 0n,
    kernel: (attrFlags & EXCLUDE_KERNEL) !== 0n,
  };
}

/** The guest's event number a host event's attr asks for; undefined where the type says nothing (arm64's dynamic ones do). */
function x86EventOf(
  config: number,
  attr: PerfEventAttr | undefined,
  intel: boolean,
): number | undefined {
  if (attr?.type === TYPE_HARDWARE) return eventOfHardware(config, intel);
  return config;
}

/** Every host event of the log, by address. */
export class HostInventory {
  private readonly byPointer = new Map<bigint, HostEventRecord>();
  private readonly refusedOnes: HostEventRecord[] = [];
  private readonly vendor: 'intel' | 'amd' | undefined;
  private loaded = false;
  private everLoaded = false;

  context(loaded: boolean): void {
    this.loaded = loaded;
    this.everLoaded ||= loaded;
  }

  constructor(vendor: 'intel' | 'amd' | undefined) {
    this.vendor = vendor;
  }

  created(
    vcpu: number,
    chunk: EventChunk,
    i: number,
    attr: PerfEventAttr | undefined,
  ): HostEventRecord {
    const config = Number(BigInt.asUintN(48, chunk.aux0[i]!));
    const { vendor } = this;
    const refused = (chunk.flags[i]! & EventFlag.failed) !== 0;
    const record: HostEventRecord = {
      pointer: chunk.object[i]!,
      config,
      event: vendor === undefined ? config : x86EventOf(config, attr, vendor === 'intel'),
      attr,
      modes: modesOf(attr),
      pinned: attr !== undefined && (attr.attrFlags & PINNED) !== 0n,
      cpu: attr?.cpu ?? -1,
      createdSeq: chunk.seq[i]!,
      vcpu,
      refused,
      afterLoad: this.everLoaded,
      inError: [],
      inactive: [],
      stoodStill: 0,
      lastCount: null,
    };
    if (refused) this.refusedOnes.push(record);
    else this.byPointer.set(record.pointer, record);
    return record;
  }

  released(pointer: bigint): void {
    const record = this.byPointer.get(pointer);
    if (record !== undefined) this.refusedOnes.push(record);
    this.byPointer.delete(pointer);
  }

  /** A record that carries the state or count of an event. */
  seen(chunk: EventChunk, i: number, isRead: boolean): void {
    const record = this.byPointer.get(chunk.object[i]!);
    if (record === undefined) return;
    const flags = chunk.flags[i]!;
    const mark = { seq: chunk.seq[i]!, loaded: this.loaded };
    const state = chunk.code[i]! | 0;
    const known = (flags & EventFlag.stateKnown) !== 0;
    if (known && state === PerfEventState.error && record.inError.length < 8) {
      record.inError.push(mark);
      if (isRead && record.lastCount === chunk.value[i]!) record.stoodStill++;
    }
    if (known && state === PerfEventState.inactive && record.inactive.length < 8) {
      record.inactive.push(mark);
    }
    if (isRead && (flags & (EventFlag.entry | EventFlag.noValue)) === 0) {
      record.lastCount = chunk.value[i]!;
    }
  }

  /** Events pinned to a CPU, which go before every event of a thread. */
  pinnedOn(cpu: number): HostEventRecord[] {
    return [...this.byPointer.values()].filter(
      (record) => record.pinned && record.cpu === cpu && record.inError.length === 0,
    );
  }

  /** No host event lives that was seen created. */
  get isEmpty(): boolean {
    return this.byPointer.size === 0;
  }

  get all(): readonly HostEventRecord[] {
    return [...this.byPointer.values(), ...this.refusedOnes].sort(
      (a, b) => a.createdSeq - b.createdSeq,
    );
  }
}
