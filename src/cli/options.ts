import { type Command, Option } from 'commander';

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

/** An option that can be given more than once; its value is the list of all. */
export function repeatable(flags: string, description: string): Option {
  return new Option(flags, description).argParser(
    (value: string, previous: readonly string[] | undefined) => [...(previous ?? []), value],
  );
}

/** A comma-separated list; may be given more than once. */
export function list(flags: string, description: string): Option {
  return new Option(flags, description).argParser(
    (value: string, previous: readonly string[] | undefined) => [
      ...(previous ?? []),
      ...value.split(',').filter((part) => part !== ''),
    ],
  );
}

/** Adds the options that say how recordings are read. Every verb that takes recordings has them. */
export function addRecordingOptions(command: Command): Command {
  return command
    .addOption(repeatable('-i, --input <FILE>', 'a log or a recording, as an argument is'))
    .addOption(repeatable('--guest <FILE>', 'a recording made inside the guest, as guest:FILE'))
    .addOption(repeatable('--host <FILE>', 'a recording made on the host, as host:FILE'))
    .option('--kernel <RELEASE>', 'kernel the recordings were made on, as uname -r prints it')
    .option('--map <FILE>', 'rules for tracepoints and probes of your own')
    .option('--stat-start <TIME>', 'when perf stat -I started, on the clock of the trace')
    .option('-q, --quiet', 'no warnings and no progress')
    .option('-v, --verbose', 'say more about what is done');
}

/** `--json` as every verb has it. */
export function jsonOption(): Option {
  return new Option('-j, --json', 'print JSON; 64-bit values are strings');
}
