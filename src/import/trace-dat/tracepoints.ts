import type { NoticeBook } from '../notices.ts';
import { type EventFormat, parseEventFormat } from '../tracepoint/event-format.ts';
import type { TracepointEntry, TracepointEvents } from '../tracepoint/tracepoint-events.ts';
import type { FormatText } from './description.ts';

/** Missing formats told apart. */
const MAX_TOLD = 64;

/** Where the fields are that every record begins with. */
export interface CommonFields {
  readonly type: number;
  readonly pid: number;
  /** Bytes a record must have to have both. */
  readonly need: number;
}

const KERNEL_COMMON: CommonFields = { type: 0, pid: 4, need: 8 };

/** The tracepoints of the recording by the number in common_type; a format is parsed when its first record comes. */
export class Tracepoints {
  readonly common: CommonFields;
  private readonly events: TracepointEvents;
  private readonly book: NoticeBook;
  private readonly texts = new Map<number, FormatText>();
  private missing = 0;
  private readonly entries: (TracepointEntry | undefined)[] = [];

  constructor(formats: readonly FormatText[], events: TracepointEvents, book: NoticeBook) {
    this.events = events;
    this.book = book;
    let common: CommonFields | undefined;
    for (const format of formats) {
      const id = /^ID:\s*(\d{1,5})\s*$/m.exec(format.text.slice(0, 400));
      if (id === null) continue;
      if (!this.texts.has(Number(id[1]))) this.texts.set(Number(id[1]), format);
      common ??= commonFields(parseEventFormat(format.text, format.system));
    }
    this.common = common ?? KERNEL_COMMON;
  }

  /** The tracepoint with this number; `at` is where its record is. */
  get(type: number, at: number): TracepointEntry {
    return this.entries[type] ?? this.create(type, at);
  }

  private create(type: number, at: number): TracepointEntry {
    const found = this.texts.get(type);
    const format = found && parseEventFormat(found.text, found.system);
    if (format === undefined) {
      const own = this.missing++ < MAX_TOLD;
      const text = `no format for tracepoint ${type}: its records are kept as 'event ${type}'`;
      this.book.add('warning', 'format-missing', text, at, 1, own ? String(type) : '');
    }
    const entry = this.events.define(
      format ?? { id: type, system: '', name: `event ${type}`, fields: [] },
    );
    // A sparse array would make every look-up slow.
    while (this.entries.length <= type) this.entries.push(undefined);
    this.entries[type] = entry;
    return entry;
  }
}

function commonFields(format: EventFormat | undefined): CommonFields | undefined {
  const type = format?.fields.find(({ name }) => name === 'common_type');
  const pid = format?.fields.find(({ name }) => name === 'common_pid');
  if (type?.size !== 2 || pid?.size !== 4) return undefined;
  return {
    type: type.offset,
    pid: pid.offset,
    need: Math.max(type.offset + 2, pid.offset + 4),
  };
}
