import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InputError } from '../../domain/errors.ts';

/** A file without a name: written at its end, read anywhere, gone when it is closed or the process ends. */
export class TemporaryFile {
  /** Bytes written. */
  size = 0;
  private readonly fd: number;
  private open = true;

  constructor() {
    try {
      const folder = mkdtempSync(join(tmpdir(), 'vpmu-'));
      this.fd = openSync(join(folder, 'part'), 'wx+', 0o600);
      rmSync(folder, { recursive: true });
    } catch (error) {
      throw failed(error);
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
      throw failed(error);
    }
  }

  /** Fills `into` from byte `at` on; returns how many bytes there were. */
  read(into: Uint8Array, at: number): number {
    let done = 0;
    while (done < into.length && at + done < this.size) {
      const got = readSync(this.fd, into, done, into.length - done, at + done);
      if (got === 0) break;
      done += got;
    }
    return done;
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    closeSync(this.fd);
  }
}

function failed(error: unknown): InputError {
  const why = error instanceof Error ? error.message : String(error);
  return new InputError(
    `cannot keep temporary data in ${tmpdir()}: ${why}`,
    'set TMPDIR to a directory with more space',
  );
}
