import type { RawRecord } from '../raw-record.ts';
import { nanoseconds } from './number.ts';

const SPACE = 0x20;
const MINUS = 0x2d;
const DOT = 0x2e;
const SLASH = 0x2f;
const COLON = 0x3a;
/** pid_t, −1 for a thread that is not known. */
function isThreadId(id: number): boolean {
  return id >= -1 && id <= 0x7fff_ffff;
}

/** Both tools right-align the task name in this many columns; the separator follows. */
const COMM_COLUMNS = 16;
/** How far into a line the task name may end. */
const MAX_COMM_END = 96;

/** Reads the beginnings of lines. Like all line parsers it may look at bytes[end], which is never part of a line. */
export class LineHead {
  /** Digits of the fraction of the last time: 6 means µs; −1: the time had no fraction. */
  fraction = 9;
  /** The last time did not fit into 64 bits of ns. */
  timeOutOfRange = false;
  /** A number stood before the event name (the period of a hardware sample). */
  period = false;
  private position = 0;
  private value = 0;

  /**
   * `comm tid [cpu] seconds: ` as perf script prints it, also `pid/tid`, without `[cpu]` and with a misc column.
   * Fills the record's common part; returns the position of the event name, −1 if the line does not begin so.
   */
  perf(bytes: Uint8Array, start: number, end: number, record: RawRecord): number {
    return this.find(bytes, start, end, record, SPACE);
  }

  /** `comm-tid (tgid) [cpu] flags seconds: ` as tracefs and trace-cmd report print it. */
  ftrace(bytes: Uint8Array, start: number, end: number, record: RawRecord): number {
    return this.find(bytes, start, end, record, MINUS);
  }

  private find(
    bytes: Uint8Array,
    start: number,
    end: number,
    record: RawRecord,
    separator: number,
  ): number {
    let first = start;
    while (first < end && bytes[first] === SPACE) first++;
    // The column is exact whatever the name contains.
    const column = start + COMM_COLUMNS;
    if (column > first && column < end && bytes[column] === separator) {
      const at = this.after(bytes, column + 1, end, record, separator);
      if (at >= 0) {
        record.commStart = first;
        record.commEnd = column;
        return at;
      }
    }
    const limit = Math.min(end, start + MAX_COMM_END);
    for (let p = first + 1; p < limit; p++) {
      if (bytes[p] !== separator) continue;
      const at = this.after(bytes, p + 1, end, record, separator);
      if (at >= 0) {
        record.commStart = first;
        record.commEnd = p;
        while (bytes[record.commEnd - 1] === SPACE) record.commEnd--;
        return at;
      }
    }
    // perf script -F without comm.
    record.commStart = first;
    record.commEnd = first;
    return separator === SPACE ? this.after(bytes, first, end, record, separator) : -1;
  }

  /** What follows the task name and its separator. */
  private after(
    bytes: Uint8Array,
    from: number,
    end: number,
    record: RawRecord,
    separator: number,
  ): number {
    let p = from;
    const perf = separator === SPACE;
    if (perf) while (p < end && bytes[p] === SPACE) p++;
    let pid = -1;
    let tid: number;
    if (bytes[p] === MINUS) {
      if (this.digits(bytes, p + 1, end) < 0) return -1;
      tid = -this.value;
    } else {
      if (this.digits(bytes, p, end) < 0) return -1;
      tid = this.value;
    }
    p = this.position;
    if (perf && bytes[p] === SLASH) {
      pid = tid;
      if (bytes[p + 1] === MINUS) p++;
      if (this.digits(bytes, p + 1, end) < 0) return -1;
      tid = bytes[p] === MINUS ? -this.value : this.value;
      p = this.position;
    }
    if (!isThreadId(tid) || !isThreadId(pid)) return -1;
    if (bytes[p] !== SPACE) return -1;
    while (p < end && bytes[p] === SPACE) p++;
    if (!perf && bytes[p] === 0x28) {
      // (tgid) or (-------)
      if (bytes[p + 1] === SPACE || (bytes[p + 1]! >= 0x30 && bytes[p + 1]! <= 0x39)) {
        p++;
        while (bytes[p] === SPACE) p++;
        if (this.digits(bytes, p, end) >= 0) {
          pid = isThreadId(this.value) ? this.value : -1;
          p = this.position;
        }
      }
      while (p < end && bytes[p] !== 0x29) p++;
      p++;
      while (p < end && bytes[p] === SPACE) p++;
    }
    let cpu = -1;
    if (bytes[p] === 0x5b) {
      if (bytes[p + 1] === MINUS) p++;
      if (this.digits(bytes, p + 1, end) < 0) return -1;
      if (bytes[p] !== MINUS && this.value < 32768) cpu = this.value;
      p = this.position;
      if (bytes[p] !== 0x5d) return -1;
      p++;
      while (p < end && bytes[p] === SPACE) p++;
    } else if (!perf) {
      return -1;
    }
    p = this.timeAt(bytes, p, end, perf, record.time);
    if (p < 0) return -1;
    record.tid = tid;
    record.pid = pid;
    record.pcpu = cpu;
    while (p < end && bytes[p] === SPACE) p++;
    return perf ? this.pastPeriod(bytes, p, end) : p;
  }

  /** The time and its colon, after at most two words (flags, misc). */
  private timeAt(
    bytes: Uint8Array,
    from: number,
    end: number,
    perf: boolean,
    time: Int32Array,
  ): number {
    let p = from;
    for (let words = 0; words < 3; words++) {
      const at = this.number(bytes, p, end, perf, time);
      if (at >= 0) return at;
      while (p < end && bytes[p] !== SPACE) p++;
      while (p < end && bytes[p] === SPACE) p++;
    }
    return -1;
  }

  /** `seconds.fraction:`; where perf is not asked also `ticks:` (clocks that do not count ns). */
  private number(
    bytes: Uint8Array,
    from: number,
    end: number,
    perf: boolean,
    time: Int32Array,
  ): number {
    if (this.digits(bytes, from, end) < 0) return -1;
    const seconds = this.value;
    let p = this.position;
    this.timeOutOfRange = false;
    if (bytes[p] === DOT) {
      const first = ++p;
      let ns = 0;
      while (p < end && bytes[p]! >= 0x30 && bytes[p]! <= 0x39) ns = ns * 10 + bytes[p++]! - 0x30;
      const digits = p - first;
      if (digits === 0 || digits > 9 || bytes[p] !== COLON) return -1;
      this.fraction = digits;
      for (let k = digits; k < 9; k++) ns *= 10;
      if (!nanoseconds(seconds, ns, time)) this.timeOutOfRange = true;
      return p + 1;
    }
    if (perf || bytes[p] !== COLON || bytes[p + 1] !== SPACE) return -1;
    this.fraction = -1;
    // Beyond 2^53 ticks the double is not exact any more.
    if (seconds > Number.MAX_SAFE_INTEGER) this.timeOutOfRange = true;
    time[0] = seconds % 4294967296;
    time[1] = Math.floor(seconds / 4294967296);
    return p + 1;
  }

  private pastPeriod(bytes: Uint8Array, from: number, end: number): number {
    this.period = false;
    if (bytes[from]! < 0x30 || bytes[from]! > 0x39) return from;
    let p = from;
    while (p < end && bytes[p]! >= 0x30 && bytes[p]! <= 0x39) p++;
    if (bytes[p] !== SPACE) return from;
    while (p < end && bytes[p] === SPACE) p++;
    this.period = true;
    return p;
  }

  /** Decimal digits at `from`: this.value, this.position; −1 if there are none or absurdly many. */
  private digits(bytes: Uint8Array, from: number, end: number): number {
    let p = from;
    let value = 0;
    while (p < end) {
      const digit = bytes[p]! - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      p++;
    }
    if (p === from || p - from > 20) return -1;
    this.value = value;
    this.position = p;
    return p;
  }
}
