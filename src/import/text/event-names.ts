import { ByteTable, copyOf, hashBytes, textOf } from '../byte-table.ts';
import type { CompiledRule } from '../compiled-rule.ts';
import { EventEntries, EventEntry, OVERFLOW_NAME } from '../event-entries.ts';
import { PayloadReader } from './payload.ts';

/** One event name of a text. */
export class NameEntry extends EventEntry {
  readonly payload: PayloadReader | undefined;
  /** How it was last written: with group and colon. */
  token: Uint8Array = new Uint8Array(0);
  /** What came after it last time: mostly comes again. */
  next: NameEntry | undefined = undefined;

  constructor(name: string, rule: CompiledRule | undefined, firstAt: number) {
    super(name, rule, firstAt);
    this.payload =
      rule !== undefined && rule.fields.length > 0 ? new PayloadReader(rule) : undefined;
  }
}

/** The event names of one text, found by their bytes. */
export class EventNames extends EventEntries<NameEntry> {
  private readonly table = new ByteTable<NameEntry>();
  private overflow: NameEntry | undefined;

  /** The entry of a name (without group); `line` is where it stands. */
  get(bytes: Uint8Array, start: number, end: number, line: number): NameEntry {
    const hash = hashBytes(bytes, start, end);
    return this.table.get(bytes, start, end, hash) ?? this.create(bytes, start, end, line);
  }

  private create(bytes: Uint8Array, start: number, end: number, line: number): NameEntry {
    const full = this.full;
    if (full && this.overflow !== undefined) return this.overflow;
    const name = full ? OVERFLOW_NAME : textOf(bytes, start, end);
    const entry = this.add(name, (rule) => new NameEntry(name, rule, line));
    if (full) this.overflow = entry;
    else this.table.add(copyOf(bytes, start, end), entry);
    return entry;
  }
}
