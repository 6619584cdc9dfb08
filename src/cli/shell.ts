import { EXIT } from '../domain/errors.ts';

/** How printed text can stand out on a terminal that shows colours. */
export type Style = 'heading' | 'dim' | 'good' | 'bad' | 'warning';

const SGR: Readonly<Record<Style, string>> = {
  heading: '1',
  dim: '2',
  good: '32',
  bad: '31',
  warning: '33',
};

/** Bytes collected before they go to standard output in one write. */
const BUFFER_CHARS = 1 << 16;
const PROGRESS_EVERY_MS = 100;

/** Where a command prints: standard output for results, standard error for everything else. */
export interface Shell {
  /** Columns that output has to fit into; Infinity when nobody reads it on a terminal. */
  readonly width: number;
  /** Prints one line of the result. */
  print(line?: string): void;
  /** Waits until what was printed is taken by its reader; call now and then in a long output so that memory stays flat. */
  drain(): Promise<void>;
  /** Prints a line about the work, not the result. */
  note(line: string): void;
  /** Shows what is going on, on a terminal only; the next call replaces it, `undefined` removes it. */
  progress(line: string | undefined): void;
  style(style: Style, text: string): string;
  /** The exit code of the command, unless it fails. */
  exitCode: number;
}

/** The shell of this process. Asks the environment: COLUMNS, NO_COLOR, FORCE_COLOR, TERM. */
export function processShell(): Shell {
  const { stdout, stderr } = process;
  const colors = stdout.isTTY === true && stdout.hasColors();
  let buffer = '';
  let full = false;
  let shown = 0;
  let showing = false;

  const cannotWrite = (error: NodeJS.ErrnoException): never => {
    // The reader has gone (`| head`): it has seen all it wanted.
    if (error.code === 'EPIPE') process.exit(shell.exitCode);
    const why = error.code === 'ENOSPC' ? 'no space left' : error.message;
    process.stderr.write(`vpmu: cannot write the output: ${why}\n`);
    process.exit(EXIT.input);
  };
  stdout.on('error', cannotWrite);
  stderr.on('error', () => {
    // Nobody reads the messages; that is no reason to fail.
  });

  const flush = (): void => {
    if (buffer === '') return;
    full = !stdout.write(buffer);
    buffer = '';
    // Known at once where writing is synchronous; there is no point in making output that nobody reads.
    if (stdout.errored) cannotWrite(stdout.errored);
  };

  const clear = (): void => {
    if (!showing) return;
    stderr.write('\r\x1b[K');
    showing = false;
  };

  process.on('exit', () => {
    clear();
  });

  const shell: Shell = {
    exitCode: EXIT.ok,
    width: outputWidth(stdout.isTTY === true ? stdout.columns : undefined),
    print(line = '') {
      clear();
      buffer += `${line}\n`;
      if (buffer.length >= BUFFER_CHARS) flush();
    },
    async drain() {
      flush();
      if (full) {
        await new Promise<void>((resolve) => stdout.once('drain', resolve));
        full = false;
      } else {
        // Lets a pending EPIPE or signal be heard.
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
    },
    note(line) {
      clear();
      flush();
      stderr.write(`${line}\n`);
    },
    progress(line) {
      if (stderr.isTTY !== true) return;
      if (line === undefined) {
        clear();
        return;
      }
      const now = performance.now();
      if (showing && now - shown < PROGRESS_EVERY_MS) return;
      stderr.write(`\r\x1b[K${line.slice(0, Math.max(20, (stderr.columns ?? 80) - 1))}`);
      shown = now;
      showing = true;
    },
    style(style, text) {
      return colors && text !== '' ? `\x1b[${SGR[style]}m${text}\x1b[0m` : text;
    },
  };
  return shell;
}

/** A terminal's own width, or what COLUMNS says for output that goes elsewhere. */
function outputWidth(terminal: number | undefined): number {
  const asked = Number(process.env['COLUMNS']);
  if (Number.isInteger(asked) && asked > 0) return asked;
  return terminal ?? Number.POSITIVE_INFINITY;
}
