import { EventFlag, EventKind, KIND_SPECS } from '../../domain/event-kind.ts';
import { isHostsOwn } from '../../replay/hosts-own.ts';
import { Backing, PerfEventState } from '../../replay/recorded-perf.ts';
import type { Cursor } from './cursor.ts';
import { type HappeningName, happened } from './guest-window.ts';
import { filterOf, type HostInventory } from './host-inventory.ts';
import type { Observation } from './observed.ts';
import type { OpenWindow } from './open-window.ts';
import type { VcpuOptions, VcpuWindows } from './vcpu-windows.ts';

/** Bit of the attr flags: the event is created disabled. */
const DISABLED = 1n;

/** By kind: 1 for these. A table, for it is asked at each record. */
function tableOf(kinds: readonly EventKind[]): Uint8Array {
  const table = new Uint8Array(KIND_SPECS.length);
  for (const kind of kinds) table[kind] = 1;
  return table;
}

const GATING_KINDS: readonly EventKind[] = [
  EventKind.eventEnable,
  EventKind.eventDisable,
  EventKind.eventPause,
  EventKind.eventRelease,
  EventKind.eventRead,
  EventKind.hwAdd,
];

/** Kinds that can open or close what is behind a counter. */
const GATING = tableOf(GATING_KINDS);

/** Kinds whose records always say something of a window. */
const SPEAKING = tableOf([...GATING_KINDS, EventKind.eventOverflow]);

/** Kinds that can make an address a counter's event, or nobody's. */
const OWNING = tableOf([EventKind.eventRelease, EventKind.eventRead, EventKind.eventOverflow]);

/** Select and umask of a raw config; AMD's select bits 11:8 are at 35:32. */
const EVENT_BITS = { intel: 0xffffn, amd: 0xf_0000_ffffn } as const;

function asksFor(window: OpenWindow, config: bigint, vendor: 'intel' | 'amd' | undefined): boolean {
  const bits = EVENT_BITS[vendor ?? 'intel'];
  return window.event !== undefined && (BigInt(window.event) & bits) === (config & bits);
}

/** What records of perf events, the guest counters' and the host's own, are to the windows. */
export class PerfRecords {
  private readonly cursor: Cursor;
  private readonly options: VcpuOptions;
  private readonly inventory: HostInventory;
  private readonly seen: Observation;
  private readonly vcpus: Iterable<VcpuWindows>;

  constructor(
    cursor: Cursor,
    options: VcpuOptions,
    inventory: HostInventory,
    seen: Observation,
    vcpus: Iterable<VcpuWindows>,
  ) {
    this.cursor = cursor;
    this.options = options;
    this.inventory = inventory;
    this.seen = seen;
    this.vcpus = vcpus;
  }

  /** An event was created on a vCPU's thread, or could not be. */
  created(vcpu: VcpuWindows): void {
    const { chunk, i, seq } = this.cursor;
    const flags = chunk.flags[i]!;
    if ((flags & EventFlag.entry) !== 0) return;
    const counter = chunk.counter[i]!;
    const failed = (flags & EventFlag.failed) !== 0;
    const { vendor } = this.options;
    const attr = this.options.attr(chunk.code[i]!);
    if (isHostsOwn(counter, attr) || (counter < 0 && vendor === undefined)) {
      const record = this.inventory.created(vcpu.replay.slot, chunk, i, attr);
      if (!record.refused) vcpu.hosts.created(record);
      return;
    }
    if (!failed) {
      for (const { pairs } of this.vcpus) pairs?.owned(chunk.object[i]!);
      vcpu.keeper.backings.created(chunk, i, vcpu.open);
      if (attr !== undefined && (attr.attrFlags & DISABLED) === 0n) {
        vcpu.pairs?.createdEnabled(counter);
      }
    }
    vcpu.totals.sums.creates++;
    vcpu.stale = vendor !== undefined;
    vcpu.changedLoosely();
    vcpu.running.created(chunk.object[i]!);
    happened(failed ? this.seen.of.createFailed : this.seen.of.created, seq);
    for (const window of vcpu.open.all) {
      // x86 creations name no counter: the event asked for does.
      const asked =
        counter >= 0 ? window.counter === counter : asksFor(window, chunk.aux0[i]!, vendor);
      if (!asked) continue;
      happened(window.happenings[failed ? 'createFailed' : 'created'], seq);
      if (attr !== undefined) vcpu.filtered(window, { ...filterOf(attr), seq });
    }
  }

  /** Any other record of an event on a vCPU's thread; it is applied here. */
  record(kind: EventKind, vcpu: VcpuWindows): void {
    const { cursor, inventory } = this;
    const { chunk, i } = cursor;
    if (!inventory.isEmpty) {
      if (kind === EventKind.eventRelease) inventory.released(chunk.object[i]!);
      inventory.seen(chunk, i, kind === EventKind.eventRead);
    }
    if (SPEAKING[kind] === 0 && this.isSilent(vcpu)) return;
    // These change whose event an address is: it is asked before.
    if (OWNING[kind] === 1) cursor.before();
    else cursor.after();
    const { perf } = vcpu.replay;
    const counter = perf.counterOf(cursor.objects[2 * i]!, cursor.objects[2 * i + 1]!);
    cursor.after();
    if (counter < 0) {
      this.hostRecord(kind, vcpu);
      return;
    }
    if (kind === EventKind.eventRelease) vcpu.changedLoosely();
    const window = vcpu.open.of(counter);
    if (window === undefined) return;
    this.backingRecord(kind, vcpu, window);
    vcpu.pairs?.backing(cursor, kind, window);
    if (GATING[kind] === 0) return;
    // On x86 perf calls are steps of a reprogramming, which opens and closes gates.
    const key = backingKey(vcpu, counter);
    const moved =
      this.options.vendor !== undefined ||
      window.gatesAt <= vcpu.changedAt ||
      window.backingKey !== key;
    if (!moved) return;
    window.backingKey = key;
    // What KVM asks of perf between an exit and an entry is done at the entry (x86).
    vcpu.stale ||= this.options.vendor !== undefined;
    vcpu.settle();
    vcpu.gatesOf(window);
  }

  /** The present update or removal says nothing of a window: it is of a backing event, and nothing waits for its count. */
  private isSilent({ pairs, replay }: VcpuWindows): boolean {
    const { chunk, i, objects } = this.cursor;
    if ((chunk.flags[i]! & EventFlag.stateKnown) !== 0 || pairs?.awaitsCounts === true)
      return false;
    return replay.perf.counterOf(objects[2 * i]!, objects[2 * i + 1]!) >= 0;
  }

  /** A record of an event that backs no guest counter. */
  private hostRecord(kind: EventKind, vcpu: VcpuWindows): void {
    const { cursor } = this;
    vcpu.pairs?.record(cursor, kind);
    if (vcpu.hosts.isEmpty) return;
    vcpu.settle();
    const { open, replay, totals } = vcpu;
    vcpu.hosts.take(cursor.chunk, cursor.i, kind, open, replay, totals.sums);
  }

  /** What a record of its backing event says of a window. */
  private backingRecord(kind: EventKind, vcpu: VcpuWindows, window: OpenWindow): void {
    const { chunk, i, seq } = this.cursor;
    const { perf } = vcpu.replay;
    const flags = chunk.flags[i]!;
    const saw = (name: HappeningName): void => happened(window.happenings[name], seq);
    if ((flags & EventFlag.stateKnown) !== 0) {
      const state = chunk.code[i]! | 0;
      if (state === PerfEventState.error) saw('errorState');
      else if (state === PerfEventState.inactive) saw('inactiveState');
    }
    const failedNow = perf.placementFailed[window.counter] === seq;
    switch (kind) {
      case EventKind.hwAdd:
        if ((flags & EventFlag.entry) === 0) {
          saw((chunk.code[i]! | 0) !== 0 ? 'placementRefused' : 'placed');
        }
        break;
      case EventKind.eventRead:
        if (failedNow) saw('stoodStill');
        if ((flags & EventFlag.timesKnown) !== 0) this.timesRead(vcpu, window);
        break;
      case EventKind.eventOverflow:
        vcpu.keeper.overflowed(window, chunk.value[i]!);
        saw('overflow');
        vcpu.totals.sums.overflows++;
        break;
      case EventKind.eventEnable:
        saw('enabled');
        break;
      case EventKind.eventRelease:
        saw('released');
        vcpu.totals.sums.releases++;
        break;
      default:
        break;
    }
    if (failedNow) this.competitors(vcpu, window);
  }

  /** The times a backing event was enabled and on hardware. */
  private timesRead(vcpu: VcpuWindows, window: OpenWindow): void {
    const { chunk, i, seq, objects, enabledTimes, runningTimes } = this.cursor;
    const ran = vcpu.running.read(window.counter, i, objects, runningTimes, chunk.object);
    if (ran === 'ran') happened(window.happenings.ran, seq);
    vcpu.settle();
    window.timesRead(ran === 'still', vcpu.totals.sums, seq);
    const more = runningTimes[2 * i + 1]! - enabledTimes[2 * i + 1]!;
    if (more > 0 || (more === 0 && runningTimes[2 * i]! > enabledTimes[2 * i]!)) {
      happened(window.notes.runsLonger, seq);
    }
  }

  /** The backing event of a window has no hardware counter: who else wants one? */
  private competitors(vcpu: VcpuWindows, window: OpenWindow): void {
    const pinned = this.inventory.pinnedOn(vcpu.pcpu).map(({ createdSeq }) => createdSeq);
    const before = window.competitors;
    if (before !== null && before.pinned.length >= pinned.length) return;
    const wanted = vcpu.open.all.filter((other) => other.wanted).length;
    window.competitors = { pcpu: vcpu.pcpu, pinned, wanted };
  }
}

/** Differs where what is behind a counter keeps it from counting in another way. */
function backingKey({ replay: { perf } }: VcpuWindows, counter: number): number {
  const failed = perf.placementFailed[counter] === 0 ? 0 : 1;
  const error = perf.state[counter] === PerfEventState.error ? 2 : 0;
  return failed | error | (perf.life[counter] === Backing.none ? 4 : 0);
}
