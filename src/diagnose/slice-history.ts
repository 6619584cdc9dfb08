import { type Event, type EventChunk, eventAt } from '../domain/event-chunk.ts';
import { EventFlag, EventKind } from '../domain/event-kind.ts';
import { isHostsOwn } from '../replay/hosts-own.ts';
import {
  chunkOfEvents,
  rowsOf,
  type SliceableLog,
  witnesses,
} from '../replay/slice/slice-events.ts';
import { describingMark } from './guest-windows/marks.ts';

/** What a slice is surrounded by. */
export interface Surroundings {
  /** The event before the slice; undefined: it begins with the log. */
  readonly before: Event | undefined;
  /** Kinds of its events, and the recording its preamble is said to be of. */
  readonly kinds: ReadonlySet<EventKind>;
  readonly source: number;
}

/** Kinds a replay does not look at. */
const LEFT_OUT: ReadonlySet<EventKind> = new Set([
  EventKind.other,
  EventKind.count,
  EventKind.countSpread,
  EventKind.clock,
  EventKind.marker,
  EventKind.schedMigrate,
  EventKind.halt,
  EventKind.wakeup,
  EventKind.userspaceExit,
]);

/** The shortest history that is tried, events. */
const SHORTEST_TAIL = 512;
/** Each longer one is so many times as long: together they cost little more than the longest. */
const TAIL_GROWS = 4;

/** Seqs at which the histories that are tried begin, the shortest first; the last one is the whole. */
export function* tails(before: Event | undefined): Iterable<number> {
  if (before !== undefined) {
    for (let length = SHORTEST_TAIL; length < before.seq; length *= TAIL_GROWS) {
      yield before.seq - length + 1;
    }
  }
  yield 1;
}

/**
 * Events up to `toSeq` that hold on whenever they were recorded: what describes the machine and the run (CPUID, marks),
 * and the host's own events that are still open.
 */
export function standingEvents(log: SliceableLog, toSeq: number): readonly Event[] {
  const wanted = [EventKind.cpuid, EventKind.marker, EventKind.eventCreate, EventKind.eventRelease];
  const kinds = new Set(wanted.filter((kind) => log.kindCounts().has(kind)));
  if (toSeq < 1 || kinds.size === 0) return [];
  const standing = new Map<string, Event>();
  for (const chunk of log.chunks({ toSeq, kinds })) {
    for (let i = 0; i < chunk.length; i++) {
      const kind = chunk.kind[i]! as EventKind;
      const pointer = `host event ${chunk.object[i]!}`;
      if (kind === EventKind.eventRelease) standing.delete(pointer);
      else if (kind === EventKind.cpuid) standing.set(`${chunk.seq[i]!}`, eventAt(chunk, i));
      else if (kind === EventKind.marker) {
        const text = log.name(chunk.code[i]!);
        if (describingMark(text)) standing.set(`${chunk.seq[i]!}`, eventAt(chunk, i));
      } else {
        const own = isHostsOwn(chunk.counter[i]!, log.attr(chunk.code[i]!));
        // An address is used again: what is created there now is another event.
        standing.delete(pointer);
        const entry = (chunk.flags[i]! & EventFlag.entry) !== 0;
        if (own && !entry) standing.set(pointer, eventAt(chunk, i));
      }
    }
  }
  return [...standing.values()].sort((a, b) => a.seq - b.seq);
}

/**
 * The events from `fromSeq` up to the slice that a replay looks at, those before them that hold on, and a record of each
 * kind that comes nowhere else in it.
 */
export function* historyOf(
  log: SliceableLog,
  { before, kinds, source }: Surroundings,
  fromSeq: number,
): Iterable<EventChunk> {
  const tids = new Set(log.vcpus().map(({ tid }) => tid));
  const standing = before === undefined ? [] : standingEvents(log, fromSeq - 1);
  const present = new Set([...kinds, ...standing.map(({ kind }) => kind)]);
  const history = function* (): Iterable<EventChunk> {
    if (before === undefined) return;
    for (const chunk of log.chunks({ fromSeq })) {
      const rows: number[] = [];
      let over = false;
      for (let i = 0; i < chunk.length && !over; i++) {
        over = chunk.seq[i] === before.seq;
        const kind = chunk.kind[i]! as EventKind;
        const mark = kind === EventKind.marker && describingMark(log.name(chunk.code[i]!));
        if (LEFT_OUT.has(kind) && !mark) continue;
        const other =
          kind === EventKind.schedSwitch &&
          !tids.has(chunk.tid[i]!) &&
          !tids.has(Number(BigInt.asIntN(32, chunk.value[i]!)));
        if (!other) rows.push(i);
      }
      if (rows.length > 0) yield rowsOf(chunk, rows);
      if (over) return;
    }
  };
  for (const { length, kind } of history()) {
    for (let i = 0; i < length; i++) present.add(kind[i]! as EventKind);
  }
  const place = { time: log.firstTime ?? 0n, source };
  const blank = chunkOfEvents(witnesses(log.kindCounts().keys(), present, place));
  if (blank !== undefined) yield blank;
  const held = chunkOfEvents(standing);
  if (held !== undefined) yield held;
  yield* history();
}
