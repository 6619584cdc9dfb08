import { statSync } from 'node:fs';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { grouped } from '../../domain/u64.ts';
import {
  EventKind,
  formatTime,
  type ImportRow,
  KIND_SPECS,
  type Log,
  type RecordingConflict,
} from '../../index.ts';
import { addRecordingOptions, jsonOption, type RecordingOptions } from '../options.ts';
import { timeSpan } from '../ranges.ts';
import { conflictJson } from '../render/conflicts.ts';
import { printJson } from '../render/json.ts';
import { noticeJson, noticeLines } from '../render/notices.ts';
import { printTable } from '../render/print-table.ts';
import type { Column } from '../render/table.ts';
import { formatBytes, formatDuration, plural, printable } from '../render/text.ts';
import { withLog } from '../resolve-log.ts';
import type { Shell } from '../shell.ts';

interface InfoOptions extends RecordingOptions {
  readonly json?: boolean;
}

/** `vpmu info`: what a log holds and what importing it found. */
export function addInfo(program: Command, shell: Shell): void {
  const command = program
    .command('info')
    .summary('what a log or recording holds, and what was not understood')
    .description(
      'Shows recordings, kernel, clock, vCPUs with their threads, time span, events by kind, lost records, and what importing did not take over as it stood.',
    )
    .argument('[LOG | RECORDING...]', 'a log, or recordings to import first');
  command
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExamples:\n  vpmu info traces/S5-bare/trace-raw.txt.zst\n  vpmu info guest.vpmu --json',
    )
    .action((args: string[], options: InfoOptions) =>
      withLog(
        args,
        options,
        shell,
        (log, { cached, conflicts }) => {
          const info = { ...collect(log), conflicts: conflicts.map(conflictJson) };
          if (options.json) printJson(shell, info);
          else printInfo(shell, log, info, cached, conflicts);
        },
        // They are part of what is printed.
        { warn: false, warnOfConflicts: false },
      ),
    );
  addRecordingOptions(command);
}

type Info = ReturnType<typeof collect>;

function collect(log: Log) {
  const bytes = statSync(log.path).size;
  return {
    log: basename(log.path),
    schema: log.schema,
    head: log.head,
    bytes,
    bytesPerEvent: log.eventCount === 0 ? null : bytes / log.eventCount,
    events: log.eventCount,
    firstTime: log.eventCount === 0 ? null : timeSpan(log).first,
    lastTime: log.eventCount === 0 ? null : timeSpan(log).last,
    recordings: log.imports().map(recordingJson),
    vcpus: log.vcpus().map((vcpu) => ({ ...vcpu, thread: log.threadName(vcpu.tid) ?? null })),
    kinds: [...log.kindCounts()]
      .map(([kind, events]) => ({
        kind: KIND_SPECS[kind]!.name,
        group: KIND_SPECS[kind]!.group,
        events,
      }))
      .sort((a, b) => b.events - a.events),
    unmapped: unmappedNames(log),
  };
}

function recordingJson({ facts, ...row }: ImportRow) {
  return {
    id: row.source,
    name: facts.name,
    format: facts.format,
    role: facts.role,
    events: row.events,
    lost: row.lost,
    firstSeq: row.firstSeq ?? null,
    lastSeq: row.lastSeq ?? null,
    importRun: row.run,
    digest: row.digest,
    bytes: row.bytes,
    kernelRelease: facts.kernelRelease ?? null,
    arch: facts.arch ?? null,
    hostname: facts.hostname ?? null,
    toolVersion: facts.toolVersion ?? null,
    commandLine: facts.commandLine ?? null,
    counted: facts.counted ?? null,
    clock: facts.clock ?? null,
    timeResolution: facts.timeResolution,
    notices: row.notices.map(noticeJson),
  };
}

/** Records that no rule maps, by name: kept as `other`, shown so that nobody believes they were replayed. */
function unmappedNames(log: Log): readonly { readonly name: string; readonly events: number }[] {
  if (!log.kindCounts().has(EventKind.other)) return [];
  const counts = new Map<number, number>();
  for (const chunk of log.chunks({ kinds: new Set([EventKind.other]) })) {
    for (let i = 0; i < chunk.length; i++) {
      counts.set(chunk.code[i]!, (counts.get(chunk.code[i]!) ?? 0) + 1);
    }
  }
  return [...counts]
    .map(([id, events]) => ({ name: log.name(id), events }))
    .sort((a, b) => b.events - a.events);
}

function printInfo(
  shell: Shell,
  log: Log,
  info: Info,
  cached: boolean,
  conflicts: readonly RecordingConflict[],
): void {
  const size = `${formatBytes(info.bytes)}${info.bytesPerEvent === null ? '' : `, ${info.bytesPerEvent.toFixed(1)} bytes/event`}`;
  const name = cached
    ? log
        .imports()
        .map(({ facts }) => printable(facts.name))
        .join(' + ')
    : printable(info.log);
  shell.print(`${shell.style('heading', name)}: ${plural(info.events, 'event')} (${size})`);
  shell.print(`  log schema ${info.schema}, head ${info.head}`);
  if (info.events > 0) {
    const { first, last } = timeSpan(log);
    shell.print(
      `  time span ${formatTime(first)} to ${formatTime(last)} (${formatDuration(last - first)})`,
    );
  }
  section(shell, 'recordings');
  printTable(shell, RECORDING_COLUMNS, log.imports().map(recordingRow));
  for (const row of log.imports()) printFacts(shell, row);
  if (conflicts.length > 0) {
    section(shell, 'recordings that do not belong in one log');
    for (const { text, hint } of conflicts) {
      shell.print(`  ${shell.style('warning', 'warning')}: ${printable(text)}`);
      shell.print(`    ${hint}`);
    }
  }
  section(shell, 'vCPUs');
  if (info.vcpus.length === 0)
    shell.print('  none known: no record tells which thread runs a vCPU');
  else {
    printTable(
      shell,
      [
        { title: 'vcpu', align: 'right' },
        { title: 'index', align: 'right' },
        { title: 'thread', align: 'right' },
        { title: 'process', align: 'right' },
        { title: 'name' },
        { title: 'learned from', wrapTo: 20 },
      ],
      info.vcpus.map((vcpu) => [
        `${vcpu.slot}`,
        `${vcpu.index}`,
        vcpu.tid < 0 ? '-' : `${vcpu.tid}`,
        vcpu.pid < 0 ? '-' : `${vcpu.pid}`,
        printable(vcpu.thread ?? '-'),
        `${printable(vcpu.learnedFrom)}${vcpu.seq > 0 ? ` @${vcpu.seq}` : ''}`,
      ]),
    );
  }
  section(shell, 'events by kind');
  printTable(
    shell,
    [
      { title: 'events', align: 'right' },
      { title: 'share', align: 'right' },
      { title: 'kind' },
      { title: 'group' },
    ],
    info.kinds.map(({ kind, group, events }) => [
      grouped(events),
      `${((100 * events) / info.events).toFixed(1)} %`,
      kind,
      group,
    ]),
  );
  if (info.unmapped.length > 0) {
    section(shell, 'not mapped: kept by name, not replayed');
    printTable(
      shell,
      [{ title: 'events', align: 'right' }, { title: 'record' }],
      info.unmapped.map(({ name, events }) => [grouped(events), printable(name)]),
    );
  }
}

const RECORDING_COLUMNS: readonly Column[] = [
  { title: 'id', align: 'right' },
  { title: 'name', wrapTo: 12 },
  { title: 'format' },
  { title: 'role' },
  { title: 'events', align: 'right' },
  { title: 'lost', align: 'right' },
  { title: 'kernel', wrapTo: 10 },
  { title: 'clock' },
];

function recordingRow(row: ImportRow): readonly string[] {
  const { facts } = row;
  return [
    `${row.source}`,
    printable(facts.name),
    facts.format,
    facts.role,
    grouped(row.events),
    grouped(row.lost),
    facts.kernelRelease === undefined ? 'not said' : printable(facts.kernelRelease),
    printable(facts.clock ?? 'not said'),
  ];
}

function printFacts(shell: Shell, row: ImportRow): void {
  const { facts } = row;
  const lines: string[] = [];
  if (facts.timeResolution > 1)
    lines.push(`times in steps of ${formatDuration(BigInt(facts.timeResolution))}`);
  if (facts.hostname !== undefined) lines.push(`made on ${printable(facts.hostname)}`);
  if (facts.toolVersion !== undefined) lines.push(`by ${printable(facts.toolVersion)}`);
  if (facts.counted !== undefined) lines.push(`counted: ${printable(facts.counted)}`);
  if (facts.commandLine !== undefined) lines.push(`with: ${printable(facts.commandLine)}`);
  lines.push(...noticeLines(row.notices, shell));
  if (lines.length === 0) return;
  shell.print(`  ${printable(facts.name)}:`);
  for (const line of lines) shell.print(`    ${line}`);
}

function section(shell: Shell, title: string): void {
  shell.print();
  shell.print(shell.style('heading', title));
}
