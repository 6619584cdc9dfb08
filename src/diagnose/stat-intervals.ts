import { arm64EventByName, arm64EventLabel } from '../arch/arm64-events.ts';
import { perfHardwareName } from '../arch/perf-maps.ts';
import { eventOfHardware, x86EventLabel } from '../arch/x86-events.ts';
import { EventFlag, EventKind } from '../domain/event-kind.ts';
import { RELATIVE_CLOCK } from '../domain/log-facts.ts';
import type { ReplayLog } from '../replay/replay-log.ts';
import type { GuestWindow } from './guest-windows/guest-window.ts';
import type { RunFacts } from './rules/rule.ts';

/** One `perf stat -I` interval of the host against what the guest's counters of that event counted in it. */
export interface IntervalRow {
  /** Slot of the vCPU, −1: all of them (perf stat does not say whose thread it counted). */
  readonly vcpu: number;
  readonly event: number;
  readonly eventName: string;
  readonly fromTime: bigint;
  readonly toTime: bigint;
  /** The guest's count lies in [guestLow, guestHigh]: its counters have records only now and then. */
  readonly guestLow: bigint;
  readonly guestHigh: bigint;
  readonly hostG: bigint | null;
  readonly hostH: bigint | null;
  /** guest − hostG lies in [differenceLow, differenceHigh]; null without a :G count. */
  readonly differenceLow: bigint | null;
  readonly differenceHigh: bigint | null;
  /** Why the host's numbers are less than exact: `scaled`, `rounded`, `not-counted`. */
  readonly notes: readonly string[];
}

interface HostInterval {
  readonly vcpu: number;
  readonly event: number;
  readonly from: bigint;
  readonly to: bigint;
  hostG: bigint | null;
  hostH: bigint | null;
  readonly notes: Set<string>;
}

/** Generic events perf has a name for. */
const GENERIC_EVENTS = 10;

/** The guest's number of an event of perf's by its name; undefined for one it has none of. */
export function eventByName(name: string, { arch, vendor }: RunFacts): number | undefined {
  if (arch === 'arm64') return arm64EventByName(name);
  for (let config = 0; config < GENERIC_EVENTS; config++) {
    if (perfHardwareName(config) === name) return eventOfHardware(config, vendor === 'intel');
  }
  return undefined;
}

/** Event and counted mode of a perf stat name like `cycles:G` or `armv8_pmuv3/inst_retired/uH`; undefined if it is not one of the two. */
function parseName(
  name: string,
  run: RunFacts,
): { readonly event: number; readonly mode: 'G' | 'H' } | undefined {
  const match = /^(.*?)(?::|(?<=\/))([a-zA-Z]+)$/.exec(name);
  if (match === null) return undefined;
  const event = eventByName(match[1]!, run);
  const modifiers = match[2]!;
  const guest = modifiers.includes('G');
  if (event === undefined || guest === modifiers.includes('H')) return undefined;
  return { event, mode: guest ? 'G' : 'H' };
}

/** The host's intervals by time, :G and :H of one event side by side. */
function hostIntervals(log: ReplayLog, run: RunFacts): HostInterval[] {
  if (!log.kindCounts().has(EventKind.count)) return [];
  const usable = new Set(
    log
      .imports()
      .filter(({ facts }) => facts.role === 'host' && facts.clock !== RELATIVE_CLOCK)
      .map(({ source }) => source),
  );
  const all = log.vcpus();
  const byTid = new Map(all.map((vcpu) => [vcpu.tid, vcpu.slot]));
  const only = all.length === 1 ? all[0]!.slot : -1;
  const intervals = new Map<string, HostInterval>();
  for (const chunk of log.chunks({ kinds: new Set([EventKind.count]) })) {
    for (let i = 0; i < chunk.length; i++) {
      const flags = chunk.flags[i]!;
      const length = chunk.object[i]!;
      if (!usable.has(chunk.source[i]!) || (flags & EventFlag.total) !== 0 || length === 0n)
        continue;
      const named = parseName(log.name(chunk.code[i]!), run);
      if (named === undefined) continue;
      const to = chunk.time[i]!;
      const from = to - length;
      const vcpu = byTid.get(chunk.tid[i]!) ?? only;
      const key = `${vcpu}/${named.event}/${from}/${to}`;
      let interval = intervals.get(key);
      if (interval === undefined) {
        interval = {
          vcpu,
          event: named.event,
          from,
          to,
          hostG: null,
          hostH: null,
          notes: new Set(),
        };
        intervals.set(key, interval);
      }
      if ((flags & (EventFlag.notCounted | EventFlag.notSupported)) !== 0) {
        interval.notes.add('not-counted');
        continue;
      }
      if ((flags & EventFlag.scaled) !== 0) interval.notes.add('scaled');
      if ((flags & EventFlag.rounded) !== 0) interval.notes.add('rounded');
      if (named.mode === 'G') interval.hostG = (interval.hostG ?? 0n) + chunk.value[i]!;
      else interval.hostH = (interval.hostH ?? 0n) + chunk.value[i]!;
    }
  }
  return [...intervals.values()].sort((a, b) =>
    a.from < b.from ? -1 : a.from > b.from ? 1 : a.event - b.event,
  );
}

/**
 * Compares perf stat intervals of the host with the guest's windows. A window that lies inside the interval counts in
 * full; one that crosses its edge counts between nothing and what it counted, for its counts are recorded only now and
 * then. Only recordings whose times are on the trace's clock (`--stat-start`) can be compared.
 */
export function intervalRows(
  log: ReplayLog,
  windows: readonly GuestWindow[],
  run: RunFacts,
): IntervalRow[] {
  return hostIntervals(log, run).map((interval) => {
    let low = 0n;
    let high = 0n;
    for (const window of windows) {
      if (window.event !== interval.event || (interval.vcpu >= 0 && window.vcpu !== interval.vcpu))
        continue;
      const { fromTime, toTime } = window.enabledSpan ?? window;
      if (toTime <= interval.from || fromTime >= interval.to) continue;
      if (fromTime >= interval.from && toTime <= interval.to) low += window.guest?.low ?? 0n;
      high += window.guest?.high ?? 0n;
    }
    const { hostG, hostH } = interval;
    return {
      vcpu: interval.vcpu,
      event: interval.event,
      eventName:
        run.arch === 'x86'
          ? x86EventLabel(interval.event, run.vendor ?? 'intel')
          : arm64EventLabel(interval.event),
      fromTime: interval.from,
      toTime: interval.to,
      guestLow: low,
      guestHigh: high,
      hostG,
      hostH,
      differenceLow: hostG === null ? null : low - hostG,
      differenceHigh: hostG === null ? null : high - hostG,
      notes: [...interval.notes],
    };
  });
}
