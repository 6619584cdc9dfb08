import { sameEvent, sameLevels } from './compare.ts';
import type { GuestWindow, HostSpan, Span } from './guest-windows/guest-window.ts';
import type { CountedModes } from './guest-windows/host-event.ts';
import { isExact } from './ledger/amount.ts';
import type { RunFacts } from './rules/rule.ts';

/** What a host event counted over a span, next to the guest's counter. */
export interface HostCount {
  readonly pointer: bigint;
  readonly modes: CountedModes;
  /** Name from perf stat when its total proves which event it is (`cycles:G`), else undefined. */
  readonly name: string | undefined;
  readonly count: bigint;
}

/** Something recorded that the numbers of a row must be read with. */
export interface DiffNote {
  readonly code:
    | 'filtered'
    | 'not-placed'
    | 'event-error'
    | 'host-not-running'
    | 'records-lost'
    | 'count-not-recorded'
    | 'not-compared';
  readonly text: string;
  readonly evidence: readonly number[];
}

/**
 * One window of one guest counter: the span the counter counted one event undisturbed. `guest`, `hostG`, `hostH` and
 * `difference` are over `compared`, the part of the window that both sides have counts for; null when there is none.
 */
export interface DiffRow {
  readonly vcpu: number;
  readonly counter: number;
  /** Event number as the guest selected it, −1 not recorded; and what people call it. */
  readonly event: number;
  readonly eventName: string;
  /** From the first to the last moment at which the guest wanted the counter to count. */
  readonly window: {
    readonly fromSeq: number;
    readonly toSeq: number;
    readonly fromTime: bigint;
    readonly toTime: bigint;
  };
  /** What the guest counter counted over the whole window; a lower bound unless `windowExact`. */
  readonly windowCount: bigint;
  readonly windowExact: boolean;
  readonly compared: {
    readonly fromSeq: number;
    readonly toSeq: number;
    readonly fromTime: bigint;
    readonly toTime: bigint;
  } | null;
  readonly guest: bigint;
  readonly hostG: bigint | null;
  readonly hostH: bigint | null;
  /** guest − hostG; null without a :G count, and where the guest's own filter leaves levels out. */
  readonly difference: bigint | null;
  /** guest / hostG; null where hostG is 0 or missing, and where difference is null. */
  readonly ratio: number | null;
  /** Share of the window's guest counts that lies in `compared` (of its time, where the guest counted nothing): 0 to 1. */
  readonly coverage: number;
  readonly hosts: readonly HostCount[];
  readonly notes: readonly DiffNote[];
}

/** Rows of one (vCPU, counter, event) added up. */
export interface DiffTotal {
  readonly vcpu: number;
  readonly counter: number;
  readonly event: number;
  readonly eventName: string;
  readonly windows: number;
  readonly comparedWindows: number;
  /** Guest counts over all windows. */
  readonly windowCount: bigint;
  /** Sums over the compared spans; `guest` over all windows where there are none. */
  readonly guest: bigint;
  readonly hostG: bigint | null;
  readonly hostH: bigint | null;
  readonly difference: bigint | null;
  readonly ratio: number | null;
  readonly coverage: number;
  readonly notes: readonly DiffNote[];
}

function ratioOf(guest: bigint, host: bigint | null): number | null {
  // A ratio for reading, not for arithmetic: 15 digits are enough.
  return host === null || host === 0n ? null : Number(guest) / Number(host);
}

function shareOf(part: bigint, whole: bigint): number {
  return whole === 0n ? 0 : Number(part) / Number(whole);
}

const guestOf = ({ guest }: HostSpan): bigint => guest.low;

/** The span of these modes over which the guest counted most. */
function spanOf(spans: readonly HostSpan[], modes: CountedModes): HostSpan | undefined {
  return spans
    .filter((span) => span.modes === modes)
    .sort((a, b) => Number(guestOf(b) - guestOf(a)))[0];
}

/** On hardware only for a part of the time it was enabled: its count is of that part. */
function isMultiplexed({ enabledNs, runningNs }: HostSpan): boolean {
  return enabledNs !== null && runningNs !== null && runningNs < enabledNs;
}

const LEVELS = {
  arm64: { user: 'EL0', kernel: 'EL1' },
  x86: { user: 'CPL 3', kernel: 'CPL 0' },
} as const;

/** Levels the guest's counter leaves out: `EL0`, `EL1`, both, or ''. */
function filteredBy({ filter }: GuestWindow, arch: RunFacts['arch']): string {
  if (filter === null) return '';
  const { user, kernel } = LEVELS[arch];
  return [filter.user ? [user] : [], filter.kernel ? [kernel] : []].flat().join(' and ');
}

/** What is recorded of the window beside its counts. */
function notesOf(window: GuestWindow, g: HostSpan | undefined, run: RunFacts): DiffNote[] {
  const notes: DiffNote[] = [];
  const note = (code: DiffNote['code'], text: string, evidence: readonly number[]): void => {
    notes.push({ code, text, evidence });
  };
  const { placementRefused, errorState, lost } = window.happenings;
  const alike = g === undefined ? filteredBy(window, run.arch) === '' : sameLevels(window, g);
  if (!alike) {
    const levels = filteredBy(window, run.arch);
    const text =
      levels === ''
        ? "the host's count leaves out levels that the guest's counter does not"
        : `the guest's counter leaves out ${levels}; the host's count does not`;
    note('filtered', text, window.filter === null ? [] : [window.filter.seq]);
  }
  if (placementRefused.count > 0) {
    const text = 'backing event refused by the PMU driver: no free counter';
    note('not-placed', text, placementRefused.evidence.slice(0, 1));
  }
  // A pinned event that was refused is in ERROR: said already.
  if (errorState.count > 0 && placementRefused.count === 0) {
    const text = 'backing event in ERROR: it does not count until enabled again';
    note('event-error', text, errorState.evidence.slice(0, 1));
  }
  if (g !== undefined && g.notRunningAt !== 0) {
    const text = 'host :G event not on hardware for part of the span';
    note('host-not-running', text, [g.notRunningAt]);
  } else if (g !== undefined && isMultiplexed(g)) {
    const share = (100 * Number(g.runningNs)) / Number(g.enabledNs);
    const text = `host :G event on hardware ${share.toFixed(0)} % of the span: its count is of that part`;
    note('host-not-running', text, [g.toSeq]);
  }
  if (lost.count > 0) note('records-lost', 'records lost inside the window', []);
  if (window.guest === null || !isExact(window.guest)) {
    const text = 'last count of the window not recorded: guest is a lower bound';
    note('count-not-recorded', text, [window.toSeq]);
  }
  if (g === undefined && window.hostRefusedAt === 0) {
    note('not-compared', 'no host :G count of this event over the window', []);
  } else if (g === undefined) {
    const text = 'host events of this kind refused a counter too: nothing to compare with';
    note('host-not-running', text, [window.hostRefusedAt]);
  }
  return notes;
}

/** Share of the window that is compared: of its counts or, where it has none, of its time. */
function coverageOf(guest: bigint, whole: bigint, g: HostSpan, from: bigint, to: bigint): number {
  if (whole > 0n) return shareOf(guest, whole);
  return to === from ? 0 : Math.min(1, Number(g.toTime - g.fromTime) / Number(to - from));
}

/** The span the guest wanted the counter to count; KVM enables its event a little before the access that asks for it is done. */
function spanOfRow(window: GuestWindow, g: HostSpan | undefined): Span {
  const span = window.enabledSpan ?? window;
  if (g === undefined) return span;
  const { fromSeq, fromTime } = g.fromSeq < span.fromSeq ? g : span;
  const { toSeq, toTime } = g.toSeq > span.toSeq ? g : span;
  return { fromSeq, fromTime, toSeq, toTime };
}

/** Turns a window into a row. */
export function diffRow(window: GuestWindow, run: RunFacts): DiffRow {
  const spans = window.hosts.filter((span) => sameEvent(window, span, run));
  const g = spanOf(spans, 'G');
  const h = spanOf(spans, 'H');
  const windowCount = window.guest?.low ?? 0n;
  const guest = g === undefined ? windowCount : g.guest.low;
  const hostG = g?.host ?? null;
  // A filtered counter and an unfiltered host event count different things.
  const comparable =
    g !== undefined && sameLevels(window, g) && isExact(g.guest) && !isMultiplexed(g);
  const { fromSeq, toSeq, fromTime, toTime } = spanOfRow(window, g);
  return {
    vcpu: window.vcpu,
    counter: window.counter,
    event: window.event ?? -1,
    eventName: window.eventName,
    window: { fromSeq, toSeq, fromTime, toTime },
    windowCount,
    windowExact: window.guest !== null && isExact(window.guest),
    compared:
      g === undefined
        ? null
        : { fromSeq: g.fromSeq, toSeq: g.toSeq, fromTime: g.fromTime, toTime: g.toTime },
    guest,
    hostG,
    hostH: h?.host ?? null,
    difference: comparable && hostG !== null ? guest - hostG : null,
    ratio: comparable ? ratioOf(guest, hostG) : null,
    coverage: g === undefined ? 0 : coverageOf(guest, windowCount, g, fromTime, toTime),
    hosts: spans.map(({ pointer, modes, name, host }) => ({ pointer, modes, name, count: host })),
    notes: notesOf(window, g, run),
  };
}

/** Adds rows up by vCPU, counter and event, in that order. */
export function diffTotals(rows: Iterable<DiffRow>): DiffTotal[] {
  const groups = new Map<string, DiffRow[]>();
  for (const row of rows) {
    const key = `${row.vcpu}/${row.counter}/${row.event}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  const totals = [...groups.values()].map((group): DiffTotal => {
    const head = group[0]!;
    const compared = group.filter((row) => row.difference !== null);
    const sum = (list: readonly DiffRow[], of: (row: DiffRow) => bigint): bigint =>
      list.reduce((total, row) => total + of(row), 0n);
    const windowCount = sum(group, (row) => row.windowCount);
    const guest = compared.length === 0 ? windowCount : sum(compared, (row) => row.guest);
    const hostG = compared.length === 0 ? null : sum(compared, (row) => row.hostG!);
    const withH = compared.filter((row) => row.hostH !== null);
    const codes = new Map<DiffNote['code'], { text: string; evidence: number[]; rows: number }>();
    for (const row of group) {
      for (const note of row.notes) {
        const known = codes.get(note.code);
        if (known === undefined)
          codes.set(note.code, { text: note.text, evidence: [...note.evidence], rows: 1 });
        else {
          known.rows++;
          if (known.evidence.length < 3) known.evidence.push(...note.evidence);
        }
      }
    }
    return {
      vcpu: head.vcpu,
      counter: head.counter,
      event: head.event,
      eventName: head.eventName,
      windows: group.length,
      comparedWindows: compared.length,
      windowCount,
      guest,
      hostG,
      hostH: withH.length === 0 ? null : sum(withH, (row) => row.hostH!),
      difference: hostG === null ? null : guest - hostG,
      ratio: ratioOf(guest, hostG),
      coverage: compared.length === 0 ? 0 : shareOf(guest, windowCount),
      notes: [...codes].map(([code, known]) => ({
        code,
        text: known.rows === 1 ? known.text : `${known.text} (${known.rows} windows)`,
        evidence: known.evidence,
      })),
    };
  });
  return totals.sort((a, b) => a.vcpu - b.vcpu || a.counter - b.counter || a.event - b.event);
}
