/** Exit codes of every `vpmu` command. */
export const EXIT = {
  ok: 0,
  /** Differences or a contradiction were found. */
  differs: 1,
  /** Wrong usage: an unknown flag, an impossible range. */
  usage: 2,
  /** Input that cannot be read or is damaged. */
  input: 3,
  /** Inconclusive: the gaps are larger than the effect. */
  inconclusive: 4,
} as const;

/**
 * The base of every failure a user can cause or meet. `message` is one line: what, where, why; `hint` says what to do
 * next. The command line prints both without a stack trace and exits with `exitCode`.
 */
export class VpmuError extends Error {
  readonly exitCode: number;
  readonly hint: string | undefined;
  constructor(message: string, exitCode: number, hint?: string) {
    super(message);
    this.name = new.target.name;
    this.exitCode = exitCode;
    this.hint = hint;
  }
}

/** A command line that cannot be carried out as written. */
export class UsageError extends VpmuError {
  constructor(message: string, hint?: string) {
    super(message, EXIT.usage, hint);
  }
}

/** Input (a recording, a log, a map file) that cannot be read or is damaged. Put file, line or offset into the message. */
export class InputError extends VpmuError {
  constructor(message: string, hint?: string) {
    super(message, EXIT.input, hint);
  }
}

/** A file of a format nobody here reads: a program that goes through a folder may leave it out. */
export class UnknownFormatError extends InputError {}
