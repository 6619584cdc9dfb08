import { existsSync, renameSync } from 'node:fs';
import { grouped } from '../domain/u64.ts';
import {
  InputError,
  type Log,
  openLog,
  type RecordingConflict,
  recordingConflicts,
  VpmuError,
} from '../index.ts';
import { cacheEntry, temporaryEntry } from './cache.ts';
import { removeLog } from './half-built.ts';
import { importInto } from './import-into.ts';
import type { RecordingOptions } from './options.ts';
import { classifyInputs, inputsDigest, isStream, type RecordingInput } from './recordings.ts';
import { noteConflicts } from './render/conflicts.ts';
import { plural, printable } from './render/text.ts';
import type { Shell } from './shell.ts';

/** Where a log came from. */
export interface LogOrigin {
  /** It was made of the recordings the user named, and lies in the cache. */
  readonly cached: boolean;
  /** What its recordings contradict or repeat of each other. */
  readonly conflicts: readonly RecordingConflict[];
}

/** How a verb goes about what has to be read with its answer. */
export interface LogUse {
  /** False: it prints what importing found itself. */
  readonly warn?: boolean;
  /** False: it prints itself that recordings repeat or contradict each other. */
  readonly warnOfConflicts?: boolean;
  /** It replays, which recordings of two architectures cannot be. */
  readonly replays?: boolean;
}

/** A verb that replays and says in its result what has to be read with it. */
export const VERDICT: LogUse = { warnOfConflicts: false, replays: true };

/**
 * Opens what the arguments of a command name, gives it to `use`, and closes it. Recordings are imported into a cache
 * first, unless it has them; their warnings are printed either way, because the answer has to be read with them.
 */
export async function withLog<T>(
  args: readonly string[],
  options: RecordingOptions,
  shell: Shell,
  use: (log: Log, origin: LogOrigin) => T | Promise<T>,
  { warn = true, warnOfConflicts = true, replays = false }: LogUse = {},
): Promise<T> {
  const inputs = classifyInputs(args, options);
  const path =
    inputs.kind === 'log' ? inputs.path : await importOnce(inputs.recordings, options, shell);
  const log = openLog(path);
  try {
    const cached = inputs.kind === 'recordings';
    if (cached && warn && options.quiet !== true) printWarnings(log, shell);
    const conflicts = recordingConflicts(log);
    const impossible = conflicts.find(({ code }) => code === 'other-arch');
    if (replays && impossible !== undefined) {
      throw new InputError(impossible.text, impossible.hint);
    }
    if (warnOfConflicts && options.quiet !== true) noteConflicts(shell, conflicts);
    return await use(log, { cached, conflicts });
  } finally {
    shell.progress(undefined);
    log.close();
  }
}

/** A progress line for work on `total` events. */
export function eventProgress(
  shell: Shell,
  doing: string,
  total: number,
): (events: number) => void {
  return (events) => {
    const share = total === 0 ? 100 : Math.floor((100 * events) / total);
    shell.progress(`${doing}: ${grouped(events)} of ${plural(total, 'event')} (${share} %)`);
  };
}

/** Path of the log made of these recordings. */
async function importOnce(
  recordings: readonly RecordingInput[],
  options: RecordingOptions,
  shell: Shell,
): Promise<string> {
  const readable = !recordings.some(({ path }) => isStream(path));
  const entry = readable
    ? cacheEntry(recordings[0]!.path, await inputsDigest(recordings, options))
    : temporaryEntry('stdin.vpmu');
  if (isReadable(entry.path)) {
    if (options.verbose) shell.note(`vpmu: using ${entry.path}`);
    return entry.path;
  }
  try {
    await importInto(entry.building, recordings, options, shell);
    if (existsSync(`${entry.building}-wal`)) {
      throw new InputError(
        `${entry.path}: no space left to finish the import`,
        'free some space, or import into a log elsewhere: vpmu import -o LOG RECORDINGS…',
      );
    }
    renameSync(entry.building, entry.path);
  } catch (error) {
    removeLog(entry.building);
    throw error;
  }
  if (options.verbose) shell.note(`vpmu: imported into ${entry.path}`);
  return entry.path;
}

/** True for a cache entry that can be used; one that is damaged is removed. */
function isReadable(path: string): boolean {
  if (!existsSync(path)) return false;
  try {
    openLog(path).close();
    return true;
  } catch (error) {
    if (!(error instanceof VpmuError)) throw error;
    removeLog(path);
    return false;
  }
}

function printWarnings(log: Log, shell: Shell): void {
  for (const { facts, notices } of log.imports()) {
    for (const { severity, text, count } of notices) {
      if (severity === 'info') continue;
      const times = count > 1 ? ` (${plural(count, 'time')})` : '';
      shell.note(
        `vpmu: ${shell.style(severity === 'error' ? 'bad' : 'warning', severity)}: ${printable(facts.name)}: ${printable(text)}${times}`,
      );
    }
  }
}
