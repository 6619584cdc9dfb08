import { grouped } from '../../domain/u64.ts';
import type { SuitePoint } from '../check-suite.ts';
import type { Shell, Style } from '../shell.ts';
import type { Json } from './event-json.ts';
import { printable } from './text.ts';

/** Forms in which a suite is printed. */
export const SUITE_FORMATS = ['text', 'tap', 'junit'] as const;
export type SuiteFormat = (typeof SUITE_FORMATS)[number];

/** Prints test points as they come; `begin` and `end` around them. */
export interface SuitePrinter {
  begin(points: number): void;
  point(point: SuitePoint): void;
  end(points: readonly SuitePoint[]): void;
}

/** The printer of a format. */
export function suitePrinter(format: SuiteFormat, shell: Shell): SuitePrinter {
  return { text: textPrinter, tap: tapPrinter, junit: junitPrinter }[format](shell);
}

/** How many of each outcome. */
function tally(points: readonly SuitePoint[]): Readonly<Record<SuitePoint['outcome'], number>> {
  const counts = { passed: 0, failed: 0, error: 0, skipped: 0 };
  for (const { outcome } of points) counts[outcome]++;
  return counts;
}

const STYLES: Readonly<Record<SuitePoint['outcome'], Style>> = {
  passed: 'good',
  failed: 'bad',
  error: 'bad',
  skipped: 'dim',
};

function textPrinter(shell: Shell): SuitePrinter {
  return {
    begin() {},
    point({ file, outcome, lines }) {
      shell.print(`${shell.style(STYLES[outcome], outcome.padEnd(7))}  ${printable(file)}`);
      for (const line of lines) shell.print(`         ${printable(line)}`);
    },
    end(points) {
      const { passed, failed, error, skipped } = tally(points);
      const bad = `${grouped(failed)} failed, ${grouped(error)} not readable`;
      shell.print(`${grouped(passed)} passed, ${bad}, ${grouped(skipped)} skipped.`);
    },
  };
}

/** Test Anything Protocol, version 13. */
function tapPrinter(shell: Shell): SuitePrinter {
  let number = 0;
  return {
    begin(points) {
      shell.print('TAP version 13');
      shell.print(`1..${points}`);
    },
    point({ file, outcome, lines }) {
      number++;
      const ok = outcome === 'passed' || outcome === 'skipped' ? 'ok' : 'not ok';
      // A # would begin a directive.
      const name = printable(file).replaceAll('\\', '\\\\').replaceAll('#', '\\#');
      const skip = outcome === 'skipped' ? ` # SKIP ${printable(lines.join('; '))}` : '';
      shell.print(`${ok} ${number} - ${name}${skip}`);
      if (outcome === 'skipped') return;
      if (ok === 'ok') {
        for (const line of lines) shell.print(`# ${printable(line)}`);
        return;
      }
      shell.print('  ---');
      shell.print(`  outcome: ${outcome}`);
      shell.print('  message:');
      for (const line of lines) shell.print(`    - ${JSON.stringify(printable(line))}`);
      shell.print('  ...');
    },
    end() {},
  };
}

function junitPrinter(shell: Shell): SuitePrinter {
  return {
    begin() {},
    point() {},
    end(points) {
      const { failed, error, skipped } = tally(points);
      const seconds = points.reduce((sum, point) => sum + point.seconds, 0).toFixed(3);
      const counts = `tests="${points.length}" failures="${failed}" errors="${error}" skipped="${skipped}" time="${seconds}"`;
      shell.print('<?xml version="1.0" encoding="UTF-8"?>');
      shell.print(`<testsuites ${counts}>`);
      shell.print(`  <testsuite name="vpmu check" ${counts}>`);
      for (const point of points) for (const line of testCase(point)) shell.print(`    ${line}`);
      shell.print('  </testsuite>');
      shell.print('</testsuites>');
    },
  };
}

function testCase({ file, outcome, lines, seconds }: SuitePoint): readonly string[] {
  const open = `<testcase classname="vpmu.check" name="${xml(file)}" time="${seconds.toFixed(3)}"`;
  const text = xml(lines.join('\n'));
  const message = xml(lines[0] ?? '');
  switch (outcome) {
    case 'passed':
      return [`${open}>`, `  <system-out>${text}</system-out>`, '</testcase>'];
    case 'skipped':
      return [`${open}>`, `  <skipped message="${message}"/>`, '</testcase>'];
    default: {
      const tag = outcome === 'failed' ? 'failure' : 'error';
      return [`${open}>`, `  <${tag} message="${message}">${text}</${tag}>`, '</testcase>'];
    }
  }
}

/** Text for XML: markup escaped, and characters XML has no form for shown as others are. */
function xml(text: string): string {
  return text
    .split('\n')
    .map(printable)
    .join('\n')
    .replace(
      /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]|[\ufffe\uffff]/g,
      '\ufffd',
    )
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** A suite for programs. */
export function suiteJson(points: readonly SuitePoint[]): Json {
  return {
    ...tally(points),
    files: points.map(({ file, outcome, lines, guestReads, expected }) => ({
      file,
      outcome,
      message: [...lines],
      guestReads: guestReads === null ? null : { ...guestReads },
      expected: expected === null ? null : { ...expected },
    })),
  };
}
