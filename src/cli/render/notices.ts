import type { ImportNotice } from '../../index.ts';
import type { Shell, Style } from '../shell.ts';
import { plural, printable } from './text.ts';

const STYLES: Readonly<Record<ImportNotice['severity'], Style>> = {
  error: 'bad',
  warning: 'warning',
  info: 'dim',
};

const ORDER: readonly ImportNotice['severity'][] = ['error', 'warning', 'info'];

/** Notices as lines, the gravest first: `warning  guest-samples-missing  6,819 times, first at 3: …`. */
export function noticeLines(notices: readonly ImportNotice[], shell: Shell): readonly string[] {
  return [...notices]
    .sort((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity))
    .map(({ severity, code, text, count, firstAt }) => {
      const where = [plural(count, 'time')];
      if (firstAt !== undefined) where.push(`first at ${firstAt}`);
      return `${shell.style(STYLES[severity], severity.padEnd(7))}  ${printable(text)} (${code}, ${where.join(', ')})`;
    });
}

/** A notice for programs. */
export function noticeJson({ severity, code, text, count, firstAt }: ImportNotice) {
  return { severity, code, text, count, firstAt: firstAt ?? null };
}
