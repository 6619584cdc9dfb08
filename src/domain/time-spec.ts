import { UsageError } from './errors.ts';
import { U64_MAX } from './u64.ts';

/** A time on the clock of the recording, or relative to the span of what is looked at: what `resolveTime` needs. */
export type ClockTime =
  /** Nanoseconds on the clock: `616.793612498`, `1500ms`. */
  | { readonly kind: 'at'; readonly ns: bigint }
  /** After the first event: `+20us`. */
  | { readonly kind: 'after-start'; readonly ns: bigint }
  /** Before the last event: `-20us`. */
  | { readonly kind: 'before-end'; readonly ns: bigint }
  /** Share of the span between first and last event; 100 % = 10^11: `50%`, `12.5%`. */
  | { readonly kind: 'share'; readonly nanoPercent: bigint }
  | { readonly kind: 'start' }
  | { readonly kind: 'end' };

/** A time as a person writes it: a ClockTime, or an event's sequence number (`@1234`), which only the log can look up. */
export type TimeSpec = ClockTime | { readonly kind: 'seq'; readonly seq: number };

/** A range as a person writes it; a missing end is open. Both ends are inclusive. */
export interface TimeRangeSpec {
  readonly from?: TimeSpec;
  readonly to?: TimeSpec;
}

/** First and last time of what is looked at, ns. */
export interface TimeSpan {
  readonly first: bigint;
  readonly last: bigint;
}

/** A range with every end either a time (ns) or a sequence number; inclusive, a missing end is open. */
export interface ResolvedRange {
  readonly fromTime?: bigint;
  readonly toTime?: bigint;
  readonly fromSeq?: number;
  readonly toSeq?: number;
}

const TIME_FORMS =
  'a time is 616.793612498 (seconds), 1500ms, +20us from the start, -20us from the end, 50%, start, end or @SEQ';
const RANGE_FORMS =
  'a range is A,B with times A and B, either of which may be missing; 10%-20%; @A-@B; or one event @A';

/** How many decimals of a unit are whole nanoseconds. */
const UNIT_DECIMALS: Readonly<Record<string, number>> = { s: 9, ms: 6, us: 3, µs: 3, μs: 3, ns: 0 };
const HUNDRED_PERCENT = 100n * 10n ** 9n;

/** Parses a time as people write and paste it. A trailing colon (as `perf script` prints) is allowed after seconds. */
export function parseTime(text: string): TimeSpec {
  if (text === 'start' || text === 'end') return { kind: text };
  if (text.startsWith('@')) return { kind: 'seq', seq: parseSeq(text) };
  const percent = /^(\d+)(?:\.(\d+))?%$/.exec(text);
  if (percent) return { kind: 'share', nanoPercent: parseShare(text, percent[1]!, percent[2]) };
  const match = /^([+-]?)(\d+)(?:\.(\d+))?(?:(s|ms|us|µs|μs|ns)|:)?$/.exec(text);
  if (!match || (match[1] !== '' && text.endsWith(':'))) throw badTime(text, 'not a time');
  const unit = match[4] ?? 's';
  const decimals = UNIT_DECIMALS[unit]!;
  const fraction = match[3] ?? '';
  if (fraction.length > decimals) {
    throw badTime(text, `more decimals than nanoseconds (${decimals} in ${unit})`);
  }
  const ns = BigInt(match[2]! + fraction.padEnd(decimals, '0'));
  if (ns > U64_MAX) throw badTime(text, 'more nanoseconds than 64 bits hold');
  if (match[1] === '+') return { kind: 'after-start', ns };
  if (match[1] === '-') return { kind: 'before-end', ns };
  return { kind: 'at', ns };
}

/** Half a step of the last digit of a clock time as it was typed, rounded up, ns: `35.965` is meant to 0.5 ms. */
export function halfStep(text: string): bigint {
  const match = /^[+-]?\d+(?:\.(\d+))?(s|ms|us|µs|μs|ns)?:?$/.exec(text);
  const decimals = UNIT_DECIMALS[match?.[2] ?? 's']! - (match?.[1]?.length ?? 0);
  return (10n ** BigInt(Math.max(0, decimals)) + 1n) / 2n;
}

/** Parses a range of times: `a,b`, `a,`, `,b`, `10%-20%`, `@a-@b`, `@a-b` (as evidence is printed) or `@a`. */
export function parseTimeRange(text: string): TimeRangeSpec {
  const parts = splitRange(text);
  if (!parts) throw badRange(text, 'not a range');
  const [a, b] = parts;
  if (a === '' && b === '') throw badRange(text, 'no end at all');
  const range: { from?: TimeSpec; to?: TimeSpec } = {};
  if (a !== '') range.from = parseTime(a);
  if (b !== '') range.to = parseTime(b);
  if (comparableEndsCross(range)) throw badRange(text, 'it ends before it begins');
  return range;
}

/** The ns a time stands for in a span. A time before 0 (`-20us` of a shorter clock) is 0. */
export function resolveTime(spec: ClockTime, span: TimeSpan): bigint {
  switch (spec.kind) {
    case 'at':
      return spec.ns;
    case 'start':
      return span.first;
    case 'end':
      return span.last;
    case 'after-start':
      return BigInt.asUintN(64, min(span.first + spec.ns, U64_MAX));
    case 'before-end':
      return spec.ns > span.last ? 0n : span.last - spec.ns;
    case 'share':
      return span.first + ((span.last - span.first) * spec.nanoPercent) / HUNDRED_PERCENT;
  }
}

/**
 * The ends of a range in a span: what `chunks(range)` of a log takes. Two times in the wrong order are refused;
 * a time against a sequence number cannot be compared here and is left to select nothing.
 */
export function resolveTimeRange(range: TimeRangeSpec, span: TimeSpan): ResolvedRange {
  const resolved: {
    fromTime?: bigint;
    toTime?: bigint;
    fromSeq?: number;
    toSeq?: number;
  } = {};
  if (range.from?.kind === 'seq') resolved.fromSeq = range.from.seq;
  else if (range.from) resolved.fromTime = resolveTime(range.from, span);
  if (range.to?.kind === 'seq') resolved.toSeq = range.to.seq;
  else if (range.to) resolved.toTime = resolveTime(range.to, span);
  const { fromTime, toTime } = resolved;
  if (fromTime !== undefined && toTime !== undefined && fromTime > toTime) {
    throw new UsageError(
      `time range: it ends (${formatTime(toTime)}) before it begins (${formatTime(fromTime)})`,
      `the recording spans ${formatTime(span.first)} to ${formatTime(span.last)}`,
    );
  }
  return resolved;
}

/**
 * A ns time as seconds, `616.793612498`: exact, and `parseTime` reads it back. With fewer decimals the rest is cut off,
 * never rounded up: a printed time is never later than the event.
 */
export function formatTime(ns: bigint, decimals: number = 9): string {
  const digits = ns.toString().padStart(10, '0');
  const seconds = digits.slice(0, -9);
  return decimals <= 0 ? seconds : `${seconds}.${digits.slice(-9).slice(0, decimals)}`;
}

function splitRange(text: string): readonly [string, string] | undefined {
  const comma = text.split(',');
  if (comma.length === 2) return [comma[0]!, comma[1]!];
  if (comma.length > 2) return undefined;
  const seqs = /^(@\d+)(?:-@?(\d+))?$/.exec(text);
  if (seqs) return [seqs[1]!, seqs[2] === undefined ? seqs[1]! : `@${seqs[2]}`];
  const shares = /^([\d.]+%)-([\d.]+%)$/.exec(text);
  return shares ? [shares[1]!, shares[2]!] : undefined;
}

/** True when both ends are of the same kind and in the wrong order, whatever the span. */
function comparableEndsCross({ from, to }: TimeRangeSpec): boolean {
  if (from?.kind === 'seq' && to?.kind === 'seq') return from.seq > to.seq;
  if (from?.kind === 'share' && to?.kind === 'share') return from.nanoPercent > to.nanoPercent;
  if (from?.kind === 'at' && to?.kind === 'at') return from.ns > to.ns;
  return false;
}

function parseSeq(text: string): number {
  const seq = /^@\d{1,16}$/.test(text) ? Number(text.slice(1)) : Number.NaN;
  if (!Number.isSafeInteger(seq) || seq < 1) {
    throw badTime(text, 'an event is @ and its sequence number, from @1');
  }
  return seq;
}

function parseShare(text: string, whole: string, fraction: string = ''): bigint {
  if (fraction.length > 9) throw badTime(text, 'more than 9 decimals');
  const nanoPercent = BigInt(whole + fraction.padEnd(9, '0'));
  if (nanoPercent > HUNDRED_PERCENT) throw badTime(text, 'more than 100%');
  return nanoPercent;
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

/** The user's text, shortened so that the message stays one readable line. */
function quote(text: string): string {
  const line = JSON.stringify(text);
  return line.length > 80 ? `${line.slice(0, 76)}…"` : line;
}

function badTime(text: string, why: string): UsageError {
  return new UsageError(`time ${quote(text)}: ${why}`, TIME_FORMS);
}

function badRange(text: string, why: string): UsageError {
  return new UsageError(`time range ${quote(text)}: ${why}`, RANGE_FORMS);
}
