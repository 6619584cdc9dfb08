import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { processShell } from '../../src/cli/shell.ts';
import { VERBS } from '../../src/cli/verbs/index.ts';

describe('the list of verbs', () => {
  it.each(VERBS.map((verb) => [verb.name, verb] as const))(
    '%s is what it says',
    async (_, verb) => {
      const program = new Command();
      (await verb.load())(program, processShell());
      expect(program.commands.map((command) => [command.name(), command.summary()])).toEqual([
        [verb.name, verb.summary],
      ]);
    },
  );
});
