import type { TracepointRule } from '../../arch/tracepoints.ts';
import type { CompiledRule } from '../compiled-rule.ts';
import { EventEntries, EventEntry, OVERFLOW_NAME } from '../event-entries.ts';
import { EventTaker } from '../event-taker.ts';
import type { ImportContext } from '../importer.ts';
import type { NoticeBook } from '../notices.ts';
import type { RawRecord } from '../raw-record.ts';
import type { RecordMapper } from '../record-mapper.ts';
import type { EventFormat } from './event-format.ts';
import { RecordDecoder } from './record-decoder.ts';

/** One tracepoint of a recording. */
export class TracepointEntry extends EventEntry {
  /** undefined: the rule needs no field of it. */
  readonly decoder: RecordDecoder | undefined;

  constructor(name: string, rule: CompiledRule | undefined, format: EventFormat) {
    super(name, rule, 0);
    this.decoder = rule === undefined ? undefined : RecordDecoder.of(format, rule);
  }
}

/** The tracepoints of one binary recording: decodes their records by their format files and makes the events. */
export class TracepointEvents {
  private readonly book: NoticeBook;
  private readonly entries: EventEntries<TracepointEntry>;
  private readonly taker: EventTaker;
  private overflow: TracepointEntry | undefined;

  constructor(context: ImportContext, book: NoticeBook) {
    this.book = book;
    this.entries = new EventEntries(context);
    this.taker = new EventTaker(context, this.entries);
  }

  /** The caller fills time, tid, pid, pcpu and comm before `take`. */
  get record(): RawRecord {
    return this.taker.record;
  }

  get mapper(): RecordMapper {
    return this.taker.mapper;
  }

  /** Records taken, whatever became of them. */
  get events(): number {
    return this.taker.events;
  }

  /** A tracepoint of the recording; once for each. */
  define(format: EventFormat): TracepointEntry {
    const full = this.entries.full;
    if (full && this.overflow !== undefined) return this.overflow;
    const name = full ? OVERFLOW_NAME : format.name;
    const entry = this.entries.add(name, (rule) => new TracepointEntry(name, rule, format));
    if (full) this.overflow = entry;
    return entry;
  }

  /** One record: its raw bytes, which begin with common_type, are bytes[start, end) and stand at `at` in the file. */
  take(entry: TracepointEntry, bytes: Uint8Array, start: number, end: number, at: number): void {
    const taker = this.taker;
    taker.begin(entry, at);
    const decoder = entry.decoder;
    if (decoder !== undefined) {
      const record = taker.record;
      decoder.read(bytes, start, end, record);
      if (decoder.isMark) {
        taker.mark(bytes, record.start[0]!, record.present === 0 ? 0 : record.end[0]!);
        return;
      }
    }
    taker.finish(entry, at);
  }

  /** Records lost (`count` −1: unknown how many) before the record that comes next. */
  lost(count: bigint | -1, pcpu: number): void {
    this.taker.lost(count, pcpu);
  }

  /** How many records there were whose rule passes the test. */
  countWhere(test: (rule: TracepointRule) => boolean): number {
    return this.entries.countWhere(test);
  }

  /** The architecture by the rules that matched. */
  arch(): 'arm64' | 'x86' | undefined {
    return this.entries.arch();
  }

  /** Writes the notices; at the end, once. */
  report(): void {
    this.taker.report(this.book);
  }
}
