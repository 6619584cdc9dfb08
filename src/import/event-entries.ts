import type { TracepointRule } from '../arch/tracepoints.ts';
import { type CompiledRule, RuleCompiler } from './compiled-rule.ts';
import type { ImportContext } from './importer.ts';
import type { NoticeBook } from './notices.ts';

/** Distinct event names kept apart; what comes after is counted under one name. */
export const MAX_NAMES = 4096;
export const OVERFLOW_NAME = '(further names)';
/** Unknown event names that get a notice of their own. */
const MAX_NAMED_NOTICES = 64;

/** What is known of one event name of a recording. A class, so that all have one shape: the hot path asks for it. */
export class EventEntry {
  /** Without its group. */
  readonly name: string;
  readonly rule: CompiledRule | undefined;
  /** Records with this name, and the place of the first (a line, a byte offset). */
  count = 0;
  firstAt: number;
  /** Id in the log's name table, −1 not asked for yet. */
  id = -1;
  incomplete = 0;
  incompleteAt = 0;
  unjoined = 0;
  unjoinedAt = 0;

  constructor(name: string, rule: CompiledRule | undefined, firstAt: number) {
    this.name = name;
    this.rule = rule;
    this.firstAt = firstAt;
  }
}

/** The event names of one recording: their rules, how often they came, what went wrong with them. */
export class EventEntries<E extends EventEntry> {
  private readonly context: ImportContext;
  private readonly compiler: RuleCompiler;
  private readonly entries: E[] = [];

  constructor(context: ImportContext) {
    this.context = context;
    this.compiler = new RuleCompiler(context.rules);
  }

  /** True if one more name would be too many. */
  get full(): boolean {
    return this.entries.length >= MAX_NAMES;
  }

  /** One more name: `make` gets its rule, if there is one. */
  add(name: string, make: (rule: CompiledRule | undefined) => E): E {
    const entry = make(this.compiler.get(name));
    this.entries.push(entry);
    return entry;
  }

  /** Id of the name in the log. */
  idOf(entry: EventEntry): number {
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
}
