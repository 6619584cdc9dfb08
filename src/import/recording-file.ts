import { readSync } from 'node:fs';
import type { RecordingFile } from './importer.ts';
import { readFailure } from './input.ts';

/** A recording in an open file that can be read anywhere. */
export class OpenFile implements RecordingFile {
  readonly name: string;
  readonly size: number;
  private readonly fd: number;

  /** `fd` stays the caller's to close. */
  constructor(name: string, fd: number, size: number) {
    this.name = name;
    this.fd = fd;
    this.size = size;
  }

  read(into: Uint8Array, at: number): number {
    let done = 0;
    // The file may have grown since: what was not there at the beginning is not looked at.
    const most = Math.min(into.length, this.size - at);
    while (done < most) {
      let length: number;
      try {
        length = readSync(this.fd, into, done, most - done, at + done);
      } catch (error) {
        throw readFailure(this.name, error);
      }
      if (length === 0) break;
      done += length;
    }
    return Math.max(0, done);
  }
}

/** Bytes read at a time of what nobody else has read. */
const PIECE = 256 * 1024;

/** Shows all bytes of a file once, in order, to `see`: as they are read by another, or at the latest by `catchUp`. */
export class WatchedFile implements RecordingFile {
  readonly name: string;
  readonly size: number;
  private readonly file: RecordingFile;
  private readonly see: (bytes: Uint8Array) => void;
  private seen: number;
  private piece: Uint8Array | undefined;

  /** `seen`: so many bytes have been seen already. */
  constructor(file: RecordingFile, seen: number, see: (bytes: Uint8Array) => void) {
    this.file = file;
    this.name = file.name;
    this.size = file.size;
    this.seen = seen;
    this.see = see;
  }

  read(into: Uint8Array, at: number): number {
    const length = this.file.read(into, at);
    const fresh = this.seen - at;
    if (fresh >= 0 && fresh < length) {
      this.seen = at + length;
      this.see(into.subarray(fresh, length));
    }
    return length;
  }

  /** Reads what was not seen yet up to `position`. */
  catchUp(position: number): void {
    const end = Math.min(position, this.size);
    while (this.seen < end) {
      this.piece ??= new Uint8Array(PIECE);
      if (this.read(this.piece, this.seen) === 0) return;
    }
  }
}
