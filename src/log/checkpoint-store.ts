import type Database from 'better-sqlite3';
import { canonicalBytes } from './canonical.ts';
import { checkSum } from './chain.ts';
import type { Checkpoint, CheckpointStore, Cursor } from './types.ts';

/** Checkpoints wait for so many bytes, or so many of them, to be written in one transaction. */
const FLUSH_BYTES = 4 << 20;
const FLUSH_COUNT = 256;
/** Where nothing can be written, no more than this is kept: then every other checkpoint goes. */
const MEMORY_BYTES = 64 << 20;

/** What a store needs of its log. */
export interface CheckpointHost {
  /** The log's connection for reading. */
  readonly db: Database.Database;
  /** The last hash of the chain: checkpoints of another state of the log are void. */
  head(): Buffer;
  /** A connection that can write; undefined where the file cannot be written. */
  writer(): Database.Database | undefined;
}

interface Entry {
  readonly time: bigint;
  readonly ordinal: number;
  /** In the file under this id, … */
  id?: number;
  /** … or only in memory. */
  waiting?: Checkpoint;
}

/** Checkpoints in the log file; in memory alone where the file cannot be written. */
export class StoredCheckpoints implements CheckpointStore {
  readonly #host: CheckpointHost;
  readonly #key: string;
  /** The state of the log the entries belong to. */
  #head: Buffer | undefined;
  /** By time, then ordinal. */
  #entries: Entry[] = [];
  #waiting = 0;
  #waitingBytes = 0;
  #memoryOnly = false;

  constructor(host: CheckpointHost, key: string) {
    this.#host = host;
    this.#key = key;
  }

  nearest(limit: { time: bigint } | { before: bigint }): Checkpoint | undefined {
    this.#load();
    const end =
      'time' in limit ? this.#place(limit.time, Infinity) : this.#place(limit.before, -Infinity);
    for (let i = end - 1; i >= 0; i--) {
      const entry = this.#entries[i]!;
      const found = entry.waiting ?? this.#read(entry);
      if (found !== undefined) return { ...found, state: new Uint8Array(found.state) };
      this.#entries.splice(i, 1);
    }
    return undefined;
  }

  save(checkpoint: Checkpoint): void {
    this.#load();
    const { time, ordinal, cursor, state } = checkpoint;
    const copy: Checkpoint = { time, ordinal, cursor: [...cursor], state: new Uint8Array(state) };
    const at = this.#place(time, ordinal - 0.5);
    const same = this.#entries[at];
    const replaces = same !== undefined && same.time === time && same.ordinal === ordinal;
    if (replaces && same.waiting !== undefined) this.#waitingBytes -= same.waiting.state.length;
    else this.#waiting++;
    this.#waitingBytes += state.length;
    this.#entries.splice(at, replaces ? 1 : 0, { time, ordinal, waiting: copy });
    if (this.#memoryOnly) this.#thin();
    else if (this.#waiting >= FLUSH_COUNT || this.#waitingBytes >= FLUSH_BYTES) this.flush();
  }

  clear(): void {
    this.#load();
    this.#entries = [];
    this.#waiting = 0;
    this.#waitingBytes = 0;
    this.#write((db) => {
      db.prepare('DELETE FROM checkpoint_set WHERE key = ?').run(this.#key);
    });
  }

  /** Writes what waits. */
  flush(): void {
    if (this.#waiting === 0 || this.#memoryOnly) return;
    const head = this.#head!;
    const waiting = this.#entries.filter((entry) => entry.waiting !== undefined);
    const ids: number[] = [];
    const written = this.#write((db) => {
      db.prepare('DELETE FROM checkpoint_set WHERE head <> ?').run(head);
      db.prepare('INSERT OR IGNORE INTO checkpoint_set (key, head) VALUES (?, ?)').run(
        this.#key,
        head,
      );
      const set = db
        .prepare('SELECT id FROM checkpoint_set WHERE key = ? AND head = ?')
        .pluck()
        .get(this.#key, head);
      const insert = db.prepare(
        'INSERT OR REPLACE INTO checkpoint (set_id, time, ordinal, crc, cursor, state) VALUES (?, ?, ?, ?, ?, ?)',
      );
      for (const { time, ordinal, waiting: c } of waiting) {
        const cursor = JSON.stringify(c!.cursor);
        const crc = this.#crc(time, ordinal, cursor, c!.state);
        const row = [set, BigInt.asIntN(64, time), ordinal, crc, cursor, c!.state];
        ids.push(Number(insert.run(...row).lastInsertRowid));
      }
    });
    if (!written) return;
    waiting.forEach((entry, i) => {
      entry.id = ids[i]!;
      delete entry.waiting;
    });
    this.#waiting = 0;
    this.#waitingBytes = 0;
  }

  /** Reads which checkpoints there are, anew if the log has changed. */
  #load(): void {
    const head = this.#host.head();
    if (this.#head?.equals(head)) return;
    this.#head = head;
    this.#waiting = 0;
    this.#waitingBytes = 0;
    this.#memoryOnly = false;
    this.#entries = this.#stored()
      .map(({ id, time, ordinal }) => ({
        id: Number(id),
        time: BigInt.asUintN(64, time),
        ordinal: Number(ordinal),
      }))
      .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : a.ordinal - b.ordinal));
  }

  #stored(): { id: bigint; time: bigint; ordinal: bigint }[] {
    try {
      return this.#host.db
        .prepare<unknown[], { id: bigint; time: bigint; ordinal: bigint }>(
          'SELECT c.id, time, ordinal FROM checkpoint c JOIN checkpoint_set s ON s.id = set_id WHERE key = ? AND head = ?',
        )
        .safeIntegers()
        .all(this.#key, this.#head);
    } catch {
      return [];
    }
  }

  /** Index of the first entry after (time, ordinal). */
  #place(time: bigint, ordinal: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const entry = this.#entries[middle]!;
      const before = entry.time < time || (entry.time === time && entry.ordinal <= ordinal);
      if (before) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** A checkpoint from the file; undefined if it is gone or damaged. */
  #read({ id, time, ordinal }: Entry): Checkpoint | undefined {
    try {
      const row = this.#host.db
        .prepare('SELECT crc, cursor, state FROM checkpoint WHERE id = ?')
        .get(id) as { crc: number; cursor: string; state: Buffer } | undefined;
      if (row === undefined || this.#crc(time, ordinal, row.cursor, row.state) !== row.crc) {
        return undefined;
      }
      return { time, ordinal, cursor: JSON.parse(row.cursor) as Cursor, state: row.state };
    } catch {
      return undefined;
    }
  }

  /** Over all that says what a state is the state of: a checkpoint in the wrong place would be believed. */
  #crc(time: bigint, ordinal: number, cursor: string, state: Uint8Array): number {
    return checkSum(canonicalBytes([this.#key, this.#head!, time, BigInt(ordinal), cursor, state]));
  }

  /** Changes the file in one transaction; false, and memory alone from now on, where that cannot be done. */
  #write(change: (db: Database.Database) => void): boolean {
    const db = this.#memoryOnly ? undefined : this.#host.writer();
    if (db !== undefined) {
      try {
        const guarded = db.transaction(() => {
          const head = db.prepare('SELECT hash FROM run ORDER BY id DESC LIMIT 1').pluck().get();
          // Another process has imported meanwhile: these checkpoints are void for everybody else.
          if (!Buffer.isBuffer(head) || !head.equals(this.#head!)) throw new Error('log changed');
          change(db);
        });
        guarded.immediate();
        return true;
      } catch {
        // Checkpoints only save time: whatever it was, go on without the file.
      }
    }
    this.#memoryOnly = true;
    return false;
  }

  #thin(): void {
    if (this.#waitingBytes <= MEMORY_BYTES) return;
    this.#entries = this.#entries.filter((_, i) => i % 2 === 1);
    const waiting = this.#entries.filter((entry) => entry.waiting !== undefined);
    this.#waiting = waiting.length;
    this.#waitingBytes = waiting.reduce((sum, entry) => sum + entry.waiting!.state.length, 0);
  }
}
