import { TextDecoder } from 'node:util';

/** Gets one line without its `\n` (a `\r` before it stays); `number` counts from 1. */
export type LineHandler = (line: string, number: number) => void;

/** A line longer than this is no line of any text we read; its bytes are dropped, not gathered. */
export const MAX_LINE_BYTES = 1 << 20;

const NEWLINE = 10;

/**
 * Cuts bytes that come in any split into UTF-8 lines, with flat memory: for text of which every line is wanted as a
 * string. Whole stretches of lines are decoded at once. Invalid UTF-8 becomes U+FFFD unless `onInvalid` is given, which
 * is called with the line's number instead of the handler.
 */
export class TextLines {
  /** Lines longer than the limit, which were dropped. */
  tooLong = 0;
  /** Number of the first of them. */
  firstTooLong = 0;
  /** Longest line, in bytes. */
  limit: number;
  private readonly onLine: LineHandler;
  private readonly onInvalid: ((number: number) => void) | undefined;
  private readonly decoder: TextDecoder;
  private pending: Uint8Array[] = [];
  private pendingBytes = 0;
  private skipping = false;
  private lines = 0;

  constructor(
    onLine: LineHandler,
    options: { limit?: number; onInvalid?: (number: number) => void } = {},
  ) {
    this.onLine = onLine;
    this.onInvalid = options.onInvalid;
    this.limit = options.limit ?? MAX_LINE_BYTES;
    // A byte order mark is kept: stretches are decoded one by one, and none of them is the beginning of the text.
    const fatal = options.onInvalid !== undefined;
    this.decoder = new TextDecoder('utf-8', { fatal, ignoreBOM: true });
  }

  /** Lines seen so far, the unfinished one not included. */
  get count(): number {
    return this.lines;
  }

  push(bytes: Uint8Array): void {
    const last = bytes.lastIndexOf(NEWLINE);
    if (last < 0) {
      this.keep(bytes);
      return;
    }
    const first = bytes.indexOf(NEWLINE);
    this.keep(bytes.subarray(0, first));
    this.finishLine();
    if (last > first) this.wholeLines(bytes.subarray(first + 1, last));
    this.keep(bytes.subarray(last + 1));
  }

  /** Hands out a last line that has no end. */
  end(): void {
    if (this.pendingBytes > 0 || this.skipping) this.finishLine();
  }

  private keep(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.skipping) return;
    if (this.pendingBytes + bytes.length > this.limit) {
      this.pending = [];
      this.pendingBytes = 0;
      this.skipping = true;
      return;
    }
    this.pending.push(bytes.slice());
    this.pendingBytes += bytes.length;
  }

  private finishLine(): void {
    if (this.skipping) {
      this.skipping = false;
      this.drop();
      return;
    }
    const bytes = this.pending.length === 1 ? this.pending[0]! : Buffer.concat(this.pending);
    this.pending = [];
    this.pendingBytes = 0;
    const text = this.decode(bytes);
    if (text !== undefined) this.hand(text);
    else this.onInvalid?.(++this.lines);
  }

  private decode(bytes: Uint8Array): string | undefined {
    try {
      return this.decoder.decode(bytes);
    } catch {
      return undefined;
    }
  }

  /** `bytes` is one or more whole lines without the end of the last. */
  private wholeLines(bytes: Uint8Array): void {
    const text = bytes.length > this.limit ? undefined : this.decode(bytes);
    if (text === undefined) {
      // Rare: too long for one go, or invalid somewhere; look at the lines one by one.
      for (let from = 0; from <= bytes.length; ) {
        const found = bytes.indexOf(NEWLINE, from);
        const to = found < 0 ? bytes.length : found;
        this.keep(bytes.subarray(from, to));
        this.finishLine();
        from = to + 1;
      }
      return;
    }
    for (let from = 0; from <= text.length; ) {
      const found = text.indexOf('\n', from);
      const to = found < 0 ? text.length : found;
      this.hand(text.slice(from, to));
      from = to + 1;
    }
  }

  private hand(line: string): void {
    this.lines++;
    this.onLine(line, this.lines);
  }

  private drop(): void {
    this.lines++;
    this.tooLong++;
    if (this.firstTooLong === 0) this.firstTooLong = this.lines;
  }
}
