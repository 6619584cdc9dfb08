import { InputError } from '../../domain/errors.ts';
import type { ImportNotice, RecordingFacts } from '../../domain/log-facts.ts';
import type { ImportContext, RecordingFile, RecordingFileReader } from '../importer.ts';
import { NoticeBook } from '../notices.ts';
import { TracepointEvents } from '../tracepoint/tracepoint-events.ts';
import { before, type CpuCursor, type DamageReport, Next } from './cpu-cursor.ts';
import { CursorHeap } from './cursor-heap.ts';
import { openCursors } from './cursors.ts';
import { readDescription } from './describe.ts';
import type { TraceDat } from './description.ts';
import { Options, type TickScale } from './options.ts';
import { TaskNames } from './task-names.ts';
import { Tracepoints } from './tracepoints.ts';

/** Records and pages of one step. */
const STEP_RECORDS = 4096;
const STEP_PAGES = 64;
/** CPUs whose damage is told apart. */
const MAX_TOLD = 64;

/** Reads a trace.dat: its description first, then the records of all CPUs and buffers in the order of time. */
export class TraceDatReader implements RecordingFileReader, DamageReport {
  private readonly context: ImportContext;
  private readonly book = new NoticeBook();
  private readonly events: TracepointEvents;
  private readonly trace: TraceDat;
  private readonly options: Options;
  private readonly tracepoints: Tracepoints;
  private readonly names: TaskNames;
  private readonly scale: TickScale | undefined;
  private readonly cursors: readonly CpuCursor[];
  /** Cursors whose first record is still to be found. */
  private started = 0;
  private readonly heap = new CursorHeap();
  /** The cursor being advanced: not in the heap. */
  private current: CpuCursor | undefined;
  private pagesLeft = 0;
  private recordsLeft = 0;
  private starting = true;
  /** The thread whose name `record` has; undefined: none yet. */
  private named: number | undefined;

  constructor(context: ImportContext, file: RecordingFile) {
    this.context = context;
    this.events = new TracepointEvents(context, this.book);
    this.trace = readDescription(file, this.book);
    this.options = new Options(this.trace, this.book);
    this.scale = this.options.scale;
    this.tracepoints = new Tracepoints(this.trace.formats, this.events, this.book);
    this.names = new TaskNames(this.trace.cmdlines);
    this.events.record.comm = this.names.bytes;
    this.events.record.commStays = true;
    this.cursors = openCursors(file, this.trace, this, this.book);
  }

  get position(): number {
    return this.cursors.reduce((sum, { used }) => sum + used, this.trace.described);
  }

  step(): boolean {
    this.pagesLeft = STEP_PAGES;
    this.recordsLeft = STEP_RECORDS;
    while (this.recordsLeft > 0 && this.pagesLeft > 0) {
      if (this.current === undefined && !this.choose()) {
        this.finish();
        return false;
      }
      this.advance(this.current!);
    }
    return true;
  }

  facts(): Partial<RecordingFacts> {
    const arch = this.options.facts.arch ?? this.events.arch();
    return { ...this.options.facts, ...(arch === undefined ? {} : { arch }), timeResolution: 1 };
  }

  notices(): readonly ImportNotice[] {
    return this.book.list();
  }

  damage(cursor: CpuCursor, at: number, what: string): void {
    const text = `CPU ${cursor.cpu}: ${what}`;
    this.book.add(
      'error',
      'damaged-data',
      text,
      at,
      1,
      cursor.order < MAX_TOLD ? String(cursor.order) : '',
    );
  }

  /** Chooses the cursor to go on with, its record taken; false when there is none. */
  private choose(): boolean {
    if (this.started < this.cursors.length) {
      this.current = this.cursors[this.started++];
      return true;
    }
    this.current = this.heap.pop();
    if (this.current === undefined) return false;
    this.take(this.current);
    return true;
  }

  /** Takes the records of `cursor` until another one's come first, its page is over, or the step is. */
  private advance(cursor: CpuCursor): void {
    const { heap } = this;
    const top = heap.top;
    let taken = 0;
    let next = cursor.next();
    if (next === Next.record && this.starting) {
      // Which of the first records comes first is known when all are.
      this.starting = this.started < this.cursors.length;
      heap.push(cursor);
      this.current = undefined;
      return;
    }
    while (next === Next.record) {
      if (top !== undefined && before(top, cursor)) {
        this.current = heap.replaceTop(cursor);
        this.take(top);
        this.recordsLeft -= taken + 1;
        return;
      }
      this.take(cursor);
      if (++taken >= this.recordsLeft) {
        this.recordsLeft = 0;
        return;
      }
      next = cursor.next();
    }
    this.recordsLeft -= taken;
    this.pagesLeft--;
    if (cursor.nextPage() !== Next.end) return;
    if (cursor.lost !== 0) this.lost(cursor);
    this.current = undefined;
    this.starting = this.started < this.cursors.length;
  }

  /** The cursor's record becomes an event. */
  private take(cursor: CpuCursor): void {
    if (cursor.lost !== 0) this.lost(cursor);
    const { tracepoints, events, names } = this;
    const { common } = tracepoints;
    const { start, end, fileAt, slot } = cursor;
    if (end - start < common.need) {
      const text = 'records too short to say what they are, left out';
      this.book.add('warning', 'short-record', text, fileAt);
      return;
    }
    const { view } = slot;
    const { record } = events;
    const tid = view.getInt32(start + common.pid, true);
    if (tid !== this.named) {
      names.find(tid);
      record.commStart = names.start;
      record.commEnd = names.end;
      record.tid = tid < -1 ? -1 : tid;
      this.named = tid;
    }
    record.pcpu = cursor.cpu;
    record.time[0] = cursor.timeLow;
    record.time[1] = cursor.timeHigh;
    if (this.scale !== undefined) rescale(record.time, this.scale);
    const type = view.getUint16(start + common.type, true);
    const entry = tracepoints.get(type, fileAt);
    events.take(entry, slot.bytes, start, end, fileAt);
  }

  private lost(cursor: CpuCursor): void {
    const { lost } = cursor;
    if (lost !== 0) this.events.lost(lost, cursor.cpu);
    cursor.lost = 0;
  }

  private finish(): void {
    if (this.events.events === 0) {
      const damage = this.book.list().find(({ severity }) => severity === 'error');
      const why = damage === undefined ? '' : ` (byte ${damage.firstAt}: ${damage.text})`;
      throw new InputError(
        `${this.context.name}: no record in the data of ${this.cursors.length} CPUs${why}`,
        'trace-cmd stat tells what the recording should hold',
      );
    }
    this.events.report();
  }
}

/** Ticks become ns; what does not fit 64 bits is cut, as the tool does. */
function rescale(time: Int32Array, { multiplier, shift }: TickScale): void {
  const ticks = (BigInt(time[1]! >>> 0) << 32n) | BigInt(time[0]! >>> 0);
  const ns = BigInt.asUintN(64, (ticks * multiplier) >> shift);
  time[0] = Number(ns & 0xffffffffn);
  time[1] = Number(ns >> 32n);
}
