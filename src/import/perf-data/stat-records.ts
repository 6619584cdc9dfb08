import { RELATIVE_CLOCK, type RecordingFacts } from '../../domain/log-facts.ts';
import type { ImportContext } from '../importer.ts';
import type { NoticeBook } from '../notices.ts';
import type { PerfAttr } from './attr.ts';
import type { Attrs } from './attrs.ts';
import type { ByteStore } from './byte-store.ts';
import { CountRows } from './count-rows.ts';
import { RecordType } from './format.ts';

/** Counters of one round, and threads, that are remembered. */
const MAX_COUNTERS = 65536;
/** STAT_ROUND of the whole run. */
const FINAL = 1n;

/** How far one counter has come. */
interface Standing {
  readonly key: string;
  readonly attr: PerfAttr;
  readonly cpu: number;
  readonly tid: number;
  readonly value: bigint;
  readonly enabled: bigint;
  readonly running: bigint;
}

/**
 * Records of `perf stat record`: each STAT tells how far a counter has come since the start, a STAT_ROUND when that was
 * (ns since perf stat began). A row is what was counted since the round before.
 */
export class StatRecords {
  private readonly context: ImportContext;
  private readonly book: NoticeBook;
  private readonly store: ByteStore;
  private readonly attrs: Attrs;
  private readonly rows: CountRows;
  private readonly last = new Map<string, Standing>();
  private pending: Standing[] = [];
  private threads: number[] = [];
  private roundTime = 0n;

  constructor(context: ImportContext, book: NoticeBook, store: ByteStore, attrs: Attrs) {
    this.context = context;
    this.book = book;
    this.store = store;
    this.attrs = attrs;
    this.rows = new CountRows(context, book);
  }

  get written(): number {
    return this.rows.written;
  }

  /** One of THREAD_MAP, STAT_CONFIG, STAT and STAT_ROUND at `p`. */
  record(type: number, p: number, size: number): void {
    const { view } = this.store;
    if (type === RecordType.threadMap) {
      this.threads = [];
      for (let at = 16; at + 24 <= size; at += 24) this.threads.push(view.getInt32(p + at, true));
    } else if (type === RecordType.stat && size >= 48) {
      this.stat(p);
    } else if (type === RecordType.statRound && size >= 24) {
      this.round(view.getBigUint64(p + 16, true), view.getBigUint64(p + 8, true) === FINAL);
    }
  }

  /** The records are over. */
  finish(): void {
    if (this.pending.length > 0) {
      const text = 'counts after the last round, whose time is not recorded: left out';
      this.book.add('warning', 'count-without-time', text, undefined, this.pending.length);
    }
    if (this.written > 0 && this.context.statStart === undefined) {
      const text =
        "times count from perf stat's own start; --stat-start T places them on the clock of a trace";
      this.book.add('warning', 'relative-time', text);
    }
  }

  facts(): Partial<RecordingFacts> {
    if (this.written === 0) return {};
    const { statStart, statStartWithin = 0 } = this.context;
    return statStart === undefined ? { clock: RELATIVE_CLOCK } : { placedWithin: statStartWithin };
  }

  private stat(p: number): void {
    const { view } = this.store;
    const [low, high] = [view.getUint32(p + 8, true), view.getUint32(p + 12, true)];
    const attr = this.attrs.find(low, high);
    const cpu = view.getInt32(p + 16, true);
    const thread = view.getInt32(p + 20, true);
    if (attr === undefined || this.pending.length >= MAX_COUNTERS) {
      const text = 'counts with an id that no event of the recording has, left out';
      this.book.add('warning', 'unknown-count-id', text);
      return;
    }
    this.pending.push({
      key: `${low}/${high}/${cpu}/${thread}`,
      attr,
      cpu,
      tid: this.threads[thread] ?? -1,
      value: view.getBigUint64(p + 24, true),
      enabled: view.getBigUint64(p + 32, true),
      running: view.getBigUint64(p + 40, true),
    });
  }

  private round(time: bigint, final: boolean): void {
    // Without -I the only round is that of the whole run.
    const total = final && this.roundTime === 0n;
    const length = time >= this.roundTime ? time - this.roundTime : 0n;
    for (const now of this.pending) {
      const before = this.last.get(now.key);
      if (before === undefined && this.last.size >= MAX_COUNTERS) continue;
      this.last.set(now.key, now);
      const back =
        before !== undefined &&
        (now.value < before.value || now.enabled < before.enabled || now.running < before.running);
      if (back) {
        this.book.add('warning', 'count-back', 'counters lower than before: taken as begun anew');
        continue;
      }
      this.rows.write({
        ...now,
        time: (this.context.statStart ?? 0n) + time,
        length,
        value: now.value - (before?.value ?? 0n),
        enabled: now.enabled - (before?.enabled ?? 0n),
        running: now.running - (before?.running ?? 0n),
        total,
      });
    }
    this.pending = [];
    if (time > this.roundTime) this.roundTime = time;
  }
}
