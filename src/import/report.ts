import { basename } from 'node:path';
import type { TracepointRule } from '../arch/tracepoints.ts';
import { EXIT, VpmuError } from '../domain/errors.ts';
import type { ImportNotice, RecordingFacts, Role } from '../domain/log-facts.ts';
import type { Importer } from './importer.ts';
import type { Bytes } from './input.ts';

/** One recording to import. */
export interface RecordingInput {
  /** Path, or `-` for standard input; with `stream` only a name for messages. */
  readonly path: string;
  /** Whose counts it holds; default: what the recording says, else the host's. */
  readonly role?: Role;
  /** The bytes themselves, instead of a file. */
  readonly stream?: Bytes;
  /** perf stat: when it was started, in ns on the clock of the log. */
  readonly statStart?: bigint;
  /** How far off `statStart` can be, ns (default 0). */
  readonly statStartWithin?: number;
}

/** Choices for one import run. */
export interface ImportOptions {
  /** Own mapping entries: parseMapFile. */
  readonly map?: readonly TracepointRule[];
  /** Kernel release of the host, for recordings that do not name it; one that names another is overruled. */
  readonly kernelRelease?: string;
  /** Called now and then, at most once per piece of input read. */
  onProgress?(progress: ImportProgress): void;
  /** Aborting makes the import fail with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Formats to choose from (default: all). */
  readonly importers?: readonly Importer[];
}

/** How far an import is. */
export interface ImportProgress {
  readonly name: string;
  /** Number of the input, from 0, and how many there are. */
  readonly input: number;
  readonly inputs: number;
  /** Bytes of it read (as given, before decompression), and its size if it is a file. */
  readonly bytes: number;
  readonly size: number | undefined;
  /** Events of it so far. */
  readonly events: number;
  /** A packed or piped binary recording is being copied to a temporary file first; after that `bytes` starts again. */
  readonly unpacking: boolean;
}

/** What became of one input. */
export interface InputReport {
  readonly path: string;
  /** `already-imported`: the log has this very recording, nothing was added. */
  readonly status: 'imported' | 'already-imported';
  /** Its number in the `source` column; of one already imported, that of the earlier import. */
  readonly source: number;
  readonly facts: RecordingFacts | undefined;
  readonly digest: string;
  readonly bytes: number;
  readonly events: number;
  readonly notices: readonly ImportNotice[];
}

/** What became of every input of an import run, in the order given. */
export interface ImportReport {
  readonly inputs: readonly InputReport[];
  readonly events: number;
}

/**
 * A recording turned out to be in the log already, or to be given twice, only after its events had been appended: the run
 * is given up, nothing is added.
 */
export class AlreadyImportedError extends VpmuError {
  /** Of the recording it repeats. */
  readonly source: number;
  /** Which of the inputs repeats it, from 0. */
  readonly input: number;
  readonly digest: string;
  readonly bytes: number;
  constructor(
    repeated: Pick<InputReport, 'path' | 'source' | 'digest' | 'bytes'> & { input: number },
  ) {
    super(`${repeated.path}: this recording is in the log already, nothing was added`, EXIT.ok);
    this.source = repeated.source;
    this.input = repeated.input;
    this.digest = repeated.digest;
    this.bytes = repeated.bytes;
  }
}

/** The name of a recording in the log: base name only, so that logs can be compared between machines. */
export function recordingName(path: string): string {
  return path === '-' ? path : basename(path);
}
