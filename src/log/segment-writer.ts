import type Database from 'better-sqlite3';
import { allocateChunk, CHUNK_EVENTS, type EventChunk } from '../domain/event-chunk.ts';
import { EventKind } from '../domain/event-kind.ts';
import { U64_MAX } from '../domain/u64.ts';
import { checkSum, headerBytes, type SegmentHeader, segmentHash } from './chain.ts';
import { copyInto, partOf } from './chunk-parts.ts';
import { HEADER_COLUMNS } from './segment-index.ts';
import { summarize } from './segment-summary.ts';
import { isConstant } from './var1/constant.ts';
import { VAR1 } from './var1/layout.ts';
import { encodeColumns } from './var1/segment.ts';

/** What one source put into a run. */
export interface SourceTotals {
  events: number;
  firstSeq: number;
  lastSeq: number;
  /** Sum over its `lost` events, at most 2^64 − 1. */
  lost: bigint;
}

/** Where a run goes on from. */
export interface WriterStart {
  readonly run: number;
  readonly nextSeq: number;
  /** Number of the next segment. */
  readonly nextSegment: number;
  readonly head: Buffer;
}

/**
 * Cuts what is appended into full segments, whatever the sizes it comes in, and stores them. Only `flush` may leave a
 * segment short.
 */
export class SegmentWriter {
  readonly #db: Database.Database;
  readonly #beforeFirst: () => void;
  #insert: Database.Statement | undefined;
  readonly #run: number;
  readonly #pending = allocateChunk();
  #seq: number;
  #number: number;
  #hash: Buffer;
  #runTime = 0n;
  readonly sources = new Map<number, SourceTotals>();

  /** @param beforeFirst is called before the first segment is stored. */
  constructor(db: Database.Database, start: WriterStart, beforeFirst: () => void) {
    this.#db = db;
    this.#run = start.run;
    this.#seq = start.nextSeq;
    this.#number = start.nextSegment;
    this.#hash = start.head;
    this.#beforeFirst = beforeFirst;
  }

  /** Sequence number of the next event. */
  get nextSeq(): number {
    return this.#seq + this.#pending.length;
  }

  /** Number the next segment will get. */
  get nextSegment(): number {
    return this.#number;
  }

  /** The chain's hash up to the last stored segment. */
  get hash(): Buffer {
    return this.#hash;
  }

  /** Takes events from index `from` on, at most to the end of a segment; returns how many. */
  append(chunk: EventChunk, from: number): number {
    const pending = this.#pending;
    const count = Math.min(chunk.length - from, CHUNK_EVENTS - pending.length);
    const part = partOf(chunk, from, from + count);
    if (count === CHUNK_EVENTS) {
      this.#store(part);
      return count;
    }
    copyInto(pending, pending.length, part);
    pending.length += count;
    if (pending.length === CHUNK_EVENTS) this.flush();
    return count;
  }

  /** Stores what is left as a segment. */
  flush(): void {
    const pending = this.#pending;
    if (pending.length === 0) return;
    this.#store(partOf(pending, 0, pending.length));
    pending.length = 0;
  }

  #store(chunk: EventChunk): void {
    if (this.#insert === undefined) {
      this.#beforeFirst();
      const marks = HEADER_COLUMNS.replace(/[a-z_]+/g, '?');
      this.#insert = this.#db.prepare(
        `INSERT INTO segment (${HEADER_COLUMNS}, columns) VALUES (${marks}, ?)`,
      );
    }
    const summary = summarize(chunk, this.#runTime);
    const columns = encodeColumns(chunk);
    const header: SegmentHeader = {
      number: this.#number,
      run: this.#run,
      firstSeq: this.#seq,
      events: chunk.length,
      ...summary,
      codec: VAR1,
      columnsCrc: checkSum(columns),
    };
    const bytes = headerBytes(header);
    this.#hash = segmentHash(this.#hash, bytes, columns);
    this.#insert.run(
      header.number,
      header.run,
      header.firstSeq,
      header.events,
      BigInt.asIntN(64, header.minTime),
      BigInt.asIntN(64, header.firstTime),
      BigInt.asIntN(64, header.lastTime),
      BigInt.asIntN(64, header.kinds),
      BigInt.asIntN(64, header.vcpus),
      header.kindCounts,
      header.codec,
      header.columnsCrc,
      checkSum(bytes),
      this.#hash,
      columns,
    );
    this.#count(chunk, ((summary.kinds >> BigInt(EventKind.lost)) & 1n) !== 0n);
    this.#runTime = header.lastTime;
    this.#seq += chunk.length;
    this.#number++;
  }

  /** Adds the events to the totals of their sources; `hasLost`: some tell of losses. */
  #count(chunk: EventChunk, hasLost: boolean): void {
    const { source, kind, length } = chunk;
    for (let from = 0; from < length; ) {
      const id = source[from]!;
      const to = isConstant(source) ? length : runEnd(source, from, length);
      let totals = this.sources.get(id);
      if (totals === undefined) {
        totals = { events: 0, firstSeq: this.#seq + from, lastSeq: 0, lost: 0n };
        this.sources.set(id, totals);
      }
      totals.events += to - from;
      totals.lastSeq = this.#seq + to - 1;
      for (let i = hasLost ? from : to; i < to; i++) {
        if (kind[i] !== EventKind.lost) continue;
        const sum = totals.lost + chunk.value[i]!;
        totals.lost = sum > U64_MAX ? U64_MAX : sum;
      }
      from = to;
    }
  }
}

/** One past the last event from `from` on that is of the same source. */
function runEnd(source: Uint16Array, from: number, length: number): number {
  let to = from + 1;
  while (to < length && source[to] === source[from]) to++;
  return to;
}
