import { type Command, Option } from 'commander';
import { UsageError } from '../domain/errors.ts';

/** What the user said about the recordings of a command. */
export interface RecordingOptions {
  readonly input?: readonly string[];
  readonly guest?: readonly string[];
  readonly host?: readonly string[];
  readonly map?: string;
  readonly kernel?: string;
  readonly statStart?: string;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
}

/** All files that a command's arguments and options name. */
export function namedIn(
  args: readonly string[],
  { input = [], host = [], guest = [] }: RecordingOptions,
): readonly string[] {
  return [...args, ...input, ...host, ...guest];
}

/** An option that can be given more than once; its value is the list of all. */
export function repeatable(flags: string, description: string): Option {
  return new Option(flags, description).argParser(
    (value: string, previous: readonly string[] | undefined) => [...(previous ?? []), value],
  );
}

/** A comma-separated list; may be given more than once. */
export function list(flags: string, description: string): Option {
  return new Option(flags, description).argParser(
    (value: string, previous: readonly string[] | undefined) => {
      const parts = value.split(',').filter((part) => part !== '');
      if (parts.length > 0) return [...(previous ?? []), ...parts];
      throw new UsageError(
        `${flags.replace(/ <.*/, '')}: an empty list`,
        'name one or more, as A,B',
      );
    },
  );
}

/** Adds the options that say how recordings are read. Every verb that takes recordings has them. */
export function addRecordingOptions(command: Command): Command {
  for (const option of [
    repeatable('-i, --input <FILE>', 'a log or a recording, as an argument is'),
    repeatable('--guest <FILE>', 'a recording made inside the guest, as guest:FILE'),
    repeatable('--host <FILE>', 'a recording made on the host, as host:FILE'),
    new Option('--kernel <RELEASE>', 'kernel the recordings were made on, as uname -r prints it'),
    new Option('--map <FILE>', 'rules for tracepoints and probes of your own (docs/formats.md)'),
    new Option('--stat-start <TIME>', 'when perf stat -I started, on the clock of the trace'),
    new Option('-q, --quiet', 'no warnings and no progress'),
    new Option('-v, --verbose', 'say more about what is done'),
  ]) {
    command.addOption(option.helpGroup('Recordings:'));
  }
  return command;
}

/** `--json` as every verb has it. */
export function jsonOption(): Option {
  return new Option('-j, --json', 'print JSON; 64-bit values are strings');
}
