import type { VcpuFact } from '../domain/log-facts.ts';
import type { PreparedReplay, ReplayLog } from '../replay/replay-log.ts';
import { growth } from './guest-windows/growth.ts';
import type { GuestWindow, HostSpan, PlacedStat } from './guest-windows/guest-window.ts';
import { type Instants, lookAtInstants, type Wanted } from './guest-windows/instants.ts';
import { withMarks } from './guest-windows/marks.ts';
import type { Amount } from './ledger/amount.ts';
import type { RunFacts } from './rules/rule.ts';
import { type StatRow, type StatSeries, statSeries } from './stat-rows.ts';

/** What happens near an edge may happen this much faster than on average over the span. */
const EDGE_RATE = 4;
/** A config no event has: perf stat tells its event by name. */
const NO_CONFIG = -1;

/** Consecutive rows that could stand beside a window. */
interface Candidate {
  readonly window: GuestWindow;
  readonly series: StatSeries;
  readonly rows: readonly StatRow[];
  readonly ownThread: boolean;
  readonly withinNs: number;
}

const spanOf = (window: GuestWindow): { fromTime: bigint; toTime: bigint } =>
  window.enabledSpan ?? window;

/** Whether a series counted the vCPU: its own thread, perhaps more than that, or why not. */
function counts(
  { tid, onCpu, counted, modes }: StatSeries,
  vcpu: VcpuFact | undefined,
  vcpus: number,
): 'own' | 'perhaps more' | 'another' | { readonly why: string } {
  if (vcpu !== undefined && tid >= 0) return tid === vcpu.tid ? 'own' : 'another';
  const thread = /^thread id\D*(\d+)\D*$/.exec(counted ?? '');
  if (thread !== null && vcpu !== undefined) {
    return Number(thread[1]) === vcpu.tid ? 'own' : 'another';
  }
  if (onCpu) return { why: 'the placed perf stat counted CPUs, not the thread of the vCPU' };
  if (vcpus > 1) {
    return {
      why: `whose threads the placed perf stat counted is not recorded, and the log has ${vcpus} vCPUs: count with --per-thread`,
    };
  }
  return modes === 'G' || modes === 'unknown'
    ? 'perhaps more'
    : { why: 'whether the placed perf stat counted other threads too is not recorded' };
}

/** The longest run of rows without a gap or a flaw that overlap a window. */
function overlapping({ rows }: StatSeries, window: GuestWindow): StatRow[] | { why: string } {
  const { fromTime, toTime } = spanOf(window);
  const over = rows.filter((row) => row.to > fromTime && row.from < toTime);
  let best: StatRow[] = [];
  let run: StatRow[] = [];
  for (const row of over) {
    if (row.flaw !== '') {
      run = [];
      continue;
    }
    if (run.at(-1)?.to !== row.from) run = [];
    run.push(row);
    if (run.length > best.length) best = [...run];
  }
  if (best.length > 0) return best;
  const flaw = over[0]?.flaw;
  return {
    why:
      flaw === undefined
        ? 'no interval of the placed perf stat overlaps it'
        : `the placed perf stat's count over it ${flaw}`,
  };
}

/** All rows, and those without the ones that reach out of the window. */
function trimmed(rows: readonly StatRow[], window: GuestWindow): (readonly StatRow[])[] {
  const { fromTime, toTime } = spanOf(window);
  const from = rows[0]!.from < fromTime ? [0, 1] : [0];
  const to = rows.at(-1)!.to > toTime ? [0, 1] : [0];
  return from
    .flatMap((head) => to.map((tail) => rows.slice(head, rows.length - tail)))
    .filter(({ length }) => length > 0);
}

/** Puts placed perf stat counts of the host beside the windows they overlap, or says why they are not used. */
export function withPlacedStat(
  log: ReplayLog,
  prepared: PreparedReplay,
  windows: readonly GuestWindow[],
  run: RunFacts,
): readonly GuestWindow[] {
  // What is said of the best count there could be: guest mode first.
  const all = statSeries(log, run).sort(
    (a, b) => Number(b.modes === 'G') - Number(a.modes === 'G'),
  );
  if (all.length === 0) return windows;
  const vcpus = log.vcpus();
  const why = new Map<GuestWindow, string>();
  const candidates: Candidate[] = [];
  for (const window of windows) {
    for (const series of all) {
      if (series.event !== window.event) continue;
      const vcpu = vcpus.find(({ slot }) => slot === window.vcpu);
      const who = counts(series, vcpu, vcpus.length);
      if (who === 'another') continue;
      const rows = typeof who === 'object' ? who : overlapping(series, window);
      const because = (text: string): void => {
        if (!why.has(window)) why.set(window, text);
      };
      if ('why' in rows) because(rows.why);
      else if (series.withinNs === null) {
        because('how well the start of the placed perf stat is known is not recorded');
      } else {
        const { withinNs } = series;
        const ownThread = who === 'own';
        for (const part of trimmed(rows, window)) {
          candidates.push({ window, series, rows: part, ownThread, withinNs });
        }
      }
    }
  }
  if (candidates.length === 0) return windows.map((window) => explained(window, why));
  const config = withMarks(prepared.config, run.marks);
  const instants = lookAtInstants({ ...prepared, config }, wantedOf(candidates));
  const spans = new Map<GuestWindow, Map<StatSeries, HostSpan>>();
  for (const candidate of candidates) {
    const { window, series } = candidate;
    const span = hostSpan(candidate, instants);
    if (typeof span === 'string') {
      if (!why.has(window)) why.set(window, span);
      continue;
    }
    const ofWindow = spans.get(window) ?? new Map<StatSeries, HostSpan>();
    spans.set(window, ofWindow);
    const known = ofWindow.get(series);
    if (known === undefined || isSharper(span, known)) ofWindow.set(series, span);
  }
  return windows.map((window) => {
    const found = spans.get(window);
    return found === undefined
      ? explained(window, why)
      : { ...window, hosts: [...window.hosts, ...found.values()] };
  });
}

function explained(window: GuestWindow, why: ReadonlyMap<GuestWindow, string>): GuestWindow {
  const statUnused = why.get(window);
  return statUnused === undefined ? window : { ...window, statUnused };
}

/** First and last moment of a candidate, and both as early and as late as they can be. */
function edgesOf({ rows, withinNs }: Candidate) {
  const [from, to, within] = [rows[0]!.from, rows.at(-1)!.to, BigInt(withinNs)];
  const early = (time: bigint): bigint => (time > within ? time - within : 0n);
  return { from, to, fuzzy: [early(from), from + within, early(to), to + within] as const };
}

function wantedOf(candidates: readonly Candidate[]): Wanted[] {
  const wanted = new Map<bigint, Set<GuestWindow>>();
  const want = (time: bigint, window?: GuestWindow): void => {
    const windows = wanted.get(time) ?? new Set();
    wanted.set(time, windows);
    if (window !== undefined) windows.add(window);
  };
  for (const candidate of candidates) {
    const { window } = candidate;
    const { from, to, fuzzy } = edgesOf(candidate);
    const span = spanOf(window);
    for (const time of [...fuzzy, span.fromTime, span.toTime]) want(time);
    want(from, from > span.fromTime ? window : undefined);
    want(to, to < span.toTime ? window : undefined);
  }
  return [...wanted]
    .map(([time, windows]) => ({ time, windows: [...windows] }))
    .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
}

/** What the guest's counter moved by between two moments; a text: why that is not known. */
function guestBetween(
  window: GuestWindow,
  from: bigint,
  to: bigint,
  { at }: Instants,
): Amount | string {
  const { fromTime, toTime } = spanOf(window);
  const [cutFrom, cutTo] = [from > fromTime, to < toTime];
  const { guest, guestReason, records, width } = window;
  if (!cutFrom && !cutTo) return guest ?? `what the guest counted is not known (${guestReason})`;
  if (records.wraps > 0 || records.contradicted.length > 0) {
    return 'the counter wrapped or jumped in the window: its value at the edge of an interval of perf stat is not known';
  }
  const start = cutFrom ? at.get(from)!.values.get(window) : window.startValue;
  const end = cutTo ? at.get(to)!.values.get(window) : window.endValue;
  if (start == null || end == null) {
    return "the counter's value at the edge of an interval of perf stat is not known";
  }
  const moved = growth(start, end, width, 0);
  return guest === null || guest.high > moved.high ? moved : { low: moved.low, high: guest.high };
}

/** A candidate as a host count with its error bars; a text: why it is none. */
function hostSpan(candidate: Candidate, instants: Instants): HostSpan | string {
  const { window, series, rows, ownThread, withinNs } = candidate;
  const { from, to, fuzzy } = edgesOf(candidate);
  const [fromEarly, fromLate, toEarly, toLate] = fuzzy;
  if (fromEarly < instants.first || toLate > instants.last) {
    return 'the intervals of the placed perf stat reach beyond the trace';
  }
  const guest = guestBetween(window, from, to, instants);
  if (typeof guest === 'string') return guest;
  // Host mode is counted between the entries, guest mode in them.
  const between = (a: bigint, b: bigint): number => {
    if (b <= a) return 0;
    if (series.modes !== 'G') return Number(b - a);
    const ns = (time: bigint): number => instants.at.get(time)!.guestNs.get(window.vcpu) ?? 0;
    return Math.max(0, ns(b) - ns(a));
  };
  const span = spanOf(window);
  const host = rows.reduce((sum, { count }) => sum + count, 0n);
  const outsideNs = between(from, span.fromTime) + between(span.toTime, to);
  const [atFrom, atTo] = [between(fromEarly, fromLate), between(toEarly, toLate)];
  const reached = (fromLate > span.fromTime ? atFrom : 0) + (toEarly < span.toTime ? atTo : 0);
  const counted = host > guest.low ? host : guest.low;
  const perNs = (EDGE_RATE * Number(counted)) / Math.max(1, between(from, to));
  const events = (ns: number): bigint => BigInt(Math.ceil(ns * perNs));
  const more = events(atFrom + atTo + outsideNs);
  const edgeNs = atFrom + atTo;
  const placed: PlacedStat = {
    withinNs,
    intervals: rows.length,
    edgeNs,
    outsideNs,
    edges: { low: -events(reached), high: more },
    ownThread,
  };
  return {
    pointer: 0n,
    name: series.name,
    config: NO_CONFIG,
    event: series.event,
    pinned: false,
    filter: series.filter,
    modes: series.modes,
    modesFrom: 'name',
    fromSeq: Math.max(1, instants.at.get(from)!.seq),
    toSeq: rows.at(-1)!.seq,
    fromTime: from,
    toTime: to,
    host,
    guest,
    enabledNs: null,
    runningNs: null,
    notRunningAt: 0,
    totals: null,
    gapPerExit: null,
    placed,
  };
}

/** Less of its count is uncertain; of equally sharp ones the longer. */
function isSharper(a: HostSpan, b: HostSpan): boolean {
  const [x, y] = [uncertainty(a), uncertainty(b)];
  return x === y ? a.toTime - a.fromTime > b.toTime - b.fromTime : x < y;
}

function uncertainty({ host, guest, placed }: HostSpan): number {
  const edges = placed!.edges;
  const width = guest.high - guest.low + edges.high - edges.low;
  return Number(width) / Math.max(1, Number(host));
}
