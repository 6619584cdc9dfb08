import {
  allocateChunk,
  COLUMNS,
  type Event,
  type EventChunk,
  setEvent,
} from '../../domain/event-chunk.ts';
import { EventFlag, EventKind, KIND_SPECS } from '../../domain/event-kind.ts';
import type { PerfEventAttr, RecordingFacts, VcpuFact } from '../../domain/log-facts.ts';
import type { CheckpointStore, Cursor, ReplayChunk } from '../replay.ts';
import type { ReplayLog } from '../replay-log.ts';

/** Part of a log: all limits hold at once, ends are inclusive, times are effective ones. */
export interface SliceRange {
  readonly fromSeq?: number;
  readonly toSeq?: number;
  readonly fromTime?: bigint;
  readonly toTime?: bigint;
}

/** A log parts of which can be read. */
export interface SliceableLog extends ReplayLog {
  chunks(
    range?: SliceRange & { readonly after?: Cursor; readonly kinds?: ReadonlySet<EventKind> },
  ): Iterable<ReplayChunk>;
}

/** Kinds whose presence in a log says nothing of what was recorded. */
const INCIDENTAL: ReadonlySet<EventKind> = new Set([
  EventKind.other,
  EventKind.lost,
  EventKind.clock,
  EventKind.marker,
  EventKind.count,
  EventKind.countSpread,
  EventKind.vmCreate,
  EventKind.vmMigrate,
  EventKind.vcpuReset,
  EventKind.userspaceGet,
  EventKind.userspaceSet,
]);

/**
 * An empty record of each kind that the whole log has and the slice has not: whether a kind was recorded at all decides
 * what its absence means.
 */
export function witnesses(
  whole: Iterable<EventKind>,
  present: ReadonlySet<EventKind>,
  place: { readonly time: bigint; readonly source: number },
): readonly Partial<Event>[] {
  const missing = [...whole].filter((kind) => !present.has(kind) && !INCIDENTAL.has(kind));
  return missing.map((kind) => ({
    ...place,
    kind,
    flags: KIND_SPECS[kind]!.value === undefined ? 0 : EventFlag.noValue,
  }));
}

const NO_CHECKPOINTS: CheckpointStore = { nearest: () => undefined, save: () => undefined };

/** A slice as a log: its preamble, then the events of the range; numbered from 1, read from the whole log anew each time. */
export class SliceLog implements ReplayLog {
  readonly eventCount: number;
  readonly firstTime: bigint | undefined;
  readonly lastTime: bigint | undefined;
  private readonly log: SliceableLog;
  private readonly parts: () => Iterable<EventChunk>;
  private readonly kinds = new Map<EventKind, number>();

  /** `parts` gives the events in order, the same every time. */
  constructor(log: SliceableLog, parts: () => Iterable<EventChunk>) {
    this.log = log;
    this.parts = parts;
    let events = 0;
    for (const chunk of parts()) {
      for (let i = 0; i < chunk.length; i++) {
        const kind = chunk.kind[i]! as EventKind;
        this.kinds.set(kind, (this.kinds.get(kind) ?? 0) + 1);
        const time = chunk.time[i]!;
        if (this.firstTime === undefined) this.firstTime = time;
        if (this.lastTime === undefined || time > this.lastTime) this.lastTime = time;
      }
      events += chunk.length;
    }
    this.eventCount = events;
  }

  kindCounts(): ReadonlyMap<EventKind, number> {
    return this.kinds;
  }

  imports(): readonly { readonly source: number; readonly facts: RecordingFacts }[] {
    return this.log.imports().map(({ source, facts }) => ({ source, facts }));
  }

  vcpus(): readonly VcpuFact[] {
    return this.log.vcpus();
  }

  attr(id: number): PerfEventAttr | undefined {
    return this.log.attr(id);
  }

  name(id: number): string {
    return this.log.name(id);
  }

  /** `after` is not looked at: there are no checkpoints to go on from. */
  *chunks(range: { readonly kinds?: ReadonlySet<EventKind> } = {}): Iterable<ReplayChunk> {
    const { kinds } = range;
    let seq = 0;
    for (const chunk of this.parts()) {
      const rows: number[] = [];
      const numbers: number[] = [];
      for (let i = 0; i < chunk.length; i++) {
        seq++;
        if (kinds !== undefined && !kinds.has(chunk.kind[i]! as EventKind)) continue;
        rows.push(i);
        numbers.push(seq);
      }
      if (rows.length > 0) yield { ...rowsOf(chunk, rows, numbers), cursor: [seq] };
    }
  }

  checkpoints(): CheckpointStore {
    return NO_CHECKPOINTS;
  }

  timeOf(wanted: number): bigint | undefined {
    let latest: bigint | undefined;
    for (const chunk of this.chunks()) {
      for (let i = 0; i < chunk.length; i++) {
        const time = chunk.time[i]!;
        if (latest === undefined || time > latest) latest = time;
        if (chunk.seq[i] === wanted) return latest;
      }
    }
    return undefined;
  }

  eventsBefore(): readonly Event[] {
    return [];
  }
}

/** Chosen rows of a chunk, with sequence numbers of their own. */
export function rowsOf(
  chunk: EventChunk,
  rows: readonly number[],
  numbers?: readonly number[],
): EventChunk {
  const chosen = allocateChunk(rows.length);
  chosen.length = rows.length;
  rows.forEach((row, i) => {
    chosen.seq[i] = numbers?.[i] ?? chunk.seq[row]!;
    for (const { name } of COLUMNS) {
      (chosen[name] as { [i: number]: number | bigint })[i] = chunk[name][row]!;
    }
  });
  return chosen;
}

/** Events in a chunk; none: undefined. */
export function chunkOfEvents(events: readonly Partial<Event>[]): EventChunk | undefined {
  if (events.length === 0) return undefined;
  const chunk = allocateChunk(events.length);
  events.forEach((event, i) => {
    setEvent(chunk, i, { ...event, seq: 0 });
  });
  chunk.length = events.length;
  return chunk;
}
