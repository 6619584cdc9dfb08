import { EventFlag, EventKind } from '../domain/event-kind.ts';
import type { ReplayLog } from '../replay/replay-log.ts';
import { type DiffRow, type DiffTotal, diffRow, diffTotals } from './diff.ts';
import type { HostEvent } from './host-event.ts';
import { type IntervalRow, intervalRows } from './stat-intervals.ts';
import { type CounterWindow, WindowBuilder } from './windows.ts';

/** A host event seen in the trace, with what is known of it. */
export interface HostEventSummary {
  readonly vcpu: number;
  readonly pointer: bigint;
  readonly config: number;
  readonly modes: HostEvent['modes'];
  readonly name: string | undefined;
  readonly count: bigint;
}

/** Guest counts against host counts, window by window and added up. */
export interface DiffResult {
  /** Windows in log order. */
  readonly rows: readonly DiffRow[];
  readonly totals: readonly DiffTotal[];
  /** `perf stat -I` intervals of the host against the guest, where their times are on the trace's clock. */
  readonly intervals: readonly IntervalRow[];
  readonly hostEvents: readonly HostEventSummary[];
  /** Windows left out of `rows` because there were more than ROWS_KEPT; they are in no sum. */
  readonly droppedWindows: number;
}

/** Bound of memory: a recording with more windows is compared in parts (--time). */
export const ROWS_KEPT = 200_000;

/** Totals that perf stat printed for the whole run, exact ones only: count → event name, undefined where two share a count. */
function perfStatTotals(log: ReplayLog): Map<bigint, string | undefined> {
  const names = new Map<bigint, string | undefined>();
  if (!log.kindCounts().has(EventKind.count)) return names;
  const guests = new Set(
    log
      .imports()
      .filter((row) => row.facts.role === 'guest')
      .map((row) => row.source),
  );
  const inexact =
    EventFlag.notCounted | EventFlag.notSupported | EventFlag.rounded | EventFlag.scaled;
  for (const chunk of log.chunks({ kinds: new Set([EventKind.count]) })) {
    for (let i = 0; i < chunk.length; i++) {
      const flags = chunk.flags[i]!;
      if (
        (flags & EventFlag.total) === 0 ||
        (flags & inexact) !== 0 ||
        guests.has(chunk.source[i]!)
      )
        continue;
      const count = chunk.value[i]!;
      if (count === 0n) continue;
      names.set(count, names.has(count) ? undefined : log.name(chunk.code[i]!));
    }
  }
  return names;
}

/**
 * Compares, per vCPU and counter window, what the guest's counter counted with what host events on the same thread
 * counted between the same two records. Nothing is explained; what is recorded (not placed, not running, lost) is noted.
 */
export function diffLog(log: ReplayLog, progress?: (events: number) => void): DiffResult {
  const kinds = log.kindCounts();
  const imports = log.imports();
  const windows: CounterWindow[] = [];
  let droppedWindows = 0;
  const builder = new WindowBuilder(
    {
      vcpus: log.vcpus(),
      attr: (id) => log.attr(id),
      entersRecorded: kinds.has(EventKind.guestEnter) && kinds.has(EventKind.guestExit),
      guestSources: new Set(
        imports.filter((row) => row.facts.role === 'guest').map((row) => row.source),
      ),
    },
    (window) => {
      if (windows.length < ROWS_KEPT) windows.push(window);
      else droppedWindows++;
    },
  );
  let events = 0;
  for (const chunk of log.chunks()) {
    builder.take(chunk);
    events += chunk.length;
    progress?.(events);
  }
  builder.end();
  const names = perfStatTotals(log);
  const nameOf = (event: HostEvent): string | undefined =>
    event.count === 0n ? undefined : names.get(event.count);
  windows.sort((a, b) => a.fromSeq - b.fromSeq || a.counter - b.counter);
  const rows = windows.map((window) => diffRow(window, nameOf));
  return {
    rows,
    totals: diffTotals(rows),
    intervals: intervalRows(log, windows),
    hostEvents: log.vcpus().flatMap((vcpu) =>
      [...builder.hostEvents(vcpu.slot)].map((event) => ({
        vcpu: vcpu.slot,
        pointer: event.pointer,
        config: event.config,
        modes: event.modes,
        name: nameOf(event),
        count: event.count,
      })),
    ),
    droppedWindows,
  };
}
