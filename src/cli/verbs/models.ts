import type { Command } from 'commander';
import { ruleSets } from '../../index.ts';
import { jsonOption } from '../options.ts';
import { printJson } from '../render/json.ts';
import { wrapText } from '../render/table.ts';
import type { Shell } from '../shell.ts';

const TEXT_WIDTH = 100;

/** `vpmu models`: the rule sets a recording can be replayed under. */
export function addModels(program: Command, shell: Shell): void {
  program
    .command('models')
    .allowExcessArguments(false)
    .summary('the rule sets a recording can be replayed under')
    .description(
      'Lists the rule sets by name: what each models and where its rules come from. --rules of replay and check takes these names.',
    )
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  vpmu models')
    .action((options: { readonly json?: boolean }) => {
      const sets = [...ruleSets()].map(([name, set]) => ({ name, ...set }));
      if (options.json) {
        printJson(shell, { ruleSets: sets });
        return;
      }
      for (const { name, arch, summary, sources, selectable, missing } of sets) {
        const state = selectable
          ? ''
          : ` (cannot be chosen yet${missing === undefined ? '' : `: ${missing}`})`;
        shell.print(`${shell.style('heading', name)}  ${arch}${state}`);
        for (const line of wrapped(shell, summary)) shell.print(`    ${line}`);
        for (const line of wrapped(shell, `from ${sources.join('; ')}`)) {
          shell.print(`    ${shell.style('dim', line)}`);
        }
      }
    });
}

function wrapped(shell: Shell, text: string): readonly string[] {
  return wrapText(text, Math.min(shell.width - 4, TEXT_WIDTH));
}
