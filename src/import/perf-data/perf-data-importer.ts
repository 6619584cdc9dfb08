import type { FileImporter, RecordingFile } from '../importer.ts';
import { loadZstd } from '../zstd-wasm.ts';
import { Feature } from './format.ts';
import { PerfDataReader } from './perf-data-reader.ts';

const MAGIC = 'PERFILE2';
/** struct perf_pipe_file_header is this long, perf_file_header longer; where the latter has its features, a bit each. */
const PIPE_HEADER = 16;
const FEATURES_AT = 72;

/** What `perf record` writes: perf.data files, and its output to a pipe. */
export const perfData: FileImporter = {
  format: 'perf-data',
  sniff: (head) => (String.fromCharCode(...head.subarray(0, 8)) === MAGIC ? 1 : 0),
  prepare: (file) => (mayBeCompressed(file) ? loadZstd() : undefined),
  openFile: (context, file) => new PerfDataReader(context, file),
};

/** False if the header says that the recording has no compressed records. A piped one tells it later. */
function mayBeCompressed(file: RecordingFile): boolean {
  const head = new Uint8Array(FEATURES_AT + 8);
  if (file.read(head, 0) < head.length) return false;
  const view = new DataView(head.buffer);
  if (view.getUint32(8, true) === PIPE_HEADER) return true;
  return ((view.getUint32(FEATURES_AT, true) >>> Feature.compressed) & 1) === 1;
}
