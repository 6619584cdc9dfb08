import type Database from 'better-sqlite3';
import { CHUNK_EVENTS } from '../domain/event-chunk.ts';
import { KIND_SPECS } from '../domain/event-kind.ts';
import { asBlob, asNumber, asText, asUnsigned, type SqlValue } from './canonical.ts';
import { checkSum, headerBytes, type SegmentHeader } from './chain.ts';

/** The columns of a segment row before `columns`, in order. */
export const HEADER_COLUMNS =
  'number, run, first_seq, events, min_time, first_time, last_time, kinds, vcpus, kind_counts, codec, columns_crc, header_crc, hash';

/** A segment row without its columns. */
export interface StoredHeader extends SegmentHeader {
  readonly headerCrc: number;
  readonly hash: Buffer;
}

/** A row of HEADER_COLUMNS, read raw with safe integers. @throws RowError */
export function storedHeader(row: readonly SqlValue[]): StoredHeader {
  return {
    number: asNumber(row[0]),
    run: asNumber(row[1]),
    firstSeq: asNumber(row[2]),
    events: asNumber(row[3]),
    minTime: asUnsigned(row[4]),
    firstTime: asUnsigned(row[5]),
    lastTime: asUnsigned(row[6]),
    kinds: asUnsigned(row[7]),
    vcpus: asUnsigned(row[8]),
    kindCounts: asText(row[9]),
    codec: asText(row[10]),
    columnsCrc: asNumber(row[11]),
    headerCrc: asNumber(row[12]),
    hash: asBlob(row[13]),
  };
}

/** What finding and pruning segments needs, in memory: about 60 bytes per 4096 events. Entry i is segment i + 1. */
export class SegmentIndex {
  length = 0;
  run = new Int32Array(64);
  firstSeq = new Float64Array(64);
  events = new Uint16Array(64);
  firstTime = new BigUint64Array(64);
  lastTime = new BigUint64Array(64);
  kinds = new BigUint64Array(64);
  columnsCrc = new Uint32Array(64);
  readonly kindCounts = new Float64Array(64);

  /** Appends a segment; a sentence if it cannot follow what is there. */
  add(header: StoredHeader): string | undefined {
    const i = this.length;
    const problem = this.#problem(header);
    if (problem !== undefined) return problem;
    if (i === this.run.length) this.#grow();
    this.run[i] = header.run;
    this.firstSeq[i] = header.firstSeq;
    this.events[i] = header.events;
    this.firstTime[i] = header.firstTime;
    this.lastTime[i] = header.lastTime;
    this.kinds[i] = header.kinds;
    this.columnsCrc[i] = header.columnsCrc;
    for (const [kind, count] of kindCountsOf(header.kindCounts)) this.kindCounts[kind]! += count;
    this.length = i + 1;
    return undefined;
  }

  /** Sequence number of the last event of segment i. */
  lastSeq(i: number): number {
    return this.firstSeq[i]! + this.events[i]! - 1;
  }

  /** Index of the segment that holds an event; −1 if none does. */
  indexOf(seq: number): number {
    let low = 0;
    let high = this.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (this.firstSeq[middle]! > seq) high = middle - 1;
      else if (this.lastSeq(middle) < seq) low = middle + 1;
      else return Number.isInteger(seq) ? middle : -1;
    }
    return -1;
  }

  #problem(h: StoredHeader): string | undefined {
    const i = this.length;
    const seq = i === 0 ? 1 : this.lastSeq(i - 1) + 1;
    if (h.number !== i + 1) return `segment ${i + 1} is missing`;
    const where = `segment ${h.number} (@${seq} …)`;
    if (checkSum(headerBytes(h)) !== h.headerCrc) {
      return `${where}: its header does not match its check sum`;
    }
    if (h.firstSeq !== seq) return `${where}: starts at @${h.firstSeq}`;
    if (h.events < 1 || h.events > CHUNK_EVENTS) return `${where}: ${h.events} events`;
    if (h.firstTime > h.lastTime) return `${where}: its times run back`;
    const before = i === 0 ? 0 : this.run[i - 1]!;
    if (h.run < Math.max(before, 1)) return `${where}: run ${h.run} after run ${before}`;
    if (h.run === before && h.firstTime < this.lastTime[i - 1]!) {
      return `${where}: its times run back`;
    }
    return undefined;
  }

  #grow(): void {
    const capacity = this.run.length * 2;
    const grown = <A extends { set(from: A): void }>(made: A, from: A): A => {
      made.set(from);
      return made;
    };
    this.run = grown(new Int32Array(capacity), this.run);
    this.firstSeq = grown(new Float64Array(capacity), this.firstSeq);
    this.events = grown(new Uint16Array(capacity), this.events);
    this.firstTime = grown(new BigUint64Array(capacity), this.firstTime);
    this.lastTime = grown(new BigUint64Array(capacity), this.lastTime);
    this.kinds = grown(new BigUint64Array(capacity), this.kinds);
    this.columnsCrc = grown(new Uint32Array(capacity), this.columnsCrc);
  }
}

/** Fills an index from the log; a sentence about the first damage, if any. */
export function loadSegments(db: Database.Database, index: SegmentIndex): string | undefined {
  const rows = db
    .prepare(`SELECT ${HEADER_COLUMNS} FROM segment ORDER BY number`)
    .raw()
    .safeIntegers()
    .iterate() as IterableIterator<SqlValue[]>;
  for (const row of rows) {
    const problem = index.add(storedHeader(row));
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** The first kind in a mask that this program does not know; −1 if it knows all. */
export function unknownKind(kinds: bigint): number {
  const beyond = kinds >> BigInt(KIND_SPECS.length);
  if (beyond === 0n) return -1;
  let kind = KIND_SPECS.length;
  for (let rest = beyond; (rest & 1n) === 0n; rest >>= 1n) kind++;
  return kind;
}

/** The pairs of a segment's `kind_counts`; empty for text no importer writes. */
function kindCountsOf(json: string): [number, number][] {
  try {
    return Object.entries(JSON.parse(json) as Record<string, number>)
      .map(([kind, count]): [number, number] => [Number(kind), count])
      .filter(([kind, count]) => kind < 64 && Number.isInteger(count));
  } catch {
    return [];
  }
}
