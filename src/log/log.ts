import type Database from 'better-sqlite3';
import type { Event } from '../domain/event-chunk.ts';
import type { EventKind } from '../domain/event-kind.ts';
import type { ImportSink } from '../domain/import-sink.ts';
import type { PerfEventAttr, VcpuFact } from '../domain/log-facts.ts';
import { StoredCheckpoints } from './checkpoint-store.ts';
import {
  type Connection,
  connectForProjections,
  connectForReading,
  connectForWriting,
  disconnect,
  removeIfUnused,
} from './connect.ts';
import { runImport } from './import-run.ts';
import { cursorAfter, eventOf, eventsBefore, timeOf } from './order.ts';
import { readChunks } from './read.ts';
import { type LogState, loadState } from './state.ts';
import type {
  CheckpointStore,
  ChunkRange,
  Cursor,
  ImportRow,
  Log,
  LogChunk,
  VerifyReport,
  WritableLog,
} from './types.ts';
import { verifyLog } from './verify.ts';

export type {
  BadPlace,
  Checkpoint,
  CheckpointStore,
  ChunkRange,
  Cursor,
  ImportRow,
  Log,
  LogChunk,
  VerifyReport,
  WritableLog,
} from './types.ts';

/**
 * Opens a log for reading. Nothing is written but checkpoints, and those only where the file can be written.
 * @throws InputError in one line if the file is missing, a folder, unreadable, empty, not a log, of a newer schema, or
 * damaged so that SQLite cannot read its first pages. Damage further in is thrown by what reads it, and reported by verify().
 */
export function openLog(path: string): Log {
  return new OpenLog(connectForReading(path));
}

/**
 * Opens a log for importing into; makes it when missing, migrates an older schema. A log that was made here and into
 * which nothing was imported is removed by close().
 * @throws InputError as openLog, or if the file or its folder cannot be written.
 */
export function openLogForImport(path: string): WritableLog {
  return new OpenWritableLog(connectForWriting(path));
}

class OpenLog implements Log {
  protected readonly connection: Connection;
  #state: LogState | undefined;
  #projections: Database.Database | undefined;
  #triedProjections = false;
  readonly #checkpoints = new Map<string, StoredCheckpoints>();
  #closed = false;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  get path(): string {
    return this.connection.path;
  }

  get schema(): number {
    return this.connection.schema;
  }

  get eventCount(): number {
    return this.state().eventCount;
  }

  get firstTime(): bigint | undefined {
    return extreme(this.state(), (segments, run) => segments.firstTime[run.firstSegment]!, -1);
  }

  get lastTime(): bigint | undefined {
    return extreme(this.state(), (segments, run) => segments.lastTime[run.lastSegment]!, 1);
  }

  get head(): string {
    return this.state().head.toString('hex');
  }

  kindCounts(): ReadonlyMap<EventKind, number> {
    const counts = new Map<EventKind, number>();
    this.state().segments.kindCounts.forEach((count, kind) => {
      if (count > 0) counts.set(kind as EventKind, count);
    });
    return counts;
  }

  imports(): readonly ImportRow[] {
    return this.state().facts.imports;
  }

  vcpus(): readonly VcpuFact[] {
    return [...this.state().facts.vcpus.values()].sort((a, b) => a.slot - b.slot);
  }

  name(id: number): string {
    return this.state().facts.names[id] ?? `#${id}`;
  }

  names(): readonly string[] {
    return this.state().facts.names;
  }

  attr(id: number): PerfEventAttr | undefined {
    return this.state().facts.attrs[id];
  }

  threadName(tid: number): string | undefined {
    return this.state().facts.threads.get(tid);
  }

  threads(): ReadonlyMap<number, string> {
    return this.state().facts.threads;
  }

  chunks(range: ChunkRange = {}): Iterable<LogChunk> {
    return { [Symbol.iterator]: () => readChunks(this.state(), range) };
  }

  cursorAfter(chunk: LogChunk, i: number = chunk.length - 1): Cursor {
    return cursorAfter(this.state().runs, chunk, i);
  }

  event(seq: number): Event | undefined {
    return eventOf(this.state(), seq);
  }

  timeOf(seq: number): bigint | undefined {
    return timeOf(this.state(), seq);
  }

  eventsBefore(seq: number, count: number): readonly Event[] {
    return eventsBefore(this.state(), seq, count);
  }

  checkpoints(key: string): CheckpointStore {
    let store = this.#checkpoints.get(key);
    if (store === undefined) {
      store = new StoredCheckpoints(
        {
          db: this.connection.db,
          head: () => this.state().head,
          writer: () => this.#projectionWriter(),
        },
        key,
      );
      this.#checkpoints.set(key, store);
    }
    return store;
  }

  dropCheckpoints(): void {
    for (const store of this.#checkpoints.values()) store.clear();
    try {
      this.#projectionWriter()?.exec('DELETE FROM checkpoint_set');
    } catch {
      // They are derived: nothing depends on their being gone.
    }
  }

  verify(): VerifyReport {
    this.open();
    return verifyLog(this.connection);
  }

  close(): void {
    if (this.#closed) return;
    for (const store of this.#checkpoints.values()) store.flush();
    this.#closed = true;
    this.#projections?.close();
    disconnect(this.connection);
  }

  /** What the log says of itself, read when first needed. */
  protected state(): LogState {
    this.open();
    this.#state ??= loadState(this.connection);
    return this.#state;
  }

  /** Forgets what was read: the log has changed. */
  protected changed(): void {
    this.#state = undefined;
  }

  protected open(): void {
    if (this.#closed) throw new Error(`the log ${this.path} is closed`);
  }

  #projectionWriter(): Database.Database | undefined {
    if (!this.#triedProjections) {
      this.#triedProjections = true;
      this.#projections = connectForProjections(this.connection.file);
    }
    return this.#projections;
  }
}

class OpenWritableLog extends OpenLog implements WritableLog {
  readonly #created: boolean;
  #running = false;

  constructor(connection: Connection & { readonly created: boolean }) {
    super(connection);
    this.#created = connection.created;
  }

  async importRun<T>(run: (sink: ImportSink) => Promise<T>): Promise<T> {
    this.open();
    if (this.#running) throw new Error('an import run is under way');
    this.#running = true;
    try {
      // Reads during the run are of the log before it.
      this.state();
      return await runImport(this.connection, run);
    } finally {
      this.#running = false;
      this.changed();
    }
  }

  override verify(): VerifyReport {
    if (this.#running) throw new Error('an import run is under way');
    return super.verify();
  }

  override close(): void {
    if (this.#running) throw new Error('an import run is under way');
    if (this.#created && this.connection.db.open) removeIfUnused(this.connection);
    super.close();
  }
}

/** The smallest (sign −1) or largest (1) of a time of each run that has events. */
function extreme(
  { runs, segments }: LogState,
  time: (segments: LogState['segments'], run: LogState['runs'][number]) => bigint,
  sign: -1 | 1,
): bigint | undefined {
  let found: bigint | undefined;
  for (const run of runs) {
    if (run.lastSegment < run.firstSegment) continue;
    const t = time(segments, run);
    if (found === undefined || (sign < 0 ? t < found : t > found)) found = t;
  }
  return found;
}
