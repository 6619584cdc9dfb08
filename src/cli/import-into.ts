import { basename } from 'node:path';
import { UsageError, VpmuError } from '../domain/errors.ts';
import { halfStep, parseTime } from '../domain/time-spec.ts';
import { grouped } from '../domain/u64.ts';
import { importIntoLog } from '../import/import-into-log.ts';
import { readMapFile } from '../import/map-file.ts';
import type { ImportOptions, ImportProgress, ImportReport } from '../import/report.ts';
import { openLogForImport } from '../log/log.ts';
import { type RecordingConflict, recordingConflicts } from '../log/recording-conflicts.ts';

import type { RecordingOptions } from './options.ts';
import type { RecordingInput } from './recordings.ts';
import { formatBytes, printable } from './render/text.ts';
import type { Shell } from './shell.ts';

/** What a shell reports for a program that SIGINT or SIGTERM ended. */
const SIGNAL_EXIT = { SIGINT: 130, SIGTERM: 143 } as const;

/** What importing came to, and what the new recordings contradict or repeat. */
export type ImportOutcome = ImportReport & { readonly conflicts: readonly RecordingConflict[] };

/**
 * Imports recordings into a log, all of them or nothing. ^C gives the run up cleanly; a second one ends the process at
 * once. Throws what the importers and the log throw.
 */
export async function importInto(
  path: string,
  recordings: readonly RecordingInput[],
  options: RecordingOptions,
  shell: Shell,
): Promise<ImportOutcome> {
  const statStart = options.statStart === undefined ? undefined : clockTime(options.statStart);
  const map = options.map === undefined ? undefined : await readMapFile(options.map);
  const controller = new AbortController();
  const interrupt = (signal: keyof typeof SIGNAL_EXIT): void => {
    controller.abort(new VpmuError('interrupted: nothing was imported', SIGNAL_EXIT[signal]));
    // Reading may be waiting for input that does not come.
    process.stdin.destroy();
  };
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  const inputs = recordings.map((recording) => ({
    ...recording,
    ...(statStart === undefined
      ? {}
      : { statStart, statStartWithin: Number(halfStep(options.statStart!)) }),
  }));
  const given: ImportOptions = {
    ...(map === undefined ? {} : { map }),
    ...(options.kernel === undefined ? {} : { kernelRelease: options.kernel }),
    signal: controller.signal,
    onProgress: (progress) => {
      if (options.quiet !== true) shell.progress(progressText(progress));
    },
  };
  try {
    // The library's importInto, without loading the rest of the library.
    const log = openLogForImport(path);
    try {
      const report = await importIntoLog(log, inputs, given);
      const isNew = (id: number): boolean =>
        report.inputs.some(({ status, source }) => status === 'imported' && source === id);
      const conflicts = recordingConflicts(log).filter(({ recordings }) => recordings.some(isNew));
      return { ...report, conflicts };
    } finally {
      log.close();
    }
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    shell.progress(undefined);
  }
}

/** When `perf stat` started: a time on the clock of the trace, since there is no log yet to place any other in. */
function clockTime(text: string): bigint {
  const spec = parseTime(text);
  if (spec.kind === 'at') return spec.ns;
  throw new UsageError(
    `--stat-start ${text}: not a time on a clock`,
    'a time is 616.793612498 (seconds) or 1500ms, on the clock of the trace',
  );
}

function progressText(progress: ImportProgress): string {
  const { name, input, inputs, bytes, size, events, unpacking } = progress;
  const which = inputs > 1 ? ` (${input + 1} of ${inputs})` : '';
  const done =
    size === undefined || size === 0 ? formatBytes(bytes) : `${Math.floor((100 * bytes) / size)} %`;
  const what = `${printable(basename(name))}${which}: ${done}`;
  return unpacking ? `unpacking ${what}` : `importing ${what}, ${grouped(events)} events`;
}
