import type { Command } from 'commander';
import { EXIT, InputError, type Log, openLog } from '../../index.ts';
import type { BadPlace } from '../../log/types.ts';
import { jsonOption } from '../options.ts';
import { printJson } from '../render/json.ts';
import { plural } from '../render/text.ts';
import type { Shell } from '../shell.ts';

/** `vpmu verify`: recomputes the hash chain of a log. */
export function addVerify(program: Command, shell: Shell): void {
  program
    .command('verify')
    .allowExcessArguments(false)
    .summary('whether a log is what was imported')
    .description(
      'Recomputes the hash chain of a log from the stored bytes. Exit code 3, and the first bad place, when anything of it was changed.',
    )
    .argument('<LOG>', 'the log')
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  vpmu verify guest.vpmu')
    .action((path: string, options: { readonly json?: boolean }) => {
      const log = openDamaged(path);
      try {
        const report = log.verify();
        if (!report.ok) shell.exitCode = EXIT.input;
        if (options.json) {
          printJson(shell, { ...report, firstBad: badPlaceJson(report.firstBad) });
          return;
        }
        const good = `${plural(report.runs, 'import run')}, ${plural(report.segments, 'segment')}, ${plural(report.events, 'event')}`;
        if (report.firstBad === undefined) {
          shell.print(`${shell.style('good', 'unchanged')}: ${good}`);
          shell.print(`head ${report.head}`);
          return;
        }
        shell.print(`${shell.style('bad', 'damaged')}: ${badPlaceText(report.firstBad)}`);
        shell.print(`good before it: ${good}`);
      } finally {
        log.close();
      }
    });
}

/** Opens a log; where that fails, the advice is not to run this very command. */
function openDamaged(path: string): Log {
  try {
    return openLog(path);
  } catch (error) {
    if (!(error instanceof InputError) || error.hint?.includes('vpmu verify') !== true) throw error;
    throw new InputError(
      error.message,
      'nothing of it can be read: import the recordings again into a new log',
    );
  }
}

function badPlaceJson(bad: BadPlace | undefined) {
  if (bad === undefined) return null;
  const { what, run, segment, firstSeq, lastSeq, expected, actual } = bad;
  return {
    what,
    run: run ?? null,
    segment: segment ?? null,
    firstSeq: firstSeq ?? null,
    lastSeq: lastSeq ?? null,
    expected: expected ?? null,
    actual: actual ?? null,
  };
}

function badPlaceText(bad: BadPlace): string {
  const where: string[] = [];
  if (bad.segment !== undefined) where.push(`segment ${bad.segment}`);
  if (bad.run !== undefined) where.push(`import run ${bad.run}`);
  if (bad.firstSeq !== undefined) where.push(`@${bad.firstSeq}-@${bad.lastSeq ?? bad.firstSeq}`);
  const found =
    bad.expected === undefined ? '' : `; the log says ${bad.expected}, found ${bad.actual ?? '?'}`;
  return `${bad.what}${where.length === 0 ? '' : ` (${where.join(', ')})`}${found}`;
}
