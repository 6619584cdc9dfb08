import type { CountedModes, HostEvent } from './host-event.ts';
import type { CounterWindow, HostSpan } from './windows.ts';

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
  /** Event number as the guest selected it, −1 not recorded. */
  readonly event: number;
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

function spanOf(spans: readonly HostSpan[], wanted: readonly CountedModes[]): HostSpan | undefined {
  return spans
    .filter((span) => wanted.includes(span.event.modes))
    .sort((a, b) => Number(b.last.guest - b.first.guest - (a.last.guest - a.first.guest)))[0];
}

const hostDelta = (span: HostSpan): bigint => span.last.host - span.first.host;

/** Turns a finished window into a row; `nameOf` knows host events that perf stat names. */
export function diffRow(
  window: CounterWindow,
  nameOf: (event: HostEvent) => string | undefined,
): DiffRow {
  const spans = [...window.hosts.values()];
  const modesOf = (event: HostEvent): CountedModes => {
    const name = nameOf(event);
    if (name !== undefined) {
      const modifiers = name.slice(name.lastIndexOf(':') + 1);
      if (name.includes(':') && modifiers.includes('G') && !modifiers.includes('H')) return 'G';
      if (name.includes(':') && modifiers.includes('H') && !modifiers.includes('G')) return 'H';
    }
    return event.modes;
  };
  const g =
    spans.find((span) => modesOf(span.event) === 'G' && span.last.seq > span.first.seq) ??
    spanOf(spans, ['G']);
  const h = spans.find((span) => modesOf(span.event) === 'H') ?? spanOf(spans, ['H']);
  const windowCount = window.endCount - window.startCount;
  const compared =
    g === undefined
      ? null
      : { fromSeq: g.first.seq, toSeq: g.last.seq, fromTime: g.first.time, toTime: g.last.time };
  const guest = g === undefined ? windowCount : g.last.guest - g.first.guest;
  const hostG = g === undefined ? null : hostDelta(g);
  const notes: DiffNote[] = [];
  // A filtered counter and an unfiltered host event count different things.
  const alike = window.filtered === '';
  if (!alike) {
    notes.push({
      code: 'filtered',
      text: `the guest's counter leaves out ${window.filtered}; the host's count does not`,
      evidence: [window.createdSeq],
    });
  }
  if (window.notPlaced !== 0) {
    notes.push({
      code: 'not-placed',
      text: 'backing event refused by the PMU driver: no free counter',
      evidence: [window.notPlaced],
    });
  }
  if (window.errorState !== 0) {
    notes.push({
      code: 'event-error',
      text: 'backing event in ERROR: it does not count until enabled again',
      evidence: [window.errorState],
    });
  }
  if (g !== undefined && g.notRunning !== 0) {
    notes.push({
      code: 'host-not-running',
      text: 'host :G event not on hardware for part of the span',
      evidence: [g.notRunning],
    });
  }
  if (window.lost)
    notes.push({ code: 'records-lost', text: 'records lost inside the window', evidence: [] });
  if (!window.endExact) {
    notes.push({
      code: 'count-not-recorded',
      text: 'last count of the window not recorded: guest is a lower bound',
      evidence: [window.toSeq],
    });
  }
  if (g === undefined) {
    notes.push(
      window.hostRefused === 0
        ? {
            code: 'not-compared',
            text: 'no host :G count of this event over the window',
            evidence: [],
          }
        : {
            code: 'host-not-running',
            text: 'host events of this kind refused a counter too: nothing to compare with',
            evidence: [window.hostRefused],
          },
    );
  }
  const span = Number(window.toTime - window.fromTime);
  const coverage =
    compared === null
      ? 0
      : windowCount > 0n
        ? shareOf(guest, windowCount)
        : span === 0
          ? 0
          : Math.min(1, Number(compared.toTime - compared.fromTime) / span);
  return {
    vcpu: window.vcpu,
    counter: window.counter,
    event: window.config,
    window: {
      fromSeq: window.fromSeq,
      toSeq: window.toSeq,
      fromTime: window.fromTime,
      toTime: window.toTime,
    },
    windowCount,
    windowExact: window.endExact,
    compared,
    guest,
    hostG,
    hostH: h === undefined ? null : hostDelta(h),
    difference: alike && hostG !== null ? guest - hostG : null,
    ratio: alike ? ratioOf(guest, hostG) : null,
    coverage,
    hosts: spans.map((s) => ({
      pointer: s.event.pointer,
      modes: modesOf(s.event),
      name: nameOf(s.event),
      count: hostDelta(s),
    })),
    notes,
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
    const compared = group.filter(
      (row) => row.difference !== null && row.compared!.toSeq > row.compared!.fromSeq,
    );
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
