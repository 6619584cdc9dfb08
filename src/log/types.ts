import type { Event, EventChunk } from '../domain/event-chunk.ts';
import type { EventKind } from '../domain/event-kind.ts';
import type { ImportSink } from '../domain/import-sink.ts';
import type { ImportNotice, PerfEventAttr, RecordingFacts, VcpuFact } from '../domain/log-facts.ts';

/**
 * A position in the order of a log: per import run (in the order of their ids) the sequence number of the last event
 * consumed of it, or one less than its first event's. Missing entries mean "nothing consumed".
 */
export type Cursor = readonly number[];

/** A chunk read from a log. Its columns are the reader's own: they stay valid, and nobody else changes them. */
export interface LogChunk extends EventChunk {
  /** The position after the last event of the chunk: `chunks({ after: chunk.cursor })` goes on with the next. */
  readonly cursor: Cursor;
}

/** Which events to read. All limits hold at once; ends are inclusive. */
export interface ChunkRange {
  readonly after?: Cursor;
  readonly fromSeq?: number;
  readonly toSeq?: number;
  /** Limits of the effective time, so that what is read up to a time is always a prefix of the whole. */
  readonly fromTime?: bigint;
  readonly toTime?: bigint;
  readonly kinds?: ReadonlySet<EventKind>;
}

/** The state of a replay at one position. */
export interface Checkpoint {
  /** Number of events replayed up to here. */
  readonly ordinal: number;
  /** Effective time of the last of them. */
  readonly time: bigint;
  readonly cursor: Cursor;
  readonly state: Uint8Array;
}

/** Checkpoints of one kind of replay of one log. Losing them costs time, never correctness. */
export interface CheckpointStore {
  /**
   * The last checkpoint with time ≤ `time`, or with time < `before`; of equal times the highest ordinal. Its state is a
   * copy at the start of an ArrayBuffer of its own.
   */
  nearest(limit: { time: bigint } | { before: bigint }): Checkpoint | undefined;
  /** Keeps a copy of the checkpoint; one with the same time and ordinal is replaced. */
  save(checkpoint: Checkpoint): void;
  /** Forgets all checkpoints of this store. */
  clear(): void;
}

/** One imported recording. */
export interface ImportRow {
  /** What the `source` column of its events holds. */
  readonly source: number;
  /** The importRun call it belongs to, from 1. */
  readonly run: number;
  /** SHA-256 of the recording, hex. */
  readonly digest: string;
  readonly bytes: number;
  readonly events: number;
  /** Sum over its `lost` events, at most 2^64 − 1. */
  readonly lost: bigint;
  /** First and last sequence number of its events; undefined if it has none. Other recordings' may lie between. */
  readonly firstSeq: number | undefined;
  readonly lastSeq: number | undefined;
  readonly facts: RecordingFacts;
  readonly notices: readonly ImportNotice[];
}

/** The first place where a log is not what its hash chain says. */
export interface BadPlace {
  readonly what: string;
  readonly run?: number;
  readonly segment?: number;
  readonly firstSeq?: number;
  readonly lastSeq?: number;
  /** What the log says and what was found, where that can be told: hashes in hex, or values. */
  readonly expected?: string;
  readonly actual?: string;
}

/** What checking a whole log found. `segments` and `events` count what was found good. */
export interface VerifyReport {
  readonly ok: boolean;
  readonly runs: number;
  readonly segments: number;
  readonly events: number;
  /** Hash at the end of what was found good, hex: write it down elsewhere to notice a cut or exchanged log. */
  readonly head: string;
  readonly firstBad?: BadPlace;
}

/** A log open for reading. Every method throws `InputError` where the file turns out to be damaged. */
export interface Log {
  readonly path: string;
  /** Version of the log's schema. */
  readonly schema: number;
  readonly eventCount: number;
  /** Smallest and largest effective time; undefined if there are no events. */
  readonly firstTime: bigint | undefined;
  readonly lastTime: bigint | undefined;
  /** Hash at the end of the chain, hex: names exactly this content. */
  readonly head: string;
  kindCounts(): ReadonlyMap<EventKind, number>;
  imports(): readonly ImportRow[];
  /** Known vCPUs, by slot. Slots nobody spoke of are left out: look one up by its `slot`, not by its place. */
  vcpus(): readonly VcpuFact[];
  /** The string with this id; `#id` if there is none. */
  name(id: number): string;
  /** All strings; index = id. */
  names(): readonly string[];
  attr(id: number): PerfEventAttr | undefined;
  threadName(tid: number): string | undefined;
  threads(): ReadonlyMap<number, string>;
  /**
   * Events in replay order: by effective time, import run, sequence number. Chunks of at most 4096, never empty. Each
   * is read by itself, so an iteration may be left at any point and holds nothing open.
   */
  chunks(range?: ChunkRange): Iterable<LogChunk>;
  /** The position after event `i` of a chunk (default: its last). */
  cursorAfter(chunk: LogChunk, i?: number): Cursor;
  event(seq: number): Event | undefined;
  /** Effective time of an event: the largest time of its import run up to it. */
  timeOf(seq: number): bigint | undefined;
  /** Up to `count` events before an event in replay order, oldest first. Empty if there is no such event. */
  eventsBefore(seq: number, count: number): readonly Event[];
  /** Checkpoints under a key that names model, rule set and code version. Of a changed log none are left. */
  checkpoints(key: string): CheckpointStore;
  /** Deletes all checkpoints, of every key. */
  dropCheckpoints(): void;
  /** Recomputes everything from the stored bytes. Reports damage instead of throwing. */
  verify(): VerifyReport;
  close(): void;
}

/** A log open for importing into. */
export interface WritableLog extends Log {
  /**
   * Runs one import: what `run` puts into the sink becomes visible at once when its promise is fulfilled, and nothing of
   * it when it is rejected, or when the process ends before. Reads during the run see the log as it was.
   *
   * Every source that got events must be finished. To drop one that turned out to be a duplicate only after its events
   * were appended, throw from `run`, and import the others again.
   * @throws InputError if another process writes, or the disk is full (the log is then unchanged).
   */
  importRun<T>(run: (sink: ImportSink) => Promise<T>): Promise<T>;
}
