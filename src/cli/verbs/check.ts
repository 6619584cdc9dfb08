import { type Command, Option } from 'commander';
import {
  type CheckResult,
  checkLog,
  EVIDENCE_GROUPS,
  EXIT,
  parseWithheld,
  type ReplayChoices,
  sliceOfRecordings,
  UsageError,
} from '../../index.ts';
import {
  checkFile,
  expectedOf,
  isSuite,
  type SuitePoint,
  sliceDifferences,
  suiteFiles,
} from '../check-suite.ts';
import { wordsOf } from '../event-words.ts';
import { addRecordingOptions, jsonOption, list, type RecordingOptions } from '../options.ts';
import { checkJson, printCheck } from '../render/check.ts';
import { SUITE_FORMATS, type SuiteFormat, suiteJson, suitePrinter } from '../render/check-suite.ts';
import { printConflicts, withConflicts } from '../render/conflicts.ts';
import { printJson } from '../render/json.ts';
import { eventProgress, VERDICT, withLog } from '../resolve-log.ts';
import type { Shell } from '../shell.ts';

interface CheckOptions extends RecordingOptions {
  readonly rules?: string;
  readonly without?: readonly string[];
  readonly format: SuiteFormat;
  readonly json?: boolean;
}

/** `vpmu check`: every recorded guest read against its prediction. */
export function addCheck(program: Command, shell: Shell): void {
  const command = program
    .command('check')
    .summary('every recorded guest read against what the model predicts')
    .description(
      'Predicts every recorded guest read of a counter or PMU register before looking at its value, and compares. Exit code 1 when one cannot be what was recorded (the first is printed with the 20 events before it), or a slice comes out otherwise than when it was cut; 4 when there was nothing to compare. Of a folder every recording and slice is checked by itself, and what is none is skipped.',
    )
    .argument('[LOG | RECORDING | FOLDER...]', 'a log, recordings, or folders of them');
  command
    .option('--rules <NAME>', 'rule set, instead of the one of the recording (vpmu models)')
    .addOption(list('--without <LIST>', 'withhold evidence, to see what the model knows by itself'))
    .addOption(
      new Option('--format <NAME>', 'of a folder: how its test points are printed')
        .choices(SUITE_FORMATS)
        .default('text'),
    )
    .addOption(jsonOption().conflicts('format'))
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
  vpmu check traces/S5-bare/trace-raw.txt.zst --rules arm64-kvm-6.1
  vpmu check --format tap traces/X9b-event-filter`,
    )
    .action(async (args: string[], options: CheckOptions) => {
      const choices: ReplayChoices = {
        ...(options.rules === undefined ? {} : { rules: options.rules }),
        ...(options.without === undefined ? {} : { withheld: parseWithheld(options.without) }),
      };
      if (isSuite(args)) return checkSuite(args, options, choices, shell);
      if (options.format !== 'text') {
        throw new UsageError(
          `--format ${options.format}: is for a folder`,
          'name the folder that the recordings or slices are in',
        );
      }
      return withLog(
        args,
        options,
        shell,
        (log, { conflicts }) => {
          const result = checkLog(log, choices, eventProgress(shell, 'checking', log.eventCount));
          shell.progress(undefined);
          const slice = expectedOf(sliceOfRecordings(log.imports()), result, choices);
          const differences = slice === undefined ? undefined : sliceDifferences(slice, result);
          shell.exitCode = exitCodeOf(result, differences);
          if (options.json) {
            printJson(shell, withConflicts(checkJson(result, log, slice ?? null), conflicts));
            return;
          }
          printConflicts(shell, conflicts);
          printCheck(shell, result, wordsOf(log), differences);
        },
        VERDICT,
      );
    });
  addRecordingOptions(command);
}

function exitCodeOf({ guestReads }: CheckResult, differences: readonly string[] = []): number {
  if (guestReads.contradicted > 0 || differences.length > 0) return EXIT.differs;
  return guestReads.confirmed + guestReads.bounded === 0 ? EXIT.inconclusive : EXIT.ok;
}

async function checkSuite(
  args: readonly string[],
  options: CheckOptions,
  choices: ReplayChoices,
  shell: Shell,
): Promise<void> {
  const { input, host, guest } = options;
  if (input !== undefined || host !== undefined || guest !== undefined) {
    throw new UsageError(
      'a folder is checked file by file: -i, --host and --guest have no place',
      'import recordings that belong together into one log in that folder',
    );
  }
  const files = suiteFiles(args);
  const printer = options.json ? undefined : suitePrinter(options.format, shell);
  const points: SuitePoint[] = [];
  printer?.begin(files.length);
  for (const file of files) {
    const point = await checkFile(file, options, choices, shell);
    points.push(point);
    printer?.point(point);
    await shell.drain();
  }
  printer?.end(points);
  if (options.json) printJson(shell, suiteJson(points));
  const has = (...outcomes: readonly SuitePoint['outcome'][]): boolean =>
    points.some(({ outcome }) => outcomes.includes(outcome));
  if (has('failed', 'error')) shell.exitCode = EXIT.differs;
  else if (!has('passed')) shell.exitCode = EXIT.inconclusive;
}
