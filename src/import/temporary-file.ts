import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '../domain/errors.ts';
import type { RecordingFile } from './importer.ts';

/** A file without a name: written at its end, read anywhere, gone when it is closed or the process ends. */
export class TemporaryFile implements RecordingFile {
  readonly name: string;
  /** Bytes written. */
  size = 0;
  private readonly why: string;
  private readonly folder = tmpdir();
  private readonly fd: number;
  private open = true;

  /** `name`: of the recording; `why` it needs the file, for messages. InputError if the system gives none. */
  constructor(name: string, why: string) {
    this.name = name;
    this.why = why;
    try {
      const path = join(this.folder, `vpmu-${randomBytes(8).toString('hex')}`);
      this.fd = openSync(path, 'wx+', 0o600);
      // Nobody finds it, and it is gone when it is closed, however this ends.
      unlinkSync(path);
    } catch (error) {
      throw this.failure(error);
    }
  }

  append(bytes: Uint8Array): void {
    try {
      for (let done = 0; done < bytes.length; ) {
        const written = writeSync(this.fd, bytes, done, bytes.length - done, this.size);
        done += written;
        this.size += written;
      }
    } catch (error) {
      throw this.failure(error);
    }
  }

  /** Fills `into` from byte `at` on; returns how many bytes there were. */
  read(into: Uint8Array, at: number): number {
    let done = 0;
    try {
      while (done < into.length && at + done < this.size) {
        const got = readSync(this.fd, into, done, into.length - done, at + done);
        if (got === 0) break;
        done += got;
      }
    } catch (error) {
      throw this.failure(error);
    }
    return done;
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    closeSync(this.fd);
  }

  private failure(error: unknown): unknown {
    const code = (error as NodeJS.ErrnoException)?.code;
    if (typeof code !== 'string') return error;
    const full = code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG';
    const what = full ? `no room in ${this.folder}` : `${this.folder} takes no file (${code})`;
    return new InputError(
      `${this.name}: ${this.why}, but ${what}`,
      'set TMPDIR to a directory with room, or unpack the recording yourself and import the file',
    );
  }
}
