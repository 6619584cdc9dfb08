import { type Command, Option } from 'commander';
import {
  type EventChunk,
  type JsonLinesSource,
  type Log,
  sliceOfRecordings,
  writeJsonLines,
} from '../../index.ts';
import { addRecordingOptions, type RecordingOptions } from '../options.ts';
import { isRangeArgument } from '../ranges.ts';
import { withLog } from '../resolve-log.ts';
import { addSelectionOptions, type SelectionOptions, selectEvents } from '../selection.ts';
import type { Shell } from '../shell.ts';
import { writeJsonLinesFile } from '../write-file.ts';

interface ExportOptions extends RecordingOptions, SelectionOptions {
  readonly output?: string;
}

/** `vpmu export`: events in a form other programs read, and `vpmu import` reads back. */
export function addExport(program: Command, shell: Shell): void {
  const command = program
    .command('export')
    .summary('events as JSON lines, which other programs and vpmu itself read')
    .description(
      'Writes a log, or the selected events of it, as vpmu-events/1: a header and one JSON line per event (docs/formats.md). Importing it gives the same events again.',
    )
    .argument('[LOG | RECORDING | RANGE...]', 'a log or recordings; @A-@B, @A+N or @A for events');
  command
    .option('-o, --output <FILE>', 'file to write, instead of standard output')
    .addOption(new Option('--format <NAME>', 'what to write').choices(['jsonl']).default('jsonl'))
    .addHelpText(
      'after',
      '\nExamples:\n  vpmu export guest.vpmu -o guest.jsonl\n  vpmu export traces/S5-bare/trace-raw.txt.zst --kind read,write | gzip > accesses.jsonl.gz',
    )
    .action((args: string[], options: ExportOptions) => {
      const ranges = args.filter(isRangeArgument);
      const inputs = args.filter((arg) => !isRangeArgument(arg));
      return withLog(inputs, options, shell, (log) => {
        const { time, vcpu, kind, register, source: of, event } = options;
        const selected = [time, vcpu, kind, register, of, event].some((o) => o !== undefined);
        const source = jsonLinesSource(
          log,
          selectEvents(log, options, ranges),
          selected || ranges.length > 0,
        );
        if (options.output === undefined) {
          writeJsonLines(source, (text) => shell.print(text.replace(/\n$/, '')));
        } else writeJsonLinesFile(options.output, source);
      });
    });
  addSelectionOptions(command);
  addRecordingOptions(command);
}

function jsonLinesSource(
  log: Log,
  chunks: Iterable<EventChunk>,
  selected: boolean,
): JsonLinesSource {
  // What a slice says of itself holds for all of its events.
  const slice = selected ? undefined : sliceOfRecordings(log.imports());
  return {
    ...(slice === undefined ? {} : { slice }),
    chunks: () => chunks,
    name: (id) => log.name(id),
    attr: (id) => log.attr(id),
    imports: () => log.imports(),
    vcpus: () => log.vcpus(),
    threads: () => log.threads(),
  };
}
