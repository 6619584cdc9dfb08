import { InputError } from '../../domain/errors.ts';
import type { ImportNotice, RecordingFacts } from '../../domain/log-facts.ts';
import { copyOf } from '../byte-table.ts';
import { EventTaker } from '../event-taker.ts';
import type { ImportContext, RecordingReader } from '../importer.ts';
import { excerpt, NoticeBook } from '../notices.ts';
import type { RawRecord } from '../raw-record.ts';
import type { RecordMapper } from '../record-mapper.ts';
import { EventNames, type NameEntry } from './event-names.ts';
import { LineHead } from './line-head.ts';
import { LineSplitter, MAX_LINE } from './line-splitter.ts';

const SPACE = 0x20;
const COLON = 0x3a;

/** What one text format adds to lines of events. */
export interface Dialect {
  readonly format: string;
  /** Position of the event name if the line is one of an event, else −1. */
  head(head: LineHead, bytes: Uint8Array, start: number, end: number, record: RawRecord): number;
  /** A line that is no event: true if it is understood. */
  aside(reader: TextReader, bytes: Uint8Array, start: number, end: number): boolean;
  /** An event line whose name does not end in `:`, or that has a period before it: true if it is understood. */
  special?(reader: TextReader, bytes: Uint8Array, at: number, end: number): boolean;
  /** At the end: notices of the format's own. */
  finish?(reader: TextReader): void;
}

/** What PERF_RECORD_… and `unknown: PERF_RECORD_…` begin with. */
function isOdd(first: number): boolean {
  return first === 0x50 || first === 0x75;
}

/** True if `token` stands at bytes[at] as a word. */
function isToken(token: Uint8Array, bytes: Uint8Array, at: number): boolean {
  const length = token.length;
  let k = 0;
  while (k < length && token[k] === bytes[at + k]) k++;
  return k === length && k > 0 && (bytes[at + k] === SPACE || bytes[at + k] === 0x0a);
}

/** Reads a recording printed as lines of `who when: event: payload`. */
export class TextReader implements RecordingReader {
  readonly context: ImportContext;
  readonly book = new NoticeBook();
  readonly record: RawRecord;
  readonly mapper: RecordMapper;
  readonly names: EventNames;
  /** Facts the dialect finds in header lines. */
  readonly found: { -readonly [K in keyof RecordingFacts]?: RecordingFacts[K] } = {};
  lines = 0;
  /** Hardware and software samples that were left out. */
  samples = 0;
  private readonly dialect: Dialect;
  private readonly taker: EventTaker;
  private readonly head = new LineHead();
  private readonly splitter: LineSplitter;
  private previous: NameEntry | undefined;
  private fraction = 0;
  private firstBad = '';

  constructor(context: ImportContext, dialect: Dialect) {
    this.context = context;
    this.dialect = dialect;
    this.names = new EventNames(context);
    this.taker = new EventTaker(context, this.names);
    this.record = this.taker.record;
    this.mapper = this.taker.mapper;
    this.splitter = new LineSplitter(this);
  }

  push(bytes: Uint8Array): void {
    this.splitter.push(bytes);
  }

  line(bytes: Uint8Array, start: number, end: number): void {
    this.lines++;
    const record = this.record;
    const head = this.head;
    const at = this.dialect.head(head, bytes, start, end, record);
    if (at < 0) {
      if (!this.dialect.aside(this, bytes, start, end)) this.unparsable(bytes, start, end);
      return;
    }
    record.bytes = bytes;
    record.comm = bytes;
    if (head.timeOutOfRange) {
      this.book.add(
        'warning',
        'time-out-of-range',
        'times beyond 64 bits of ns, lines left out',
        this.lines,
      );
      return;
    }
    const guess = this.previous?.next;
    if (guess !== undefined && !head.period && isToken(guess.token, bytes, at)) {
      this.previous = guess;
      this.resolution(head);
      let from = at + guess.token.length;
      while (from < end && bytes[from] === SPACE) from++;
      this.event(guess, bytes, from, end);
      return;
    }
    // The name, without its group and colon.
    let from = at;
    let p = at;
    while (p < end && bytes[p] !== SPACE) {
      if (bytes[p] === COLON && p + 1 < end && bytes[p + 1] !== SPACE) from = p + 1;
      p++;
    }
    if (head.period || p === at || bytes[p - 1] !== COLON || isOdd(bytes[at]!)) {
      if (this.dialect.special?.(this, bytes, at, end)) return;
      if (p === at || bytes[p - 1] !== COLON) {
        this.unparsable(bytes, start, end);
        return;
      }
    }
    this.resolution(head);
    const entry = this.names.get(bytes, from, p - 1, this.lines);
    if (entry.token.length !== p - at || !isToken(entry.token, bytes, at)) {
      entry.token = copyOf(bytes, at, p);
    }
    if (this.previous !== undefined) this.previous.next = entry;
    this.previous = entry;
    while (p < end && bytes[p] === SPACE) p++;
    this.event(entry, bytes, p, end);
  }

  private resolution(head: LineHead): void {
    if (head.fraction > this.fraction) this.fraction = head.fraction;
    else if (head.fraction < 0) {
      const text = 'times without a fraction are taken as ns';
      this.book.add('warning', 'time-unit-unknown', text, this.lines);
    }
  }

  tooLong(): void {
    this.lines++;
    this.book.add(
      'warning',
      'line-too-long',
      `lines of more than ${MAX_LINE} bytes left out`,
      this.lines,
    );
  }

  end(): void {
    if (this.splitter.rest > 0) {
      // Its last number may be cut: no value is better than a wrong one.
      this.book.add(
        'warning',
        'unterminated-last-line',
        'the last line has no line end and may be cut: left out',
        this.lines + 1,
      );
    }
    if (this.events === 0 && this.samples > 0) {
      throw new InputError(
        `${this.context.name}: ${this.samples} samples of hardware events and no tracepoint`,
        'record tracepoints and probes: docs/formats.md tells what is read',
      );
    }
    if (this.events === 0) {
      const where = this.firstBad === '' ? '' : ` (line ${this.firstBad})`;
      throw new InputError(
        `${this.context.name}: no event in ${this.lines} ${this.lines === 1 ? 'line' : 'lines'}${where}`,
        'expected the text of perf script, trace-cmd report or tracefs; see docs/formats.md',
      );
    }
    this.dialect.finish?.(this);
    this.taker.report(this.book);
  }

  facts(): Partial<RecordingFacts> {
    const arch = this.found.arch ?? this.names.arch();
    return {
      ...this.found,
      ...(arch === undefined ? {} : { arch }),
      timeResolution: this.fraction <= 0 ? 1 : 10 ** (9 - this.fraction),
    };
  }

  notices(): readonly ImportNotice[] {
    return this.book.list();
  }

  /** Event lines, whatever became of them. */
  get events(): number {
    return this.taker.events;
  }

  /** A number stood before the event name of this line. */
  get hasPeriod(): boolean {
    return this.head.period;
  }

  /** Records lost (`count` −1: unknown how many) before the line that comes next. */
  lost(count: bigint | -1, pcpu: number): void {
    this.taker.lost(count, pcpu);
  }

  private event(entry: NameEntry, bytes: Uint8Array, from: number, end: number): void {
    const taker = this.taker;
    taker.begin(entry, this.lines);
    entry.payload?.read(bytes, from, end, taker.record);
    if (entry.rule?.rule.payloadIsName) taker.mark(bytes, from, end);
    else taker.finish(entry, this.lines);
  }

  private unparsable(bytes: Uint8Array, start: number, end: number): void {
    const text = excerpt(bytes, start, end);
    if (this.firstBad === '') this.firstBad = `${this.lines}: ${text}`;
    this.book.add(
      'warning',
      'unparsable-line',
      `lines that are no event, the first: ${text}`,
      this.lines,
    );
  }
}
