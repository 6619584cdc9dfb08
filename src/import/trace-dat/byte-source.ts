import { InputError } from '../../domain/errors.ts';
import type { RecordingFile } from '../importer.ts';

const WINDOW = 65536;
const MAX_STRING = 4096;

/** Where bytes of the recording's description come from: the file itself, or a section that was decompressed. */
export interface ByteSource {
  /** One past the last byte. */
  readonly size: number;
  /** What `at` counts, for messages: `byte 4711`. */
  place(at: number): string;
  /** Bytes [at, at + length), which must be within the source; valid until the next call. */
  bytes(at: number, length: number): Uint8Array;
}

/** Damage that cannot be got past. */
export function damaged(name: string, what: string, place: string): InputError {
  return new InputError(
    `${name}: trace.dat damaged at ${place}: ${what}`,
    'fetch the file again, or import the text of trace-cmd report',
  );
}

/** The file, through a window: small reads cost no system call each. */
export class FileSource implements ByteSource {
  readonly size: number;
  private readonly file: RecordingFile;
  private window: Uint8Array = new Uint8Array(0);
  private windowAt = 0;

  constructor(file: RecordingFile) {
    this.file = file;
    this.size = file.size;
  }

  place(at: number): string {
    return `byte ${at}`;
  }

  bytes(at: number, length: number): Uint8Array {
    const from = at - this.windowAt;
    if (from >= 0 && from + length <= this.window.length) {
      return this.window.subarray(from, from + length);
    }
    const buffer = new Uint8Array(Math.min(Math.max(length, WINDOW), this.size - at));
    this.window = buffer.subarray(0, this.file.read(buffer, at));
    this.windowAt = at;
    return this.window.subarray(0, length);
  }
}

/** A section of the file after decompression; `at` is where it begins in the file. */
export class SectionSource implements ByteSource {
  private readonly content: Uint8Array;
  private readonly at: number;

  constructor(content: Uint8Array, at: number) {
    this.content = content;
    this.at = at;
  }

  get size(): number {
    return this.content.length;
  }

  place(at: number): string {
    return `byte ${this.at} (${at} of the decompressed section)`;
  }

  bytes(at: number, length: number): Uint8Array {
    return this.content.subarray(at, at + length);
  }
}

/** Reads little-endian numbers and strings one after the other, never past `end`. */
export class ByteReader {
  at: number;
  readonly end: number;
  private readonly name: string;
  private readonly source: ByteSource;

  constructor(name: string, source: ByteSource, at = 0, end = source.size) {
    this.name = name;
    this.source = source;
    this.at = at;
    this.end = Math.min(end, source.size);
  }

  get left(): number {
    return Math.max(0, this.end - this.at);
  }

  u8(): number {
    return this.bytes(1, 'a number')[0]!;
  }

  u16(): number {
    const bytes = this.bytes(2, 'a number');
    return bytes[0]! | (bytes[1]! << 8);
  }

  u32(): number {
    return u32At(this.bytes(4, 'a number'), 0);
  }

  /** A u64 that says an offset or a size: what a double cannot hold is beyond every file. */
  size64(): number {
    const bytes = this.bytes(8, 'a number');
    return u32At(bytes, 0) + u32At(bytes, 4) * 4294967296;
  }

  /** A u64 exactly. */
  u64(): bigint {
    const bytes = this.bytes(8, 'a number');
    return (BigInt(u32At(bytes, 4)) << 32n) | BigInt(u32At(bytes, 0));
  }

  /** The next `length` bytes; valid until the next read. */
  bytes(length: number, what: string): Uint8Array {
    if (!(length <= this.left)) {
      throw this.damage(`${what} of ${length} bytes, ${this.left} bytes are left`);
    }
    const bytes = this.source.bytes(this.at, length);
    if (bytes.length < length) throw this.damage(`${what} is cut off`);
    this.at += length;
    return bytes;
  }

  skip(length: number, what: string): void {
    if (!(length <= this.left)) {
      throw this.damage(`${what} of ${length} bytes, ${this.left} bytes are left`);
    }
    this.at += length;
  }

  /** A string ended by NUL. */
  string(what: string): string {
    const bytes = this.source.bytes(this.at, Math.min(this.left, MAX_STRING));
    const length = bytes.indexOf(0);
    if (length < 0) throw this.damage(`${what} has no end`);
    this.at += length + 1;
    return latin1(bytes.subarray(0, length));
  }

  damage(what: string): InputError {
    return damaged(this.name, what, this.source.place(this.at));
  }
}

export function u32At(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  );
}

const decoder = new TextDecoder('latin1');

/** Text whose characters are bytes. */
export function latin1(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
