import { permyriad, secondsToNs, ungrouped } from './printed-number.ts';
import {
  countField,
  isAggregate,
  type StatCount,
  type StatLine,
  statCpu,
  statThread,
  unparsable,
} from './stat-count.ts';

/** What the heading of a table says. */
export interface TableHeading {
  /** What was counted, as printed: `'sleep 5'`, `process id '206'`, `system wide`. */
  readonly counted: string;
  /** Runs its counts are means of (`-r`). */
  readonly runs: number;
}

/** ` Performance counter stats for 'sleep 5' (5 runs):`; undefined for other lines. */
export function tableHeading(line: string): TableHeading | undefined {
  const match = /^\s*Performance counter stats for '?(.*?)'?(?:\s+\((\d{1,9}) runs\))?:\s*$/.exec(
    line,
  );
  if (match === null) return undefined;
  return { counted: match[1]!, runs: match[2] === undefined ? 1 : Number(match[2]) };
}

/** `#           time             counts unit events`: the heading of `perf stat -I`. */
export function isIntervalHeader(line: string): boolean {
  return /^#\s+time\s.*\bcounts\s+unit\s+events\s*$/.test(line);
}

/** The elapsed time that ends a table, ns; a mean when the table is of several runs (`-r`). */
export function elapsedLine(line: string): bigint | undefined {
  const match = /^\s*(\d+[.,]\d+)(?:\s+\+-\s+\d+[.,]\d+)?\s+seconds time elapsed\b/.exec(line);
  return match ? secondsToNs(match[1]!) : undefined;
}

/** `0.02 seconds user` and `seconds sys`, which follow the elapsed time. */
export function isTimesLine(line: string): boolean {
  return /^\s*\d+[.,]\d+(?:\s+\+-\s+\d+[.,]\d+)?\s+seconds (?:user|sys)\b/.test(line);
}

/** Units perf prints between count and event. */
const UNITS =
  /^(?:msec|usec|nsec|sec|Joules|Watts|MiB|KiB|GiB|MB|KB|GB|Bytes|B|C|%|KB\/s|MB\/s|MiB\/s)$/;

/** Longest line taken for a row; the trials below are quadratic in the words before the count. */
const MAX_ROW = 1000;

/**
 * A row of perf stat's table: [time] [owner] count [unit] event [# metric] [( +- x% )] [(xx.xx%)]. Undefined when the line
 * has no such shape; it then is somebody else's output.
 */
export function tableLine(line: string): StatLine | undefined {
  if (line.length > MAX_ROW) return undefined;
  if (/^\s*#\s/.test(line) || /^\s+\d+[.,]\d{9}\s+#\s/.test(line)) return { kind: 'metric' };
  let rest = line.trimEnd();
  let interval: bigint | undefined;
  const time = /^\s*(\d+[.,]\d{9})\s+/.exec(rest);
  if (time) {
    interval = secondsToNs(time[1]!);
    rest = rest.slice(time[0].length);
  }
  const running = /\s\((\s*\d+[.,]\d+)%\)$/.exec(rest);
  if (running) rest = rest.slice(0, running.index);
  const mean = /\s\(\s*\+-\s*([\d.,]+)%\s*\)$/.exec(rest.trimEnd());
  if (mean) rest = rest.slice(0, mean.index);
  const metric = /\s#\s/.exec(rest);
  if (metric) rest = rest.slice(0, metric.index);
  const row = splitRow(rest, time !== null || /^\s/.test(line));
  if (!row) return undefined;
  const count = countField(row.value, row.unit);
  if (count === undefined) return unparsable('the value is no count');
  return {
    kind: 'count',
    count: {
      event: row.event,
      count,
      unit: row.unit,
      interval,
      ...row.owner,
      running: running ? permyriad(running[1]!.trim()) : undefined,
      spread: mean ? permyriad(mean[1]!) : undefined,
    },
  };
}

interface Row {
  readonly owner: Pick<StatCount, 'cpu' | 'thread' | 'aggregate'>;
  readonly value: string;
  readonly unit: string;
  readonly event: string;
}

const VALUE = /(?:^|\s)(<not counted>|<not supported>|\d[\d.,'’\u00a0\u202f]*[KMGT]?)(\s+)(?=\S)/g;

/** Splits a row at the first thing that can be its count: what stands before must name a CPU, a thread or nothing. */
function splitRow(text: string, indented: boolean): Row | undefined {
  VALUE.lastIndex = 0;
  for (let match = VALUE.exec(text); match; match = VALUE.exec(text)) {
    const behind = VALUE.lastIndex;
    // The next trial may begin with the space behind this number.
    VALUE.lastIndex = match.index + 1;
    const before = text.slice(0, match.index).trim();
    const owner = ownerOf(before);
    // perf pads its columns: a line that begins with a number is somebody else's.
    if (!owner || (before === '' && !indented)) continue;
    const named = unitAndEvent(text.slice(behind), match[2]!);
    const value = match[1]!.startsWith('<')
      ? match[1]!
      : (ungrouped(match[1]!) ?? (named?.unit === 'msec' ? clockDigits(match[1]!) : undefined));
    if (value !== undefined && named) return { owner, value, ...named };
  }
  return undefined;
}

/** Clocks were printed with six decimals and no separators. */
function clockDigits(text: string): string | undefined {
  const match = /^(\d+)[.,](\d{6})$/.exec(text);
  return match ? `${match[1]}.${match[2]}` : undefined;
}

function unitAndEvent(
  text: string,
  gap: string,
): { readonly unit: string; readonly event: string } | undefined {
  const rest = text.trim();
  // Before 4.18 the unit stood behind the clocks.
  const clock = /^(\S+-clock) \(msec\)$/.exec(rest);
  if (clock) return { unit: 'msec', event: clock[1]! };
  const words = /^(\S+)\s+(\S.*)$/.exec(rest);
  if (words && UNITS.test(words[1]!)) return { unit: words[1]!, event: words[2]! };
  // Without a unit its column is blank: two spaces at least.
  return gap.length >= 2 && rest !== '' ? { unit: '', event: rest } : undefined;
}

function ownerOf(text: string): Row['owner'] | undefined {
  if (text === '') return {};
  if (/^CPU\d+$/.test(text)) return { cpu: statCpu(text) };
  const group = /^(\S+)\s+\d+$/.exec(text);
  if (group && isAggregate(group[1]!)) return { aggregate: group[1] };
  const thread = statThread(text);
  return thread && { thread };
}
