import { InputError } from '../../domain/errors.ts';
import type { RecordingFile } from '../importer.ts';
import { ByteReader, type ByteSource, damaged, SectionSource } from './byte-source.ts';
import { type Codec, PackedDataError, unpack } from './compression.ts';

/** Largest description section taken, unpacked. The largest real one, kallsyms, is never read. */
const MAX_SECTION = 64 * 1024 * 1024;
/** Bytes of all sections read, one named twice counted twice. */
const MAX_TOTAL = 256 * 1024 * 1024;
/** Bytes of a section header: id, flags, name, size. */
export const SECTION_HEADER = 16;
const PACKED = 1;

/** One section of a version 7 file. */
export interface Section {
  readonly id: number;
  readonly packed: boolean;
  /** Where its content (or the sizes before packed content) begins, and where it ends. */
  readonly start: number;
  readonly end: number;
  /** The file ends before the section does. */
  readonly cut: boolean;
}

/** The sections of a version 7 file (trace-cmd.dat.v7(5); the size in a section header has 8 bytes). */
export class Sections {
  private readonly file: RecordingFile;
  private readonly source: ByteSource;
  private readonly codec: Codec;
  private total = 0;

  constructor(file: RecordingFile, source: ByteSource, codec: Codec) {
    this.file = file;
    this.source = source;
    this.codec = codec;
  }

  /** True if a section header fits there. */
  has(at: number): boolean {
    return at > 0 && at + SECTION_HEADER <= this.source.size;
  }

  /** The section whose header is at `at`. */
  at(at: number): Section {
    if (!this.has(at)) {
      throw new InputError(
        `${this.file.name}: trace.dat cut off or damaged: a section at byte ${at}, the file has ${this.file.size} bytes`,
        'fetch the file again',
      );
    }
    const reader = new ByteReader(this.file.name, this.source, at);
    const id = reader.u16();
    const packed = (reader.u16() & PACKED) !== 0;
    reader.skip(4, 'a section header');
    const size = reader.size64();
    const end = reader.at + size;
    return {
      id,
      packed,
      start: reader.at,
      end: Math.min(end, this.source.size),
      cut: end > this.source.size,
    };
  }

  /** Its content, unpacked. */
  read(section: Section): ByteReader {
    const { start, end } = section;
    const reader = new ByteReader(this.file.name, this.source, start, end);
    if (!section.packed) {
      this.count(reader, end - start);
      return reader;
    }
    const packedLength = reader.u32();
    const length = reader.u32();
    this.count(reader, length);
    if (length > MAX_SECTION) throw reader.damage(`a section of ${length} bytes`);
    const packed = reader.bytes(packedLength, 'a packed section');
    const content = new Uint8Array(length);
    try {
      unpack(this.codec, packed, content, 0, length);
    } catch (error) {
      if (!(error instanceof PackedDataError)) throw error;
      throw damaged(this.file.name, error.message, this.source.place(start));
    }
    return new ByteReader(this.file.name, new SectionSource(content, start));
  }

  private count(reader: ByteReader, length: number): void {
    this.total += length;
    if (this.total > MAX_TOTAL) throw reader.damage('sections of more than 256 MiB');
  }
}
