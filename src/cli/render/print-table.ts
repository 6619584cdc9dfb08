import type { Shell } from '../shell.ts';
import { type Column, renderTable } from './table.ts';

/** Prints a table as wide as the terminal allows, indented below its heading, with dim titles. */
export function printTable(
  shell: Shell,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): void {
  const heading = (line: string): string => shell.style('dim', line);
  for (const line of renderTable(columns, rows, { width: shell.width, indent: 2, heading })) {
    shell.print(line);
  }
}
