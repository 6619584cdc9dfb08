import type { ByteReader } from './byte-source.ts';
import { latin1 } from './byte-source.ts';
import type { FormatText } from './description.ts';

/** Longest text of one format file, and of the texts of a ring buffer's header. */
const MAX_TEXT = 1024 * 1024;
/** Longest text read as a whole. */
const MAX_LONG_TEXT = 64 * 1024 * 1024;
/** Most formats taken: hosts have some thousand tracepoints. */
const MAX_FORMATS = 65535;

/** Content of the section with header_page and header_event. */
export function readHeaderInfo(reader: ByteReader): { page: string; event: string } {
  expect(reader, 'header_page');
  const page = text(reader, 'header_page');
  expect(reader, 'header_event');
  return { page, event: text(reader, 'header_event') };
}

/** Content of the section with ftrace's own events. */
export function readFtraceFormats(reader: ByteReader, formats: FormatText[]): void {
  readFormats(reader, 'ftrace', formats);
}

/** Content of the section with the tracepoints, system by system. */
export function readEventFormats(reader: ByteReader, formats: FormatText[]): void {
  const systems = reader.u32();
  for (let i = 0; i < systems; i++) readFormats(reader, reader.string('a system name'), formats);
}

/** Content of a section whose text has a u64 length. */
export function readSizedText(reader: ByteReader, what: string): Uint8Array {
  const length = reader.size64();
  if (length > MAX_LONG_TEXT) throw reader.damage(`${what} of ${length} bytes`);
  return new Uint8Array(reader.bytes(length, what));
}

function readFormats(reader: ByteReader, system: string, formats: FormatText[]): void {
  const count = reader.u32();
  for (let i = 0; i < count; i++) {
    const content = text(reader, 'a format file');
    if (formats.length < MAX_FORMATS) formats.push({ system, text: content });
  }
}

function text(reader: ByteReader, what: string): string {
  const length = reader.size64();
  if (length > MAX_TEXT) throw reader.damage(`${what} of ${length} bytes`);
  return latin1(reader.bytes(length, what));
}

function expect(reader: ByteReader, word: string): void {
  const found = reader.string(word);
  if (found !== word) throw reader.damage(`no ${word}`);
}
