import type { TemporaryFile } from '../temporary-file.ts';

/** Entries of a written run read or written at once. */
export const PART = 1024;
export const ENTRY_BYTES = 16;
/** Flips the order of signed numbers to that of unsigned ones. */
const SIGN = 1 << 31;

/** Compares times; halves may be signed. */
export function isLater(high: number, low: number, thanHigh: number, thanLow: number): boolean {
  const top = high ^ SIGN;
  const thanTop = thanHigh ^ SIGN;
  return top === thanTop ? (low ^ SIGN) > (thanLow ^ SIGN) : top > thanTop;
}

/** Entries in order of time, those of equal time in order of arrival. */
export class Run {
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly where: Float64Array;
  at: number;
  end: number;
  /** Rank among entries of equal time. */
  readonly order: number;

  constructor(
    low: Int32Array,
    high: Int32Array,
    where: Float64Array,
    range: { readonly at: number; readonly end: number },
    order: number,
  ) {
    this.low = low;
    this.high = high;
    this.where = where;
    this.at = range.at;
    this.end = range.end;
    this.order = order;
  }

  /** Gets more entries; false if there are none. */
  refill(): boolean {
    return false;
  }
}

/** A run in a temporary file, read part by part. */
export class WrittenRun extends Run {
  private readonly file: TemporaryFile;
  private next: number;
  private left: number;

  constructor(file: TemporaryFile, from: number, count: number, order: number) {
    super(
      new Int32Array(PART),
      new Int32Array(PART),
      new Float64Array(PART),
      { at: 0, end: 0 },
      order,
    );
    this.file = file;
    this.next = from;
    this.left = count;
    this.refill();
  }

  override refill(): boolean {
    const count = Math.min(this.left, PART);
    if (count === 0) return false;
    const bytes = new Uint8Array(count * ENTRY_BYTES);
    this.file.read(bytes, this.next);
    const halves = new Int32Array(bytes.buffer);
    const wheres = new Float64Array(bytes.buffer);
    for (let i = 0; i < count; i++) {
      this.low[i] = halves[4 * i]!;
      this.high[i] = halves[4 * i + 1]!;
      this.where[i] = wheres[2 * i + 1]!;
    }
    this.next += bytes.length;
    this.left -= count;
    this.at = 0;
    this.end = count;
    return true;
  }
}

/** True if the next entry of `a` comes before that of `b`. */
function before(a: Run, b: Run): boolean {
  const highA = a.high[a.at]!;
  const highB = b.high[b.at]!;
  if (highA !== highB) return (highA ^ SIGN) < (highB ^ SIGN);
  const lowA = a.low[a.at]!;
  const lowB = b.low[b.at]!;
  return lowA !== lowB ? (lowA ^ SIGN) < (lowB ^ SIGN) : a.order < b.order;
}

/** Moves the run at `k` down until those below come after it. */
export function sink(heap: Run[], k: number): void {
  const run = heap[k]!;
  const length = heap.length;
  for (let at = k; ; ) {
    let child = 2 * at + 1;
    if (child >= length) {
      heap[at] = run;
      return;
    }
    if (child + 1 < length && before(heap[child + 1]!, heap[child]!)) child++;
    if (!before(heap[child]!, run)) {
      heap[at] = run;
      return;
    }
    heap[at] = heap[child]!;
    at = child;
  }
}
