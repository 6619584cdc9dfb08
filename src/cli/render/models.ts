import type { ReservedRuleSet, RuleDifference, RuleSetInfo, RuleValue } from '../../index.ts';
import type { Shell } from '../shell.ts';
import { printTable } from './print-table.ts';
import { wrapText } from './table.ts';
import { plural } from './text.ts';

const TEXT_WIDTH = 100;

type NamedInfo = RuleSetInfo & { readonly name: string };

/** All rule sets, each with what it models and where its rules come from. */
export function printModels(
  shell: Shell,
  sets: readonly NamedInfo[],
  reserved: readonly ReservedRuleSet[],
): void {
  for (const info of sets) printHead(shell, info);
  for (const { name, arch, why, sources } of reserved) {
    shell.print(`${shell.style('heading', name)}  ${arch} (reserved name)`);
    indented(shell, why);
    indented(shell, `from ${sources.join('; ')}`, true);
  }
}

/** One rule set with all its rules. */
export function printModel(shell: Shell, info: NamedInfo, rules: readonly RuleValue[]): void {
  printHead(shell, info);
  shell.print();
  printTable(
    shell,
    [{ title: 'rule', wrapTo: 30 }, { title: 'value', wrapTo: 16 }, { title: 'semantics' }],
    rules.map(({ meaning, value, source }) => [meaning, value, source]),
  );
}

/** What differs between two rule sets. */
export function printDifferences(
  shell: Shell,
  a: string,
  b: string,
  differences: readonly RuleDifference[],
): void {
  if (differences.length === 0) {
    shell.print(`${a} and ${b} have the same rules.`);
    return;
  }
  shell.print(`${a} and ${b} differ in ${plural(differences.length, 'rule')}:`);
  printTable(
    shell,
    [
      { title: 'rule', wrapTo: 20 },
      { title: a, wrapTo: 14 },
      { title: b, wrapTo: 14 },
      { title: 'semantics' },
    ],
    differences.map((row) => [row.meaning, row.a, row.b, row.source]),
  );
}

function printHead(
  shell: Shell,
  { name, arch, summary, sources, selectable, missing }: NamedInfo,
): void {
  const state = selectable
    ? ''
    : ` (cannot be chosen yet${missing === undefined ? '' : `: ${missing}`})`;
  shell.print(`${shell.style('heading', name)}  ${arch}${state}`);
  indented(shell, summary);
  indented(shell, `from ${sources.join('; ')}`, true);
}

function indented(shell: Shell, text: string, dim = false): void {
  for (const line of wrapText(text, Math.min(shell.width - 4, TEXT_WIDTH))) {
    shell.print(`    ${dim ? shell.style('dim', line) : line}`);
  }
}
