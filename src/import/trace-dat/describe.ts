import { InputError } from '../../domain/errors.ts';
import type { RecordingFile } from '../importer.ts';
import type { NoticeBook } from '../notices.ts';
import { ByteReader, FileSource } from './byte-source.ts';
import type { Codec } from './compression.ts';
import type { TraceDat } from './description.ts';
import { readVersion6 } from './read-v6.ts';
import { Version7 } from './read-v7.ts';
import { Sections } from './sections.ts';

/** The first bytes of every trace.dat. */
export const MAGIC: Uint8Array = Uint8Array.of(
  ...[0x17, 0x08, 0x44, 0x74, 0x72, 0x61, 0x63, 0x69, 0x6e, 0x67],
);
const CONVERT = 'import the text of trace-cmd report';

/** Reads everything but the records. */
export function readDescription(file: RecordingFile, book: NoticeBook): TraceDat {
  const { name } = file;
  const source = new FileSource(file);
  const reader = new ByteReader(name, source);
  const magic = reader.bytes(MAGIC.length, 'the magic number');
  if (MAGIC.some((byte, i) => magic[i] !== byte)) throw reader.damage('no trace.dat');
  const version = reader.string('the version');
  if (version !== '6' && version !== '7') {
    throw new InputError(
      `${name}: trace.dat of version ${version.replace(/[^\w.]/g, '?').slice(0, 16)}: versions 6 and 7 are read`,
      CONVERT,
    );
  }
  const bigEndian = reader.u8();
  if (bigEndian !== 0) {
    throw new InputError(
      bigEndian === 1
        ? `${name}: recorded on a big-endian machine`
        : `${name}: trace.dat damaged at byte ${reader.at - 1}: byte order ${bigEndian}`,
      CONVERT,
    );
  }
  const longSize = reader.u8();
  if (longSize !== 4 && longSize !== 8) throw reader.damage(`a long of ${longSize} bytes`);
  const pageSize = reader.u32();
  if (version === '6') {
    return readVersion6(reader, pageSize, name, (at) => new ByteReader(name, source, at));
  }
  const codec = reader.string('the name of the compression');
  reader.string('the version of the compression');
  const first = reader.size64();
  const sections = new Sections(file, source, codecOf(codec, name));
  return new Version7(name, source, sections, book, pageSize).read(first, codecOf(codec, name));
}

function codecOf(codec: string, name: string): Codec {
  if (codec === 'zstd' || codec === 'zlib' || codec === 'none') return codec;
  throw new InputError(
    `${name}: packed with ${codec.replace(/[^\w.]/g, '?').slice(0, 16)}; zstd, zlib and none are read`,
    'trace-cmd convert --compression none -i … -o … unpacks it',
  );
}
