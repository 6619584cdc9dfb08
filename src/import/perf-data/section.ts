import { textOf } from '../byte-table.ts';

/** Where sections are read from. */
export interface Bytes {
  /** A copy of up to `length` bytes from `address` on: fewer at the end. */
  copy(address: number, length: number): Uint8Array;
}

/** A section of the recording says something that is not so. */
export class SectionError extends Error {
  /** Address of what is wrong. */
  readonly at: number;
  constructor(what: string, at: number) {
    super(what);
    this.at = at;
  }
}

/** Longest text of a section (a command line of many events is some KiB). */
const MAX_TEXT = 1 << 20;

/** Reads a section from its beginning to its end. What goes beyond its end is a SectionError. */
export class Section {
  at: number;
  readonly end: number;
  private readonly source: Bytes;

  constructor(source: Bytes, start: number, end: number) {
    this.source = source;
    this.at = start;
    this.end = end;
  }

  get left(): number {
    return this.end - this.at;
  }

  bytes(length: number): Uint8Array {
    const at = this.at;
    if (!(length >= 0 && length <= this.left)) throw new SectionError('it ends too early', at);
    const bytes = this.source.copy(at, length);
    if (bytes.length < length) throw new SectionError('the file ends in it', at + bytes.length);
    this.at = at + length;
    return bytes;
  }

  skip(length: number): void {
    if (!(length >= 0 && length <= this.left)) throw new SectionError('it ends too early', this.at);
    this.at += length;
  }

  u8(): number {
    return this.bytes(1)[0]!;
  }

  u32(): number {
    return view(this.bytes(4)).getUint32(0, true);
  }

  u64(): bigint {
    return view(this.bytes(8)).getBigUint64(0, true);
  }

  /** A u64 that counts something in this section. */
  size(): number {
    const at = this.at;
    const value = this.u64();
    if (value > BigInt(this.end)) throw new SectionError('a size beyond its end', at);
    return Number(value);
  }

  /** perf's string: u32 length (padded), characters up to NUL. */
  string(): string {
    const at = this.at;
    const length = this.u32();
    if (length > MAX_TEXT) throw new SectionError('a text of more than 1 MiB', at);
    return zeroEnded(this.bytes(length));
  }

  /** Characters up to and with a NUL. */
  zeroString(most = 256): string {
    const at = this.at;
    const bytes = this.source.copy(at, Math.min(most, this.left));
    const end = bytes.indexOf(0);
    if (end < 0) throw new SectionError('a text without an end', at);
    this.at = at + end + 1;
    return textOf(bytes, 0, end);
  }
}

export function zeroEnded(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return textOf(bytes, 0, end < 0 ? bytes.length : end);
}

export function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
