import {
  closeSync,
  existsSync,
  fchmodSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { UsageError } from '../domain/errors.ts';
import { type JsonLinesSource, writeJsonLines } from '../index.ts';
import { isLogFile } from './database-file.ts';
import { buildName, removeDeadBuilds } from './half-built.ts';
import { parseRecording, STDIN } from './recordings.ts';
import type { Shell } from './shell.ts';

/** Standard output's name as a file to write. */
export const STDOUT = '-';

/** Writes events as JSON lines; into a regular file all of them or, when something fails, nothing. */
export function writeJsonLinesFile(path: string, source: JsonLinesSource, shell: Shell): void {
  if (path === STDOUT) {
    writeJsonLines(source, (text) => shell.print(text.replace(/\n$/, '')));
    return;
  }
  replaceFile(path, (into) => {
    const file = openSync(into, 'w');
    try {
      writeJsonLines(source, (text) => writeFileSync(file, text));
    } finally {
      closeSync(file);
    }
  });
}

/**
 * Has `write` make a file beside `path` that then takes its place: whoever reads `path` meets the old file or the whole
 * new one. A pipe or a device is written itself.
 */
export function replaceFile(path: string, write: (into: string) => void): void {
  const old = statSync(path, { throwIfNoEntry: false });
  const regular = old === undefined || old.isFile();
  const target = old === undefined ? path : realpathSync(path);
  const part = regular ? join(dirname(target), buildName(basename(target))) : path;
  try {
    if (regular && existsSync(dirname(target))) removeDeadBuilds(dirname(target));
    write(part);
    if (!regular) return;
    if (old !== undefined) keepMode(part, old.mode);
    renameSync(part, target);
  } catch (error) {
    if (regular) rmSync(part, { force: true });
    throw withName(error, part, path);
  }
}

function keepMode(part: string, mode: number): void {
  const file = openSync(part, 'r');
  try {
    fchmodSync(file, mode);
  } finally {
    closeSync(file);
  }
}

/** The system names the file it was asked for, or none; the user named another. */
function withName(error: unknown, part: string, path: string): unknown {
  if (!(error instanceof Error) || !('syscall' in error)) return error;
  const named = error as NodeJS.ErrnoException;
  if (named.path === undefined || named.path === part) named.path = path;
  return error;
}

/**
 * UsageError where writing `output` would destroy what is read: one of the inputs (by any name), or a log, which is made
 * once and only added to.
 */
export function refuseLosingInput(output: string, inputs: readonly string[]): void {
  const target = statSync(output, { throwIfNoEntry: false });
  if (target === undefined || !target.isFile()) return;
  for (const input of inputs) {
    const { path } = parseRecording(input);
    const stat = path === STDIN ? undefined : statSync(path, { throwIfNoEntry: false });
    if (stat?.ino === target.ino && stat.dev === target.dev) {
      throw new UsageError(`-o ${output}: is what is read`, 'name another file');
    }
  }
  if (isLogFile(output)) {
    throw new UsageError(`-o ${output}: is a log`, 'name another file, or remove it first');
  }
}
