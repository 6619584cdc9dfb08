import { UsageError } from './errors.ts';

/** What a list may hold and how it is called in messages. */
export interface IntegerListOptions {
  /** What the numbers are, for messages: `vCPU`, `CPU`, `counter`. */
  readonly what: string;
  readonly min?: number;
  /** The largest number allowed; keeps `0-4000000000` from filling the memory. */
  readonly max?: number;
}

/** vCPU slots and CPU numbers are Int16 columns. */
const DEFAULT_MAX = 32_767;

/**
 * Parses a list as `--vcpu` and perf's `-C` take it: `0,2-3`. Sorted, each number once.
 * Errors: UsageError for anything that is not numbers and ranges, a range that runs down, a number out of bounds.
 */
export function parseIntegerList(text: string, options: IntegerListOptions): readonly number[] {
  const { what, min = 0, max = DEFAULT_MAX } = options;
  const bad = (part: string, why: string): UsageError =>
    new UsageError(
      `${what} list ${JSON.stringify(text.slice(0, 80))}: ${JSON.stringify(part.slice(0, 40))} ${why}`,
      `a list is numbers and ranges separated by commas, as 0,2-3 (from ${min} to ${max})`,
    );
  const numbers = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part);
    if (!match) throw bad(part, 'is no number and no range');
    const from = Number(match[1]);
    const to = match[2] === undefined ? from : Number(match[2]);
    if (to < from) throw bad(part, 'runs down');
    if (from < min || to > max) throw bad(part, 'is out of bounds');
    for (let n = from; n <= to; n++) numbers.add(n);
  }
  return [...numbers].sort((a, b) => a - b);
}

/** Writes numbers as the shortest list `parseIntegerList` reads back: `0,2-3`. */
export function formatIntegerList(numbers: Iterable<number>): string {
  const sorted = [...new Set(numbers)].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let i = 0; i < sorted.length; ) {
    let j = i;
    while (j + 1 < sorted.length && sorted[j + 1] === sorted[j]! + 1) j++;
    parts.push(j === i ? `${sorted[i]}` : `${sorted[i]}-${sorted[j]}`);
    i = j + 1;
  }
  return parts.join(',');
}
