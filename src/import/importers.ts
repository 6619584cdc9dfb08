import type { Importer } from './importer.ts';
import { jsonLines } from './jsonl/jsonl-importer.ts';
import { perfData } from './perf-data/perf-data-importer.ts';
import { STAT_IMPORTERS } from './stat/stat-importers.ts';
import { traceCmdReport, tracefs } from './text/ftrace-text.ts';
import { perfScript } from './text/perf-script.ts';
import { traceDat } from './trace-dat/trace-dat-importer.ts';

/**
 * Every format that is read. The one that is surest of the first bytes opens a recording; those with a magic number come
 * first, for they are certain.
 */
export const IMPORTERS: readonly Importer[] = [
  perfData,
  traceDat,
  perfScript,
  traceCmdReport,
  tracefs,
  ...STAT_IMPORTERS,
  jsonLines,
];
