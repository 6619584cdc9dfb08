import { perfHardwareName } from '../../arch/perf-generic.ts';
import { grouped, hex } from '../../domain/u64.ts';
import {
  arm64EventLabel,
  type DiffNote,
  type DiffResult,
  type DiffRow,
  type DiffTotal,
  formatTime,
  type IntervalRow,
} from '../../index.ts';
import type { Shell } from '../shell.ts';
import type { Json } from './event-json.ts';
import { type Column, renderTable, wrapText } from './table.ts';
import { plural, printable } from './text.ts';

const COUNT_COLUMNS: readonly Column[] = [
  { title: 'guest', align: 'right' },
  { title: 'host :G', align: 'right' },
  { title: 'diff', align: 'right' },
  { title: 'ratio', align: 'right', expendable: 3 },
  { title: 'host :H', align: 'right', expendable: 2 },
  { title: 'covered', align: 'right' },
];

const COUNTER_COLUMNS: readonly Column[] = [
  { title: 'vcpu', align: 'right' },
  { title: 'counter', align: 'right' },
  { title: 'event', wrapTo: 12 },
];

/** Guest and host counts per counter and event; with `windows` also window by window. */
export function printDiff(shell: Shell, result: DiffResult, windows: boolean): void {
  if (result.totals.length === 0 && result.intervals.length === 0) {
    shell.print('No guest counter counted in the recording: there is nothing to compare.');
    return;
  }
  print(
    shell,
    [...COUNTER_COLUMNS, { title: 'windows', align: 'right', expendable: 1 }, ...COUNT_COLUMNS],
    totalRows(result.totals),
  );
  printNotes(shell, result.totals);
  if (windows) printWindows(shell, result.rows);
  if (windows) printIntervals(shell, result.intervals);
  else if (result.intervals.length > 0) {
    shell.print();
    shell.print(
      `${plural(result.intervals.length, 'interval')} of the host's perf stat compared: --windows lists them.`,
    );
  }
  printHostEvents(shell, result);
  printMissing(shell, result);
  if (result.droppedWindows > 0) {
    shell.print();
    shell.print(
      shell.style(
        'warning',
        `${plural(result.droppedWindows, 'window')} left out: too many for one comparison.`,
      ),
    );
  }
}

/** Why nothing was compared, and what to record. */
function printMissing(shell: Shell, { missing }: DiffResult): void {
  if (missing.length === 0) return;
  shell.print();
  shell.print('Nothing was compared:');
  for (const { text, how } of missing) {
    for (const line of wrapText(`${text}; ${how}`, Math.max(40, shell.width - 4))) {
      shell.print(`  ${line}`);
    }
  }
}

function print(
  shell: Shell,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): void {
  const heading = (line: string): string => shell.style('heading', line);
  for (const line of renderTable(columns, rows, { width: shell.width, heading })) shell.print(line);
}

function totalRows(totals: readonly DiffTotal[]): readonly (readonly string[])[] {
  return totals.map((total) => [
    `${total.vcpu}`,
    `${total.counter}`,
    total.eventName,
    total.comparedWindows === total.windows
      ? `${total.windows}`
      : `${total.comparedWindows}/${total.windows}`,
    ...countCells(total),
  ]);
}

function countCells(row: DiffTotal | DiffRow): readonly string[] {
  return [
    grouped(row.guest),
    countText(row.hostG),
    row.difference === null ? '-' : signed(row.difference),
    row.ratio === null ? '-' : row.ratio.toFixed(6),
    countText(row.hostH),
    `${(row.coverage * 100).toFixed(1)} %`,
  ];
}

function printNotes(shell: Shell, totals: readonly DiffTotal[]): void {
  const noted = totals.filter((total) => total.notes.length > 0);
  if (noted.length === 0) return;
  shell.print();
  for (const total of noted) {
    shell.print(`vcpu${total.vcpu} counter ${total.counter} ${total.eventName}:`);
    for (const note of total.notes) {
      const [first, ...rest] = wrapText(noteText(note), Math.max(40, shell.width - 4));
      shell.print(`  - ${first}`);
      for (const line of rest) shell.print(`    ${line}`);
    }
  }
}

function printWindows(shell: Shell, rows: readonly DiffRow[]): void {
  shell.print();
  print(
    shell,
    [
      ...COUNTER_COLUMNS,
      { title: 'from', align: 'right' },
      { title: 'to', align: 'right' },
      ...COUNT_COLUMNS,
      { title: 'notes', wrapTo: 20 },
    ],
    rows.map((row) => [
      `${row.vcpu}`,
      `${row.counter}`,
      row.eventName,
      spanEnd(row.window.fromTime, row.window.fromSeq),
      spanEnd(row.window.toTime, row.window.toSeq),
      ...countCells(row),
      row.notes.map(({ code }) => code).join(', '),
    ]),
  );
}

function printIntervals(shell: Shell, intervals: readonly IntervalRow[]): void {
  if (intervals.length === 0) return;
  shell.print();
  shell.print("Intervals of the host's perf stat (the guest's count lies between its bounds):");
  print(
    shell,
    [
      { title: 'vcpu', align: 'right' },
      { title: 'event', wrapTo: 12 },
      { title: 'from', align: 'right' },
      { title: 'to', align: 'right' },
      { title: 'guest', align: 'right' },
      { title: 'host :G', align: 'right' },
      { title: 'difference', align: 'right' },
      { title: 'host :H', align: 'right' },
      { title: 'notes', wrapTo: 12 },
    ],
    intervals.map((row) => [
      row.vcpu < 0 ? 'all' : `${row.vcpu}`,
      row.eventName,
      formatTime(row.fromTime),
      formatTime(row.toTime),
      boundsText(row.guestLow, row.guestHigh, grouped),
      countText(row.hostG),
      row.differenceLow === null ? '-' : boundsText(row.differenceLow, row.differenceHigh!, signed),
      countText(row.hostH),
      row.notes.join(', '),
    ]),
  );
}

function boundsText(low: bigint, high: bigint, text: (value: bigint) => string): string {
  return low === high ? text(low) : `${text(low)} … ${text(high)}`;
}

function printHostEvents(shell: Shell, result: DiffResult): void {
  if (result.hostEvents.length === 0) return;
  shell.print();
  shell.print("Host events seen on the vCPUs' threads:");
  print(
    shell,
    [
      { title: 'vcpu', align: 'right' },
      { title: 'event' },
      { title: 'config', wrapTo: 16 },
      { title: 'counts', wrapTo: 8 },
      { title: 'name' },
      { title: 'count', align: 'right' },
    ],
    result.hostEvents.map((event) => [
      `${event.vcpu}`,
      hex(event.pointer),
      configText(event.config),
      event.modes,
      event.name === undefined ? '-' : printable(event.name),
      grouped(event.count),
    ]),
  );
}

function spanEnd(time: bigint, seq: number): string {
  return `${formatTime(time)} @${seq}`;
}

function noteText(note: DiffNote): string {
  const evidence = note.evidence.map((seq) => `@${seq}`).join(' ');
  return evidence === '' ? note.text : `${note.text} ${evidence}`;
}

/** An event number as the guest selected it. */
export function eventText(event: number): string {
  return event < 0 ? 'not recorded' : arm64EventLabel(event);
}

/** A host event's config; its type is not recorded, so that perf's generic reading stands beside the raw one. */
function configText(config: number): string {
  const generic = perfHardwareName(config);
  return generic === undefined
    ? eventText(config)
    : `${hex(config)} (${generic}, or ${eventText(config)})`;
}

function countText(count: bigint | null): string {
  return count === null ? '-' : grouped(count);
}

function signed(value: bigint): string {
  return value > 0n ? `+${grouped(value)}` : grouped(value);
}

/** A comparison for programs. */
export function diffJson(result: DiffResult): Json {
  return {
    rows: result.rows.map((row) => ({
      ...common(row),
      window: { ...row.window },
      windowCount: row.windowCount,
      windowExact: row.windowExact,
      compared: row.compared === null ? null : { ...row.compared },
      hosts: row.hosts.map((host) => ({
        event: host.pointer,
        modes: host.modes,
        name: host.name ?? null,
        count: host.count,
      })),
    })),
    totals: result.totals.map((total) => ({
      ...common(total),
      windows: total.windows,
      comparedWindows: total.comparedWindows,
      windowCount: total.windowCount,
    })),
    intervals: result.intervals.map((row) => ({
      vcpu: row.vcpu < 0 ? null : row.vcpu,
      event: row.event,
      eventName: row.eventName,
      fromTime: row.fromTime,
      toTime: row.toTime,
      guest: { low: row.guestLow, high: row.guestHigh },
      hostG: row.hostG,
      hostH: row.hostH,
      difference:
        row.differenceLow === null ? null : { low: row.differenceLow, high: row.differenceHigh },
      notes: row.notes,
    })),
    hostEvents: result.hostEvents.map((event) => ({
      vcpu: event.vcpu,
      event: event.pointer,
      config: event.config,
      modes: event.modes,
      name: event.name ?? null,
      count: event.count,
    })),
    missing: result.missing.map(({ code, text, how }) => ({ code, text, how })),
    droppedWindows: result.droppedWindows,
  };
}

function common(row: DiffRow | DiffTotal): { readonly [member: string]: Json } {
  return {
    vcpu: row.vcpu,
    counter: row.counter,
    event: row.event < 0 ? null : row.event,
    eventName: row.event < 0 ? null : row.eventName,
    guest: row.guest,
    hostG: row.hostG,
    hostH: row.hostH,
    difference: row.difference,
    ratio: row.ratio,
    coverage: row.coverage,
    notes: row.notes.map(({ code, text, evidence }) => ({ code, text, evidence })),
  };
}
