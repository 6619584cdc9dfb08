import { statSync } from 'node:fs';
import { InputError } from '../domain/errors.ts';
import type { ImportSink } from '../domain/import-sink.ts';
import { importRecordings } from './import-recordings.ts';
import {
  AlreadyImportedError,
  type ImportOptions,
  type ImportReport,
  type InputReport,
  type RecordingInput,
} from './report.ts';

/** A log that can be imported into. */
export interface TargetLog {
  imports(): readonly { readonly source: number }[];
  importRun<T>(run: (sink: ImportSink) => Promise<T>): Promise<T>;
}

/**
 * Imports recordings into a log in one run: all of them or nothing. What the log has already, or what is given twice, is
 * left out and reported as such, also where only reading it to its end could tell (a stream, a file compressed
 * otherwise): the others are then imported anew. Throws what importRecordings throws; InputError when one of the others
 * cannot be read a second time.
 */
export async function importIntoLog(
  log: TargetLog,
  inputs: readonly RecordingInput[],
  options: ImportOptions = {},
): Promise<ImportReport> {
  const repeats: (InputReport | undefined)[] = inputs.map(() => undefined);
  for (;;) {
    const places = inputs.flatMap((_, k) => (repeats[k] === undefined ? [k] : []));
    const rest = places.map((k) => inputs[k]!);
    try {
      const report =
        rest.length === 0
          ? { inputs: [], events: 0 }
          : await log.importRun((sink) => importRecordings(sink, rest, options));
      const done = [...repeats];
      places.forEach((k, i) => {
        done[k] = report.inputs[i];
      });
      return { ...report, inputs: done.map((input) => input!) };
    } catch (error) {
      if (!(error instanceof AlreadyImportedError)) throw error;
      const { source, digest, bytes } = error;
      const known = log.imports().some((row) => row.source === source);
      const place = places[error.input]!;
      repeats[place] = {
        path: inputs[place]!.path,
        status: 'already-imported',
        source: known ? source : -1,
        facts: undefined,
        digest,
        bytes,
        events: 0,
        notices: [],
      };
      const gone = inputs.find((input, k) => repeats[k] === undefined && isReadOnce(input));
      if (gone === undefined) continue;
      throw new InputError(
        `${inputs[place]!.path}: ${known ? 'is in the log already' : 'is given twice'}, and ${gone.path} cannot be read again to import it alone`,
        'nothing was imported: leave the repeated one out',
      );
    }
  }
}

function isReadOnce({ path, stream }: RecordingInput): boolean {
  return stream !== undefined || path === '-' || !statSync(path).isFile();
}
