import type {
  RecordingFile,
  RecordingFileReader,
  RecordingReader,
  RecordingSummary,
} from './importer.ts';
import { WatchedFile } from './recording-file.ts';
import { TemporaryFile } from './temporary-file.ts';

/** The bytes of a recording: what was read to recognise it, then the rest. Each piece is valid until the next. */
export interface Pieces {
  readonly head: readonly Uint8Array[];
  readonly rest: AsyncIterator<Uint8Array>;
}

/** One recording being read, whichever sort its importer is. */
export interface Reading {
  /** One more piece of work; false when all is read. */
  step(): Promise<boolean>;
  /** Complete when all is read. */
  summary(): RecordingSummary;
  close(): void;
}

/** Gives a stream reader the pieces one after the other. */
export class StreamReading implements Reading {
  private readonly reader: RecordingReader;
  private readonly pieces: Pieces;
  private started = false;

  constructor(reader: RecordingReader, pieces: Pieces) {
    this.reader = reader;
    this.pieces = pieces;
  }

  async step(): Promise<boolean> {
    if (!this.started) {
      this.started = true;
      for (const piece of this.pieces.head) this.reader.push(piece);
      return true;
    }
    const { value, done } = await this.pieces.rest.next();
    if (done) {
      this.reader.end();
      return false;
    }
    this.reader.push(value);
    return true;
  }

  summary(): RecordingSummary {
    return this.reader;
  }

  close(): void {}
}

/** What FileReading needs of its surroundings. */
export interface FileReadingOptions {
  readonly pieces: Pieces;
  /** The recording itself, if it is a plain file; else its pieces are put into a temporary one first. */
  readonly inPlace: RecordingFile | undefined;
  readonly name: string;
  /** See FileImporter. */
  prepare(file: RecordingFile): Promise<void> | undefined;
  open(file: RecordingFile): RecordingFileReader;
  /** Sees every byte of a plain file once, in order, after those of the head. */
  see(bytes: Uint8Array): void;
  /** Called after each step, of a temporary copy with the share of it that has been read (0 … 1); may throw to stop. */
  onStep(share: number | undefined): void;
}

/** Steps a file reader, and sees to it that every byte as given is counted and hashed. */
export class FileReading implements Reading {
  private readonly given: FileReadingOptions;
  private readonly watched: WatchedFile | undefined;
  private spool: TemporaryFile | undefined;
  private spooled = false;
  private reader: RecordingFileReader | undefined;

  constructor(given: FileReadingOptions) {
    this.given = given;
    const { inPlace, pieces, see } = given;
    const seen = pieces.head.reduce((sum, piece) => sum + piece.length, 0);
    this.watched = inPlace && new WatchedFile(inPlace, seen, see);
  }

  async step(): Promise<boolean> {
    const file = this.watched ?? (this.spooled ? this.spool : undefined);
    if (file === undefined) {
      await this.unpack();
      return true;
    }
    if (this.reader === undefined) {
      await this.given.prepare(file);
      this.reader = this.given.open(file);
    }
    const more = this.reader.step();
    this.given.onStep(this.spooled ? this.reader.position / file.size : undefined);
    this.watched?.catchUp(more ? this.reader.position : file.size);
    return more;
  }

  summary(): RecordingSummary {
    return this.reader!;
  }

  close(): void {
    this.reader?.close?.();
    this.spool?.close();
  }

  /** Puts one more piece into the temporary file. */
  private async unpack(): Promise<void> {
    const { pieces, name } = this.given;
    if (this.spool === undefined) {
      const why = 'packed or piped, it needs a temporary copy, unpacked';
      this.spool = new TemporaryFile(name, why);
      for (const piece of pieces.head) this.spool.append(piece);
      return;
    }
    const { value, done } = await pieces.rest.next();
    if (done) this.spooled = true;
    else this.spool.append(value);
  }
}
