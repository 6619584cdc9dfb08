import { type Command, Option } from 'commander';
import {
  type Diagnosis,
  diagnoseLog,
  EXIT,
  type Log,
  type Outcome,
  outcomeOf,
} from '../../index.ts';
import {
  addRecordingOptions,
  jsonOption,
  list,
  type RecordingOptions,
  repeatable,
} from '../options.ts';
import { machineOf, parsePmuEvents } from '../pmu-events.ts';
import { isRangeArgument, resolveRanges } from '../ranges.ts';
import { printConflicts, withConflicts } from '../render/conflicts.ts';
import { printDiagnosis } from '../render/diagnose.ts';
import { diagnosisJson } from '../render/diagnose-json.ts';
import { printMarkdown } from '../render/diagnose-markdown.ts';
import { printJson } from '../render/json.ts';
import { eventProgress, VERDICT, withLog } from '../resolve-log.ts';
import { parseVcpus } from '../selection.ts';
import type { Shell } from '../shell.ts';
import { version } from '../version.ts';

interface DiagnoseOptions extends RecordingOptions {
  readonly rules?: string;
  readonly vcpu?: string;
  readonly event?: readonly string[];
  readonly time?: readonly string[];
  readonly format: 'text' | 'markdown';
  readonly json?: boolean;
}

/** `vpmu diagnose`: why the counts differ. */
export function addDiagnose(program: Command, shell: Shell): void {
  const command = program
    .command('diagnose')
    .summary('why guest and host counts differ: causes with amounts and evidence')
    .description(
      'Cuts the log into windows in which a guest counter counted one event undisturbed, compares each with the host, and takes the difference apart: causes with grade, amount and evidence, and what is left unexplained. Of two outputs of perf stat without a trace it says what the numbers support. Exit code 1 when counts differ or a counter did not count as programmed, 4 when nothing can be compared.',
    )
    .argument(
      '[LOG | RECORDING | RANGE...]',
      'a log or recordings; @A-@B, @A+N or @A for windows there',
    );
  command
    .option('--rules <NAME>', 'rule set, instead of the one of the recording (vpmu models)')
    .option('--vcpu <LIST>', 'only windows of these vCPUs, as 0,2-3')
    .addOption(list('-e, --event <LIST>', 'only windows of these PMU events, as cycles,r08'))
    .addOption(repeatable('--time <A,B>', 'only windows with a part between times A and B'))
    .addOption(
      new Option('--format <NAME>', 'text for a terminal, or a bug report')
        .choices(['text', 'markdown'])
        .default('text'),
    )
    .addOption(jsonOption().conflicts('format'))
    .addHelpText(
      'after',
      `
Windows of one counter with the same causes are one entry: their amounts added up, the largest in full.
With -v every window by itself, also those without a finding, and the causes that were ruled out.

Examples:
  vpmu diagnose traces/S3-lean/trace-raw.txt.zst
  vpmu diagnose guest.vpmu -e cycles --time 21.9,22 -v
  vpmu diagnose guest.vpmu --format markdown > report.md
  vpmu diagnose host:traces/sleep5-2016/host.txt guest:traces/sleep5-2016/guest.txt
  vpmu explain pinned-error`,
    )
    .action((args: string[], options: DiagnoseOptions) => {
      const ranges = args.filter(isRangeArgument);
      const inputs = args.filter((arg) => !isRangeArgument(arg));
      return withLog(
        inputs,
        options,
        shell,
        (log, { conflicts }) => {
          const select = selection(log, options, ranges);
          const all = diagnoseLog(
            log,
            options.rules === undefined ? {} : { rules: options.rules },
            eventProgress(shell, 'diagnosing', log.eventCount),
          );
          const diagnosis = select(all);
          shell.progress(undefined);
          if (diagnosis.windows.length === 0 && options.quiet !== true) noteNoWindow(shell, all);
          shell.exitCode = EXIT_OF[outcomeOf(diagnosis)];
          const view = { all: options.verbose === true };
          if (options.json) {
            printJson(shell, withConflicts(diagnosisJson(diagnosis, log.vcpus()), conflicts));
            return;
          }
          printConflicts(shell, conflicts, options.format === 'markdown' ? '> ' : '');
          if (options.format === 'markdown') {
            const typed = process.argv.slice(2).map(quoted).join(' ');
            printMarkdown(shell, diagnosis, view, {
              log,
              command: `vpmu ${typed}`,
              version: version(),
            });
          } else printDiagnosis(shell, diagnosis, view, log.vcpus());
        },
        VERDICT,
      );
    });
  addRecordingOptions(command);
}

/** Says what there would have been to select, where a selection left nothing of it. */
function noteNoWindow(shell: Shell, { windows }: Diagnosis): void {
  if (windows.length === 0) return;
  const names = new Set(windows.map(({ window }) => window.eventName));
  const [first, last] = [windows[0]!.window, windows.at(-1)!.window];
  shell.note(
    `vpmu: no window matches: the log has ${windows.length}, of ${[...names].join(', ')}, between @${first.fromSeq} and @${last.toSeq}`,
  );
}

/** An argument as a shell takes it back. */
function quoted(arg: string): string {
  return /^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`;
}

/** Leaves the chosen windows; what names nothing is refused before any work is done. */
function selection(
  log: Log,
  { vcpu, event, time = [] }: DiagnoseOptions,
  ranges: readonly string[],
): (diagnosis: Diagnosis) => Diagnosis {
  const slots = vcpu === undefined ? undefined : parseVcpus(vcpu, log);
  const asked = [...time, ...ranges];
  const { fromTime, toTime, fromSeq, toSeq } = asked.length === 0 ? {} : resolveRanges(asked, log);
  const events = event === undefined ? undefined : parsePmuEvents(event, machineOf(log));
  return (diagnosis) => {
    return {
      ...diagnosis,
      windows: diagnosis.windows.filter(
        ({ window }) =>
          (slots?.has(window.vcpu) ?? true) &&
          (events === undefined || (window.event !== undefined && events.has(window.event))) &&
          (fromTime === undefined || window.toTime >= fromTime) &&
          (toTime === undefined || window.fromTime <= toTime) &&
          (fromSeq === undefined || window.toSeq >= fromSeq) &&
          (toSeq === undefined || window.fromSeq <= toSeq),
      ),
    };
  };
}

const EXIT_OF = {
  same: EXIT.ok,
  differs: EXIT.differs,
  inconclusive: EXIT.inconclusive,
} as const satisfies Record<Outcome, number>;
