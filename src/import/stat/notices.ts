import type { ImportNotice } from '../../domain/log-facts.ts';

type Severity = ImportNotice['severity'];

/** Everything perf stat's importers tell about what was not taken over as it stood. */
const NOTICES = {
  'relative-time': [
    'warning',
    "times count from perf stat's own start; --stat-start T places them on the clock of a trace",
  ],
  'no-time': [
    'info',
    'counts over a whole run, printed without any time; they stand at the start of that run',
  ],
  'several-runs': [
    'warning',
    'the text holds several runs of perf stat; the times of each count from its own start',
  ],
  'torn-line': [
    'warning',
    'counter lines torn by other output or cut off; not taken over, not repaired',
  ],
  'unparsable-line': ['warning', 'counter lines that could not be read'],
  'long-line': ['warning', 'lines too long for any perf stat output; skipped'],
  'rounded-count': [
    'warning',
    'counts printed with fewer digits than they have (unit-scaled, a mean, or above 2^53)',
  ],
  'scaled-count': ['warning', 'counts perf scaled up by enabled / running: estimates'],
  'not-counted': ['warning', 'counts printed as <not counted>: the event never ran'],
  'not-supported': ['warning', 'counts printed as <not supported>'],
  'mean-of-runs': ['warning', 'counts that are means over several runs (perf stat -r)'],
  'aggregated-cpus': [
    'info',
    'counts of a group of CPUs (socket, core, node or cgroup); which group is not kept',
  ],
  'guest-thread': [
    'info',
    'counts of one guest thread; guest thread ids are not kept, they would look like host threads',
  ],
  'metric-line': ['info', 'lines with a metric only'],
  'not-a-count': ['info', 'lines that are not output of perf stat'],
} as const satisfies Record<string, readonly [Severity, string]>;

export type StatNoticeCode = keyof typeof NOTICES;

/** Counts notices by code, each with the first line it was seen at. */
export class StatNotices {
  private readonly seen = new Map<StatNoticeCode, { count: number; lines: number[] }>();

  add(code: StatNoticeCode, line: number, count: number = 1): void {
    const entry = this.seen.get(code);
    if (!entry) {
      this.seen.set(code, { count, lines: [line] });
      return;
    }
    entry.count += count;
    if (entry.lines.length < MAX_LINES) entry.lines.push(line);
  }

  count(code: StatNoticeCode): number {
    return this.seen.get(code)?.count ?? 0;
  }

  /** In the order of the table above. */
  list(): readonly ImportNotice[] {
    const list: ImportNotice[] = [];
    for (const [code, [severity, text]] of Object.entries(NOTICES)) {
      const entry = this.seen.get(code as StatNoticeCode);
      if (!entry) continue;
      list.push({
        severity,
        code,
        text: NAMES_LINES.has(code) ? `${text} (${atLines(entry)})` : text,
        count: entry.count,
        firstAt: entry.lines[0]!,
      });
    }
    return list;
  }
}

const MAX_LINES = 5;
/** Damage: people want to look at the very lines. */
const NAMES_LINES: ReadonlySet<string> = new Set(['torn-line', 'unparsable-line']);

function atLines({ count, lines }: { count: number; lines: readonly number[] }): string {
  const more = count > lines.length ? ' …' : '';
  return `line ${lines.join(', ')}${more}`;
}
