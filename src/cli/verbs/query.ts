import type { Command } from 'commander';
import { UsageError } from '../../domain/errors.ts';
import { type QueryAnswer, queryLog, type SqlValue } from '../../log/sql/query.ts';
import { addRecordingOptions, jsonOption, type RecordingOptions } from '../options.ts';
import { quoted } from '../render/event-fields.ts';
import { toJson } from '../render/json.ts';
import { printable } from '../render/text.ts';
import { withLog } from '../resolve-log.ts';
import { separatorOption } from '../selection.ts';
import type { Shell } from '../shell.ts';
import { sqlSource } from '../sql-source.ts';

interface QueryOptions extends RecordingOptions {
  readonly separator?: string;
  readonly json?: boolean;
}

/** `vpmu query`: a log asked in SQL. */
export function addQuery(program: Command, shell: Shell): void {
  const command = program
    .command('query')
    .summary('a log asked in SQL')
    .description(
      "Asks a log in SQL (SQLite). Tables: events, one row per event with the words of its numbers; event, the same as numbers only, quicker; kind (what the columns of each kind mean), recording, vcpu, thread, register, attr, name. Integers are 64 bits with a sign: show u64 ones, as value and object, by printf('%u', value) or printf('0x%x', value).",
    )
    .argument('[LOG | RECORDING | SQL...]', 'a log or recordings, and last the SQL');
  command
    .addOption(separatorOption('between columns, as , (default: aligned); quotes as CSV has'))
    .addOption(jsonOption().conflicts('separator'))
    .addHelpText(
      'after',
      `
Examples:
  vpmu query guest.vpmu "SELECT kind, count(*) FROM events GROUP BY kind ORDER BY 2 DESC"
  vpmu query guest.vpmu -x, "SELECT seq, seconds, value_hex FROM events WHERE register = 'PMCCNTR_EL0' AND kind = 'read'"
  vpmu query guest.vpmu "SELECT name, object, value, aux0, aux1 FROM kind WHERE grp = 'host perf event'"`,
    )
    .action((args: string[], options: QueryOptions) => {
      const sql = args.at(-1);
      if (sql === undefined || !/\s/.test(sql.trim())) {
        throw new UsageError(
          'no SQL given',
          `vpmu query LOG "SELECT kind, count(*) FROM events GROUP BY kind"`,
        );
      }
      return withLog(args.slice(0, -1), options, shell, (log) =>
        queryLog(
          sqlSource(log, () => log.chunks()),
          sql,
          (answer) =>
            options.json
              ? printObjects(shell, answer)
              : printRows(shell, answer, options.separator),
        ),
      );
    });
  addRecordingOptions(command);
}

/** Rows whose widths decide how an answer is aligned: the answer is printed as it comes. */
const MEASURED = 500;

async function printRows(
  shell: Shell,
  { columns, rows }: QueryAnswer,
  separator: string | undefined,
): Promise<void> {
  if (separator !== undefined) {
    shell.print(columns.map((name) => quoted(printable(name), separator)).join(separator));
    let printed = 0;
    for (const row of rows) {
      shell.print(row.map((value) => quoted(textOf(value), separator)).join(separator));
      if (++printed % MEASURED === 0) await shell.drain();
    }
    return;
  }
  const widths = columns.map((name) => printable(name).length);
  const numeric = columns.map(() => true);
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, k) => (numeric[k] ? cell.padStart(widths[k]!) : cell.padEnd(widths[k]!)))
      .join('  ')
      .trimEnd();
  let held: string[][] | undefined = [];
  const printHeld = (): void => {
    if (held === undefined) return;
    shell.print(shell.style('dim', line(columns.map(printable))));
    for (const cells of held) shell.print(line(cells));
    held = undefined;
  };
  let printed = 0;
  for (const row of rows) {
    const cells = row.map(textOf);
    if (held === undefined) shell.print(line(cells));
    else {
      cells.forEach((cell, k) => {
        widths[k] = Math.max(widths[k]!, cell.length);
        if (typeof row[k] === 'string') numeric[k] = false;
      });
      if (held.push(cells) >= MEASURED) printHeld();
    }
    if (++printed % MEASURED === 0) await shell.drain();
  }
  printHeld();
}

async function printObjects(shell: Shell, { columns, rows }: QueryAnswer): Promise<void> {
  let printed = 0;
  for (const row of rows) {
    shell.print(toJson(Object.fromEntries(columns.map((name, k) => [name, jsonOf(row[k]!)]))));
    if (++printed % MEASURED === 0) await shell.drain();
  }
}

function textOf(value: SqlValue): string {
  if (value === null) return '';
  if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString('hex')}`;
  return typeof value === 'string' ? printable(value) : `${value}`;
}

/** Integers that a reader would round are strings. */
function jsonOf(value: SqlValue): unknown {
  if (value instanceof Uint8Array) return textOf(value);
  if (typeof value !== 'bigint') return value;
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
