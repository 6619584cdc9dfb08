import { createHash } from 'node:crypto';
import { createReadStream, existsSync, fstatSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { InputError, UsageError } from '../domain/errors.ts';
import type { Role } from '../domain/log-facts.ts';
import { isDatabase } from './database-file.ts';
import type { RecordingOptions } from './options.ts';

/** A recording as the user named it. */
export interface RecordingInput {
  readonly path: string;
  /** Whose counts, as far as the user said. */
  readonly role?: Role;
}

/** Standard input's name among the recordings. */
export const STDIN = '-';

/** What the arguments of a command name: one log, or recordings. */
export type Inputs =
  | { readonly kind: 'log'; readonly path: string }
  | { readonly kind: 'recordings'; readonly recordings: readonly RecordingInput[] };

/**
 * Sorts arguments and options into a log or recordings. A log is known by its content, whatever it is called.
 * UsageError when there is nothing, or logs and recordings are mixed; InputError for a folder or a missing file.
 */
export function classifyInputs(args: readonly string[], options: RecordingOptions): Inputs {
  const named = [...args, ...(options.input ?? [])].map(parseRecording);
  const recordings = [
    ...named,
    ...(options.host ?? []).map((path): RecordingInput => ({ path, role: 'host' })),
    ...(options.guest ?? []).map((path): RecordingInput => ({ path, role: 'guest' })),
  ];
  if (recordings.length === 0) {
    throw new UsageError(
      'no log and no recording given',
      'name a log (*.vpmu) or recordings, as traces/S3-lean/trace-raw.txt.zst; - is standard input',
    );
  }
  if (recordings.some(({ path }) => path === '')) {
    throw new UsageError('an empty name is no file', 'leave it out, or name a log or a recording');
  }
  refuseStreamsTwice(recordings);
  const logs = recordings.filter(({ path }) => path !== STDIN && isLog(path));
  if (logs.length === 0) return { kind: 'recordings', recordings };
  if (recordings.length > 1) {
    throw new UsageError(
      `${logs[0]!.path} is a log: it cannot be read together with other files`,
      logs.length === 1
        ? 'vpmu import -o LOG RECORDINGS… adds recordings to a log'
        : 'give one log; vpmu import puts several recordings into one',
    );
  }
  refuseImportOptions(logs[0]!, options);
  return { kind: 'log', path: logs[0]!.path };
}

/** What says how recordings are read comes too late for a log: it must not look as if it had been heard. */
function refuseImportOptions({ path, role }: RecordingInput, options: RecordingOptions): void {
  const given = [
    ...(options.kernel === undefined ? [] : ['--kernel']),
    ...(options.map === undefined ? [] : ['--map']),
    ...(options.statStart === undefined ? [] : ['--stat-start']),
    ...(role === undefined ? [] : [`${role}:`]),
  ];
  if (given.length === 0) return;
  throw new UsageError(
    `${path} is a log: ${given.join(', ')} ${given.length === 1 ? 'says' : 'say'} how recordings are imported, and this is done`,
    options.kernel === undefined
      ? 'import the recordings again: vpmu import -o OTHER.vpmu OPTIONS RECORDINGS…'
      : `--rules chooses the rules of a replay (vpmu models); or import again: vpmu import -o OTHER.vpmu --kernel ${options.kernel} RECORDINGS…`,
  );
}

/** `guest:FILE`, `host:FILE` or `FILE`. A file that is really called so wins. */
export function parseRecording(text: string): RecordingInput {
  const match = /^(guest|host):(.+)$/s.exec(text);
  if (!match || existsSync(text)) return { path: text };
  return { path: match[2]!, role: match[1] as Role };
}

/** True for something that can be read once only: standard input, a pipe, a device. */
export function isStream(path: string): boolean {
  return path === STDIN || !statSync(path).isFile();
}

/** Two readers of one stream would each get a part of it. */
function refuseStreamsTwice(recordings: readonly RecordingInput[]): void {
  const seen = new Set<string>();
  for (const { path } of recordings) {
    if (path !== STDIN && !existsSync(path)) continue;
    if (!isStream(path)) continue;
    const { dev, ino } = path === STDIN ? fstatSync(0) : statSync(path);
    const key = `${dev}/${ino}`;
    if (seen.has(key)) {
      throw new UsageError(
        `${path === STDIN ? 'standard input' : path} is given twice, and can be read once only`,
      );
    }
    seen.add(key);
  }
}

/** True for a log; what can be read once only is not looked at, but imported. */
function isLog(path: string): boolean {
  const stat = statSync(path);
  if (stat.isDirectory()) {
    throw new InputError(`${path}: is a directory`, 'name the recordings in it');
  }
  return stat.isFile() && isDatabase(path);
}

/** A short digest of everything that decides what importing these recordings gives, apart from the code that does it. */
export async function inputsDigest(
  recordings: readonly RecordingInput[],
  options: RecordingOptions,
): Promise<string> {
  const hash = createHash('sha256');
  for (const { path, role } of recordings) hash.update(`${await fileDigest(path)} ${role ?? ''}\n`);
  hash.update(`${options.kernel ?? ''}\n${options.statStart ?? ''}\n`);
  if (options.map !== undefined) hash.update(await readFile(options.map));
  return hash.digest('hex').slice(0, 16);
}

async function fileDigest(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const bytes of createReadStream(path)) hash.update(bytes as Uint8Array);
  return hash.digest('hex');
}
