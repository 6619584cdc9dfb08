import { type Command, Option } from 'commander';
import {
  type EventChunk,
  type JsonLinesSource,
  type Log,
  sliceOfRecordings,
  UsageError,
} from '../../index.ts';
import { exportSqlite } from '../../log/sql/export-sqlite.ts';
import { emptySelectionText, isEmptySelection } from '../empty-selection.ts';
import { addRecordingOptions, namedIn, type RecordingOptions } from '../options.ts';
import { isRangeArgument } from '../ranges.ts';
import { withLog } from '../resolve-log.ts';
import { addSelectionOptions, type SelectionOptions, selectEvents } from '../selection.ts';
import type { Shell } from '../shell.ts';
import { sqlSource } from '../sql-source.ts';
import { refuseLosingInput, replaceFile, STDOUT, writeJsonLinesFile } from '../write-file.ts';

interface ExportOptions extends RecordingOptions, SelectionOptions {
  readonly output?: string;
  readonly format: 'jsonl' | 'sqlite';
}

/** `vpmu export`: events in a form other programs read, and `vpmu import` reads back. */
export function addExport(program: Command, shell: Shell): void {
  const command = program
    .command('export')
    .summary('events as JSON lines, which vpmu reads back, or as an SQLite database')
    .description(
      'Writes a log, or the selected events of it, as vpmu-events/1: a header and one JSON line per event (docs/formats.md). Importing it gives the same events again. --format sqlite writes a plain SQLite database with one row per event, which any sqlite3 opens; its tables are those of vpmu query.',
    )
    .argument('[LOG | RECORDING | RANGE...]', 'a log or recordings; @A-@B, @A+N or @A for events');
  command
    .option('-o, --output <FILE>', 'file to write, instead of standard output')
    .addOption(
      new Option('--format <NAME>', 'what to write').choices(['jsonl', 'sqlite']).default('jsonl'),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  vpmu export guest.vpmu -o guest.jsonl\n  vpmu export guest.vpmu --format sqlite -o guest.sqlite\n  vpmu export traces/S5-bare/trace-raw.txt.zst --kind read,write | gzip > accesses.jsonl.gz',
    )
    .action((args: string[], options: ExportOptions) => {
      const ranges = args.filter(isRangeArgument);
      const inputs = args.filter((arg) => !isRangeArgument(arg));
      if (options.output !== undefined) refuseLosingInput(options.output, namedIn(inputs, options));
      return withLog(inputs, options, shell, (log) => {
        const { time, vcpu, kind, register, source: of, event } = options;
        const selected =
          ranges.length > 0 || [time, vcpu, kind, register, of, event].some((o) => o !== undefined);
        const chunks = selectEvents(log, options, ranges);
        if (options.format === 'sqlite') exportDatabase(log, () => chunks, options.output);
        else {
          writeJsonLinesFile(
            options.output ?? STDOUT,
            jsonLinesSource(log, chunks, selected),
            shell,
          );
        }
        if (options.quiet !== true && isEmptySelection(log, options, ranges)) {
          shell.note(`vpmu: ${emptySelectionText(log, options, ranges)}`);
        }
      });
    });
  addSelectionOptions(command);
  addRecordingOptions(command);
}

function exportDatabase(
  log: Log,
  chunks: () => Iterable<EventChunk>,
  output: string | undefined,
): void {
  if (output === undefined || output === STDOUT) {
    throw new UsageError('a database cannot go to standard output', 'name a file: -o FILE.sqlite');
  }
  replaceFile(output, (into) => {
    exportSqlite(into, sqlSource(log, chunks), output);
  });
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
