import type { TimeSpan } from '../domain/time-spec.ts';
import {
  formatTime,
  type Log,
  parseTime,
  parseTimeRange,
  type ResolvedRange,
  resolveTime,
  resolveTimeRange,
  type TimeRangeSpec,
  type TimeSpec,
  traceSpan,
  UsageError,
} from '../index.ts';

/** What is needed of a log to place times in it. */
export type TimedLog = Pick<Log, 'firstTime' | 'lastTime' | 'eventCount' | 'imports' | 'timeOf'>;

/** True for an argument that is a range of events and not the name of a file: `@12`, `@12-@20`, `@12+5`. */
export function isRangeArgument(text: string): boolean {
  return /^@\d/.test(text);
}

/** Parses a range; besides the common forms `@A+N`, event A and the N after it. */
export function parseRange(text: string): TimeRangeSpec {
  const after = /^@(\d{1,16})\+(\d{1,16})$/.exec(text);
  if (!after) return parseTimeRange(text);
  const first = Number(after[1]);
  return parseTimeRange(`@${first}-@${first + Number(after[2])}`);
}

/** The part of a log that all ranges select together. */
export function resolveRanges(texts: readonly string[], log: TimedLog): ResolvedRange {
  const span = timeSpan(log);
  const ranges = texts.map((text) => resolveTimeRange(parseRange(text), span));
  const fromTime = ranges.map((r) => r.fromTime).reduce((a, b) => stricter(a, b, true), undefined);
  const toTime = ranges.map((r) => r.toTime).reduce((a, b) => stricter(a, b, false), undefined);
  const fromSeq = ranges.map((r) => r.fromSeq).reduce((a, b) => stricter(a, b, true), undefined);
  const toSeq = ranges.map((r) => r.toSeq).reduce((a, b) => stricter(a, b, false), undefined);
  for (const [k, range] of ranges.entries()) refuseOutside(texts[k]!, range, log);
  return {
    ...(fromTime === undefined ? {} : { fromTime }),
    ...(toTime === undefined ? {} : { toTime }),
    ...(fromSeq === undefined ? {} : { fromSeq }),
    ...(toSeq === undefined ? {} : { toSeq }),
  };
}

/** A range that nothing of the log lies in is a slip of the pen: the clock of another recording, a digit too many. */
function refuseOutside(text: string, range: ResolvedRange, log: TimedLog): void {
  const { firstTime, lastTime, eventCount } = log;
  if (firstTime === undefined || lastTime === undefined) return;
  const { fromTime = firstTime, toTime = lastTime, fromSeq = 1, toSeq = eventCount } = range;
  if (fromTime <= lastTime && toTime >= firstTime && fromSeq <= eventCount && toSeq >= 1) return;
  const { first, last } = timeSpan(log);
  throw new UsageError(
    `${text}: the log has nothing there`,
    `it spans ${formatTime(first)} to ${formatTime(last)}, @1 to @${eventCount}`,
  );
}

/**
 * An instant in a log, with relative times placed in its span. UsageError for a time before the span; one after it is
 * as good as its end.
 */
export function resolveInstant(text: string, log: TimedLog): TimeSpec {
  const spec = parseTime(text);
  if (spec.kind === 'seq') return spec;
  const span = timeSpan(log);
  const ns = resolveTime(spec, span);
  if (ns < span.first) {
    throw new UsageError(
      `${text} is before the recording begins`,
      `it spans ${formatTime(span.first)} to ${formatTime(span.last)}`,
    );
  }
  return { kind: 'at', ns };
}

/** The span of a log's times; of an empty log a single instant. */
export function timeSpan(log: TimedLog): TimeSpan {
  return traceSpan(log) ?? { first: 0n, last: 0n };
}

/** The stricter of two ends; `later` when it is a beginning. */
function stricter<T extends number | bigint>(
  a: T | undefined,
  b: T | undefined,
  later: boolean,
): T | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a > b === later ? a : b;
}
