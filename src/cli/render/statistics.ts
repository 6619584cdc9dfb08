import { grouped } from '../../domain/u64.ts';
import {
  RECORDINGS,
  type StatisticsDiagnosis,
  type StatRow,
  type StatSample,
} from '../../index.ts';
import { renderTable, wrapText } from './table.ts';
import { printable } from './text.ts';

const TEXT_WIDTH = 100;

/** A count of perf stat with its unit. */
export function statCount(sample: StatSample, unit: StatRow['unit']): string {
  if (sample.state === 'not-supported') return 'not supported';
  if (sample.state === 'not-counted') return 'not counted';
  return unit === 'ns' ? `${(Number(sample.value) / 1e6).toFixed(6)} ms` : grouped(sample.value);
}

/** guest − host with its sign. */
export function statDifference({ difference, unit }: StatRow): string {
  if (difference === null) return '';
  const sign = difference < 0n ? '-' : '+';
  const size = difference < 0n ? -difference : difference;
  if (size === 0n) return '0';
  return unit === 'ns' ? `${sign}${(Number(size) / 1e6).toFixed(6)} ms` : sign + grouped(size);
}

const APART: Readonly<Record<StatRow['apart'], string>> = {
  'beyond-noise': '',
  'within-noise': 'within noise',
  equal: 'equal',
  'one-sample': 'no spread known',
  'no-count': '',
};

/** How far two counts are apart: in standard deviations, or why that is not known. */
export function apartText({ sigma, apart }: StatRow): string {
  return sigma === null ? APART[apart] : `${sigma.toFixed(1)} sigma`;
}

/** Two outputs of perf stat, what their numbers say, and what they leave open. */
export function statisticsLines(
  diagnosis: StatisticsDiagnosis,
  width: number,
  heading: (text: string) => string,
): string[] {
  const { host, guest, rows, verdict, statements, open, toDecide } = diagnosis;
  const room = Math.min(width, TEXT_WIDTH);
  const lines: string[] = [];
  const say = (text: string, indent: number, first = ''): void => {
    wrapText(printable(text), Math.max(20, room - indent)).forEach((line, i) => {
      lines.push((i === 0 ? first : '').padEnd(indent) + line);
    });
  };
  lines.push(heading(`${verdict.grade}: ${verdict.code}`));
  say(verdict.text, 2);
  lines.push('');
  const table = rows.map((row) => [
    row.event,
    statCount(row.host, row.unit),
    statCount(row.guest, row.unit),
    statDifference(row),
    row.ratio === null ? '' : row.ratio.toFixed(3),
    apartText(row),
  ]);
  say(`host: ${host.name}`, 2, '');
  say(`guest: ${guest.name}`, 2, '');
  lines.push(
    ...renderTable(
      [
        { title: 'event' },
        { title: 'host', align: 'right' },
        { title: 'guest', align: 'right' },
        { title: 'guest-host', align: 'right' },
        { title: 'ratio', align: 'right', expendable: 2 },
        { title: 'apart', align: 'right', expendable: 1 },
      ],
      table,
      { width, heading },
    ),
  );
  lines.push('', heading('The numbers support'));
  for (const { text } of statements) say(text, 4, '  -');
  lines.push('', heading('They leave open'));
  for (const { code, missing } of open) {
    say(`${code}: ${missing.map((need) => RECORDINGS[need].text).join(', ')} missing`, 4, '  -');
  }
  lines.push('', heading('To decide'));
  toDecide.forEach((text, i) => {
    say(text, 5, `  ${i + 1}`);
  });
  return lines;
}
