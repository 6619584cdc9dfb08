import type { Command } from 'commander';
import { grouped } from '../../domain/u64.ts';
import { type EventChunk, eventAt, KIND_SPECS, type Log } from '../../index.ts';
import { addRecordingOptions, jsonOption, type RecordingOptions } from '../options.ts';
import { isRangeArgument } from '../ranges.ts';
import { eventJson } from '../render/event-json.ts';
import { eventLayout, eventLine } from '../render/event-text.ts';
import { printJson, toJson } from '../render/json.ts';
import { renderTable } from '../render/table.ts';
import { withLog } from '../resolve-log.ts';
import { addSelectionOptions, type SelectionOptions, selectEvents } from '../selection.ts';
import type { Shell } from '../shell.ts';

interface EventsOptions extends RecordingOptions, SelectionOptions {
  readonly json?: boolean;
  readonly count?: boolean;
}

/** `vpmu events`: prints events, one line each. */
export function addEvents(program: Command, shell: Shell): void {
  const command = program
    .command('events')
    .summary('the events themselves, one line each')
    .description(
      'Prints events in replay order, one line each: @seq, time (exact to the ns), [CPU], vCPU, thread, kind, and what happened.',
    )
    .argument('[LOG | RECORDING | RANGE...]', 'a log or recordings; @A-@B, @A+N or @A for events');
  command
    .option('--count', 'print how many events match, by kind, instead of the events')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  vpmu events traces/S3-lean/trace-raw.txt.zst --time 21.9,22 --kind write,hw-add
  vpmu events traces/S5-bare/trace-raw.txt.zst --register PMOVSCLR_EL0 --vcpu 0
  vpmu events guest.vpmu @12000+20
  vpmu events guest.vpmu -e branch-misses,L1-dcache-load-misses
  vpmu events guest.vpmu --kind 'sched-*' --count`,
    )
    .action((args: string[], options: EventsOptions) => {
      const ranges = args.filter(isRangeArgument);
      const inputs = args.filter((arg) => !isRangeArgument(arg));
      return withLog(inputs, options, shell, async (log) => {
        const chunks = selectEvents(log, options, ranges);
        if (options.count) printCounts(shell, chunks, options.json === true);
        else await printEvents(shell, log, chunks, options.json === true);
      });
    });
  addSelectionOptions(command);
  addRecordingOptions(command);
}

async function printEvents(
  shell: Shell,
  log: Log,
  chunks: Iterable<EventChunk>,
  json: boolean,
): Promise<void> {
  const layout = eventLayout(log.eventCount, log.lastTime ?? 0n);
  for (const chunk of chunks) {
    for (let i = 0; i < chunk.length; i++) {
      const event = eventAt(chunk, i);
      shell.print(json ? toJson(eventJson(event, log)) : eventLine(event, log, layout));
    }
    await shell.drain();
  }
}

function printCounts(shell: Shell, chunks: Iterable<EventChunk>, json: boolean): void {
  const counts = new Map<number, number>();
  let total = 0;
  for (const chunk of chunks) {
    for (let i = 0; i < chunk.length; i++) {
      total++;
      counts.set(chunk.kind[i]!, (counts.get(chunk.kind[i]!) ?? 0) + 1);
    }
  }
  const kinds = [...counts]
    .map(([kind, events]) => ({ kind: KIND_SPECS[kind]!.name, events }))
    .sort((a, b) => b.events - a.events);
  if (json) {
    printJson(shell, { events: total, kinds });
    return;
  }
  const rows = [
    ...kinds.map(({ kind, events }) => [grouped(events), kind]),
    [grouped(total), 'all'],
  ];
  const columns = [{ title: 'events', align: 'right' as const }, { title: 'kind' }];
  for (const line of renderTable(columns, rows, { width: shell.width })) shell.print(line);
}
