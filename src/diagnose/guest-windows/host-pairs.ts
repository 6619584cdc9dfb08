import { samePerfEvent } from '../../arch/perf-generic.ts';
import { EventFlag, EventKind } from '../../domain/event-kind.ts';
import { PerfEventState } from '../../replay/recorded-perf.ts';
import type { VcpuReplay } from '../../replay/vcpu-replay.ts';
import type { Cursor } from './cursor.ts';
import { HostEvent } from './host-event.ts';
import type { OpenWindow } from './open-window.ts';
import type { OpenWindows } from './open-windows.ts';
import { endStretch, PairedHost } from './paired-span.ts';

type Asked = 'enabled' | 'disabled';

/**
 * Host events on one vCPU's thread whose exclude bits no record carries, paired with the guest's counters wherever both
 * were counted in one span of host time: at reschedules.
 */
export class HostPairs {
  readonly events = new Map<bigint, HostEvent>();
  private readonly replay: VcpuReplay;
  private readonly open: OpenWindows;
  private readonly entersRecorded: boolean;
  /** Number of guest spans so far; inside host time it names the gap. */
  private epoch = 0;
  private inHost = false;
  /** By counter: what was last asked of the event behind it. */
  private readonly asked = new Map<number, Asked>();
  /** Counters whose event was disabled while it counted: its last count is still to come. */
  private readonly closing = new Set<number>();
  /** Gap in which a host event was counted last. */
  private countedIn = -1;

  constructor(replay: VcpuReplay, open: OpenWindows, entersRecorded: boolean) {
    this.replay = replay;
    this.open = open;
    this.entersRecorded = entersRecorded;
  }

  entered(): void {
    if (this.entersRecorded) this.guestTime();
  }

  exited(): void {
    if (this.entersRecorded) this.inHost = true;
  }

  /** A guest's access to a register: while it lasts the guest does not run. */
  accessBegins(): void {
    this.inHost = true;
  }

  accessEnds(): void {
    if (!this.entersRecorded) this.guestTime();
  }

  switchedOut(): void {
    this.inHost = true;
  }

  switchedIn(): void {
    if (!this.entersRecorded) this.guestTime();
  }

  private guestTime(): void {
    if (this.inHost) this.epoch++;
    this.inHost = false;
  }

  /** The present span of host time; −1 in guest time. */
  private get gap(): number {
    return this.inHost ? this.epoch : -1;
  }

  /** The address is a guest counter's event from here on. */
  owned(pointer: bigint): void {
    this.events.delete(pointer);
  }

  /** Records were lost. */
  forget(): void {
    for (const event of this.events.values()) event.gap = -1;
    this.guestTime();
  }

  /** hw-add or hw-update of an event that backs no guest counter, after it is applied. */
  record(cursor: Cursor, kind: EventKind): void {
    if (kind !== EventKind.hwAdd && kind !== EventKind.hwUpdate) return;
    const { chunk, i, seq } = cursor;
    const flags = chunk.flags[i]!;
    const entry = (flags & EventFlag.entry) !== 0;
    const refused = kind === EventKind.hwAdd && (chunk.code[i]! | 0) !== 0;
    const event = this.eventOf(
      chunk.object[i]!,
      Number(chunk.aux0[i]! & 0xffff_ffffn),
      entry,
      refused,
    );
    if (event === undefined) return;
    if (kind === EventKind.hwAdd) {
      if (entry) return;
      if (refused) this.refused(event, seq);
      else event.add(this.gap, seq);
      return;
    }
    // On entry to the update the count is the one of the update before: known already, or a first one.
    if ((flags & EventFlag.noValue) !== 0 || (entry && event.seq !== 0)) return;
    event.counted(chunk.value[i]!, this.gap, seq);
    if (!this.inHost) return;
    this.countedIn = this.epoch;
    for (const window of this.open.all) this.pair(window, event, cursor);
  }

  private eventOf(
    pointer: bigint,
    config: number,
    entry: boolean,
    refused: boolean,
  ): HostEvent | undefined {
    const known = this.events.get(pointer);
    if (known !== undefined && (known.config === config || entry)) return known;
    if (known === undefined && refused) return undefined;
    const event = new HostEvent(pointer, config);
    this.events.set(pointer, event);
    return event;
  }

  private refused(event: HostEvent, seq: number): void {
    event.refused(seq);
    for (const window of this.open.all) {
      if (!this.isEnabled(window) || !pairable(window, event)) continue;
      if (window.hostRefusedAt === 0) window.hostRefusedAt = seq;
      const span = window.paired.get(event);
      if (span !== undefined && span.notRunning === 0) span.notRunning = seq;
    }
  }

  /** A backing event was created, enabled already. */
  createdEnabled(counter: number): void {
    this.asked.set(counter, 'enabled');
  }

  /** A record of the event behind a window's counter, after it is applied. */
  backing(cursor: Cursor, kind: EventKind, window: OpenWindow): void {
    const { chunk, i } = cursor;
    const { counter } = window;
    const flags = chunk.flags[i]!;
    const entry = (flags & EventFlag.entry) !== 0;
    switch (kind) {
      case EventKind.eventEnable:
        this.asked.set(counter, 'enabled');
        this.closing.delete(counter);
        break;
      case EventKind.hwAdd: {
        if (entry) return;
        // One that was enabled already has counted nothing since it was taken off the hardware.
        const placedAgain = this.isEnabled(window) && (chunk.code[i]! | 0) === 0;
        this.asked.set(counter, 'enabled');
        this.closing.delete(counter);
        if (placedAgain) return;
        break;
      }
      case EventKind.eventDisable:
      case EventKind.eventRelease:
        // Of an event that counts the last count comes with the update that follows.
        this.closing.add(counter);
        if ((flags & EventFlag.stateKnown) === 0) return;
        if ((chunk.code[i]! | 0) === PerfEventState.active) return;
        break;
      case EventKind.hwUpdate:
      case EventKind.eventRead:
        if ((flags & (EventFlag.entry | EventFlag.noValue)) !== 0) return;
        break;
      case EventKind.eventOverflow:
        break;
      default:
        return;
    }
    this.guestCounted(window, cursor);
    if (this.closing.size === 0 || !this.closing.delete(counter)) return;
    this.asked.set(counter, 'disabled');
    for (const span of window.paired.values()) endStretch(span);
  }

  private isEnabled({ counter }: OpenWindow): boolean {
    return this.asked.get(counter) === 'enabled';
  }

  /** A count of a backing event would be paired, or end a stretch. */
  get awaitsCounts(): boolean {
    return this.closing.size > 0 || (this.inHost && this.countedIn === this.epoch);
  }

  /** The guest's count may be exact now: it was recorded, or a window begins. */
  guestCounted(window: OpenWindow, cursor: Cursor): void {
    if (!this.inHost) return;
    for (const event of this.events.values()) {
      if (event.gap === this.epoch && event.seq !== 0) this.pair(window, event, cursor);
    }
  }

  private pair(window: OpenWindow, event: HostEvent, cursor: Cursor): void {
    if (!this.isEnabled(window) || !pairable(window, event)) return;
    const { perf } = this.replay;
    const { counter } = window;
    if (perf.countSpan(counter) !== 0n) return;
    const guest = perf.countLow(counter);
    // A count is comparable with counts of the same event since the same moment.
    const origin = perf.generation[counter]! * 2 ** 32 + perf.origins[counter]!;
    const point = { seq: cursor.seq, time: cursor.time, guest, host: event.count };
    const span = window.paired.get(event);
    if (span === undefined) {
      const stretch = { first: point, last: point, origin };
      const notRunning = event.notRunningSince;
      window.paired.set(event, {
        stretch,
        guest: 0n,
        host: 0n,
        from: undefined,
        to: undefined,
        notRunning,
      });
      return;
    }
    if (span.stretch === undefined || span.stretch.origin !== origin) {
      endStretch(span);
      span.stretch = { first: point, last: point, origin };
      return;
    }
    span.stretch.last = point;
    // Fewer counts than the guest's own event over the same span: it left the guest out.
    const { first } = span.stretch;
    const fewer = point.host - first.host < guest - first.guest;
    if (span.notRunning === 0 && fewer && event.excludesGuestAt === 0)
      event.excludesGuestAt = cursor.seq;
  }

  /** Hands the spans of a window that ends over to it. */
  finish(window: OpenWindow): void {
    for (const [event, span] of window.paired) {
      endStretch(span);
      if (span.from === undefined) continue;
      window.hosts.push(new PairedHost(event, window.event, span.from, span));
    }
  }
}

function pairable(window: OpenWindow, event: HostEvent): boolean {
  return window.event !== undefined && samePerfEvent(window.event, event.config);
}
