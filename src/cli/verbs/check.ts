import type { Command } from 'commander';
import { checkLog, EVIDENCE_GROUPS, EXIT, parseWithheld } from '../../index.ts';
import { addRecordingOptions, jsonOption, list, type RecordingOptions } from '../options.ts';
import { checkJson, printCheck } from '../render/check.ts';
import { printJson } from '../render/json.ts';
import { eventProgress, withLog } from '../resolve-log.ts';
import type { Shell } from '../shell.ts';

interface CheckOptions extends RecordingOptions {
  readonly rules?: string;
  readonly without?: readonly string[];
  readonly json?: boolean;
}

/** `vpmu check`: every recorded guest read against its prediction. */
export function addCheck(program: Command, shell: Shell): void {
  const command = program
    .command('check')
    .summary('every recorded guest read against what the model predicts')
    .description(
      'Predicts every recorded guest read of a counter or PMU register before looking at its value, and compares. Exit code 1 when one cannot be what was recorded (the first is printed with the 20 events before it), 4 when there was nothing to compare.',
    )
    .argument('[LOG | RECORDING...]', 'a log, or recordings to import first');
  command
    .option('--rules <NAME>', 'rule set, instead of the one of the recording (vpmu models)')
    .addOption(list('--without <LIST>', 'withhold evidence, to see what the model knows by itself'))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Evidence that --without takes, besides the names of event kinds:
${Object.entries(EVIDENCE_GROUPS)
  .map(([name, { meaning }]) => `  ${name.padEnd(14)}${meaning}`)
  .join('\n')}

Examples:
  vpmu check traces/S5-bare/trace-raw.txt.zst
  vpmu check traces/S5-bare/trace-raw.txt.zst --without perf-reads,hw-counts
  vpmu check traces/S5-bare/trace-raw.txt.zst --rules arm64-kvm-6.1`,
    )
    .action((args: string[], options: CheckOptions) =>
      withLog(args, options, shell, (log) => {
        const result = checkLog(
          log,
          {
            ...(options.rules === undefined ? {} : { rules: options.rules }),
            ...(options.without === undefined ? {} : { withheld: parseWithheld(options.without) }),
          },
          eventProgress(shell, 'checking', log.eventCount),
        );
        shell.progress(undefined);
        const { confirmed, bounded, contradicted } = result.guestReads;
        if (contradicted > 0) shell.exitCode = EXIT.differs;
        else if (confirmed + bounded === 0) shell.exitCode = EXIT.inconclusive;
        if (options.json) printJson(shell, checkJson(result, log));
        else printCheck(shell, result, log);
      }),
    );
  addRecordingOptions(command);
}
