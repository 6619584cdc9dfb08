import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { type Log, type Slice, sliceLog, sliceSource, UsageError } from '../../index.ts';
import { addRecordingOptions, namedIn, type RecordingOptions, repeatable } from '../options.ts';
import { isRangeArgument, resolveRanges } from '../ranges.ts';
import { plural } from '../render/text.ts';
import { withLog } from '../resolve-log.ts';
import type { Shell } from '../shell.ts';
import { version } from '../version.ts';
import { refuseLosingInput, STDOUT, writeJsonLinesFile } from '../write-file.ts';

interface SliceOptions extends RecordingOptions {
  readonly output?: string;
  readonly time?: readonly string[];
  readonly rules?: string;
  readonly force?: boolean;
}

/** `vpmu slice`: a part of a log that stands by itself. */
export function addSlice(program: Command, shell: Shell): void {
  const command = program
    .command('slice')
    .summary('a small recording of a part, with the state it starts from')
    .description(
      'Cuts a part out of a log or of recordings, as vpmu-events/1: records that re-create the state at its start, its events, and in the header what vpmu check found in it. Every verb takes it; vpmu check compares.',
    )
    .argument('[LOG | RECORDING | RANGE...]', 'a log or recordings; @A-@B or @A+N, the part');
  command
    .addOption(repeatable('--time <A,B>', 'the part from time A to time B'))
    .option('-o, --output <FILE>', 'file to write; - is standard output')
    .option('-f, --force', 'replace the file')
    .option('--rules <NAME>', 'rule set, instead of the one of the recording (vpmu models)')
    .addHelpText(
      'after',
      `
Examples:
  vpmu slice traces/S3-lean/trace-raw.txt.zst --time 21.95,21.97 -o refused.jsonl
  vpmu slice guest.vpmu @18800-@19300 -o window.jsonl
  vpmu check refused.jsonl`,
    )
    .action((args: string[], options: SliceOptions) => {
      const ranges = [...args.filter(isRangeArgument), ...(options.time ?? [])];
      const inputs = args.filter((arg) => !isRangeArgument(arg));
      const { output, rules } = options;
      if (ranges.length === 0) {
        throw new UsageError('no part given', '--time A,B, or @A-@B after the log');
      }
      if (output === undefined) throw new UsageError('no file to write', 'name it with -o FILE');
      if (output !== STDOUT && existsSync(output) && options.force !== true) {
        throw new UsageError(`${output} exists`, '-f replaces it');
      }
      refuseLosingInput(output, namedIn(inputs, options));
      return withLog(
        inputs,
        options,
        shell,
        (log) => {
          const choices = rules === undefined ? {} : { rules };
          const slice = sliceLog(log, resolveRanges(ranges, log), { tool: version(), choices });
          writeJsonLinesFile(output, sliceSource(log, slice), shell);
          if (options.quiet !== true && output !== STDOUT) report(shell, output, slice, log);
        },
        { replays: true },
      );
    });
  addRecordingOptions(command);
}

function report(shell: Shell, output: string, { facts, events, lessSure }: Slice, log: Log): void {
  const { fromSeq, toSeq, preamble, form, guestReads } = facts;
  const how =
    form === 'state' ? 'made from the state at the start' : 'the history that a replay needs';
  shell.print(
    `${output}: @${fromSeq}-@${toSeq} of ${plural(log.eventCount, 'event')}, ${plural(events - preamble, 'event')} and ${plural(preamble, 'event')} before them (${how}).`,
  );
  shell.print(
    `Guest reads in it: ${guestReads.total}, ${guestReads.confirmed} confirmed, ${guestReads.bounded} bounded, ${guestReads.unknown} unknown, ${guestReads.contradicted} contradicted.`,
  );
  if (lessSure > 0) {
    shell.print(
      `${plural(lessSure, 'read')} less sure than in the whole log: begin the part earlier to have them as they are there.`,
    );
  }
}
