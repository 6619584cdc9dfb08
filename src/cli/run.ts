import { Command, CommanderError } from 'commander';
import { EXIT, InputError, UsageError, VpmuError } from '../domain/errors.ts';
import { wrapText } from './render/table.ts';
import { nearest, printable } from './render/text.ts';
import type { Shell } from './shell.ts';
import { type AddVerb, VERBS, type Verb } from './verbs/index.ts';
import { version } from './version.ts';

/** Runs one command line. Never throws: what goes wrong is printed, and the exit code says what it was. */
export async function run(args: readonly string[], shell: Shell): Promise<void> {
  const fail = (error: unknown): void => {
    process.exitCode = report(error, shell);
  };
  process.on('uncaughtException', (error) => {
    fail(error);
    process.exit();
  });
  try {
    const program = createProgram(shell, await verbsFor(args));
    await program.parseAsync([...args], { from: 'user' });
    await shell.drain();
    process.exitCode = shell.exitCode;
  } catch (error) {
    await shell.drain();
    fail(error);
  }
}

/**
 * The verbs this command line can mean: the one it begins with; only their names if it has none of them. So nothing is
 * loaded that is not used.
 */
async function verbsFor(args: readonly string[]): Promise<readonly AddVerb[]> {
  const asked = args[0] === 'help' ? args[1] : args[0];
  const verb = VERBS.find(({ name }) => name === asked);
  if (verb !== undefined) return [await verb.load()];
  const named = args.some((arg) => VERBS.some(({ name }) => name === arg));
  return named ? allVerbs() : VERBS.map(listed);
}

/** All verbs, loaded. */
export function allVerbs(): Promise<readonly AddVerb[]> {
  return Promise.all(VERBS.map(({ load }) => load()));
}

/** Enough of a verb to be listed, not to be used. */
function listed({ name, summary }: Verb): AddVerb {
  return (program) => {
    program.command(name).summary(summary);
  };
}

/** The command line with these verbs. */
export function createProgram(shell: Shell, verbs: readonly AddVerb[]): Command {
  const program = new Command('vpmu')
    .description(
      "Replays what a hypervisor's virtual PMU did, from a trace: what every guest counter held, and why guest and host counts differ.",
    )
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [VERB]', 'print the help of a verb')
    .showSuggestionAfterError(true)
    .allowExcessArguments(true)
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .usage('VERB [LOG | RECORDINGS…] [OPTIONS]')
    .addHelpText('after', () => epilog(helpWidth(shell)));
  // Without this an unknown verb would be an argument too many of the program itself.
  program.arguments('[verb]').action((verb: string | undefined) => {
    if (verb !== undefined) throw unknownVerb(verb, program);
    program.outputHelp({ error: true });
    shell.exitCode = EXIT.usage;
  });
  for (const add of verbs) add(program, shell);
  for (const command of [program, ...program.commands]) {
    command
      .configureOutput({
        writeOut: (text) => {
          shell.print(text.replace(/\n$/, ''));
        },
        writeErr: (text) => {
          shell.note(text.replace(/\n$/, ''));
        },
        // The error itself is printed by report().
        outputError: () => {},
        getOutHelpWidth: () => helpWidth(shell),
        getErrHelpWidth: () => helpWidth(shell),
      })
      .exitOverride((error) => {
        throw error.exitCode === 0 ? error : usageError(error, command);
      });
  }
  return program;
}

const NOTES = [
  'Every verb takes a log (*.vpmu), or recordings, which are first imported into a cache beside them. A time is 616.793612498 (seconds), 1500ms, +20us from the start, 50%, start, end or @SEQ.',
  'Exit codes: 0 done, nothing differs · 1 differences found · 2 wrong usage · 3 unreadable or damaged input · 4 inconclusive',
];
const EXAMPLES = `Try it on a recording that comes with vpmu (its guest's perf stat read 0 twice):
  vpmu info     traces/S3-lean/trace-raw.txt.zst
  vpmu replay   traces/S3-lean/trace-raw.txt.zst --at 21.965
  vpmu check    traces/S3-lean/trace-raw.txt.zst
  vpmu diagnose traces/S3-lean/trace-raw.txt.zst`;

function epilog(width: number): string {
  const notes = NOTES.map((note) => wrapText(note, width).join('\n'));
  return ['', ...notes, EXAMPLES].join('\n\n').slice(1);
}

const MAX_HELP_WIDTH = 110;

function helpWidth(shell: Shell): number {
  return Math.min(shell.width, MAX_HELP_WIDTH);
}

function unknownVerb(verb: string, program: Command): UsageError {
  const names = program.commands.map((command) => command.name());
  const near = nearest(verb, names);
  return new UsageError(
    `${JSON.stringify(verb)} is no verb of vpmu${near === undefined ? '' : ` (did you mean ${near}?)`}`,
    `verbs: ${names.join(', ')}`,
  );
}

/** The parser's complaint in our form: `error: unknown option '--jsn'\n(Did you mean --json?)`. */
function usageError(error: CommanderError, command: Command): UsageError {
  const text = error.message
    .replace(/^error: /, '')
    .replace(/\n?\(Did you mean/, ' (did you mean')
    .replaceAll('\n', ' ');
  const name = command.parent === null ? 'vpmu' : `vpmu ${command.name()}`;
  return new UsageError(`${name}: ${text}`, `${name} --help lists what it takes`);
}

/** Prints why a command failed and returns its exit code. */
function report(error: unknown, shell: Shell): number {
  if (error instanceof CommanderError) return error.exitCode;
  const known = error instanceof VpmuError ? error : fromSystem(error);
  if (known) {
    shell.note(`vpmu: ${printable(known.message)}`);
    if (known.hint !== undefined) shell.note(`hint: ${printable(known.hint)}`);
  } else {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    shell.note(`vpmu: internal error: ${printable(text)}`);
    shell.note(
      'hint: this is a bug of vpmu; please report it with the command, its input and what it prints with VPMU_DEBUG=1',
    );
  }
  if (process.env['VPMU_DEBUG'] === '1' && error instanceof Error) shell.note(error.stack ?? '');
  return known?.exitCode ?? EXIT.input;
}

/** What the system said no to, by its error code. */
const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EISDIR: 'is a directory',
  ENOTDIR: 'not a directory',
  ENOSPC: 'no space left on the device',
  EROFS: 'the file system is read-only',
  EMFILE: 'too many open files',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'the name is too long',
  EIO: 'input/output error',
  EFBIG: 'the file is larger than it may be',
  EDQUOT: 'the disk quota is used up',
  EPIPE: 'nobody reads it any more',
  EBUSY: 'in use by somebody else',
  ETXTBSY: 'in use by somebody else',
  ENXIO: 'no such device, or nobody reads the pipe',
  EINVAL: 'not a name or a place for a file',
};

const NOT_UTF8 =
  'a name that is not UTF-8 cannot be opened: rename the file, or read it from standard input: vpmu VERB - < FILE';

function fromSystem(error: unknown): VpmuError | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, path } = error as NodeJS.ErrnoException;
  const why = code === undefined ? undefined : SYSTEM_ERRORS[code];
  return why === undefined
    ? undefined
    : new InputError(
        `${path === undefined ? '' : `${path}: `}${why}`,
        path?.includes('\ufffd') ? NOT_UTF8 : undefined,
      );
}
