import type { ImportContext } from '../importer.ts';
import type { NoticeBook } from '../notices.ts';
import type { RawRecord } from '../raw-record.ts';
import type { PerfAttr } from './attr.ts';
import { type Attrs, idKey } from './attrs.ts';
import type { ByteStore } from './byte-store.ts';
import { CountRows } from './count-rows.ts';
import { ReadFormat } from './format.ts';
import { readEnd } from './read-values.ts';

/** Counters (of one event on one CPU or thread) told apart. */
const MAX_COUNTERS = 65536;

/** The last reading of one counter. */
interface Reading {
  time: bigint;
  value: bigint;
  enabled: bigint;
  running: bigint;
}

/** Whose counter an id is, by ID_INDEX. */
interface Owner {
  readonly cpu: number;
  readonly tid: number;
}

/**
 * Counts that samples carry (`perf record -e '{…}:S'`): each tells how far the counters of its group have come. A row is
 * what was counted between two readings of one counter.
 */
export class Counts {
  /** Samples with counts, also those that only began a counter. */
  readings = 0;
  private readonly rows: CountRows;
  private readonly book: NoticeBook;
  private readonly store: ByteStore;
  private readonly attrs: Attrs;
  private readonly last = new Map<string, Reading>();
  private readonly owners = new Map<number, Owner>();

  constructor(context: ImportContext, book: NoticeBook, store: ByteStore, attrs: Attrs) {
    this.rows = new CountRows(context, book);
    this.book = book;
    this.store = store;
    this.attrs = attrs;
  }

  /** ID_INDEX at `p`: whose counter each id is. */
  idIndex(p: number, size: number): void {
    const { view } = this.store;
    for (let at = 16; at + 32 <= size && this.owners.size < MAX_COUNTERS; at += 32) {
      const key = idKey(view.getUint32(p + at, true), view.getUint32(p + at + 4, true));
      this.owners.set(key, {
        cpu: view.getInt32(p + at + 16, true),
        tid: view.getInt32(p + at + 24, true),
      });
    }
  }

  /** The counts of the sample at `p`; `record` has its time, CPU and thread. False if they do not fit into it. */
  sample(attr: PerfAttr, p: number, size: number, record: RawRecord): boolean {
    const { view } = this.store;
    const format = attr.readFormat;
    const from = attr.sample.variable;
    if (readEnd(format, view, p, from, size) < 0) return false;
    let at = p + from;
    const next = (): bigint => {
      at += 8;
      return view.getBigUint64(at - 8, true);
    };
    const group = (format & ReadFormat.group) !== 0;
    const time = (BigInt(record.time[1]! >>> 0) << 32n) | BigInt(record.time[0]! >>> 0);
    let count = 1;
    let first = group ? -1n : next();
    if (group) count = Number(next());
    const enabled = format & ReadFormat.enabled ? next() : -1n;
    const running = format & ReadFormat.running ? next() : -1n;
    this.readings++;
    for (let k = 0; k < count; k++) {
      const value: bigint = first >= 0n ? first : next();
      first = -1n;
      let id = 0;
      let of: PerfAttr | undefined = attr;
      if (format & ReadFormat.id) {
        const low = view.getUint32(at, true);
        const high = view.getUint32(at + 4, true);
        at += 8;
        id = idKey(low, high);
        // No counter has id 0.
        of = id === 0 ? undefined : this.attrs.find(low, high);
      }
      if (format & ReadFormat.lost) at += 8;
      if (of === undefined) {
        const text = 'counts with an id that no event of the recording has, left out';
        this.book.add('warning', 'unknown-count-id', text);
        continue;
      }
      this.reading(of, id, record, { time, value, enabled, running });
    }
    return true;
  }

  private reading(attr: PerfAttr, id: number, record: RawRecord, now: Reading): void {
    const owner = this.owners.get(id);
    // An inherited event counts each thread by itself under one id.
    const key = attr.inherit || id === 0 ? `${id}/${record.tid}/${record.pcpu}` : `${id}`;
    const before = this.last.get(key);
    if (before === undefined && this.last.size >= MAX_COUNTERS) {
      this.book.add('warning', 'too-many-counters', 'counts of further counters, left out');
      return;
    }
    this.last.set(key, now);
    let value = now.value;
    let enabled = now.enabled;
    let running = now.running;
    let length = enabled >= 0n ? enabled : 0n;
    if (before !== undefined) {
      if (
        now.value < before.value ||
        now.enabled < before.enabled ||
        now.running < before.running
      ) {
        this.book.add(
          'warning',
          'count-back',
          'counters read lower than before: taken as begun anew',
        );
        return;
      }
      value -= before.value;
      length = now.time - before.time;
      if (enabled >= 0n) enabled -= before.enabled;
      if (running >= 0n) running -= before.running;
    } else if (enabled < 0n) {
      const text = 'first readings of a counter: since when it counts is not recorded, left out';
      this.book.add('info', 'first-reading', text);
      return;
    }
    const inherited = attr.inherit ? record.tid : -1;
    this.rows.write({
      attr,
      time: now.time,
      length,
      value,
      enabled,
      running,
      cpu: owner?.cpu ?? -1,
      tid: owner !== undefined && owner.tid > 0 ? owner.tid : inherited,
      total: false,
    });
  }
}
