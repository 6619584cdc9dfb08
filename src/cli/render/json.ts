import type { Shell } from '../shell.ts';

/** A value as JSON: a bigint becomes a string of its decimal digits, so that no reader rounds it. */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(
    value,
    (_key, member: unknown) => (typeof member === 'bigint' ? member.toString() : member),
    indent,
  );
}

/** Prints a result for programs. */
export function printJson(shell: Shell, value: unknown): void {
  for (const line of toJson(value, 2).split('\n')) shell.print(line);
}
