import type { Command } from 'commander';
import {
  archOfRules,
  RESERVED_RULE_SETS,
  ruleDifferences,
  ruleSets,
  ruleValues,
  UsageError,
} from '../../index.ts';
import { jsonOption } from '../options.ts';
import { printJson } from '../render/json.ts';
import { printDifferences, printModel, printModels } from '../render/models.ts';
import { nearest } from '../render/text.ts';
import type { Shell } from '../shell.ts';

/** `vpmu models`: the rule sets a recording can be replayed under, one in full, or what differs between two. */
export function addModels(program: Command, shell: Shell): void {
  program
    .command('models')
    .allowExcessArguments(false)
    .summary('the rule sets a recording can be replayed under')
    .description(
      'Without a name, lists the rule sets: what each models and where its rules come from. With one name, prints all its rules; with two, the rules in which they differ. --rules of replay, check and what-if takes these names.',
    )
    .argument('[A]', 'a rule set')
    .argument('[B]', 'another one of the same architecture')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  vpmu models
  vpmu models arm64-kvm-6.12
  vpmu models arm64-kvm-6.1 arm64-kvm-6.12`,
    )
    .action(
      (a: string | undefined, b: string | undefined, options: { readonly json?: boolean }) => {
        for (const name of [a, b]) if (name !== undefined) checkName(name);
        if (a === undefined) list(shell, options.json === true);
        else if (b === undefined) one(shell, a, options.json === true);
        else two(shell, a, b, options.json === true);
      },
    );
}

function list(shell: Shell, json: boolean): void {
  const sets = [...ruleSets()].map(([name, info]) => ({ name, ...info }));
  if (json) printJson(shell, { ruleSets: sets, reserved: RESERVED_RULE_SETS });
  else printModels(shell, sets, RESERVED_RULE_SETS);
}

function one(shell: Shell, name: string, json: boolean): void {
  const info = { name, ...ruleSets().get(name)! };
  const rules = ruleValues(name)!;
  if (json) printJson(shell, { ruleSet: info, rules });
  else printModel(shell, info, rules);
}

function two(shell: Shell, a: string, b: string, json: boolean): void {
  const arches = [archOfRules(a), archOfRules(b)];
  if (arches[0] !== arches[1]) {
    throw new UsageError(
      `${a} is for ${arches[0]} and ${b} for ${arches[1]}: their rules have no field in common`,
      'name two rule sets of one architecture',
    );
  }
  const differences = ruleDifferences(a, b);
  if (json) printJson(shell, { a, b, differences });
  else printDifferences(shell, a, b, differences);
}

function checkName(name: string): void {
  if (ruleSets().has(name)) return;
  const names = [...ruleSets().keys()];
  const reserved = RESERVED_RULE_SETS.find((row) => row.name === name);
  if (reserved !== undefined) {
    throw new UsageError(
      `${name} is a reserved name: ${reserved.why}`,
      `rule sets: ${names.join(', ')}`,
    );
  }
  const near = nearest(name, names);
  throw new UsageError(
    `no rule set ${name}${near === undefined ? '' : ` (did you mean ${near}?)`}`,
    `rule sets: ${names.join(', ')}`,
  );
}
