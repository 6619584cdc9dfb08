import type { Command } from 'commander';
import { EXIT, UsageError, whatIf } from '../../index.ts';
import { addRecordingOptions, jsonOption, list, type RecordingOptions } from '../options.ts';
import { resolveInstant } from '../ranges.ts';
import { printJson } from '../render/json.ts';
import { printWhatIf, whatIfJson } from '../render/what-if.ts';
import { eventProgress, withLog } from '../resolve-log.ts';
import type { Shell } from '../shell.ts';

interface WhatIfOptions extends RecordingOptions {
  readonly rules?: readonly string[];
  readonly at?: string;
  readonly json?: boolean;
}

/** `vpmu what-if`: one recording as several rule sets would have played it. */
export function addWhatIf(program: Command, shell: Shell): void {
  const command = program
    .command('what-if')
    .summary('what the guest would have read under other rules, and what it would have cost')
    .description(
      'Plays the guest accesses of a recording on the vPMUs of several rule sets at once. Prints, per counter, the value each would have shown at an instant, the first access at which they part, and what each asked of the host perf. Events count what the recorded event of that counter counted; where that one did not count, a value is bounded, never guessed. The accesses are taken as recorded, also after they part. Exit code 0 when all rule sets show the same, 1 when they part, 4 when no access to a PMU register was recorded.',
    )
    .argument('[LOG | RECORDING...]', 'a log, or recordings to import first');
  command
    .addOption(list('--rules <LIST>', 'two or more rule sets; the first is what others part from'))
    .option('--at <TIME>', 'the instant: 423.518, +20us, 50%, @SEQ, start, end (default: end)')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  vpmu what-if traces/S5-bare/trace-raw.txt.zst --rules arm64-kvm-6.12,arm64-kvm-6.1
  vpmu what-if guest.vpmu --rules arm64-kvm-6.12,arm64-kvm-6.1 --at 21.965 --json`,
    )
    .action((args: string[], options: WhatIfOptions) =>
      withLog(
        args,
        options,
        shell,
        (log) => {
          if (options.rules === undefined) {
            throw new UsageError(
              '--rules is missing: which rule sets are to be compared?',
              'name two or more, as --rules arm64-kvm-6.1,arm64-kvm-6.12; vpmu models lists them',
            );
          }
          const result = whatIf(
            log,
            options.rules,
            resolveInstant(options.at ?? 'end', log),
            eventProgress(shell, 'playing', log.eventCount),
          );
          shell.progress(undefined);
          if (result.parts) shell.exitCode = EXIT.differs;
          else if (result.accesses === 0) shell.exitCode = EXIT.inconclusive;
          if (options.json) printJson(shell, whatIfJson(result));
          else printWhatIf(shell, result);
        },
        { replays: true },
      ),
    );
  addRecordingOptions(command);
}
