import { EventFlag, EventKind } from '../domain/event-kind.ts';
import { RELATIVE_CLOCK } from '../domain/log-facts.ts';
import type { ReplayLog } from '../replay/replay-log.ts';
import type { HostSpan } from './guest-windows/guest-window.ts';
import type { RunFacts } from './rules/rule.ts';
import { eventByName } from './stat-intervals.ts';

/** One count of a host's `perf stat` whose time is on the clock of the trace. */
export interface StatRow {
  readonly from: bigint;
  readonly to: bigint;
  readonly count: bigint;
  readonly seq: number;
  /** Why it is no exact count of the interval; '' where it is one. */
  readonly flaw: string;
}

/** The counts of one event by one perf stat, in the order of time. */
export interface StatSeries {
  readonly name: string;
  readonly event: number;
  readonly modes: HostSpan['modes'];
  readonly filter: NonNullable<HostSpan['filter']>;
  /** Thread it says it counted, −1 none; and whether it counts one CPU. */
  readonly tid: number;
  readonly onCpu: boolean;
  /** How far off its times can be, ns; null where the log does not tell. */
  readonly withinNs: number | null;
  /** What was counted, where the output says (`system wide`). */
  readonly counted: string | undefined;
  readonly rows: StatRow[];
}

interface NamedEvent {
  readonly event: number;
  readonly modes: HostSpan['modes'];
  readonly filter: NonNullable<HostSpan['filter']>;
}

/**
 * Event, modes and levels of a perf stat name like `cycles:Gu`. Without G or H the modes are not known: whether such an
 * event leaves guests out differs between versions of perf.
 */
export function namedEvent(name: string, run: RunFacts): NamedEvent | undefined {
  const match = /^(.*?)(?:(?::|(?<=\/))([a-zA-Z]*))?$/.exec(name);
  const event = match === null ? undefined : eventByName(match[1]!, run);
  if (event === undefined) return undefined;
  const has = (modifier: string): boolean => match?.[2]?.includes(modifier) === true;
  const [guest, host] = [has('G'), has('H')];
  const modes = guest ? (host ? 'G+H' : 'G') : host ? 'H' : 'unknown';
  const levels = has('u') || has('k');
  return {
    event,
    modes,
    filter: levels ? { user: !has('u'), kernel: !has('k') } : { user: false, kernel: false },
  };
}

function flawOf(flags: number): string {
  if ((flags & (EventFlag.notCounted | EventFlag.notSupported)) !== 0) return 'was not counted';
  if ((flags & EventFlag.scaled) !== 0) return 'is scaled: it was not on hardware all the time';
  return (flags & EventFlag.rounded) !== 0 ? 'is rounded' : '';
}

/** The placed counts of a log's host perf stats, intervals and whole runs. */
export function statSeries(log: ReplayLog, run: RunFacts): StatSeries[] {
  if (!log.kindCounts().has(EventKind.count)) return [];
  const placed = new Map(
    log
      .imports()
      .filter(({ facts }) => facts.role === 'host' && facts.clock !== RELATIVE_CLOCK)
      .map(({ source, facts }) => [source, facts]),
  );
  const all = new Map<string, StatSeries>();
  for (const chunk of log.chunks({ kinds: new Set([EventKind.count]) })) {
    for (let i = 0; i < chunk.length; i++) {
      const source = chunk.source[i]!;
      const facts = placed.get(source);
      const length = chunk.object[i]!;
      const to = chunk.time[i]!;
      if (facts === undefined || length === 0n || length > to) continue;
      const name = log.name(chunk.code[i]!);
      const flags = chunk.flags[i]!;
      const total = (flags & EventFlag.total) !== 0;
      const [tid, pcpu] = [chunk.tid[i]!, chunk.pcpu[i]!];
      const key = `${source}/${name}/${tid}/${pcpu}/${total}`;
      let series = all.get(key);
      if (series === undefined) {
        const named = namedEvent(name, run);
        if (named === undefined) continue;
        series = {
          name,
          ...named,
          tid,
          onCpu: pcpu >= 0,
          withinNs: facts.placedWithin ?? null,
          counted: facts.counted,
          rows: [],
        };
        all.set(key, series);
      }
      const row = { from: to - length, to, count: chunk.value[i]!, seq: chunk.seq[i]! };
      series.rows.push({ ...row, flaw: flawOf(flags) });
    }
  }
  return [...all.values()];
}
