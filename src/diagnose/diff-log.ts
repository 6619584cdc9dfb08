import { RELATIVE_CLOCK } from '../domain/log-facts.ts';
import type { ReplayLog } from '../replay/replay-log.ts';
import { RECORDINGS } from './causes/cause.ts';
import { type DiffRow, type DiffTotal, diffRow, diffTotals } from './diff.ts';
import type { GuestWindow } from './guest-windows/guest-window.ts';
import { type GuestWindows, guestWindows } from './guest-windows/guest-windows.ts';
import type { CountedModes } from './guest-windows/host-event.ts';
import { runFacts } from './run-facts.ts';
import { type IntervalRow, intervalRows } from './stat-intervals.ts';

/** A host event seen in the trace, with what is known of it. */
export interface HostEventSummary {
  readonly vcpu: number;
  readonly pointer: bigint;
  readonly config: number;
  readonly modes: CountedModes;
  readonly name: string | undefined;
  readonly count: bigint;
}

/** What keeps windows from being compared, and what to record instead. */
export interface MissingCounts {
  readonly code: 'host-counts' | 'host-event' | 'two-clocks';
  readonly text: string;
  readonly how: string;
}

function missingOf(
  log: ReplayLog,
  windows: readonly GuestWindow[],
  rows: readonly DiffRow[],
  hostEvents: readonly HostEventSummary[],
  intervals: number,
): MissingCounts[] {
  if (rows.length === 0 || rows.some(({ compared }) => compared !== null)) return [];
  if (intervals > 0) return [];
  const reports = log.imports().filter(({ facts }) => facts.role === 'host');
  if (reports.some(({ facts }) => facts.clock === RELATIVE_CLOCK)) {
    return [
      {
        code: 'two-clocks',
        text: "the host's perf stat counts time from its own start",
        how: 'tell when that was on the clock of the trace: --stat-start TIME',
      },
    ];
  }
  const events = new Set(windows.map(({ eventName }) => eventName));
  const { text, how } = RECORDINGS['host-counts'];
  return hostEvents.length === 0
    ? [{ code: 'host-counts', text: `no host event was counted: ${text} are not recorded`, how }]
    : [
        {
          code: 'host-event',
          text: `the host events count nothing the guest counts (${[...events].join(', ')})`,
          how,
        },
      ];
}

/** Guest counts against host counts, window by window and added up. */
export interface DiffResult {
  readonly arch: 'arm64' | 'x86';
  /** Windows in log order. */
  readonly rows: readonly DiffRow[];
  readonly totals: readonly DiffTotal[];
  /** `perf stat -I` intervals of the host against the guest, where their times are on the trace's clock. */
  readonly intervals: readonly IntervalRow[];
  readonly hostEvents: readonly HostEventSummary[];
  /** Where no window could be compared: why, and what to record. */
  readonly missing: readonly MissingCounts[];
  /** Windows left out of `rows` because there were more than are kept; they are in no sum. */
  readonly droppedWindows: number;
}

/** Host events by vCPU: those counted at reschedules, and those whose creation on its thread is recorded. */
function hostEventsOf({ pairedEvents, observed }: GuestWindows): HostEventSummary[] {
  const paired = pairedEvents.map(({ vcpu, event }): HostEventSummary => {
    const { pointer, config, modes, name, count } = event;
    return { vcpu, pointer, config, modes, name, count };
  });
  const known = new Set(paired.map(({ pointer }) => pointer));
  const created = observed.hostEvents.flatMap((record): HostEventSummary[] => {
    const { vcpu, pointer, config, modes, lastCount, refused } = record;
    if (vcpu < 0 || refused || known.has(pointer) || lastCount === null) return [];
    return [{ vcpu, pointer, config, modes, name: undefined, count: lastCount }];
  });
  return [...paired, ...created];
}

/**
 * Compares, per vCPU and counter window, what the guest's counter counted with what host events on the same thread
 * counted between the same two records. Nothing is explained; what is recorded (not placed, not running, lost) is noted.
 */
export function diffLog(log: ReplayLog, progress?: (events: number) => void): DiffResult {
  if (log.vcpus().length === 0) {
    return {
      arch: 'arm64',
      rows: [],
      totals: [],
      intervals: [],
      hostEvents: [],
      missing: [],
      droppedWindows: 0,
    };
  }
  const found = guestWindows(log, {}, progress);
  const run = runFacts(log, found.prepared);
  const windows = [...found.windows].sort((a, b) => a.fromSeq - b.fromSeq || a.counter - b.counter);
  const rows = windows.map((window) => diffRow(window, run));
  const hostEvents = hostEventsOf(found);
  const intervals = intervalRows(log, windows, run);
  return {
    arch: run.arch,
    rows,
    totals: diffTotals(rows),
    intervals,
    hostEvents,
    missing: missingOf(log, windows, rows, hostEvents, intervals.length),
    droppedWindows: found.dropped,
  };
}
