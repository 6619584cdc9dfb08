import type { FileImporter } from '../importer.ts';
import { PerfDataReader } from './perf-data-reader.ts';

const MAGIC = 'PERFILE2';

/** What `perf record` writes: perf.data files, and its output to a pipe. */
export const perfData: FileImporter = {
  format: 'perf-data',
  sniff: (head) => (String.fromCharCode(...head.subarray(0, 8)) === MAGIC ? 1 : 0),
  openFile: (context, file) => new PerfDataReader(context, file),
};
