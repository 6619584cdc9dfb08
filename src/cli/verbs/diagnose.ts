import { type Command, Option } from 'commander';
import { parseIntegerList } from '../../domain/range-spec.ts';
import {
  archOfRules,
  type Diagnosis,
  diagnoseLog,
  EXIT,
  type Log,
  UsageError,
} from '../../index.ts';
import { parsePmuEvents } from '../event-filter.ts';
import {
  addRecordingOptions,
  jsonOption,
  list,
  type RecordingOptions,
  repeatable,
} from '../options.ts';
import { isRangeArgument, resolveRanges } from '../ranges.ts';
import { printDiagnosis } from '../render/diagnose.ts';
import { diagnosisJson } from '../render/diagnose-json.ts';
import { printMarkdown } from '../render/diagnose-markdown.ts';
import { printJson } from '../render/json.ts';
import { eventProgress, withLog } from '../resolve-log.ts';
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
      return withLog(inputs, options, shell, (log) => {
        const select = selection(log, options, ranges);
        const diagnosis = select(
          diagnoseLog(
            log,
            options.rules === undefined ? {} : { rules: options.rules },
            eventProgress(shell, 'diagnosing', log.eventCount),
          ),
        );
        shell.progress(undefined);
        shell.exitCode = exitCodeOf(diagnosis);
        const view = { all: options.verbose === true };
        if (options.json) printJson(shell, diagnosisJson(diagnosis, log.vcpus()));
        else if (options.format === 'markdown') {
          const typed = process.argv.slice(2).map(quoted).join(' ');
          printMarkdown(shell, diagnosis, view, {
            log,
            command: `vpmu ${typed}`,
            version: version(),
          });
        } else printDiagnosis(shell, diagnosis, view, log.vcpus());
      });
    });
  addRecordingOptions(command);
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
  const slots = vcpu === undefined ? undefined : new Set(parseIntegerList(vcpu, { what: 'vCPU' }));
  const known = log.vcpus().map(({ slot }) => slot);
  if (slots !== undefined && !known.some((slot) => slots.has(slot))) {
    throw new UsageError(
      `--vcpu ${vcpu}: no such vCPU`,
      `the log has ${known.join(', ') || 'none'}`,
    );
  }
  const asked = [...time, ...ranges];
  const { fromTime, toTime, fromSeq, toSeq } = asked.length === 0 ? {} : resolveRanges(asked, log);
  return (diagnosis) => {
    const events =
      event === undefined ? undefined : eventTest(event, diagnosis.ruleSet?.name ?? '');
    return {
      ...diagnosis,
      windows: diagnosis.windows.filter(
        ({ window }) =>
          (slots?.has(window.vcpu) ?? true) &&
          (events?.(window) ?? true) &&
          (fromTime === undefined || window.toTime >= fromTime) &&
          (toTime === undefined || window.fromTime <= toTime) &&
          (fromSeq === undefined || window.toSeq >= fromSeq) &&
          (toSeq === undefined || window.fromSeq <= toSeq),
      ),
    };
  };
}

type NamedEvent = { readonly event: number | undefined; readonly eventName: string };

/** Windows of these events: by any name perf has on arm64; on x86 by raw number or the name that is printed. */
function eventTest(words: readonly string[], rules: string): (window: NamedEvent) => boolean {
  if (archOfRules(rules) !== 'x86') {
    const numbers = parsePmuEvents(words);
    return ({ event }) => event !== undefined && numbers.has(event);
  }
  const numbers = new Set(
    words.flatMap((word) => {
      const raw = /^(?:r|0x)([0-9a-f]{1,8})$/i.exec(word);
      return raw === null ? [] : [Number.parseInt(raw[1]!, 16)];
    }),
  );
  const names = words.map((word) => word.toLowerCase().replaceAll('_', '-'));
  return ({ event, eventName }) => {
    const own = eventName.toLowerCase().replaceAll('_', '-');
    return (
      (event !== undefined && numbers.has(event)) ||
      names.some((name) => own === name || own.startsWith(`${name} `))
    );
  };
}

function exitCodeOf({ windows, statistics }: Diagnosis): number {
  if (windows.some(({ verdict }) => verdict === 'differs' || verdict === 'impaired')) {
    return EXIT.differs;
  }
  if (windows.some(({ verdict }) => verdict === 'suspect')) return EXIT.inconclusive;
  if (windows.some(({ verdict }) => verdict === 'agrees' || verdict === 'open')) return EXIT.ok;
  const same = statistics.some(({ rows }) => rows.every(({ apart }) => apart === 'equal'));
  return same ? EXIT.ok : EXIT.inconclusive;
}
