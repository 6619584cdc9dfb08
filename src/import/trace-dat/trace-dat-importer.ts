import type { FileImporter } from '../importer.ts';
import { MAGIC } from './describe.ts';
import { TraceDatReader } from './trace-dat-reader.ts';

/** trace.dat of trace-cmd record, versions 6 and 7. */
export const traceDat: FileImporter = {
  format: 'trace-dat',
  sniff: (head) => (MAGIC.every((byte, i) => head[i] === byte) ? 1 : 0),
  openFile: (context, file) => new TraceDatReader(context, file),
};
