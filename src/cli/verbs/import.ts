import { basename } from 'node:path';
import type { Command } from 'commander';
import { UsageError } from '../../domain/errors.ts';
import type { InputReport } from '../../import/report.ts';
import { type ImportOutcome, importInto } from '../import-into.ts';
import { addRecordingOptions, jsonOption, type RecordingOptions } from '../options.ts';
import { classifyInputs, type RecordingInput, STDIN } from '../recordings.ts';
import { conflictJson, noteConflicts } from '../render/conflicts.ts';
import { printJson } from '../render/json.ts';
import { noticeJson, noticeLines } from '../render/notices.ts';
import { plural, printable } from '../render/text.ts';
import type { Shell } from '../shell.ts';

interface ImportCommandOptions extends RecordingOptions {
  readonly output?: string;
  readonly json?: boolean;
}

/** `vpmu import`: recordings into a log. */
export function addImport(program: Command, shell: Shell): void {
  const command = program
    .command('import')
    .summary('put recordings into a log')
    .description(
      'Appends recordings to a log, which is made when it is missing: all of them or, when something fails, nothing. Formats are known by content: perf.data, trace.dat, perf script, trace-cmd report, tracefs text, perf stat (JSON, CSV, table), vpmu-events/1; plain, zstd or gzip. A recording the log has already is left out.',
    )
    .argument('[RECORDING...]', 'files; guest:FILE and host:FILE say whose; - is standard input')
    .option('-o, --output <LOG>', 'the log (default: named after the first recording, here)');
  command
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  vpmu import -o s3.vpmu traces/S3-lean/trace-raw.txt.zst host:traces/S3-lean/host-perf-stat.json
  perf script -i perf.data --ns --guest-code | vpmu import -o run.vpmu --kernel "$(uname -r)" -`,
    )
    .action(async (args: string[], options: ImportCommandOptions) => {
      const inputs = classifyInputs(args, options);
      if (inputs.kind === 'log') {
        throw new UsageError(
          `${inputs.path} is a log already`,
          `vpmu import -o ${inputs.path} RECORDINGS… adds recordings to it`,
        );
      }
      if (options.output === '') throw new UsageError('-o with an empty name: name the log');
      if (options.output === STDIN) {
        throw new UsageError('a log cannot go to standard output', 'name a file: -o LOG');
      }
      const output = options.output ?? defaultOutput(inputs.recordings[0]!);
      const report = await importInto(output, inputs.recordings, options, shell);
      if (options.json) printJson(shell, reportJson(output, report));
      else if (options.quiet !== true) printReport(shell, output, report);
      if (options.quiet !== true) noteConflicts(shell, report.conflicts);
    });
  addRecordingOptions(command);
}

/** `trace-raw.vpmu` for `dir/trace-raw.txt.zst`: in the current folder, as a compiler does. */
function defaultOutput({ path }: RecordingInput): string {
  if (path === STDIN) {
    throw new UsageError('standard input has no name to call the log by', 'name the log: -o LOG');
  }
  const name = basename(path).replace(/(\.(zst|gz|txt|json|jsonl|csv|log))+$/, '');
  return `${name === '' ? 'recording' : name}.vpmu`;
}

function printReport(shell: Shell, output: string, report: ImportOutcome): void {
  const added = report.inputs.filter(({ status }) => status === 'imported').length;
  shell.print(`${output}: ${plural(report.events, 'event')} from ${plural(added, 'recording')}`);
  for (const input of report.inputs) {
    shell.print(`  ${inputText(input)}`);
    for (const line of noticeLines(input.notices, shell)) shell.print(`    ${line}`);
  }
}

function inputText({ path, status, source, facts, events }: InputReport): string {
  const name = printable(path);
  if (status === 'already-imported' || facts === undefined) {
    const which = source < 0 ? 'given twice' : `in the log already (recording ${source})`;
    return `${name}: ${which}, nothing was added`;
  }
  const kernel =
    facts.kernelRelease === undefined ? '' : `, kernel ${printable(facts.kernelRelease)}`;
  return `${name}: ${facts.format}, ${facts.role}${kernel}, ${plural(events, 'event')}`;
}

function reportJson(output: string, report: ImportOutcome) {
  return {
    log: output,
    events: report.events,
    conflicts: report.conflicts.map(conflictJson),
    recordings: report.inputs.map((input) => ({
      path: input.path,
      status: input.status,
      id: input.source < 0 ? null : input.source,
      format: input.facts?.format ?? null,
      role: input.facts?.role ?? null,
      kernelRelease: input.facts?.kernelRelease ?? null,
      digest: input.digest,
      bytes: input.bytes,
      events: input.events,
      notices: input.notices.map(noticeJson),
    })),
  };
}
