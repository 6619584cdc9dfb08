import {
  allocateChunk,
  COLUMNS,
  type Event,
  type EventChunk,
  eventAt,
  type MutableEventChunk,
} from '../../src/domain/event-chunk.ts';
import { KIND_SPECS } from '../../src/domain/event-kind.ts';
import { importRecordings } from '../../src/import/import-recordings.ts';
import type { ImportOptions, InputReport } from '../../src/import/report.ts';
import { NullSink } from './memory-sink.ts';

/** A sink that keeps the columns: for recordings too long for objects. */
export class ColumnSink extends NullSink {
  readonly chunks: EventChunk[] = [];
  private readonly first: number[] = [];
  length = 0;

  override append(chunk: EventChunk): void {
    const copy: MutableEventChunk = allocateChunk(chunk.length);
    copy.length = chunk.length;
    for (const { name } of COLUMNS) {
      (copy[name] as Uint8Array).set((chunk[name] as Uint8Array).subarray(0, chunk.length));
    }
    this.chunks.push(copy);
    this.first.push(this.length);
    this.length += chunk.length;
    super.append(chunk);
  }

  event(i: number): Event {
    let low = 0;
    let high = this.chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.first[middle]! <= i) low = middle;
      else high = middle - 1;
    }
    return eventAt(this.chunks[low]!, i - this.first[low]!);
  }
}

/** One import of one form of a recording. */
export interface Form {
  readonly sink: ColumnSink;
  readonly report: InputReport;
}

export async function importForm(path: string, options: ImportOptions = {}): Promise<Form> {
  const sink = new ColumnSink();
  const { inputs } = await importRecordings(sink, [{ path }], options);
  return { sink, report: inputs[0]! };
}

/** What of an event another form of the same recording must have too; ids of names and attrs are resolved. */
export type Row = Omit<Event, 'seq' | 'source' | 'code'> & { readonly code: number | string };

export function rowOf(sink: ColumnSink, i: number): Row {
  const event = sink.event(i);
  const spec = KIND_SPECS[event.kind]!;
  const { seq: _, source: __, ...row } = event;
  if (spec.code === 'name') return { ...row, code: sink.names[event.code]! };
  if (spec.code !== 'attr') return row;
  const attr = sink.attrs[event.code];
  return { ...row, code: attr === undefined ? '' : Object.values(attr).join() };
}

/** What one form is known to lose: makes both rows equal in what it leaves out. */
export type Loss = (row: Row) => Row;

export interface CompareOptions {
  /** Times are equal if they differ by at most this many ns (half a unit of what rounds). */
  readonly tolerance?: bigint;
  /** Applied to the rows of both. */
  readonly losses?: readonly Loss[];
  /** Stop after that many differences. */
  readonly most?: number;
}

export interface Comparison {
  readonly events: readonly [number, number];
  /** Rows that differ, first one's and other's, the first ones. */
  readonly differences: readonly string[];
  /** Rows that are the same but in another order among equal times. */
  readonly reordered: number;
}

function text(row: Partial<Row> | undefined): string {
  if (row === undefined) return '-';
  return Object.entries(row)
    .map(([name, value]) => {
      const shown =
        name === 'kind'
          ? KIND_SPECS[value as number]!.name
          : typeof value === 'bigint' && name !== 'time'
            ? `0x${value.toString(16)}`
            : value;
      return `${name}=${shown}`;
    })
    .join(' ');
}

/**
 * Compares two forms of one recording, event by event, field by field. Events of equal time may stand in any order:
 * what is compared there is the groups.
 */
export function compareForms(
  one: ColumnSink,
  other: ColumnSink,
  options: CompareOptions = {},
): Comparison {
  const { tolerance = 0n, losses = [], most = 5 } = options;
  const row = (sink: ColumnSink, i: number): Row =>
    losses.reduce((seen, loss) => loss(seen), rowOf(sink, i));
  const key = ({ time: _, ...rest }: Row): string => text(rest);
  const differences: string[] = [];
  let reordered = 0;
  const length = Math.min(one.length, other.length);
  for (let i = 0; i < length && differences.length < most; ) {
    const a = row(one, i);
    const b = row(other, i);
    const apart = a.time - b.time;
    if (apart <= tolerance && -apart <= tolerance && key(a) === key(b)) {
      i++;
      continue;
    }
    // The group of equal times (within the tolerance) this stands in.
    let end = i + 1;
    while (end < length && end - i < 64 && row(other, end).time - b.time <= 2n * tolerance) {
      end++;
    }
    const group = (sink: ColumnSink, to: number): string[] =>
      Array.from({ length: to - i }, (_, k) => key(row(sink, i + k))).sort();
    let same = 0;
    for (let to = i + 2; to <= end && same === 0; to++) {
      if (group(one, to).join('\n') === group(other, to).join('\n')) same = to;
    }
    if (same > 0) {
      reordered += same - i;
      i = same;
      continue;
    }
    differences.push(`event ${i}:\n  ${text(a)}\n  ${text(b)}`);
    i++;
  }
  if (one.length !== other.length && differences.length < most) {
    const longer = one.length > other.length ? one : other;
    differences.push(
      `${one.length} and ${other.length} events; beyond: ${text(row(longer, length))}`,
    );
  }
  return { events: [one.length, other.length], differences, reordered };
}
