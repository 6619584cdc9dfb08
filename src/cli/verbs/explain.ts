import type { Command } from 'commander';
import { CAUSE_CODES, causeByCode, UsageError } from '../../index.ts';
import { jsonOption } from '../options.ts';
import { causeJson, printCause, printCauses } from '../render/explain.ts';
import { printJson } from '../render/json.ts';
import { nearest } from '../render/text.ts';
import type { Shell } from '../shell.ts';

/** `vpmu explain`: the catalogue of causes. */
export function addExplain(program: Command, shell: Shell): void {
  program
    .command('explain')
    .summary('a cause of differing counts: what it is, what proves it, what to do')
    .description(
      'Prints an entry of the catalogue of causes; without a code, all of them in one line each.',
    )
    .argument('[CODE...]', 'codes of causes')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  vpmu explain
  vpmu explain pinned-error counter-contention`,
    )
    .action((codes: readonly string[], options: { readonly json?: boolean }) => {
      const known = codes.map((code) => {
        const cause = causeByCode(code.trim().toLowerCase());
        if (cause === undefined) {
          const near = nearest(code, CAUSE_CODES);
          throw new UsageError(
            `no cause ${code}`,
            near === undefined ? 'vpmu explain lists all codes' : `did you mean ${near}?`,
          );
        }
        return cause;
      });
      if (options.json) printJson(shell, causeJson(known));
      else if (known.length === 0) printCauses(shell);
      else {
        known.forEach((cause, i) => {
          if (i > 0) shell.print();
          printCause(shell, cause);
        });
      }
    });
}
