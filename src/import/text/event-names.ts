import type { TracepointRule } from '../../arch/tracepoints.ts';
import { ByteTable, copyOf, hashBytes, textOf } from '../byte-table.ts';
import { type CompiledRule, RuleCompiler } from '../compiled-rule.ts';
import type { ImportContext } from '../importer.ts';
import type { NoticeBook } from '../notices.ts';
import { PayloadReader } from './payload.ts';

/** Distinct event names kept apart; what comes after is counted under one name. */
const MAX_NAMES = 4096;
const OVERFLOW_NAME = '(further names)';
/** Unknown event names that get a notice of their own. */
const MAX_NAMED_NOTICES = 64;

/** What is known of one event name of a recording. */
export interface NameEntry {
  readonly name: string;
  readonly rule: CompiledRule | undefined;
  readonly payload: PayloadReader | undefined;
  /** Records with this name, and the line of the first. */
  count: number;
  readonly firstAt: number;
  /** Id in the log's name table, −1 not asked for yet. */
  id: number;
  incomplete: number;
  incompleteAt: number;
  unjoined: number;
  unjoinedAt: number;
  /** How it was last written: with group and colon. */
  token: Uint8Array;
  /** What came after it last time: mostly comes again. */
  next: NameEntry | undefined;
}

/** The event names of one recording, found by their bytes. */
export class EventNames {
  private readonly context: ImportContext;
  private readonly compiler: RuleCompiler;
  private readonly table = new ByteTable<NameEntry>();
  private readonly entries: NameEntry[] = [];
  private overflow: NameEntry | undefined;

  constructor(context: ImportContext) {
    this.context = context;
    this.compiler = new RuleCompiler(context.rules);
  }

  /** The entry of a name (without group); `line` is where it stands. */
  get(bytes: Uint8Array, start: number, end: number, line: number): NameEntry {
    const hash = hashBytes(bytes, start, end);
    return this.table.get(bytes, start, end, hash) ?? this.create(bytes, start, end, line);
  }

  /** Id of the name in the log. */
  idOf(entry: NameEntry): number {
    if (entry.id < 0) entry.id = this.context.nameId(entry.name);
    return entry.id;
  }

  /** How many records there were whose rule passes the test. */
  countWhere(test: (rule: TracepointRule) => boolean): number {
    let count = 0;
    for (const entry of this.entries) {
      if (entry.rule !== undefined && test(entry.rule.rule)) count += entry.count;
    }
    return count;
  }

  /** The architecture most records are of. */
  arch(): 'arm64' | 'x86' | undefined {
    const arm64 = this.countWhere((rule) => rule.arch === 'arm64');
    const x86 = this.countWhere((rule) => rule.arch === 'x86');
    if (arm64 === 0 && x86 === 0) return undefined;
    return arm64 >= x86 ? 'arm64' : 'x86';
  }

  /** Writes down what was not mapped, not understood, not joined. */
  report(book: NoticeBook): void {
    let unknown = 0;
    for (const entry of this.entries) {
      const { name, count } = entry;
      if (entry.rule === undefined && count > 0) {
        const own = unknown++ < MAX_NAMED_NOTICES;
        const text = own
          ? `${name}: kept by name, no rule maps it`
          : 'further names: kept, no rule maps them';
        book.add('info', 'unmapped-event', text, entry.firstAt, count, own ? name : '');
      }
      if (entry.incomplete > 0) {
        const text = `${name}: fields missing or not as expected, kept by name`;
        const code = 'unparsable-payload';
        book.add('warning', code, text, entry.incompleteAt, entry.incomplete, name);
      }
      // Who records no entry halves at all misses none.
      if (entry.unjoined > 0 && this.countWhere((rule) => rule.entryOf === name) > 0) {
        const text = `${name}: no entry half before it on its thread, fields are missing`;
        book.add('warning', 'unjoined-return', text, entry.unjoinedAt, entry.unjoined, name);
      }
    }
  }

  private create(bytes: Uint8Array, start: number, end: number, line: number): NameEntry {
    const full = this.entries.length >= MAX_NAMES;
    if (full && this.overflow !== undefined) return this.overflow;
    const name = full ? OVERFLOW_NAME : textOf(bytes, start, end);
    const rule = full ? undefined : this.compiler.get(name);
    const needsPayload = rule !== undefined && rule.fields.length > 0;
    const entry: NameEntry = {
      name,
      rule,
      payload: needsPayload ? new PayloadReader(rule) : undefined,
      count: 0,
      firstAt: line,
      id: -1,
      incomplete: 0,
      incompleteAt: 0,
      unjoined: 0,
      unjoinedAt: 0,
      token: new Uint8Array(0),
      next: undefined,
    };
    this.entries.push(entry);
    if (full) this.overflow = entry;
    else this.table.add(copyOf(bytes, start, end), entry);
    return entry;
  }
}
