import type { EventChunk } from '../../domain/event-chunk.ts';
import { EventFlag, EventKind } from '../../domain/event-kind.ts';
import type { VcpuReplay } from '../../replay/vcpu-replay.ts';
import { type Amount, isExact } from '../ledger/amount.ts';
import { growth, valueAmount } from './growth.ts';
import type { GapPerExit } from './guest-window.ts';
import { filterOf, type HostEventRecord } from './host-inventory.ts';
import type { OpenWindow } from './open-window.ts';
import type { OpenWindows } from './open-windows.ts';
import { between, copyTotals, type Totals } from './vcpu-totals.ts';

/** A count of a host event together with the guest's at the same moment. */
interface Point {
  readonly seq: number;
  readonly time: bigint;
  readonly host: bigint;
  readonly guest: Amount;
  readonly enabled: bigint | null;
  readonly running: bigint | null;
  readonly totals: Totals;
}

interface HostEvent {
  readonly record: HostEventRecord;
  notRunningAt: number;
  /** First and last point in each open window. */
  readonly points: Map<OpenWindow, { readonly first: Point; last: Point; gap: GapPerExit | null }>;
}

/** Adds the part between two points to what is known of the gap per exit. */
function withPart(gap: GapPerExit | null, from: Point, to: Point): GapPerExit | null {
  const exits = to.totals.exits - from.totals.exits;
  if (exits === 0 || !isExact(from.guest) || !isExact(to.guest)) return gap;
  const per = Number(to.host - from.host - (to.guest.low - from.guest.low)) / exits;
  if (gap === null) return { parts: 1, low: per, high: per };
  return { parts: gap.parts + 1, low: Math.min(gap.low, per), high: Math.max(gap.high, per) };
}

/** Host events on one vCPU's thread whose attr is recorded, paired with the guest's counters wherever they are read. */
export class HostCounts {
  private readonly events = new Map<bigint, HostEvent>();

  /** No host event was opened on this thread. */
  get isEmpty(): boolean {
    return this.events.size === 0;
  }

  /** A host event was opened. */
  created(record: HostEventRecord): void {
    this.events.set(record.pointer, { record, notRunningAt: 0, points: new Map() });
  }

  /** A record of an event that backs no guest counter. */
  take(
    chunk: EventChunk,
    i: number,
    kind: EventKind,
    open: OpenWindows,
    replay: VcpuReplay,
    totals: Totals,
  ): void {
    const event = this.events.get(chunk.object[i]!);
    if (event === undefined) return;
    const flags = chunk.flags[i]!;
    if (kind === EventKind.hwAdd && (chunk.code[i]! | 0) !== 0 && event.notRunningAt === 0) {
      event.notRunningAt = chunk.seq[i]!;
    }
    if (kind !== EventKind.eventRead || (flags & (EventFlag.entry | EventFlag.noValue)) !== 0)
      return;
    const times = (flags & EventFlag.timesKnown) !== 0;
    const now = copyTotals(totals);
    for (const window of open.all) {
      const guest = valueAmount(replay.counterValue(window.counter));
      if (guest === null) continue;
      const point: Point = {
        seq: chunk.seq[i]!,
        time: chunk.time[i]!,
        host: chunk.value[i]!,
        guest,
        enabled: times ? chunk.aux0[i]! : null,
        running: times ? chunk.aux1[i]! : null,
        totals: now,
      };
      const known = event.points.get(window);
      if (known === undefined) {
        event.points.set(window, { first: point, last: point, gap: null });
      } else {
        known.gap = withPart(known.gap, known.last, point);
        known.last = point;
      }
    }
  }

  /** Hands the spans of a window that ends over to it. */
  finish(window: OpenWindow): void {
    for (const event of this.events.values()) {
      const points = event.points.get(window);
      if (points === undefined) continue;
      event.points.delete(window);
      const { first, last, gap } = points;
      if (last.seq === first.seq) continue;
      const delta = (from: bigint | null, to: bigint | null): bigint | null =>
        from === null || to === null ? null : to - from;
      window.hosts.push({
        pointer: event.record.pointer,
        name: undefined,
        config: event.record.config,
        event: event.record.event,
        pinned: event.record.pinned,
        filter: event.record.attr === undefined ? null : filterOf(event.record.attr),
        modes: event.record.modes,
        modesFrom: 'attr',
        fromSeq: first.seq,
        toSeq: last.seq,
        fromTime: first.time,
        toTime: last.time,
        host: last.host - first.host,
        guest: growth(first.guest, last.guest, window.width, 0, window.jumped),
        enabledNs: delta(first.enabled, last.enabled),
        runningNs: delta(first.running, last.running),
        notRunningAt: event.notRunningAt,
        totals: between(first.totals, last.totals),
        gapPerExit: gap,
      });
    }
  }
}
