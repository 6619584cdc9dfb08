import { RELATIVE_CLOCK, type RecordingFacts } from '../domain/log-facts.ts';
import type { TimeSpan } from '../domain/time-spec.ts';

/** What is needed of a log to know which times it spans. */
export interface SpannedLog {
  readonly firstTime: bigint | undefined;
  readonly lastTime: bigint | undefined;
  imports(): readonly {
    readonly facts: RecordingFacts;
    readonly firstSeq?: number | undefined;
    readonly lastSeq?: number | undefined;
  }[];
  timeOf(seq: number): bigint | undefined;
}

/**
 * First and last time of a log, ns; undefined when it holds no events. Counts of `perf stat` that nobody placed on the
 * clock of the trace run from 0 and are left out, unless there is nothing else.
 */
export function traceSpan(log: SpannedLog): TimeSpan | undefined {
  const placed = log.imports().filter(({ facts }) => facts.clock !== RELATIVE_CLOCK);
  const times = placed.flatMap(({ firstSeq, lastSeq }) =>
    [firstSeq, lastSeq].flatMap((seq) => (seq === undefined ? [] : (log.timeOf(seq) ?? []))),
  );
  if (times.length === 0) {
    const { firstTime, lastTime } = log;
    return firstTime === undefined || lastTime === undefined
      ? undefined
      : { first: firstTime, last: lastTime };
  }
  return {
    first: times.reduce((a, b) => (a < b ? a : b)),
    last: times.reduce((a, b) => (a > b ? a : b)),
  };
}
