import type { Command } from 'commander';
import { type DiffResult, diffLog, EXIT } from '../../index.ts';
import { addRecordingOptions, jsonOption, list, type RecordingOptions } from '../options.ts';
import { machineOf, parsePmuEvents } from '../pmu-events.ts';
import { printConflicts, withConflicts } from '../render/conflicts.ts';
import { diffJson, printDiff } from '../render/diff.ts';
import { printJson } from '../render/json.ts';
import { eventProgress, VERDICT, withLog } from '../resolve-log.ts';
import type { Shell } from '../shell.ts';

interface DiffOptions extends RecordingOptions {
  readonly event?: readonly string[];
  readonly windows?: boolean;
  readonly json?: boolean;
}

/** `vpmu diff`: guest counts against host counts over the same spans. */
export function addDiff(program: Command, shell: Shell): void {
  const command = program
    .command('diff')
    .summary('guest counts against host counts over the same spans')
    .description(
      'For each vCPU and guest counter: what the guest counted, what host events with :G and :H counted between the same two records, the difference, and the share of the guest count that can be compared. Exit code 1 when they differ, 4 when nothing can be compared.',
    )
    .argument('[LOG | RECORDING...]', 'a log, or recordings to import first');
  command
    .option(
      '--windows',
      'also each window: a span in which a counter counted one event undisturbed',
    )
    .addOption(list('-e, --event <LIST>', 'only these PMU events of the guest, as cycles,r08'))
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  vpmu diff traces/S1-stat/trace-raw.txt.zst host:traces/S1-stat/host-perf-stat.json
  vpmu diff guest.vpmu --windows`,
    )
    .action((args: string[], options: DiffOptions) =>
      withLog(
        args,
        options,
        shell,
        (log, { conflicts }) => {
          const wanted =
            options.event === undefined ? undefined : parsePmuEvents(options.event, machineOf(log));
          const all = diffLog(log, eventProgress(shell, 'comparing', log.eventCount));
          const result = wanted === undefined ? all : onlyEvents(all, wanted);
          shell.progress(undefined);
          shell.exitCode = exitCodeOf(result);
          if (options.json) {
            printJson(shell, withConflicts(diffJson(result), conflicts));
            return;
          }
          printConflicts(shell, conflicts);
          printDiff(shell, result, options.windows === true);
          if (result.totals.length === 0 && all.totals.length > 0 && options.quiet !== true) {
            const counted = new Set(all.totals.map(({ eventName }) => eventName));
            shell.note(
              `vpmu: no guest counter counted ${options.event?.join(', ')}: those of the log counted ${[...counted].join(', ')}`,
            );
          }
        },
        VERDICT,
      ),
    );
  addRecordingOptions(command);
}

/** Intervals that surely differ count as windows do; those whose bounds hold 0 leave it open. */
function exitCodeOf({ totals, intervals }: DiffResult): number {
  const windows = totals.filter(({ difference }) => difference !== null);
  const compared = intervals.filter(({ differenceLow }) => differenceLow !== null);
  const apart = compared.some(
    ({ differenceLow, differenceHigh }) => differenceLow! > 0n || differenceHigh! < 0n,
  );
  if (apart || windows.some(({ difference }) => difference !== 0n)) return EXIT.differs;
  const same = compared.some(
    ({ differenceLow, differenceHigh }) => differenceLow === 0n && differenceHigh === 0n,
  );
  return windows.length > 0 || same ? EXIT.ok : EXIT.inconclusive;
}

/** The comparison of these events; host events stay, since what they count is not always known. */
function onlyEvents(result: DiffResult, wanted: ReadonlySet<number>): DiffResult {
  const chosen = ({ event }: { readonly event: number }): boolean => wanted.has(event);
  return {
    ...result,
    rows: result.rows.filter(chosen),
    totals: result.totals.filter(chosen),
    intervals: result.intervals.filter(chosen),
  };
}
