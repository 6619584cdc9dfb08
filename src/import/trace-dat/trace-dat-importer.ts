import type { FileImporter, RecordingFile } from '../importer.ts';
import { loadZstd } from '../zstd-wasm.ts';
import { MAGIC } from './describe.ts';
import { TraceDatReader } from './trace-dat-reader.ts';

/** trace.dat of trace-cmd record, versions 6 and 7. */
export const traceDat: FileImporter = {
  format: 'trace-dat',
  sniff: (head) => (MAGIC.every((byte, i) => head[i] === byte) ? 1 : 0),
  prepare: (file) => (namesZstd(file) ? loadZstd() : undefined),
  openFile: (context, file) => new TraceDatReader(context, file),
};

/** The compression is named in the first bytes, behind the magic number, the version and three small numbers. */
function namesZstd(file: RecordingFile): boolean {
  const head = new Uint8Array(32);
  file.read(head, 0);
  return String.fromCharCode(...head).includes('zstd');
}
