import { permyriad, secondsToNs } from './printed-number.ts';
import {
  countField,
  isAggregate,
  type StatCount,
  type StatLine,
  statCpu,
  statThread,
  unparsable,
} from './stat-count.ts';

/**
 * The field separator of a `perf stat -x` line, found by trying: the character that makes it a counter line with its run
 * time and percentage. Undefined for a line that is none with any separator.
 */
export function sniffSeparator(line: string): string | undefined {
  if (line.length > 4096) return undefined;
  const uses = new Map<string, number>();
  for (const char of line) {
    if (!/[\w.<>%"{}]/.test(char)) uses.set(char, (uses.get(char) ?? 0) + 1);
  }
  const candidates = [...uses].sort((a, b) => b[1] - a[1]).map(([char]) => char);
  return candidates.find((char) => isCounterLine(line, char));
}

function isCounterLine(line: string, separator: string): boolean {
  const parsed = csvLine(line, separator);
  return parsed.kind === 'count' && parsed.count.running !== undefined;
}

/**
 * A line of `perf stat -x SEP`: [time][summary][aggregate[, cpus]] value, unit, event [, variance] , run time, percentage
 * [, variance][, metric, unit]. perf quotes nothing, so an event name may hold the separator; it ends before the run
 * time (whole ns) that is followed by a percentage with two decimals, or before the variance in front of these
 * (semantics H.5).
 */
export function csvLine(line: string, separator: string): StatLine {
  const fields = splitFields(line, separator);
  let at = 0;
  let interval: bigint | undefined;
  if (/^\d+[.,]\d{9}$/.test(fields[0]!)) interval = secondsToNs(fields[at++]!);
  if (fields[at] === 'summary') at++;
  const owner: Pick<Mutable<StatCount>, 'cpu' | 'thread' | 'aggregate'> = {};
  // With a decimal comma and the separator `,` perf's own line is ambiguous; it then does not parse, which is counted.
  if (fields.length - at > 3 && !isValue(fields[at]!) && fields[at] !== '') {
    at = takeOwner(fields, at, owner);
  }
  if (fields.length - at < 3) return unparsable('too few fields');
  const [value, unit] = [fields[at]!, fields[at + 1]!];
  const tail = runtimeIndex(fields, at + 3);
  const event = eventName(fields, at + 2, tail, separator);
  if (value === '' && event === '') return { kind: 'metric' };
  const count = countField(value, unit);
  if (count === undefined) return unparsable('the value is no count');
  if (event === '') return unparsable('no event name');
  if (tail < 0 && !isBareEvent(fields, at + 2)) return unparsable('no run time and percentage');
  return {
    kind: 'count',
    count: {
      event,
      count,
      unit,
      interval,
      ...owner,
      runtime: tail < 0 ? undefined : BigInt(fields[tail]!),
      running: tail < 0 ? undefined : permyriad(fields[tail + 1]!),
      spread:
        tail < 0 ? undefined : (variance(fields[tail - 1]!) ?? variance(fields[tail + 2] ?? '')),
    },
  };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Fields without the padding perf puts around time and `summary`. */
function splitFields(line: string, separator: string): readonly string[] {
  if (separator !== ' ') return line.split(separator).map((field) => field.trim());
  return line
    .trimStart()
    .replaceAll('<not counted>', '<not_counted>')
    .replaceAll('<not supported>', '<not_supported>')
    .split(' ')
    .map((field) => field.replace('<not_', '<not '));
}

function isValue(field: string): boolean {
  return countField(field, '') !== undefined;
}

/** Takes what a line is for (`CPU0`, `S0-D0,4`, `comm-tid`) and gives the index of the value behind it. */
function takeOwner(
  fields: readonly string[],
  at: number,
  owner: Pick<Mutable<StatCount>, 'cpu' | 'thread' | 'aggregate'>,
): number {
  const id = fields[at]!;
  if (/^CPU\d+$/.test(id)) {
    owner.cpu = statCpu(id);
    return at + 1;
  }
  if (isAggregate(id) && /^\d+$/.test(fields[at + 1]!) && isValue(fields[at + 2] ?? '')) {
    owner.aggregate = id;
    return at + 2;
  }
  // A thread's name may hold the separator: the first value ends it.
  let end = at + 1;
  while (end < fields.length && !(isValue(fields[end]!) && /-\d+$/.test(fields[end - 1]!))) end++;
  const thread = statThread(fields.slice(at, end).join(','));
  if (end === fields.length || !thread) return at;
  owner.thread = thread;
  return end;
}

/** Index of the run time, or −1. */
function runtimeIndex(fields: readonly string[], from: number): number {
  for (let i = from; i + 1 < fields.length; i++) {
    if (/^\d{1,19}$/.test(fields[i]!) && /^\d{1,4}[.,]\d{2}$/.test(fields[i + 1]!)) return i;
  }
  return -1;
}

/** `1.65%` in permyriad; undefined for other fields. */
function variance(field: string): number | undefined {
  return /^\d+[.,]\d+%$/.test(field) ? permyriad(field.slice(0, -1)) : undefined;
}

function eventName(
  fields: readonly string[],
  from: number,
  tail: number,
  separator: string,
): string {
  if (tail < 0) return fields[from]!;
  const end = tail - 1 > from && variance(fields[tail - 1]!) !== undefined ? tail - 1 : tail;
  return fields.slice(from, end).join(separator);
}

/** Old perf ends the line with the event when it ran all the time. */
function isBareEvent(fields: readonly string[], at: number): boolean {
  return at === fields.length - 1 && /^[\w{].*[\w}/]$|^\w$/.test(fields[at]!);
}
