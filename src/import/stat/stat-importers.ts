import { TextDecoder } from 'node:util';
import type { StreamImporter } from '../importer.ts';
import { sniffSeparator } from './csv-line.ts';
import { countOfObject, jsonObjects } from './json-line.ts';
import { ConsoleStatReader, CsvStatReader } from './stat-reader.ts';
import { elapsedLine, isIntervalHeader, tableHeading, tableLine } from './table-line.ts';

/** `perf stat -j`, also inside a console log. */
export const perfStatJson: StreamImporter = {
  format: 'perf-stat-json',
  sniff(head) {
    let others = 0;
    for (const line of headLines(head)) {
      if (!line.includes('"counter-value"')) {
        others++;
      } else if (jsonObjects(line).objects.some((object) => countOfObject(object))) {
        return others === 0 ? 1 : 0.8;
      }
    }
    return 0;
  },
  open: (context) => new ConsoleStatReader(context, 'perf-stat-json'),
};

/** `perf stat -x SEP`. */
export const perfStatCsv: StreamImporter = {
  format: 'perf-stat-csv',
  sniff(head) {
    const lines = headLines(head).slice(0, 20);
    const rows = lines.filter((line) => sniffSeparator(line) !== undefined).length;
    return rows === 0 ? 0 : rows * 2 >= lines.length ? 0.9 : 0.4;
  },
  open: (context) => new CsvStatReader(context, 'perf-stat-csv'),
};

/** The table of perf stat, also inside a console log. */
export const perfStatText: StreamImporter = {
  format: 'perf-stat-text',
  sniff(head) {
    const lines = headLines(head);
    if (lines.some((line) => tableHeading(line) || isIntervalHeader(line))) return 0.7;
    const rows = lines.some((line) => tableLine(line)?.kind === 'count');
    return rows && lines.some((line) => elapsedLine(line) !== undefined) ? 0.6 : 0;
  },
  open: (context) => new ConsoleStatReader(context, 'perf-stat-text'),
};

/** All importers of perf stat's output. */
export const STAT_IMPORTERS: readonly StreamImporter[] = [perfStatJson, perfStatCsv, perfStatText];

/** The lines of a head that are no comments, blank or cut off. */
function headLines(head: Uint8Array): readonly string[] {
  const lines = new TextDecoder().decode(head).split('\n');
  return lines.filter((line) => /\S/.test(line) && (!/^#/.test(line) || isIntervalHeader(line)));
}
