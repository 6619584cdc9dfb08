import { TemporaryFile } from '../temporary-file.ts';
import { ENTRY_BYTES, isLater, PART, Run, sink, WrittenRun } from './time-runs.ts';

/** Entries held in memory (16 bytes each); more are sorted and written to a temporary file. */
const MAX_HELD = 1 << 21;
/** Few: room is made early then, and code that makes it is compiled as such. */
const FIRST_HELD = 1 << 8;
/** How many places an entry may be late within its run: records of nested interrupts are, by a few. */
const REACH = 32;

/**
 * Puts records into order of time, stably, in bounded memory. It holds times and addresses only. Recordings are made of
 * stretches that are nearly in order (one CPU's buffer each): these become runs, and taking out merges them.
 */
export class TimeQueue {
  /** What `take` took; signed halves of the time. */
  timeLow = 0;
  timeHigh = 0;
  address = 0;
  /** Entries in the queue. */
  size = 0;
  private readonly name: string;
  private low = new Int32Array(FIRST_HELD);
  private high = new Int32Array(FIRST_HELD);
  private where = new Float64Array(FIRST_HELD);
  private length = 0;
  /** Where the runs in memory begin; the last one is being written. */
  private starts: number[] = [];
  private openFrom = -1;
  private written: WrittenRun[] = [];
  private file: TemporaryFile | undefined;
  private order = 0;
  private heap: Run[] | undefined;

  /** `name` of the recording, for messages. */
  constructor(name: string) {
    this.name = name;
  }

  /** Adds an entry. Not while taking. */
  push(timeLow: number, timeHigh: number, address: number): void {
    if (this.length === this.low.length) this.makeRoom();
    const { low, high, where } = this;
    const n = this.length++;
    this.size++;
    let at = n;
    if (this.openFrom < 0) this.startRun(n);
    else if (isLater(high[n - 1]!, low[n - 1]!, timeHigh, timeLow)) {
      at = this.makePlace(n, timeLow, timeHigh);
    }
    low[at] = timeLow;
    high[at] = timeHigh;
    where[at] = address;
  }

  /** Stretches that taking goes through in turn. */
  get stretches(): number {
    return this.written.length + this.starts.length;
  }

  /** Takes the earliest entry if it is not later than the limit: false if there is none. */
  take(limitLow: number, limitHigh: number): boolean {
    this.heap ??= this.startMerge();
    const heap = this.heap;
    const top = heap[0];
    if (top === undefined) return false;
    const at = top.at;
    const high = top.high[at]!;
    const low = top.low[at]!;
    if (isLater(high, low, limitHigh, limitLow)) return false;
    this.timeLow = low;
    this.timeHigh = high;
    this.address = top.where[at]!;
    this.size--;
    top.at = at + 1;
    if (top.at === top.end && !top.refill()) {
      const last = heap.pop()!;
      if (heap.length === 0) return true;
      if (last !== top) heap[0] = last;
    }
    if (heap.length > 1) sink(heap, 0);
    return true;
  }

  /** Ends taking, so that entries can be added again. */
  endTaking(): void {
    const heap = this.heap;
    if (heap === undefined) return;
    this.heap = undefined;
    this.written = this.written.filter((run) => run.at < run.end);
    if (this.written.length === 0 && this.file !== undefined) {
      this.file.close();
      this.file = undefined;
    }
    const rest = heap.filter((run) => !(run instanceof WrittenRun));
    rest.sort((a, b) => a.order - b.order);
    this.starts = [];
    this.openFrom = -1;
    let to = 0;
    for (const run of rest) {
      this.starts.push(to);
      this.low.copyWithin(to, run.at, run.end);
      this.high.copyWithin(to, run.at, run.end);
      this.where.copyWithin(to, run.at, run.end);
      to += run.end - run.at;
    }
    this.length = to;
  }

  close(): void {
    this.file?.close();
  }

  /** Where in the open run the late entry `n` belongs, what is later moved up; `n`, in a new run, if that is too far. */
  private makePlace(n: number, timeLow: number, timeHigh: number): number {
    const { low, high, where } = this;
    const least = Math.max(this.openFrom, n - REACH);
    let at = n;
    while (at > least && isLater(high[at - 1]!, low[at - 1]!, timeHigh, timeLow)) at--;
    if (
      at === least &&
      least > this.openFrom &&
      isLater(high[at - 1]!, low[at - 1]!, timeHigh, timeLow)
    ) {
      this.startRun(n);
      return n;
    }
    low.copyWithin(at + 1, at, n);
    high.copyWithin(at + 1, at, n);
    where.copyWithin(at + 1, at, n);
    return at;
  }

  private startRun(at: number): void {
    this.starts.push(at);
    this.openFrom = at;
  }

  /** The runs in memory. */
  private heldRuns(): Run[] {
    const { low, high, where, starts } = this;
    return starts.map((at, k) => {
      const end = starts[k + 1] ?? this.length;
      return new Run(low, high, where, { at, end }, this.order + k);
    });
  }

  private startMerge(): Run[] {
    const heap = [...this.written, ...this.heldRuns()];
    // Sorted is a heap; runs that came earlier are earlier mostly.
    for (let k = (heap.length >> 1) - 1; k >= 0; k--) sink(heap, k);
    return heap;
  }

  private makeRoom(): void {
    if (this.low.length < MAX_HELD) {
      const length = Math.min(this.low.length * 4, MAX_HELD);
      const { low, high, where } = this;
      this.low = new Int32Array(length);
      this.high = new Int32Array(length);
      this.where = new Float64Array(length);
      this.low.set(low);
      this.high.set(high);
      this.where.set(where);
      return;
    }
    this.write();
  }

  /** Writes what is in memory to the file, as one run. */
  private write(): void {
    this.file ??= new TemporaryFile(this.name, 'its index needs a temporary file');
    const file = this.file;
    const from = file.size;
    const count = this.length;
    const heap = this.heldRuns();
    for (let k = (heap.length >> 1) - 1; k >= 0; k--) sink(heap, k);
    const bytes = new Uint8Array(PART * ENTRY_BYTES * 16);
    const halves = new Int32Array(bytes.buffer);
    const wheres = new Float64Array(bytes.buffer);
    let n = 0;
    while (heap.length > 0) {
      const top = heap[0]!;
      halves[4 * n] = top.low[top.at]!;
      halves[4 * n + 1] = top.high[top.at]!;
      wheres[2 * n + 1] = top.where[top.at]!;
      if (++n * ENTRY_BYTES === bytes.length) {
        file.append(bytes);
        n = 0;
      }
      if (++top.at === top.end) {
        const last = heap.pop()!;
        if (heap.length > 0 && last !== top) heap[0] = last;
      }
      if (heap.length > 1) sink(heap, 0);
    }
    file.append(bytes.subarray(0, n * ENTRY_BYTES));
    this.written.push(new WrittenRun(file, from, count, this.order++));
    this.length = 0;
    this.starts = [];
    this.openFrom = -1;
  }
}
