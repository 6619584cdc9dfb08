import type { Command } from 'commander';
import { grouped } from '../../domain/u64.ts';
import { type EventChunk, eventAt, KIND_SPECS, type Log } from '../../index.ts';
import { emptySelectionText } from '../empty-selection.ts';
import { wordsOf } from '../event-words.ts';
import { addRecordingOptions, jsonOption, list, type RecordingOptions } from '../options.ts';
import { isRangeArgument } from '../ranges.ts';
import {
  COMMON_FIELDS,
  DEFAULT_FIELDS,
  fieldsLine,
  parseFields,
  quoted,
} from '../render/event-fields.ts';
import { eventJson } from '../render/event-json.ts';
import { eventLayout, eventLine } from '../render/event-text.ts';
import { printJson, toJson } from '../render/json.ts';
import { renderTable } from '../render/table.ts';
import { withLog } from '../resolve-log.ts';
import {
  addSelectionOptions,
  type SelectionOptions,
  selectEvents,
  separatorOption,
} from '../selection.ts';
import type { Shell } from '../shell.ts';

interface EventsOptions extends RecordingOptions, SelectionOptions {
  readonly json?: boolean;
  readonly count?: boolean;
  readonly fields?: readonly string[];
  readonly separator?: string;
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
    .addOption(
      list('-F, --fields <LIST>', 'print these fields as a table with a head line').conflicts([
        'json',
        'count',
      ]),
    )
    .addOption(
      separatorOption('between fields, as , (default: tab); quotes as CSV has').conflicts([
        'json',
        'count',
      ]),
    )
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Fields of every event: ${COMMON_FIELDS.join(', ')}.
Fields of some kinds, named for what they mean there, as value, count, config, event, state, reason; empty where
an event has none. A wrong name lists all.

Examples:
  vpmu events traces/S3-lean/trace-raw.txt.zst --time 21.9,22 --kind write,hw-add
  vpmu events traces/S5-bare/trace-raw.txt.zst --register PMOVSCLR_EL0 --vcpu 0
  vpmu events guest.vpmu @12000+20
  vpmu events guest.vpmu -e branch-misses,L1-dcache-load-misses
  vpmu events guest.vpmu --kind 'sched-*' --count
  vpmu events guest.vpmu --kind read,write -F time,vcpu,kind,register,value -x, > accesses.csv`,
    )
    .action((args: string[], options: EventsOptions) => {
      const ranges = args.filter(isRangeArgument);
      const inputs = args.filter((arg) => !isRangeArgument(arg));
      return withLog(inputs, options, shell, async (log) => {
        const chunks = selectEvents(log, options, ranges);
        const selected = await printSelected(shell, log, chunks, options);
        if (selected === 0 && options.quiet !== true) {
          shell.note(`vpmu: ${emptySelectionText(log, options, ranges)}`);
        }
      });
    });
  addSelectionOptions(command);
  addRecordingOptions(command);
}

/** Prints what was selected as it was asked for; returns how many events those were. */
function printSelected(
  shell: Shell,
  log: Log,
  chunks: Iterable<EventChunk>,
  { count, json = false, fields, separator }: EventsOptions,
): Promise<number> | number {
  if (count) return printCounts(shell, chunks, json);
  if (fields !== undefined || separator !== undefined) {
    return printFields(shell, log, chunks, fields ?? DEFAULT_FIELDS, separator ?? '\t');
  }
  return printEvents(shell, log, chunks, json);
}

async function printFields(
  shell: Shell,
  log: Log,
  chunks: Iterable<EventChunk>,
  names: readonly string[],
  separator: string,
): Promise<number> {
  const fields = parseFields(names);
  const words = wordsOf(log);
  let selected = 0;
  shell.print(names.map((name) => quoted(name, separator)).join(separator));
  for (const chunk of chunks) {
    for (let i = 0; i < chunk.length; i++) {
      shell.print(fieldsLine(fields, separator, chunk, i, words));
    }
    selected += chunk.length;
    await shell.drain();
  }
  return selected;
}

async function printEvents(
  shell: Shell,
  log: Log,
  chunks: Iterable<EventChunk>,
  json: boolean,
): Promise<number> {
  let selected = 0;
  const layout = eventLayout(log.eventCount, log.lastTime ?? 0n);
  const words = wordsOf(log);
  for (const chunk of chunks) {
    for (let i = 0; i < chunk.length; i++) {
      const event = eventAt(chunk, i);
      shell.print(json ? toJson(eventJson(event, log)) : eventLine(event, words, layout));
    }
    selected += chunk.length;
    await shell.drain();
  }
  return selected;
}

function printCounts(shell: Shell, chunks: Iterable<EventChunk>, json: boolean): number {
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
    return total;
  }
  const rows = [
    ...kinds.map(({ kind, events }) => [grouped(events), kind]),
    [grouped(total), 'all'],
  ];
  const columns = [{ title: 'events', align: 'right' as const }, { title: 'kind' }];
  for (const line of renderTable(columns, rows, { width: shell.width })) shell.print(line);
  return total;
}
