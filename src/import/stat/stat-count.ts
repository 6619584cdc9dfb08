import { type PrintedCount, printedCount } from './printed-number.ts';

/** One counter line of perf stat, whatever it was printed as. */
export interface StatCount {
  /** The event as printed, with its modifiers: `cycles:G`. */
  readonly event: string;
  readonly count: PrintedCount | 'not-counted' | 'not-supported';
  readonly unit: string;
  /** End of the interval, ns since perf stat's start; undefined for a count over the whole run. */
  readonly interval?: bigint | undefined;
  /** Time the event was on hardware, ns; undefined when not printed (the table does not). */
  readonly runtime?: bigint | undefined;
  /** Share of time on hardware in permyriad; undefined when not printed (the table prints it only below 100 %). */
  readonly running?: number | undefined;
  /** CPU of the line (`-A`, `--per-core` and the like give `aggregate` instead). */
  readonly cpu?: number | undefined;
  readonly thread?: StatThread | undefined;
  /** `S0-D0-C0` and the like: several CPUs in one line. */
  readonly aggregate?: string | undefined;
  /** A mean over several runs (`-r`): its relative standard deviation in permyriad; undefined: one run. */
  readonly spread?: number | undefined;
}

export interface StatThread {
  readonly name: string;
  readonly tid: number;
}

/** What a line of a perf stat output can be. */
export type StatLine =
  | { readonly kind: 'count'; readonly count: StatCount }
  /** A line that holds a metric only (no counter). */
  | { readonly kind: 'metric' }
  /** A counter line whose parts do not add up, with the reason. */
  | { readonly kind: 'unparsable'; readonly why: string };

export function unparsable(why: string): StatLine {
  return { kind: 'unparsable', why };
}

/** The count field of a line: a number, `<not counted>` or `<not supported>`; undefined when it is none of these. */
export function countField(text: string, unit: string): StatCount['count'] | undefined {
  if (text === '<not counted>') return 'not-counted';
  if (text === '<not supported>') return 'not-supported';
  return printedCount(text, unit);
}

/** `CPU 0/KVM-206` is the thread 206 named `CPU 0/KVM`; undefined when it is no name and thread id. */
export function statThread(text: string): StatThread | undefined {
  const match = /^(.*)-(\d{1,9})$/.exec(text);
  return match ? { name: match[1]!, tid: Number(match[2]) } : undefined;
}

/** `CPU3` and `3` are CPU 3; undefined when it is no CPU number. */
export function statCpu(text: string): number | undefined {
  const match = /^(?:CPU)?(\d{1,4})$/.exec(text);
  return match ? Number(match[1]) : undefined;
}

/** True for the id of a group of CPUs: `S0`, `S0-D0-C1`, `N0`, `S0-D0-L3-ID0`. */
export function isAggregate(text: string): boolean {
  return /^[SND]\d+(?:-[A-Z]+\d+)*$/.test(text);
}
