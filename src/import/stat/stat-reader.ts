import { InputError } from '../../domain/errors.ts';
import { type ImportNotice, RELATIVE_CLOCK, type RecordingFacts } from '../../domain/log-facts.ts';
import type { ImportContext, RecordingReader } from '../importer.ts';
import { CountWriter } from './count-writer.ts';
import { csvLine, sniffSeparator } from './csv-line.ts';
import { countOfObject, hasPerfKey, jsonObjects } from './json-line.ts';
import { StatNotices } from './notices.ts';
import type { StatCount, StatLine } from './stat-count.ts';
import {
  elapsedLine,
  isIntervalHeader,
  isTimesLine,
  type TableHeading,
  tableHeading,
  tableLine,
} from './table-line.ts';
import { TextLines } from './text-lines.ts';

/** Rows a table may have before it is handed out without waiting for its elapsed time. */
const MAX_TABLE_ROWS = 4096;

/** What all readers of perf stat output share: lines, runs, notices, facts. */
abstract class StatReader implements RecordingReader {
  protected readonly notes = new StatNotices();
  protected readonly writer: CountWriter;
  private readonly context: ImportContext;
  private readonly format: string;
  private readonly lines: TextLines;
  /** What was counted, by the first heading of a table. */
  protected counted: string | undefined;
  private started: { text: string; line: number } | undefined;

  constructor(context: ImportContext, format: string) {
    this.context = context;
    this.format = format;
    this.writer = new CountWriter(context, this.notes);
    this.lines = new TextLines((line, number) => this.anyLine(line, number));
  }

  push(bytes: Uint8Array): void {
    this.lines.push(bytes);
  }

  end(): void {
    this.lines.end();
    this.lastLine();
    if (this.lines.tooLong > 0) {
      this.notes.add('long-line', this.lines.firstTooLong, this.lines.tooLong);
    }
    if (this.writer.written === 0) {
      const torn = this.notes.count('torn-line') + this.notes.count('unparsable-line');
      throw new InputError(
        `${this.context.name}: no count of perf stat in its ${this.lines.count} lines${torn > 0 ? ` (${torn} torn or unreadable)` : ''}`,
        'record it with perf stat -j -o FILE',
      );
    }
    if (this.context.statStart === undefined) {
      this.notes.add('relative-time', 1, this.writer.written);
    }
  }

  facts(): Partial<RecordingFacts> {
    const facts = {
      format: this.format,
      timeResolution: 1,
      ...(this.counted === undefined ? {} : { counted: this.counted }),
    };
    const { statStart, statStartWithin = 0 } = this.context;
    return statStart === undefined
      ? { ...facts, clock: RELATIVE_CLOCK }
      : { ...facts, placedWithin: statStartWithin };
  }

  notices(): readonly ImportNotice[] {
    const list = this.notes.list();
    if (!this.started) return list;
    return [
      {
        severity: 'info',
        code: 'started-on',
        text: `perf stat was started on ${this.started.text} (wall clock, whole seconds)`,
        count: 1,
        firstAt: this.started.line,
      },
      ...list,
    ];
  }

  /** One line that is not empty and not a `# started on` header. */
  protected abstract line(line: string, number: number): void;

  /** No line follows. */
  protected lastLine(): void {}

  /** Writes or counts one parsed line. */
  protected take(parsed: StatLine, number: number): void {
    if (parsed.kind === 'count') this.writer.add(parsed.count, number);
    else if (parsed.kind === 'metric') this.notes.add('metric-line', number);
    else this.notes.add('unparsable-line', number);
  }

  private anyLine(line: string, number: number): void {
    const started = /^# started on (\S.{0,60}?)\s*$/.exec(line);
    if (started) {
      this.lastLine();
      this.writer.startRun(number);
      this.started ??= { text: started[1]!, line: number };
    } else if (/\S/.test(line)) {
      this.line(line, number);
    }
  }
}

/**
 * Reads `perf stat -j` and perf stat's table, also out of a console log that holds both between other output. A JSON line
 * that other output tore is counted with its line number and never put together again.
 */
export class ConsoleStatReader extends StatReader {
  /** Rows waiting for the elapsed time of their table; undefined outside of one. */
  private rows: { count: StatCount; line: number }[] | undefined;
  /** The table's heading was seen: it is perf's, not something that looks like a row. */
  private headed = false;
  private heading: TableHeading | undefined;
  /** A torn JSON object whose end has not been seen yet. */
  private tornHead = false;

  protected line(line: string, number: number): void {
    if (line.includes('{') || hasPerfKey(line)) this.jsonLine(line, number);
    else this.textLine(line, number);
  }

  protected override lastLine(): void {
    this.endTable(undefined);
  }

  private jsonLine(line: string, number: number): void {
    const { objects, torn, foreign } = jsonObjects(line);
    let counted = false;
    for (const object of objects) {
      const parsed = countOfObject(object);
      if (!parsed) continue;
      if (parsed.kind === 'count') this.endTable(undefined);
      this.take(parsed, number);
      counted = true;
    }
    if (torn) {
      this.tornHead = true;
      this.notes.add('torn-line', number);
    } else if (!counted && hasPerfKey(line) && objects.length === 0) {
      // The rest of an object: part of the torn line before, or torn itself when its head is lost.
      if (!this.tornHead) this.notes.add('torn-line', number);
      this.tornHead = false;
    } else if (!counted) {
      this.textLine(line, number);
    } else {
      this.tornHead = false;
      if (foreign) this.notes.add('not-a-count', number);
    }
  }

  private textLine(line: string, number: number): void {
    const heading = tableHeading(line);
    if (heading !== undefined) {
      this.endTable(undefined);
      this.rows = [];
      this.heading = heading;
      this.counted ??= heading.counted;
      this.headed = true;
      return;
    }
    if (isIntervalHeader(line) || isTimesLine(line)) return;
    const elapsed = elapsedLine(line);
    if (elapsed !== undefined) {
      this.headed = true;
      this.endTable(elapsed);
      return;
    }
    const parsed = tableLine(line);
    if (parsed?.kind === 'count' && parsed.count.interval !== undefined) {
      this.endTable(undefined);
      this.take(parsed, number);
    } else if (parsed?.kind === 'count') {
      this.rows ??= [];
      this.rows.push({ count: parsed.count, line: number });
      if (this.rows.length >= MAX_TABLE_ROWS) this.endTable(undefined);
    } else if (parsed && this.headed) {
      this.take(parsed, number);
    } else {
      // What only looked like rows has no heading and is broken off by other output: not a table.
      if (!this.headed) this.endTable(undefined);
      this.notes.add('not-a-count', number);
    }
  }

  /** Hands the rows out when they are known to be perf's: a heading before them or an elapsed time behind. */
  private endTable(elapsed: bigint | undefined): void {
    const { rows } = this;
    if (rows && this.headed) this.writer.table(rows, elapsed, this.heading?.runs ?? 1);
    else if (rows) for (const { line } of rows) this.notes.add('not-a-count', line);
    this.rows = undefined;
    this.heading = undefined;
    this.headed = false;
  }
}

/** Reads `perf stat -x SEP`; the separator is found from the first counter line. */
export class CsvStatReader extends StatReader {
  private separator: string | undefined;

  protected line(line: string, number: number): void {
    if (line.startsWith('#')) return;
    this.separator ??= sniffSeparator(line);
    if (this.separator === undefined) this.notes.add('not-a-count', number);
    else this.take(csvLine(line, this.separator), number);
  }
}
