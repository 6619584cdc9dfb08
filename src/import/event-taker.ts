import { EventKind } from '../domain/event-kind.ts';
import { textOf } from './byte-table.ts';
import type { EventEntries, EventEntry } from './event-entries.ts';
import type { ImportContext } from './importer.ts';
import type { NoticeBook } from './notices.ts';
import { RawRecord } from './raw-record.ts';
import { Outcome, RecordMapper } from './record-mapper.ts';

/** Distinct marks kept apart, and how long one may be. */
const MAX_MARKS = 4096;
const MAX_MARK = 256;
const MAX_LOST_AT_START = 4096;

/** Turns decoded records of one recording into rows, whatever they were decoded from. */
export class EventTaker {
  readonly record = new RawRecord();
  readonly mapper: RecordMapper;
  /** Records taken, whatever became of them. */
  events = 0;
  private readonly context: ImportContext;
  private readonly entries: EventEntries<EventEntry>;
  private readonly marks = new Map<string, number>();
  /** Told before the first event: their time is its time. */
  private readonly lostAtStart: { readonly count: bigint | -1; readonly pcpu: number }[] = [];

  constructor(context: ImportContext, entries: EventEntries<EventEntry>) {
    this.context = context;
    this.entries = entries;
    this.mapper = new RecordMapper(context, this.record);
  }

  /** One record of that name comes: call it before its fields are decoded into `record`. */
  begin(entry: EventEntry, at: number): void {
    if (this.events++ === 0) {
      for (const { count, pcpu } of this.lostAtStart) this.mapper.lost(count, pcpu, true);
    }
    if (entry.count++ === 0) entry.firstAt = at;
    this.record.present = 0;
  }

  /** `record` has the fields of the record begun, which stands at `at`: makes the event. */
  finish(entry: EventEntry, at: number): void {
    const rule = entry.rule;
    if (rule === undefined) {
      this.mapper.other(this.entries.idOf(entry));
      return;
    }
    const outcome = this.mapper.map(rule);
    if (outcome === Outcome.mapped) return;
    if (outcome === Outcome.unjoined) {
      if (entry.unjoined++ === 0) entry.unjoinedAt = at;
      return;
    }
    if (outcome === Outcome.incomplete && entry.incomplete++ === 0) entry.incompleteAt = at;
    this.mapper.other(this.entries.idOf(entry));
  }

  /** The record begun is a mark a person set: its text, bytes[from, end), is the event's name. */
  mark(bytes: Uint8Array, from: number, end: number): void {
    let text = textOf(bytes, from, Math.min(end, from + MAX_MARK)).trim();
    if (text.startsWith('tracing_mark_write: ')) text = text.slice('tracing_mark_write: '.length);
    let id = this.marks.get(text);
    if (id === undefined) {
      if (this.marks.size >= MAX_MARKS) text = '(further marks)';
      id = this.context.nameId(text);
      if (this.marks.size < MAX_MARKS) this.marks.set(text, id);
    }
    const thread = this.mapper.threads.get(this.record.tid);
    const i = this.mapper.base(EventKind.marker, thread);
    this.context.out.chunk.code[i] = id;
    this.context.out.chunk.vcpu[i] = this.mapper.threads.ofRecord(this.record).slot;
  }

  /** Records lost (`count` −1: unknown how many) before the record that comes next. */
  lost(count: bigint | -1, pcpu: number): void {
    if (this.events > 0) this.mapper.lost(count, pcpu, false);
    else if (this.lostAtStart.length < MAX_LOST_AT_START) this.lostAtStart.push({ count, pcpu });
  }

  /** Writes down what was not taken over as it stood */
  report(book: NoticeBook): void {
    if (this.mapper.timeBack > 0) {
      book.add(
        'warning',
        'time-back',
        'records earlier than the one before them',
        undefined,
        this.mapper.timeBack,
      );
    }
    this.entries.report(book);
  }
}
